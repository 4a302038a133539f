"""`sispat banco relatorio`: what the database is doing and what it is made of.

Promises: it only reads, waits for no lock, and shows no value of any statement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from sispat.kernel.i18n import _

if TYPE_CHECKING:
    from esteio.postgres.report import IndexReport, Report, Session, TableReport

__all__ = ["app"]

app = typer.Typer(help=_("O banco de dados."), no_args_is_help=True)

_LONG = 60.0  # seconds of a transaction that is worth a look
_LARGEST = 15


@app.callback()
def _group() -> None:
    """A group although it has one command."""


@app.command("relatorio", help=_("Mostra quem espera por quem, transações longas, tabelas e índices."))
def relatorio(
    as_json: Annotated[bool, typer.Option("--json", help=_("Tudo, como JSON."))] = False,
) -> None:
    """Show who waits for whom, long transactions, tables and indexes."""
    seen = _look()
    typer.echo(_json(seen) if as_json else "\n".join(_lines(seen)))


def _look() -> Report:
    from esteio.postgres import Database
    from esteio.postgres.report import report
    from sispat.cli._database import database_in_use, terminable
    from sispat.settings import load_settings

    async def run() -> Report:
        async with Database(dsn, name="sispat", application_name="sispat relatorio", min_size=1) as db:
            return await report(db)

    with terminable(), database_in_use(load_settings()) as dsn:
        return asyncio.run(run())


def _json(seen: Report) -> str:
    from dataclasses import asdict

    import orjson

    return orjson.dumps(asdict(seen), option=orjson.OPT_INDENT_2).decode()


def _lines(seen: Report) -> Iterator[str]:
    yield _(
        "Banco %(name)s, %(size)s, PostgreSQL %(version)s",
        name=seen.database,
        size=_size(seen.bytes),
        version=seen.server_version,
    )
    yield _("Em %(at)s", at=f"{seen.at:%Y-%m-%d %H:%M:%S %Z}")
    yield _(
        "Conexões: %(used)s de %(most)s; neste banco: %(here)s",
        used=seen.connections,
        most=seen.max_connections,
        here=len(seen.sessions),
    )
    attention = [
        s for s in seen.sessions if s.blocked_by or s.blocks or s.idles_in_transaction
    ] or seen.long_transactions(_LONG)
    yield from _part(_("Esperas e transações abertas"), map(_session, attention), _("nenhuma"))
    yield from _part(_("Maiores tabelas"), map(_table, seen.tables[:_LARGEST]), _("nenhuma"))
    suspects = [i for i in seen.indexes if not i.valid or i.unused or i.redundant_with]
    yield from _part(_("Índices que custam mais do que dão"), map(_index, suspects), _("nenhum"))
    yield from _part(_("Observações"), seen.hints, _("nenhuma"))


def _part(title: str, lines: Iterable[str], nothing: str) -> Iterator[str]:
    yield ""
    yield title
    yield from [f"  {line}" for line in lines] or [f"  {nothing}"]


def _session(session: Session) -> str:
    parts = [f"{session.pid} {session.application or session.user}: {session.state or _('oculta')}"]
    if session.transaction_seconds is not None:
        parts.append(_("há %(seconds)s s numa transação", seconds=f"{session.transaction_seconds:.1f}"))
    if session.blocked_by:
        parts.append(_("espera por %(pids)s", pids=", ".join(map(str, session.blocked_by))))
    if session.blocks:
        parts.append(_("bloqueia %(pids)s", pids=", ".join(map(str, session.blocks))))
    if session.statement:
        parts.append(session.statement)
    return "; ".join(parts)


def _table(table: TableReport) -> str:
    return _(
        "%(name)s: %(size)s, %(rows)s linhas, %(dead)s mortas, limpeza: %(vacuum)s, varreduras: %(scans)s",
        name=table.name, size=_size(table.bytes), rows=table.live_rows, dead=f"{table.dead_share:.0%}",
        vacuum=f"{table.last_vacuum:%Y-%m-%d}" if table.last_vacuum else _("nunca"), scans=table.sequential_scans,
    )  # fmt: skip


def _index(index: IndexReport) -> str:
    if not index.valid:
        reason = _("construção incompleta")
    elif index.redundant_with:
        reason = _("coberto por %(indexes)s", indexes=", ".join(index.redundant_with))
    else:
        reason = _("nunca usado")
    return f"{index.name} ({index.table}): {_size(index.bytes)}, {reason}"


def _size(size: int | None) -> str:
    if size is None:
        return _("tamanho desconhecido")
    value = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} TB"
