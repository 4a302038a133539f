"""Every other list a person can ask for is answered from indexes: no page reads, or sorts, a large part of its table.

Assets and imóveis have tests of their own; registers and comissões are short. The rows are those that benchmarks.registros
measures a million of. Each statement that a list runs is run under EXPLAIN ANALYZE as well, so that what counts is the rows it
read, not what the planner expected. SISPAT_LIST_ROWS sets how many of each there are.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import psycopg
import pytest
from benchmarks.ground import TABLES, Ground
from psycopg import AsyncConnection

from esteio.postgres import Dsn
from sispat.auditoria.actions import ultimos
from sispat.documentos import sql as documentos
from sispat.imoveis.kinds import BAIXAS as BAIXAS_DE_IMOVEIS
from sispat.imoveis.kinds import DESTINACOES
from sispat.importacao import actions as importacao
from sispat.importacao.fields import ListaDeImportacoes
from sispat.inventario.kinds import INVENTARIOS, ITENS
from sispat.inventario.rules import RecorteDeItens
from sispat.kernel.audit import Sought
from sispat.kernel.context import Context
from sispat.kernel.permissions import Access, Papel
from sispat.kernel.records import Kind, listar
from sispat.movimentacoes.kinds import BAIXAS, EMPRESTIMOS, LOCALIZACOES, MANUTENCOES, REGULARIZACOES, TRANSFERENCIAS
from sispat.painel.pending import pending
from sispat.tarefas import actions as tarefas
from sispat.tarefas.fields import ListaDeTarefas
from sispat.termos import actions as termos
from sispat.termos.fields import ListaDeTermos

TAMANHO = int(os.environ.get("SISPAT_LIST_ROWS", "12000"))
pytestmark = pytest.mark.timeout(120 + TAMANHO // 100)  # the rows alone take half a minute on a very busy machine

TETO = 5_000  # rows that a node of a plan may read; what matches 4,000 at most is collected and sorted
HOJE = dt.date(2026, 3, 2)


@pytest.fixture(scope="module")
def cheia(postgres_server: Any, _modelo_cidade: str) -> Iterator[Dsn]:
    dsn = postgres_server.create_database("planos_das_listas", template=_modelo_cidade)
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        Ground(conn, TAMANHO).fill(*TABLES)
    yield dsn
    postgres_server.drop_database("planos_das_listas")


class Watched:
    """A connection that notes what each statement read."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self.faults: list[str] = []

    async def execute(self, sql: str, values: Any = None, **options: Any) -> Any:
        await self.look(sql, values)
        return await self._conn.execute(sql, values, **options)

    @asynccontextmanager
    async def cursor(self, **options: Any) -> AsyncIterator[Any]:
        async with self._conn.cursor(**options) as cursor:
            yield _Cursor(self, cursor)

    async def look(self, sql: str, values: Any) -> None:
        if sql.lstrip().startswith("explain"):
            return
        row = await (await self._conn.execute(f"explain (analyze, timing off, format json) {sql}", values)).fetchone()
        self.faults += list(_faults(row[0][0]["Plan"]))


