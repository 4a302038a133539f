"""Every other list a person can ask for is answered from indexes: no page reads, or sorts, a large part of its table.

Assets and imóveis have tests of their own; registers and comissões are short. Each statement that a list runs is run under
EXPLAIN ANALYZE as well, so that what counts is the rows it read, not what the planner expected.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection

from esteio.postgres import Dsn
from sispat.auditoria.actions import ultimos
from sispat.imoveis.kinds import BAIXAS as BAIXAS_DE_IMOVEIS
from sispat.imoveis.kinds import DESTINACOES
from sispat.importacao import actions as importacao
from sispat.importacao.fields import ListaDeImportacoes
from sispat.kernel.audit import Sought
from sispat.kernel.context import Context
from sispat.kernel.permissions import Access, Papel
from sispat.kernel.records import Kind, listar
from sispat.movimentacoes.kinds import BAIXAS, EMPRESTIMOS, LOCALIZACOES, MANUTENCOES, REGULARIZACOES, TRANSFERENCIAS
from sispat.tarefas import actions as tarefas
from sispat.tarefas.fields import ListaDeTarefas
from sispat.termos import actions as termos
from sispat.termos.fields import ListaDeTermos

pytestmark = pytest.mark.timeout(180)  # the rows alone take ten seconds on a busy machine

TAMANHO = 12_000
TETO = 5_000  # rows that a node of a plan may read; what matches 4,000 at most is collected and sorted
HOJE = dt.date(2026, 3, 2)
N = f"generate_series(1, {TAMANHO}) k"

_BASE = """
create temp table s as select id, row_number() over (order by id) - 1 as n, count(*) over () as q from setor;
create temp table p as select id, setor_id, row_number() over (order by id) - 1 as n, count(*) over () as q from patrimonio;
create temp table m as select id, setor_id, row_number() over (order by id) - 1 as n, count(*) over () as q from imovel;
create temp table u as select id from usuario where papel = 'gestor' limit 1;
"""
# Of each kind mostly what is over, and a few that are not, old ones.
ENCHER = {
    "transferencia": f"""(origem_id, destino_id, motivo, bens, pedida_por, estado, decidida_em)
        select s.id, d.id, 'Mudança de sala', 1, u.id, case when k % 500 = 3 then 'pendente' when k % 300 = 0 then 'recusada'
            else 'aceita' end, case when k % 500 <> 3 then now() end
        from {N} join s on s.n = k % s.q join s d on d.n = (k * 7 + 3) % d.q, u""",
    "emprestimo": f"""(patrimonio_id, setor_id, tomador, saida, previsao, finalidade, devolvido_em, registrado_por)
        select p.id, p.setor_id, 'Escola', date '2020-01-01', date '2020-01-01' + k % 300, 'Feira',
            case when k > 100 then date '2020-06-01' end, u.id from {N} join p on p.n = k % p.q, u""",
    "manutencao": f"""(patrimonio_id, setor_id, tipo, problema, enviado_em, previsao, concluido_em, custo, servico,
        registrada_por)
        select p.id, p.setor_id, 'corretiva', 'Não liga', date '2020-01-01', date '2020-02-01',
            case when k > 100 then date '2020-02-01' end, case when k > 100 then 9 end,
            case when k > 100 then 'Fonte trocada' else '' end, u.id from {N} join p on p.n = k % p.q, u""",
    "localizacao": f"""(estado, patrimonio_id, setor_id, data, circunstancia, registrada_por)
        select case when k % 500 = 0 then 'nao_localizado' else 'localizado' end, p.id, p.setor_id, date '2020-01-01',
            'Na conferência', u.id from {N} join p on p.n = k % p.q, u""",
    "baixa": f"""(patrimonio_id, setor_id, motivo, data, justificativa, valor, situacao_anterior, registrada_por,
        estornada_em, estornada_por, estorno)
        select p.id, p.setor_id, 'erro_cadastro', date '2020-01-01', 'Cadastrado duas vezes', 1, 'em_uso', u.id, now(), u.id,
            'Não era este' from {N} join p on p.n = k % p.q, u""",
    "imovel_destinacao": f"""(imovel_id, setor_id, de, para, ato, numero_ato, data, motivo, registrada_por)
        select m.id, m.setor_id, 'uso_especial', 'dominical', 'lei', k::text, date '2010-01-01' + k % 5000, 'Sem uso', u.id
        from {N} join m on m.n = k % m.q, u""",
    "imovel_baixa": f"""(imovel_id, setor_id, motivo, data, justificativa, destinacao, posse, valor_terreno, valor_edificacao,
        registrada_por, estornada_em, estornada_por, estorno)
        select m.id, m.setor_id, 'erro_cadastro', '2020-01-01', 'Cadastrado duas vezes', 'dominical', 'proprio', 1, 0, u.id,
            now(), u.id, 'Não era este' from {N} join m on m.n = k % m.q, u""",
    "termo": f"""(tipo, exercicio, numero, codigo, assunto_id, setor_id, bens, valor, conteudo, emitido_por, anulado_em,
        anulado_por, anulacao)
        select case when k % 400 = 7 then 'baixa' else 'transferencia' end, 2020, k, upper(substr(md5(k::text), 1, 16)),
            gen_random_uuid(), s.id, 1, 1, '{{}}', u.id, case when k % 500 = 3 then now() end,
            case when k % 500 = 3 then u.id end, case when k % 500 = 3 then 'Outro' else '' end
        from {N} join s on s.n = k % s.q, u""",
    "importacao": f"(arquivo, tamanho, por) select 'bens.csv', 1, u.id from {N}, u",
    "tarefa": f"""(tipo, argumentos, pedida_por, requisicao, idioma, tentativas, prazo, estado, terminada_em)
        select 'teste.algo', '{{}}', case when k > 30 then u.id else (select id from usuario where papel = 'responsavel') end,
            'r', 'pt-BR', 5, 60, 'concluida', now() from {N}, u""",
    "evento": f"""(ator_id, requisicao, entidade, entidade_id, acao)
        select case when k > 30 then u.id else (select id from usuario where papel = 'responsavel') end, 'r', 'patrimonio',
            p.id, case when k % 500 = 3 then 'baixar' else 'editar' end from {N} join p on p.n = k % p.q, u""",
}  # fmt: skip


@pytest.fixture(scope="module")
def cheia(postgres_server: Any, _modelo_cidade: str) -> Iterator[Dsn]:
    dsn = postgres_server.create_database("planos_das_listas", template=_modelo_cidade)
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        conn.execute("set statement_timeout = 0")
        conn.execute("set synchronous_commit = off")
        conn.execute(_BASE)
        for table, sql in ENCHER.items():
            conn.execute(f"insert into {table} {sql} on conflict do nothing")  # some are open once for each asset
            conn.execute(f"analyze {table}")
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
    if read * plan["Actual Loops"] > TETO:
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


def _pages() -> Iterator[tuple[str, Page]]:
    kinds = (
        TRANSFERENCIAS, EMPRESTIMOS, MANUTENCOES, LOCALIZACOES, REGULARIZACOES, BAIXAS, DESTINACOES, BAIXAS_DE_IMOVEIS,
    )  # fmt: skip
    for kind in kinds:
        asked: list[dict[str, Any]] = [{}, *({"estado": estado} for estado in kind.estados)]
        asked += [{name: 7} for name in ("bem", "imovel") if name in kind.asked.model_fields]
        for each in asked:
            yield f"{kind.plural} {each}", _kind(kind, each)
    for each in ({}, {"tipo": "baixa"}, {"estado": "anulado"}, {"estado": "substituido"}, {"bem": 7}):
        yield f"termos {each}", lambda ctx, each=each: termos.listar(ctx, ListaDeTermos.parse(each))
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
