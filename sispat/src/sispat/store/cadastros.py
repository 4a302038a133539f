"""The registers assets refer to: setores, locais, agentes, classes. Four tables, one way to keep them.

Promises: `TABELAS` says what each register holds; every change carries the version it was made from
(optimistic locking) and is audited in the same transaction. Removing what something refers to fails by
foreign key. A local keeps its setor for life, because assets refer to both together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row

__all__ = ["TABELAS", "Tabela", "atualizar", "excluir", "inserir", "listar", "nomes", "obter"]


@dataclass(frozen=True, slots=True)
class Tabela:
    """One register: its table, the columns people type, and how it is listed."""

    nome: str
    campos: tuple[str, ...]
    ordem: str
    busca: str  # SQL text searched by `q`
    setor: str | None = None  # the column that ties a row to a setor, where one does
    fixos: tuple[str, ...] = ()  # columns that never change once written


TABELAS = {
    "setor": Tabela("setor", ("codigo", "nome", "pai_id", "ativo"), "codigo", "codigo || ' ' || nome", setor="id"),
    "local": Tabela(
        "local",
        ("setor_id", "nome", "ativo", "cep", "logradouro", "numero", "complemento", "bairro", "cidade", "uf"),
        "nome", "nome", setor="setor_id", fixos=("setor_id",),
    ),
    "agente": Tabela(
        "agente", ("nome", "matricula", "cargo", "setor_id", "cpf", "ativo"), "nome", "nome || ' ' || matricula",
        setor="setor_id",
    ),
    "classe": Tabela(
        "classe", ("conta", "nome", "vida_util_meses", "residual_pct", "depreciavel", "ativo"), "conta",
        "conta || ' ' || nome",
    ),
}  # fmt: skip


async def listar(
    conn: AsyncConnection[Any],
    tabela: Tabela,
    *,
    setores: Sequence[UUID] | None = None,
    setor_id: UUID | None = None,
    q: str = "",
    ativos: bool = False,
    limite: int = 2000,
) -> list[dict[str, Any]]:
    """Rows in order, at most `limite`; within `setores` where given, of one setor, matching `q`, active only."""
    onde, valores = ["true"], list[Any]()
    if tabela.setor and setores is not None:
        onde.append(f"{tabela.setor} = any(%s)")
        valores.append(list(setores))
    if tabela.setor and setor_id is not None:
        onde.append(f"{tabela.setor} = %s")
        valores.append(setor_id)
    if q:
        onde.append(f"strpos(sem_acento({tabela.busca}), sem_acento(%s)) > 0")
        valores.append(q)
    if ativos:
        onde.append("ativo")
    sql = f"""select id, {", ".join(tabela.campos)}, versao from {tabela.nome}
              where {" and ".join(onde)} order by {tabela.ordem}, id limit %s"""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(sql, [*valores, limite])).fetchall()


async def obter(
    conn: AsyncConnection[Any],
    tabela: Tabela,
    id_: UUID,
    *,
    setores: Sequence[UUID] | None = None,
    travar: bool = False,
) -> dict[str, Any] | None:
    """One row within reach, or None; with `travar` locked until the transaction ends."""
    alcance = f"and {tabela.setor} = any(%s)" if tabela.setor and setores is not None else ""
    valores: list[Any] = [id_, list(setores)] if alcance and setores is not None else [id_]
    sql = f"""select id, {", ".join(tabela.campos)}, versao, criado_em, atualizado_em from {tabela.nome}
              where id = %s {alcance} {"for no key update" if travar else ""}"""
    async with conn.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(sql, valores)).fetchone()


async def inserir(conn: AsyncConnection[Any], tabela: Tabela, dados: Mapping[str, Any]) -> UUID:
    """Insert one row; its id."""
    marcas = ", ".join(["%s"] * len(tabela.campos))
    sql = f"insert into {tabela.nome} ({', '.join(tabela.campos)}) values ({marcas}) returning id"
    linha = await (await conn.execute(sql, [dados[campo] for campo in tabela.campos])).fetchone()
    assert linha is not None
    return UUID(str(linha[0]))


async def atualizar(conn: AsyncConnection[Any], tabela: Tabela, id_: UUID, mudancas: Mapping[str, Any]) -> None:
    """Change columns of a locked row and count its version up."""
    colunas = ", ".join(f"{campo} = %s" for campo in mudancas)
    sql = f"update {tabela.nome} set {colunas}, versao = versao + 1, atualizado_em = now() where id = %s"
    await conn.execute(sql, [*mudancas.values(), id_])


async def excluir(conn: AsyncConnection[Any], tabela: Tabela, id_: UUID) -> None:
    """Remove a locked row; psycopg's ForeignKeyViolation when something refers to it."""
    await conn.execute(f"delete from {tabela.nome} where id = %s", [id_])


_NOMES = """
    select id, codigo || ' · ' || nome from setor where id = any(%(ids)s)
    union all select id, nome from local where id = any(%(ids)s)
    union all select id, nome from agente where id = any(%(ids)s)
    union all select id, nome from classe where id = any(%(ids)s)"""


async def nomes(conn: AsyncConnection[Any], ids: Sequence[UUID]) -> dict[UUID, str]:
    """What the given rows are called, whichever register holds them; unknown ids are left out."""
    return dict(await (await conn.execute(_NOMES, {"ids": list(ids)})).fetchall())