class _Cursor:
    def __init__(self, watched: Watched, cursor: Any) -> None:
        self._watched, self._cursor = watched, cursor

    async def execute(self, sql: str, values: Any = None, **options: Any) -> Any:
        await self._watched.look(sql, values)
        return await self._cursor.execute(sql, values, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def _faults(plan: dict[str, Any]) -> Iterator[str]:
    read = plan["Actual Rows"] + sum(rows for name, rows in plan.items() if name.startswith("Rows Removed by"))
    # Of many rows, entries of an index that only say which rows another index has found, too, are cheap to read.
    most = max(TETO, TAMANHO // 4) if plan["Node Type"] == "Bitmap Index Scan" else TETO
    if read * plan["Actual Loops"] > most:
        yield f"{plan['Node Type']} {plan.get('Relation Name', '')}: {read * plan['Actual Loops']:.0f} rows"
    for each in plan.get("Plans", []):
        yield from _faults(each)


Page = Callable[[Context], Awaitable[Any]]


def _kind(kind: Kind, asked: dict[str, Any]) -> Page:
    async def first_and_next(ctx: Context) -> None:
        first = await listar(ctx, kind, kind.asked.parse(asked), HOJE)
        if first.following:
            await listar(ctx, kind, kind.asked.parse({**asked, "cursor": first.following}), HOJE)

    return first_and_next


async def _documents(ctx: Context) -> None:
    row = await (
        await ctx.conn.execute("select entidade_id from documento where entidade = 'patrimonio' limit 1")
    ).fetchone()
    assert row is not None
    assert await documentos.listar(ctx.conn, "patrimonio", row[0])
    await documentos.resumir(ctx.conn, "patrimonio", [row[0]])


def _pages() -> Iterator[tuple[str, Page]]:
    kinds = (
        TRANSFERENCIAS, EMPRESTIMOS, MANUTENCOES, LOCALIZACOES, REGULARIZACOES, BAIXAS, DESTINACOES, BAIXAS_DE_IMOVEIS,
        INVENTARIOS, ITENS,
    )  # fmt: skip
    for kind in kinds:
        asked: list[dict[str, Any]] = [{}, *({"estado": estado} for estado in kind.estados)]
        asked += [{name: 7} for name in ("bem", "imovel") if name in kind.asked.model_fields]
        if kind is ITENS:
            asked += [{"so": so} for so in RecorteDeItens]
            asked += [{**each, "inventario": 3} for each in asked if "bem" not in each]
        for each in asked:
            yield f"{kind.plural} {each}", _kind(kind, each)
    for each in ({}, {"tipo": "baixa"}, {"estado": "anulado"}, {"estado": "substituido"}, {"bem": 7}):
        yield f"termos {each}", lambda ctx, each=each: termos.listar(ctx, ListaDeTermos.parse(each))
    yield "documentos", _documents
    yield "avisos", lambda ctx: pending(ctx, HOJE, click_signing=True)
    yield "importacoes", lambda ctx: importacao.listar(ctx, ListaDeImportacoes())
    yield "tarefas", lambda ctx: tarefas.listar(ctx, ListaDeTarefas())
    for sought in (Sought(), Sought(pessoa="responsável"), Sought(acao="baixar"), Sought(registro=7)):
        yield f"auditoria {sought}", lambda ctx, sought=sought: ultimos(ctx, sought)


async def test_every_list_reads_little_of_its_table_whoever_asks(cheia: Dsn) -> None:
    faults: dict[str, list[str]] = {}
    options = "-c max_parallel_workers_per_gather=0 -c jit=off"
    async with await AsyncConnection.connect(cheia.conninfo, autocommit=True, options=options) as conn:
        cursor = await conn.execute("select setor_id from patrimonio group by 1 order by count(*) desc limit 1")
        (setor,) = await cursor.fetchone() or (None,)
        cursor = await conn.execute("select id from usuario where papel = 'responsavel'")
        (responsavel,) = await cursor.fetchone() or (None,)
        people = (
            Access(UUID(int=1), "Ana", "a@x.y", Papel.ADMINISTRADOR),
            Access(cast("UUID", responsavel), "Rui", "r@x.y", Papel.RESPONSAVEL, (cast("UUID", setor),)),
        )
        for access in people:
            for name, page in _pages():
                if access.papel is Papel.RESPONSAVEL and name.startswith(("importacoes", "auditoria")):
                    continue  # for managers
                watched = Watched(conn)
                await page(Context(cast("AsyncConnection[Any]", watched), access, "r"))
                if watched.faults:
                    faults[f"{access.papel} {name}"] = watched.faults
    assert not faults, "\n".join(f"{name}: {what}" for name, what in faults.items())


async def test_the_rule_notices_what_reads_a_whole_table(cheia: Dsn) -> None:
    async with await AsyncConnection.connect(cheia.conninfo, autocommit=True) as conn:
        watched = Watched(conn)
        await watched.execute("select * from evento order by requisicao limit 50")
        assert watched.faults, "a sort"
        watched = Watched(conn)
        await watched.execute("select * from evento where requisicao = %s order by id desc limit 50", ["x"])
        assert watched.faults, "a long walk that finds nothing"
