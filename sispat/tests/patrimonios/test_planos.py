"""Every list a person can ask for is answered from indexes: no plan reads or sorts a large part of the assets."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from esteio.postgres import Dsn
from sispat.demo import populate
from sispat.patrimonios import sql as patrimonios
from sispat.patrimonios.sql import SORTS, Query

pytestmark = pytest.mark.timeout(240)  # the city of 60,000 assets alone takes 10 s, on a busy machine a minute

TAMANHO = 60_000
TETO_DE_ORDENACAO = TAMANHO // 5  # rows the planner may expect to sort

SOZINHO = "-c max_parallel_workers_per_gather=0"  # a worker's share of a sort would look like a small one


@pytest.fixture(scope="module")
def cidade(postgres_server: Any, modelo: str) -> Iterator[Dsn]:
    dsn = postgres_server.create_database("planos", template=modelo)
    populate(dsn, size=TAMANHO)
    yield dsn
    postgres_server.drop_database("planos")


@pytest.fixture
async def conn(cidade: Dsn) -> AsyncIterator[AsyncConnection[Any]]:
    async with await AsyncConnection.connect(cidade.conninfo, autocommit=True, options=SOZINHO) as aberta:
        yield aberta


FILTROS: dict[str, dict[str, str]] = {
    "nada": {},
    "setor grande": {"setor_id": "SEMED-EF"},
    "setor pequeno": {"setor_id": "GCM"},
    "local": {"local_id": "Ginásio municipal"},
    "classe comum": {"classe_id": "1.2.3.1.1.03.03"},
    "classe rara": {"classe_id": "1.2.3.1.1.09.00"},
    "agente": {"agente_id": "10700"},
    "em uso": {"situacao": "em_uso"},
    "em transferência": {"situacao": "em_transferencia"},
    "baixado": {"situacao": "baixado"},
    "bom": {"conservacao": "bom"},
    "inservível": {"conservacao": "inservivel"},
    "setor e situação": {"setor_id": "SEMED-EF", "situacao": "em_transferencia"},
    "setor e classe que ele não tem": {"setor_id": "SEMED-EF", "classe_id": "1.2.3.1.1.01.03"},
    "classe e conservação": {"classe_id": "1.2.3.1.1.05.03", "conservacao": "inservivel"},
    "estados que não combinam": {"situacao": "baixado", "conservacao": "bom"},
}
ALCANCES = {"cidade": (), "1 setor": ("SEMUS-AB",), "3 setores": ("SEMUS-AB", "SEMUS-UPA", "GCM")}
PALAVRAS = ("cadeira", "espingarda", "xyzzy", "mesa reunião", "4711")
_CHAVES = {
    "setor_id": "setor where codigo",
    "local_id": "local where nome",
    "classe_id": "classe where conta",
    "agente_id": "agente where matricula",
}


async def _filtros(conn: AsyncConnection[Any], nome: str) -> dict[str, Any]:
    prontos: dict[str, Any] = dict(FILTROS[nome])
    for coluna in prontos.keys() & _CHAVES.keys():
        linha = await (await conn.execute(f"select id from {_CHAVES[coluna]} = %s", [prontos[coluna]])).fetchone()
        assert linha is not None, prontos[coluna]
        prontos[coluna] = linha[0]
    return prontos


async def _setores(conn: AsyncConnection[Any], nome: str) -> tuple[Any, ...] | None:
    cursor = await conn.execute("select id from setor where codigo = any(%s)", [list(ALCANCES[nome])])
    return tuple(linha[0] for linha in await cursor.fetchall()) or None


async def _paginas(conn: AsyncConnection[Any], consulta: Query) -> list[Query]:
    """`consulta` in every sort and direction: the first page, and one from the middle of all assets."""
    paginas = []
    for ordem, descendente in itertools.product(SORTS, (False, True)):
        coluna = SORTS[ordem][0]
        cursor = await conn.execute(
            f"""select p.{coluna}::text, p.numero from patrimonio p
                order by p.{coluna}, p.numero offset {TAMANHO // 2} limit 1"""
        )
        chave = await cursor.fetchone()
        primeira = replace(consulta, sort=ordem, descending=descendente, limit=51)
        paginas += [primeira, replace(primeira, after=chave)]
    return paginas


