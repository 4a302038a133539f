"""`sispat banco relatorio`: what the database is doing and what it is made of.

Promises: it only reads, waits for no lock, and shows no value of any statement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from esteio.postgres.report import IndexReport, Report, Session, TableReport

__all__ = ["app"]

app = typer.Typer(help="O banco de dados.", no_args_is_help=True)

_LONGA = 60.0  # seconds of a transaction that is worth a look
_MAIORES = 15


@app.callback()
def _grupo() -> None:
    """A group although it has one command."""


@app.command("relatorio")
def relatorio(
    como_json: Annotated[bool, typer.Option("--json", help="Tudo, como JSON.")] = False,
) -> None:
    """Mostra quem espera por quem, transações longas, tabelas e índices."""
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
    yield f"Banco {visto.database}, {_tamanho(visto.bytes)}, PostgreSQL {visto.server_version}"
    yield f"Em {visto.at:%d/%m/%Y %H:%M:%S %Z}"
    yield f"Conexões: {visto.connections} de {visto.max_connections}; neste banco: {len(visto.sessions)}"
    atencao = [
        s for s in visto.sessions if s.blocked_by or s.blocks or s.idles_in_transaction
    ] or visto.long_transactions(_LONGA)
    yield from _parte("Esperas e transações abertas", map(_sessao, atencao), "nenhuma")
    yield from _parte("Maiores tabelas", map(_tabela, visto.tables[:_MAIORES]), "nenhuma")
    suspeitos = [i for i in visto.indexes if not i.valid or i.unused or i.redundant_with]
    yield from _parte("Índices que custam mais do que dão", map(_indice, suspeitos), "nenhum")
    yield from _parte("Observações", visto.hints, "nenhuma")


def _parte(titulo: str, linhas: Iterable[str], nada: str) -> Iterator[str]:
    yield ""
    yield titulo
    yield from [f"  {linha}" for linha in linhas] or [f"  {nada}"]


def _sessao(sessao: Session) -> str:
    partes = [f"{sessao.pid} {sessao.application or sessao.user}: {sessao.state or 'oculta'}"]
    if sessao.transaction_seconds is not None:
        partes.append(f"há {sessao.transaction_seconds:.1f} s numa transação")
    if sessao.blocked_by:
        partes.append(f"espera por {', '.join(map(str, sessao.blocked_by))}")
    if sessao.blocks:
        partes.append(f"bloqueia {', '.join(map(str, sessao.blocks))}")
    if sessao.statement:
        partes.append(sessao.statement)
    return "; ".join(partes)


def _tabela(tabela: TableReport) -> str:
    limpa = f"{tabela.last_vacuum:%d/%m/%Y}" if tabela.last_vacuum else "nunca"
    return (
        f"{tabela.name}: {_tamanho(tabela.bytes)}, {tabela.live_rows} linhas, {tabela.dead_share:.0%} mortas, "
        f"limpeza: {limpa}, varreduras: {tabela.sequential_scans}"
    )


def _indice(indice: IndexReport) -> str:
    if not indice.valid:
        motivo = "construção incompleta"
    elif indice.redundant_with:
        motivo = f"coberto por {', '.join(indice.redundant_with)}"
    else:
        motivo = "nunca usado"
    return f"{indice.name} ({indice.table}): {_tamanho(indice.bytes)}, {motivo}"


def _tamanho(octetos: int | None) -> str:
    if octetos is None:
        return "tamanho desconhecido"
    valor = float(octetos)
    for unidade in ("B", "KB", "MB", "GB"):
        if valor < 1024:
            return f"{valor:.0f} {unidade}"
        valor /= 1024
    return f"{valor:.1f} TB"
