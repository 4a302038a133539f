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
    """What a list asks for. `setores` None = the whole city; `apos` is the key to continue from: (sort value, numero)."""

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
    if consulta.setores is not None and "setor_id" not in consulta.filtros:
        onde.append("p.setor_id = any(%s)")
        valores.append(list(consulta.setores))
    elif consulta.setores is not None and consulta.filtros["setor_id"] not in consulta.setores:
        onde.append("false")
    for coluna, valor in consulta.filtros.items():
        if coluna not in FILTROS:
            raise KeyError(coluna)
        onde.append(f"p.{coluna} = %s")
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
    """Each word of three letters or more may be the beginning of a word; digits alone may also be the asset's number."""
    limpo = unicodedata.normalize("NFKD", q.lower()).encode("ascii", "ignore").decode()
    palavras = re.findall("[a-z0-9]+", limpo)
    if not palavras:
        return "false", []
    termos = [f"'{palavra}'" + (":*" if len(palavra) >= _PREFIXO else "") for palavra in palavras]
    tsquery = " & ".join(f"({termo})" for termo in [*termos, *facetas])
    if len(palavras) == 1 and palavras[0].isdigit() and len(palavras[0]) <= 18:
        return "(p.numero = %s or p.busca @@ %s::tsquery)", [int(palavras[0]), tsquery]
    return "p.busca @@ %s::tsquery", [tsquery]


_DESVIOS = {"bigint": "{} + 0", "text": "{} || ''", "numeric": "{} + 0", "date": "{} + 0"}


def _pode_andar(consulta: Consulta) -> bool:
    """Whether the planner may walk the index of the sort, testing row by row.

    It then expects matches to be spread evenly. They are not where words, a local or an agente go with prices or names
    (an empty page would cost the whole table); what these find is few enough to be sorted.
    """
    condicoes = len(consulta.filtros) + (consulta.setores is not None and "setor_id" not in consulta.filtros)
    if consulta.q:
        return condicoes == 0 and consulta.ordem in ("numero", "data_aquisicao")
    return condicoes < 2 or not {"local_id", "agente_id"} & consulta.filtros.keys()


def _sql_da_lista(consulta: Consulta) -> tuple[str, list[Any]]:
    coluna, tipo = ORDENS[consulta.ordem]
    sentido, compara = ("desc", "<") if consulta.descendente else ("asc", ">")
    onde, valores = _condicoes(consulta)
    ordem = f"p.{coluna} {sentido}" if coluna == "numero" else f"p.{coluna} {sentido}, p.numero {sentido}"
    # An expression no index is sorted by: what matches is collected first, then sorted.
    por_dentro = (
        ordem
        if _pode_andar(consulta)
        else f"({_DESVIOS[tipo].format(f'p.{coluna}')}) {sentido}, p.numero + 0 {sentido}"
    )
    if consulta.apos is not None:
        chave, numero = consulta.apos
        if coluna == "numero":
            onde.append(f"p.numero {compara} %s")
            valores.append(numero)
        else:
            onde.append(f"(p.{coluna}, p.numero) {compara} (%s::{tipo}, %s)")
            valores += [chave, numero]
    filtro = f"where {' and '.join(onde)}" if onde else ""
    sql = f"""select {objeto(*_LISTA)}, p.{coluna}::text, p.numero
        from (select * from patrimonio p {filtro} order by {por_dentro} limit %s) p {_JUNCOES} order by {ordem}"""
    return sql, [*valores, consulta.limite]


async def listar(conn: AsyncConnection[Any], consulta: Consulta) -> list[Linha]:
    """At most `consulta.limite` assets, in order."""
    sql, valores = _sql_da_lista(consulta)
    # The plain walk is planned once; what filters is planned for its values, whose frequency decides the plan.
    estavel = not consulta.filtros and not consulta.q and consulta.setores is None
    cursor = await conn.execute(sql, valores, prepare=None if estavel else False)
    return [Linha(*linha) for linha in await cursor.fetchall()]


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
    """The editable columns, situacao and versao of one asset within reach, its row locked until the transaction ends."""
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
