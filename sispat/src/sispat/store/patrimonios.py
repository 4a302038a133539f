"""Assets in the database.

Promises: an asset leaves as the JSON document PostgreSQL built (`_LISTA`, `_FICHA`); API and pages show that
same document. Every list is filtered by the reader's setores and walked by key, never by offset; a page
costs the same wherever it lies. A number is taken from `numeracao` in the statement that creates the
asset and writes its audit record: distinct, consecutive, and gone if that statement fails.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from sispat.store import eventos
from sispat.store.documento import cru, nulavel, objeto, simples, texto

__all__ = [
    "CAMPOS",
    "ORDENS",
    "Consulta",
    "Linha",
    "bloquear",
    "contar",
    "criar",
    "explicar",
    "ficha",
    "gravar",
    "listar",
    "percorrer",
]

# What people type; the rest of the columns belongs to the database.
CAMPOS = (
    "descricao", "classe_id", "valor", "data_aquisicao", "data_disponivel", "conservacao", "posse", "setor_id",
    "local_id", "agente_id", "marca", "modelo", "numero_serie", "fornecedor_doc", "nota_fiscal", "empenho",
    "licitacao", "observacao",
)  # fmt: skip

# Offered sorts: name -> (column, its type). `numero` breaks ties and is itself unique.
ORDENS = {
    "numero": ("numero", "bigint"),
    "descricao": ("ordem", "text"),
    "valor": ("valor", "numeric"),
    "data_aquisicao": ("data_aquisicao", "date"),
}
FILTROS = ("setor_id", "local_id", "classe_id", "agente_id", "situacao", "conservacao")
_RAROS = frozenset({"local_id", "agente_id"})  # filters of many values, each of few assets

_LISTA = (
    simples("id", "p.id"),
    cru("numero", "p.numero"),
    texto("descricao", "p.descricao"),
    simples("valor", "p.valor"),
    simples("data_aquisicao", "p.data_aquisicao"),
    simples("situacao", "p.situacao"),
    simples("conservacao", "p.conservacao"),
    cru("classe", objeto(simples("id", "c.id"), texto("nome", "c.nome"))),
    cru("setor", objeto(simples("id", "s.id"), simples("codigo", "s.codigo"), texto("nome", "s.nome"))),
    cru("local", objeto(simples("id", "l.id"), texto("nome", "l.nome"))),
    cru("agente", objeto(simples("id", "a.id"), texto("nome", "a.nome"), simples("matricula", "a.matricula"))),
    cru("versao", "p.versao"),
)
_FICHA = (
    *_LISTA,
    simples("data_disponivel", "p.data_disponivel"),
    simples("posse", "p.posse"),
    texto("marca", "p.marca"),
    texto("modelo", "p.modelo"),
    texto("numero_serie", "p.numero_serie"),
    nulavel("fornecedor_doc", "p.fornecedor_doc"),
    texto("nota_fiscal", "p.nota_fiscal"),
    texto("empenho", "p.empenho"),
    texto("licitacao", "p.licitacao"),
    texto("observacao", "p.observacao"),
    texto("criado_em", "p.criado_em"),
    texto("atualizado_em", "p.atualizado_em"),
)
_JUNCOES = """
    join classe c on c.id = p.classe_id join setor s on s.id = p.setor_id
    join local l on l.id = p.local_id join agente a on a.id = p.agente_id"""


@dataclass(frozen=True, slots=True)
class Consulta:
    """What a list asks for. `setores` None = the whole city; `apos` = the key to go on from: (sort value, numero)."""

    setores: tuple[UUID, ...] | None
    q: str = ""
    filtros: Mapping[str, Any] = field(default_factory=dict)
    ordem: str = "numero"
    descendente: bool = False
    apos: tuple[str, int] | None = None
    limite: int = 50


class Linha(NamedTuple):
    """One asset of a list: its document (JSON) and its place in the order."""

    documento: str
    chave: str
    numero: int


def _condicoes(consulta: Consulta) -> tuple[list[str], list[Any]]:
    onde: list[str] = []
    valores: list[Any] = []
    # Where there are words, their index answers for these filters too, and here they only weed out chance hits.
    certeza = " is true" if consulta.q else ""
    if consulta.setores is not None and "setor_id" not in consulta.filtros:
        onde.append(f"(p.setor_id = any(%s)){certeza}")
        valores.append(list(consulta.setores))
    elif consulta.setores is not None and consulta.filtros["setor_id"] not in consulta.setores:
        onde.append("false")
    for coluna, valor in consulta.filtros.items():
        if coluna not in FILTROS:
            raise KeyError(coluna)
        onde.append(f"(p.{coluna} = %s){'' if coluna in _RAROS else certeza}")
        valores.append(valor)
    if consulta.q:
        condicao, achados = _busca(consulta.q, _facetas(consulta))
        onde.append(condicao)
        valores += achados
    return onde, valores


def _facetas(consulta: Consulta) -> list[str]:
    """The filters as the schema's function `facetas` writes them, for the index of words."""
    setores = [consulta.filtros["setor_id"]] if "setor_id" in consulta.filtros else consulta.setores
    lexemas = [] if not setores else [" | ".join(f"'s={str(setor)[:8]}'" for setor in setores)]
    if "classe_id" in consulta.filtros:
        lexemas.append(f"'c={str(consulta.filtros['classe_id'])[:8]}'")
    for sinal, coluna in (("t", "situacao"), ("e", "conservacao")):
        if coluna in consulta.filtros:
            valor = re.sub("[^a-z_]", "", str(consulta.filtros[coluna]))
            lexemas.append(f"'{sinal}={valor}'")
    return lexemas


