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

_LONGA = 60.0  # seconds of a transaction that is worth a look
_MAIORES = 15


@app.callback()
def _grupo() -> None:
    """A group although it has one command."""


@app.command("relatorio", help=_("Mostra quem espera por quem, transações longas, tabelas e índices."))
def relatorio(
    como_json: Annotated[bool, typer.Option("--json", help=_("Tudo, como JSON."))] = False,
) -> None:
    """Show who waits for whom, long transactions, tables and indexes."""
    visto = _olhar()
    typer.echo(_json(visto) if como_json else "\n".join(_linhas(visto)))


def _olhar() -> Report:
    from esteio.postgres import Database
    from esteio.postgres.report import report
    from sispat.cli._servidor import banco_em_uso, encerravel
    from sispat.settings import carregar

    async def rodar() -> Report:
        async with Database(dsn, name="sispat", application_name="sispat relatorio", min_size=1) as db:
            return await report(db)

    with encerravel(), banco_em_uso(carregar()) as dsn:
        return asyncio.run(rodar())


def _json(visto: Report) -> str:
    from dataclasses import asdict

    import orjson

    return orjson.dumps(asdict(visto), option=orjson.OPT_INDENT_2).decode()


def _linhas(visto: Report) -> Iterator[str]:
    yield _(
        "Banco %(name)s, %(size)s, PostgreSQL %(version)s",
        name=visto.database,
        size=_tamanho(visto.bytes),
        version=visto.server_version,
    )
    yield _("Em %(at)s", at=f"{visto.at:%Y-%m-%d %H:%M:%S %Z}")
    yield _(
        "Conexões: %(used)s de %(most)s; neste banco: %(here)s",
        used=visto.connections,
        most=visto.max_connections,
        here=len(visto.sessions),
    )
    atencao = [
        s for s in visto.sessions if s.blocked_by or s.blocks or s.idles_in_transaction
    ] or visto.long_transactions(_LONGA)
    yield from _parte(_("Esperas e transações abertas"), map(_sessao, atencao), _("nenhuma"))
    yield from _parte(_("Maiores tabelas"), map(_tabela, visto.tables[:_MAIORES]), _("nenhuma"))
    suspeitos = [i for i in visto.indexes if not i.valid or i.unused or i.redundant_with]
    yield from _parte(_("Índices que custam mais do que dão"), map(_indice, suspeitos), _("nenhum"))
    yield from _parte(_("Observações"), visto.hints, _("nenhuma"))


def _parte(titulo: str, linhas: Iterable[str], nada: str) -> Iterator[str]:
    yield ""
    yield titulo
    yield from [f"  {linha}" for linha in linhas] or [f"  {nada}"]


def _sessao(sessao: Session) -> str:
    partes = [f"{sessao.pid} {sessao.application or sessao.user}: {sessao.state or _('oculta')}"]
    if sessao.transaction_seconds is not None:
        partes.append(_("há %(seconds)s s numa transação", seconds=f"{sessao.transaction_seconds:.1f}"))
    if sessao.blocked_by:
        partes.append(_("espera por %(pids)s", pids=", ".join(map(str, sessao.blocked_by))))
    if sessao.blocks:
        partes.append(_("bloqueia %(pids)s", pids=", ".join(map(str, sessao.blocks))))
    if sessao.statement:
        partes.append(sessao.statement)
    return "; ".join(partes)


def _tabela(tabela: TableReport) -> str:
    return _(
        "%(name)s: %(size)s, %(rows)s linhas, %(dead)s mortas, limpeza: %(vacuum)s, varreduras: %(scans)s",
        name=tabela.name, size=_tamanho(tabela.bytes), rows=tabela.live_rows, dead=f"{tabela.dead_share:.0%}",
        vacuum=f"{tabela.last_vacuum:%Y-%m-%d}" if tabela.last_vacuum else _("nunca"), scans=tabela.sequential_scans,
    )  # fmt: skip


def _indice(indice: IndexReport) -> str:
    if not indice.valid:
        motivo = _("construção incompleta")
    elif indice.redundant_with:
        motivo = _("coberto por %(indexes)s", indexes=", ".join(indice.redundant_with))
    else:
        motivo = _("nunca usado")
    return f"{indice.name} ({indice.table}): {_tamanho(indice.bytes)}, {motivo}"


def _tamanho(octetos: int | None) -> str:
    if octetos is None:
        return _("tamanho desconhecido")
    valor = float(octetos)
    for unidade in ("B", "KB", "MB", "GB"):
        if valor < 1024:
            return f"{valor:.0f} {unidade}"
        valor /= 1024
    return f"{valor:.1f} TB"
