"""One asset: read whole, locked, created, changed.

Promises: a number is taken from `numeracao` in the statement that creates the asset and writes its audit
record: distinct, consecutive, and gone if that statement fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from sispat.store import eventos
from sispat.store.patrimonios._documento import INTEIRO, JUNCOES

__all__ = ["CAMPOS", "bloquear", "criar", "ficha", "gravar"]

# What people type; the rest of the columns belongs to the database.
CAMPOS = (
    "descricao", "classe_id", "valor", "data_aquisicao", "data_disponivel", "conservacao", "posse", "setor_id",
    "local_id", "agente_id", "marca", "modelo", "numero_serie", "fornecedor_doc", "nota_fiscal", "empenho",
    "licitacao", "observacao",
)  # fmt: skip


async def ficha(conn: AsyncConnection[Any], setores: Sequence[UUID] | None, id_: UUID) -> str | None:
    """The whole document (JSON) of one asset within reach, or None."""
    alcance = "" if setores is None else "and p.setor_id = any(%s)"
    valores: list[Any] = [id_] if setores is None else [id_, list(setores)]
    cursor = await conn.execute(
        f"select {INTEIRO} from patrimonio p {JUNCOES} where p.id = %s {alcance}",
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
select {INTEIRO} from p {JUNCOES} order by p.numero"""


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