_PREFIXO = 3  # letters: the beginnings that are shorter match half of the city


def _busca(q: str, facetas: list[str]) -> tuple[str, list[Any]]:
    """A word of three letters or more may be the beginning of one; digits alone may also be the asset's number."""
    limpo = unicodedata.normalize("NFKD", q.lower()).encode("ascii", "ignore").decode()
    palavras = re.findall("[a-z0-9]+", limpo)
    if not palavras:
        return "false", []
    termos = [f"'{palavra}'" + (":*" if len(palavra) >= _PREFIXO else "") for palavra in palavras]
    tsquery = " & ".join(f"({termo})" for termo in [*termos, *facetas])
    if len(palavras) == 1 and palavras[0].isdigit() and len(palavras[0]) <= 18:
        return "(p.numero = %s or p.busca @@ %s::tsquery)", [int(palavras[0]), tsquery]
    return "p.busca @@ %s::tsquery", [tsquery]


_TRECHO = 5000  # rows a page may be looked for along the index of its sort: a few milliseconds
_DESVIO = {"bigint": "p.{} + 0", "text": "p.{} || ''", "numeric": "p.{} + 0", "date": "p.{} + 0"}


def _agrupado(consulta: Consulta) -> bool:
    """Whether matches may lie together somewhere in the order, where the planner expects them spread evenly.

    Words, a local, an agente go with prices and names: a page that walks the index of its sort may pass the whole
    table before the first match. Of the few-valued filters the planner's statistics know the pairs, not the rest.
    """
    condicoes = consulta.filtros.keys() | ({"setor_id"} if consulta.setores is not None else set())
    return bool(consulta.q) or len(condicoes) > 2 or not _RAROS.isdisjoint(condicoes)


def _alem_da_chave(consulta: Consulta) -> tuple[list[str], list[Any]]:
    if consulta.apos is None:
        return [], []
    coluna, tipo = ORDENS[consulta.ordem]
    compara = "<" if consulta.descendente else ">"
    if coluna == "numero":
        return [f"p.numero {compara} %s"], [consulta.apos[1]]
    return [f"(p.{coluna}, p.numero) {compara} (%s::{tipo}, %s)"], list(consulta.apos)


def _pagina(consulta: Consulta, de: str, onde: list[str], por_dentro: str, ordem: str) -> str:
    filtro = f"where {' and '.join(onde)}" if onde else ""
    coluna = ORDENS[consulta.ordem][0]
    return f"""select {objeto(*_LISTA)}, p.{coluna}::text, p.numero
        from (select * from {de} p {filtro} order by {por_dentro} limit %s) p {_JUNCOES} order by {ordem}"""


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
    onde, valores = _condicoes(consulta)
    alem, chave = _alem_da_chave(consulta)
    return _pagina(consulta, "patrimonio", onde + alem, por_dentro, ordem), [*valores, *chave, consulta.limite]


def _sql_do_trecho(consulta: Consulta) -> tuple[str, list[Any]]:
    """The page of `consulta`, looked for among the next `_TRECHO` rows of the order only: full pages are right."""
    ordem = _ordem(consulta)
    onde, valores = _condicoes(consulta)
    alem, chave = _alem_da_chave(consulta)
    setor = consulta.filtros.get("setor_id")
    if setor is None and consulta.setores is not None and len(consulta.setores) == 1:
        setor = consulta.setores[0]
    if setor is not None:
        alem.append("p.setor_id = %s")
        chave.append(setor)
    filtro = f"where {' and '.join(alem)}" if alem else ""
    trecho = f"(select * from patrimonio p {filtro} order by {ordem} limit {_TRECHO})"
    return _pagina(consulta, trecho, onde, ordem, ordem), [*chave, *valores, consulta.limite]


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
        linhas = await listar(
            conn,
            Consulta(consulta.setores, consulta.q, consulta.filtros, consulta.ordem, consulta.descendente, apos, lote),
        )
        if linhas:
            yield linhas
            apos = (linhas[-1].chave, linhas[-1].numero)
        if len(linhas) < lote:
            return