def _nos(plano: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plano
    for filho in plano.get("Plans", []):
        yield from _nos(filho)


def _faltas(plano: dict[str, Any]) -> list[str]:
    faltas = []
    for no in _nos(plano):
        if no["Node Type"] == "Seq Scan" and no["Relation Name"] == "patrimonio":
            faltas.append("reads all of patrimonio")
        if "Sort" in no["Node Type"] and (linhas := no["Plans"][0]["Plan Rows"]) > TETO_DE_ORDENACAO:
            faltas.append(f"sorts {linhas} rows")
    return sorted(faltas)


async def _conferir(conn: AsyncConnection[Any], consulta: Query) -> None:
    faltas = []
    for pagina in await _paginas(conn, consulta):
        for plano in await patrimonios.explain(conn, pagina):
            sentido = "-" if pagina.descending else ""
            faltas += [f"{sentido}{pagina.sort} after {pagina.after}: {falta}" for falta in _faltas(plano)]
    assert not faltas


@pytest.mark.parametrize("alcance", ALCANCES)
@pytest.mark.parametrize("filtro", FILTROS)
async def test_filters_are_answered_from_indexes(conn: AsyncConnection[Any], filtro: str, alcance: str) -> None:
    await _conferir(conn, Query(await _setores(conn, alcance), filters=await _filtros(conn, filtro)))


async def test_what_was_changed_lately_is_found_by_its_index_which_keeps_changes_cheap(
    conn: AsyncConnection[Any],
) -> None:
    (agora,) = await (await conn.execute("select max(atualizado_em) + interval '1 h' from patrimonio")).fetchone() or ()
    await conn.execute("update patrimonio set marca = 'Nova', atualizado_em = %s where numero in (7, 59999)", [agora])
    consulta = Query(None, filters={"atualizado_em": agora}, limit=51)
    plans = await patrimonios.explain(conn, consulta)
    assert any(no.get("Index Name") == "patrimonio_atualizado_idx" for plan in plans for no in _nos(plan))
    assert [row.numero for row in await patrimonios.listar(conn, consulta)] == [7, 59999]


@pytest.mark.parametrize("alcance", ALCANCES)
@pytest.mark.parametrize("filtro", ["nada", "setor grande", "classe comum", "em transferência"])
@pytest.mark.parametrize("q", PALAVRAS)
async def test_words_are_answered_from_indexes(conn: AsyncConnection[Any], q: str, filtro: str, alcance: str) -> None:
    await _conferir(conn, Query(await _setores(conn, alcance), q=q, filters=await _filtros(conn, filtro)))


@pytest.mark.parametrize(("q", "statements"), [("cadeira", 3), ("mesa", 3), ("espingarda", 2), ("xyzzy", 2)])
async def test_of_a_common_word_a_sample_says_how_far_a_page_reaches(
    conn: AsyncConnection[Any], q: str, statements: int
) -> None:
    for ordem, descendente in itertools.product(SORTS, (False, True)):
        plans = await patrimonios.explain(conn, Query(None, q=q, sort=ordem, descending=descendente, limit=51))
        assert len(plans) == statements, (ordem, descendente)
        assert all(plan["Plan Rows"] <= 51 for plan in plans)


@pytest.mark.parametrize("q", ["", *PALAVRAS])
@pytest.mark.parametrize("filtro", FILTROS)
async def test_what_a_list_shows_is_what_a_plain_query_finds(conn: AsyncConnection[Any], filtro: str, q: str) -> None:
    filtros = await _filtros(conn, filtro)
    alcance = await _setores(conn, "3 setores")
    onde = ["setor_id = any(%s)", *(f"{coluna} = %s" for coluna in filtros)]
    valores: list[Any] = [list(alcance or ()), *filtros.values()]
    palavras = "regexp_split_to_array(sem_acento(concat_ws(' ', descricao, marca, modelo, numero_serie)), '[^a-z0-9]+')"
    for palavra in q.replace("ã", "a").split():
        onde.append(
            f"(exists (select from unnest({palavras}) palavra where starts_with(palavra, %s)) or numero::text = %s)"
        )
        valores += [palavra, palavra]
    for ordem, descendente in (("valor", True), ("descricao", False), ("numero", True)):
        coluna, sentido = SORTS[ordem][0], "desc" if descendente else "asc"
        cursor = await conn.execute(
            f"""select numero from patrimonio where {" and ".join(onde)}
                order by {coluna} {sentido}, numero {sentido} offset 20 limit 20""",
            valores,
        )
        esperado = [linha[0] for linha in await cursor.fetchall()]
        consulta = Query(alcance, q, filtros, ordem, descendente, limit=20)
        primeira = await patrimonios.listar(conn, consulta)
        ultima = primeira[-1] if len(primeira) == 20 else None
        segunda = await patrimonios.listar(conn, replace(consulta, after=(ultima.key, ultima.numero))) if ultima else []
        assert [linha.numero for linha in segunda] == esperado


def test_the_rule_notices_a_missing_index(cidade: Dsn) -> None:
    with psycopg.connect(cidade.conninfo, options=SOZINHO) as conn:
        linha = conn.execute("explain (format json) select * from patrimonio order by observacao limit 51").fetchone()
        assert linha is not None
        assert _faltas(linha[0][0]["Plan"]) == ["reads all of patrimonio", f"sorts {TAMANHO} rows"]


async def test_pages_of_words_are_those_of_a_brute_force_search(conn: AsyncConnection[Any]) -> None:
    """Every sort, both directions, from the start and from keys of matches and of others: 300 queries by chance."""
    acaso = random.Random(4)
    cursor = await conn.execute(
        """select numero, ordem, valor, data_aquisicao::text, setor_id, situacao, conservacao, tsvector_to_array(busca)
           from patrimonio"""
    )
    bens = await cursor.fetchall()
    achados = {
        palavra: {n for n, *_, lexemas in bens if any(lexema.startswith(palavra) for lexema in lexemas)}
        for palavra in ("cadeira", "mesa", "reuniao", "dell", "notebook", "aco", "espingarda", "azul", "presidente")
    }
    ordens = {
        ordem: sorted((bem[coluna], bem[0]) for bem in bens)
        for ordem, coluna in (("numero", 0), ("descricao", 1), ("valor", 2), ("data_aquisicao", 3))
    }
    por_numero = {bem[0]: bem for bem in bens}
    for _ in range(300):
        palavras = acaso.choice([*([palavra] for palavra in achados), ["mesa", "reuniao"], ["cadeira", "azul"]])
        filtros = acaso.choice(
            [{}, {}, {"setor_id": acaso.choice(bens)[4]}, {"situacao": acaso.choice(bens)[5]}, {"conservacao": "bom"}]
        )
        ordem, descendente = acaso.choice(list(ordens)), acaso.random() < 0.5
        certos = set[int].intersection(*(achados[palavra] for palavra in palavras))
        for coluna, valor in filtros.items():
            posicao = {"setor_id": 4, "situacao": 5, "conservacao": 6}[coluna]
            certos = {numero for numero in certos if por_numero[numero][posicao] == valor}
        depois = acaso.choice([None, acaso.choice(ordens[ordem]), acaso.choice(ordens[ordem])])
        if certos and acaso.random() < 0.4:
            bem = por_numero[acaso.choice(sorted(certos))]
            depois = (bem[{"numero": 0, "descricao": 1, "valor": 2, "data_aquisicao": 3}[ordem]], bem[0])
        esperado = [chave for chave in ordens[ordem] if chave[1] in certos]
        if descendente:
            esperado.reverse()
        if depois is not None:
            esperado = [chave for chave in esperado if (chave < depois if descendente else chave > depois)]
        apos = None if depois is None else (str(depois[0]), depois[1])
        limite = acaso.choice((1, 20, 51))
        consulta = Query(None, " ".join(palavras), filtros, ordem, descendente, apos, limite)
        assert [linha.numero for linha in await patrimonios.listar(conn, consulta)] == [
            numero for _, numero in esperado[:limite]
        ], consulta
