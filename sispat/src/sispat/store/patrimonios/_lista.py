"""Pages of assets, walked by key.

Promises: a page costs about the same wherever it lies and whatever it is sorted by. How: the indexes of the
schema serve the sorts; where matches may lie together, a page is looked for a little way along its sort, and
if it is not full there, everything that matches is collected and sorted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from sispat.store.patrimonios._consulta import ORDENS, RAROS, Consulta, condicoes
from sispat.store.patrimonios._documento import CURTO, JUNCOES

__all__ = ["Linha", "contar", "explicar", "listar", "percorrer"]


class Linha(NamedTuple):
    """One asset of a list: its document (JSON) and its place in the order."""

    documento: str
    chave: str
    numero: int


_TRECHO = 5000  # rows a page may be looked for along the index of its sort: a few milliseconds
_DESVIO = {"bigint": "p.{} + 0", "text": "p.{} || ''", "numeric": "p.{} + 0", "date": "p.{} + 0"}


def _agrupado(consulta: Consulta) -> bool:
    """Whether matches may lie together somewhere in the order, where the planner expects them spread evenly.

    Words, a local, an agente go with prices and names: a page that walks the index of its sort may pass the whole
    table before the first match. Of the few-valued filters the planner's statistics know the pairs, not the rest.
    """
    condicoes = consulta.filtros.keys() | ({"setor_id"} if consulta.setores is not None else set())
    return bool(consulta.q) or len(condicoes) > 2 or not RAROS.isdisjoint(condicoes)


def _alem_da_chave(consulta: Consulta) -> tuple[list[str], list[Any]]:
    if consulta.apos is None:
        return [], []
    coluna, tipo = ORDENS[consulta.ordem]
    compara = "<" if consulta.descendente else ">"
    if coluna == "numero":
        return [f"p.numero {compara} %s"], [consulta.apos[1]]
    return [f"(p.{coluna}, p.numero) {compara} (%s::{tipo}, %s)"], list(consulta.apos)


def _pagina(consulta: Consulta, de: str, onde: list[str], por_dentro: str, ordem: str) -> str:
    # The limit is written out: as a parameter its size is unknown to a plan made once, which then looks dearer than
    # planning anew each time, and that was measured to double the cost of a page.
    filtro = f"where {' and '.join(onde)}" if onde else ""
    coluna = ORDENS[consulta.ordem][0]
    return f"""select {CURTO}, p.{coluna}::text, p.numero
        from (select * from {de} p {filtro} order by {por_dentro} limit {consulta.limite:d}) p {JUNCOES} order by {ordem}"""


def _ordem(consulta: Consulta) -> str:
    coluna = ORDENS[consulta.ordem][0]
    sentido = "desc" if consulta.descendente else "asc"
    return ", ".join(f"p.{c} {sentido}" for c in dict.fromkeys((coluna, "numero")))


def _sql_da_lista(consulta: Consulta) -> tuple[str, list[Any]]:
    """The page of `consulta`; where matches may lie together, by collecting them all and sorting them."""
    coluna, tipo = ORDENS[consulta.ordem]
    ordem = por_dentro = _ordem(consulta)
    if _agrupado(consulta):
        # An expression that no index is sorted by, so that there is nothing to walk.
        sentido = "desc" if consulta.descendente else "asc"
        por_dentro = f"({_DESVIO[tipo].format(coluna)}) {sentido}, p.numero {sentido}"
    onde, valores = condicoes(consulta)
    alem, chave = _alem_da_chave(consulta)
    return _pagina(consulta, "patrimonio", onde + alem, por_dentro, ordem), [*valores, *chave]


def _sql_do_trecho(consulta: Consulta) -> tuple[str, list[Any]]:
    """The page of `consulta`, looked for among the next `_TRECHO` rows of the order only: full pages are right."""
    ordem = _ordem(consulta)
    onde, valores = condicoes(consulta)
    alem, chave = _alem_da_chave(consulta)
    setor = consulta.filtros.get("setor_id")
    if setor is None and consulta.setores is not None and len(consulta.setores) == 1:
        setor = consulta.setores[0]
    if setor is not None:
        alem.append("p.setor_id = %s")
        chave.append(setor)
    filtro = f"where {' and '.join(alem)}" if alem else ""
    trecho = f"(select * from patrimonio p {filtro} order by {ordem} limit {_TRECHO})"
    return _pagina(consulta, trecho, onde, ordem, ordem), [*chave, *valores]


async def listar(conn: AsyncConnection[Any], consulta: Consulta) -> list[Linha]:
    """At most `consulta.limite` assets, in order."""
    if _agrupado(consulta) and consulta.limite <= _TRECHO // 10:
        linhas = await _ler(conn, *_sql_do_trecho(consulta), prepare=False)
        if len(linhas) == consulta.limite:
            return linhas
    # The plain walk is planned once; what filters is planned for its values, whose frequency decides the plan.
    estavel = not consulta.filtros and not consulta.q and consulta.setores is None
    return await _ler(conn, *_sql_da_lista(consulta), prepare=None if estavel else False)


async def _ler(conn: AsyncConnection[Any], sql: str, valores: list[Any], prepare: bool | None) -> list[Linha]:
    cursor = await conn.execute(sql, valores, prepare=prepare)
    return [Linha(*linha) for linha in await cursor.fetchall()]


async def explicar(conn: AsyncConnection[Any], consulta: Consulta) -> list[dict[str, Any]]:
    """The plans (as EXPLAIN's JSON has them) of the statements `listar` may run, in their order."""
    partes = [_sql_do_trecho(consulta)] if _agrupado(consulta) else []
    planos = []
    for sql, valores in [*partes, _sql_da_lista(consulta)]:
        linha = await (await conn.execute(f"explain (format json) {sql}", valores, prepare=False)).fetchone()
        assert linha is not None
        planos.append(linha[0][0]["Plan"])
    return planos


async def percorrer(conn: AsyncConnection[Any], consulta: Consulta, lote: int = 2000) -> AsyncIterator[list[Linha]]:
    """All assets of a list in lots, for exports: memory stays bounded and no cursor is held open between lots."""
    apos = consulta.apos
    while True:
        linhas = await listar(conn, replace(consulta, apos=apos, limite=lote))
        if linhas:
            yield linhas
            apos = (linhas[-1].chave, linhas[-1].numero)
        if len(linhas) < lote:
            return


async def contar(conn: AsyncConnection[Any], consulta: Consulta, teto: int = 1000) -> int:
    """How many assets match, counting no further than `teto` + 1."""
    onde, valores = condicoes(consulta)
    filtro = f"where {' and '.join(onde)}" if onde else ""
    sql = f"select count(*) from (select from patrimonio p {filtro} limit %s) p"
    linha = await (await conn.execute(sql, [*valores, teto + 1], prepare=False)).fetchone()
    return int(linha[0]) if linha else 0