async def contar(conn: AsyncConnection[Any], consulta: Consulta, teto: int = 1000) -> int:
    """How many assets match, counting no further than `teto` + 1."""
    onde, valores = _condicoes(consulta)
    filtro = f"where {' and '.join(onde)}" if onde else ""
    sql = f"select count(*) from (select from patrimonio p {filtro} limit %s) p"
    linha = await (await conn.execute(sql, [*valores, teto + 1], prepare=False)).fetchone()
    return int(linha[0]) if linha else 0


async def ficha(conn: AsyncConnection[Any], setores: Sequence[UUID] | None, id_: UUID) -> str | None:
    """The whole document (JSON) of one asset within reach, or None."""
    alcance = "" if setores is None else "and p.setor_id = any(%s)"
    valores: list[Any] = [id_] if setores is None else [id_, list(setores)]
    cursor = await conn.execute(
        f"select {objeto(*_FICHA)} from patrimonio p {_JUNCOES} where p.id = %s {alcance}",
        valores,
    )
    linha = await cursor.fetchone()
    return None if linha is None else linha[0]


async def bloquear(conn: AsyncConnection[Any], setores: Sequence[UUID] | None, id_: UUID) -> dict[str, Any] | None:
    """The editable columns, situacao and versao of one asset within reach; its row is locked until the commit."""
    cursor = await conn.execute(
        f"select {', '.join(CAMPOS)}, situacao, numero, versao from patrimonio where id = %s for no key update",
        [id_],
    )
    linha = await cursor.fetchone()
    if linha is None or cursor.description is None:
        return None
    registro = dict(zip([coluna.name for coluna in cursor.description], linha, strict=True))
    return registro if setores is None or registro["setor_id"] in setores else None


def _sql_de_criar(numero: str, serie: str) -> str:
    return f"""
with n as (
    update numeracao set ultimo = ultimo + %(quantidade)s where escopo = 'patrimonio' and exercicio = 0
    returning ultimo
), p as (
    insert into patrimonio (numero, {", ".join(CAMPOS)})
    select {numero}, {", ".join(f"%({campo})s" for campo in CAMPOS)} from n {serie}
    returning *
), e as (
    insert into evento (ator_id, requisicao, entidade, entidade_id, acao, depois)
    select %(ator)s, %(requisicao)s, 'patrimonio', p.id, 'criar', to_jsonb(p) - 'busca' - 'ordem' from p
)
select {objeto(*_FICHA)} from p {_JUNCOES} order by p.numero"""


# Apart, because a series of unknown length makes PostgreSQL plan anew each time, which costs more than the insert.
_CRIAR_UM = _sql_de_criar("n.ultimo", "")
_CRIAR_VARIOS = _sql_de_criar("n.ultimo - %(quantidade)s + i", ", generate_series(1, %(quantidade)s) i")


async def criar(
    conn: AsyncConnection[Any], dados: Mapping[str, Any], quantidade: int, ator: UUID, requisicao: str
) -> list[str]:
    """Create `quantidade` equal assets with consecutive numbers and their audit records; their documents (JSON)."""
    sql = _CRIAR_UM if quantidade == 1 else _CRIAR_VARIOS
    valores = {**dados, "quantidade": quantidade, "ator": ator, "requisicao": requisicao}
    cursor = await conn.execute(sql, valores)
    return [linha[0] for linha in await cursor.fetchall()]


async def gravar(
    conn: AsyncConnection[Any], id_: UUID, antes: Mapping[str, Any], mudancas: Mapping[str, Any],
    acao: str, ator: UUID, requisicao: str,
) -> None:  # fmt: skip
    """Change the given columns of a locked asset, count its version up, and write what changed into the audit."""
    colunas = ", ".join(f"{campo} = %s" for campo in mudancas)
    await conn.execute(
        f"update patrimonio set {colunas}, versao = versao + 1, atualizado_em = now() where id = %s",
        [*mudancas.values(), id_],
        prepare=False,
    )
    await eventos.registrar(
        conn,
        ator=ator,
        requisicao=requisicao,
        entidade="patrimonio",
        entidade_id=id_,
        acao=acao,
        antes={coluna: antes[coluna] for coluna in mudancas},
        depois=mudancas,
    )
