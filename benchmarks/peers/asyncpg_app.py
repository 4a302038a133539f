"""What a performance-minded engineer would write: FastAPI, asyncpg, hand-written SQL, pydantic response models.

Same tables, same session check, same page of fifty with the same fields, same number, audit row and durable commit
on create. No ORM; rows become the response models that FastAPI's guide shows.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel

SESSION = """
    select u.id, u.papel from sessao s join usuario u on u.id = s.usuario_id
    where s.token_hash = $1 and s.expira_em > now() and u.ativo"""
COLUMNS = """
    p.id, p.numero, p.descricao, p.valor, p.data_aquisicao, p.situacao, p.conservacao, p.versao,
    c.id as classe_id, c.nome as classe_nome, s.id as setor_id, s.nome as setor_nome, s.codigo as setor_codigo,
    l.id as local_id, l.nome as local_nome, a.id as agente_id, a.nome as agente_nome, a.matricula as agente_matricula"""
JOINS = """
    join classe c on c.id = p.classe_id join setor s on s.id = p.setor_id
    join local l on l.id = p.local_id join agente a on a.id = p.agente_id"""
LIST = f"select {COLUMNS} from patrimonio p {JOINS} order by p.numero limit $1"
ONE = f"select {COLUMNS} from patrimonio p {JOINS} where p.id = $1"
COUNT_UP = "update numeracao set ultimo = ultimo + 1 where escopo = 'patrimonio' and exercicio = 0 returning ultimo"
INSERT = f"""
    with p as (
        insert into patrimonio (numero, descricao, valor, data_aquisicao, data_disponivel, conservacao,
                                classe_id, setor_id, local_id, agente_id)
        values ($1, $2, $3, $4, $4, 'bom', $5, $6, $7, $8) returning *)
    select {COLUMNS} from p {JOINS}"""
AUDIT = """
    insert into evento (ator_id, requisicao, entidade, entidade_id, acao, depois)
    values ($1, 'peer', 'patrimonio', $2, 'criar', $3)"""


class Referencia(BaseModel):
    id: UUID
    nome: str


class ReferenciaSetor(Referencia):
    codigo: str


class ReferenciaAgente(Referencia):
    matricula: str


class Bem(BaseModel):
    id: UUID
    numero: int
    descricao: str
    valor: Decimal
    data_aquisicao: date
    situacao: str
    conservacao: str
    classe: Referencia
    setor: ReferenciaSetor
    local: Referencia
    agente: ReferenciaAgente
    versao: int


class Lista(BaseModel):
    itens: list[Bem]


class Novo(BaseModel):
    descricao: str
    valor: Decimal
    data_aquisicao: date
    classe_id: UUID
    setor_id: UUID
    local_id: UUID
    agente_id: UUID


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["PEER_DATABASE_URL"], min_size=10, max_size=10) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


async def connection(request: Request) -> AsyncIterator[Any]:
    async with request.app.state.pool.acquire() as conn:
        yield conn


Db = Annotated[Any, Depends(connection)]


async def current_user(db: Db, authorization: Annotated[str, Header()]) -> UUID:
    token = authorization.removeprefix("Bearer ")
    row = await db.fetchrow(SESSION, hashlib.sha256(token.encode()).digest())
    if row is None:
        raise HTTPException(401)
    user_id: UUID = row["id"]
    return user_id


User = Annotated[UUID, Depends(current_user)]


def to_model(row: Any) -> Bem:
    return Bem(
        id=row["id"],
        numero=row["numero"],
        descricao=row["descricao"],
        valor=row["valor"],
        data_aquisicao=row["data_aquisicao"],
        situacao=row["situacao"],
        conservacao=row["conservacao"],
        classe=Referencia(id=row["classe_id"], nome=row["classe_nome"]),
        setor=ReferenciaSetor(id=row["setor_id"], nome=row["setor_nome"], codigo=row["setor_codigo"]),
        local=Referencia(id=row["local_id"], nome=row["local_nome"]),
        agente=ReferenciaAgente(id=row["agente_id"], nome=row["agente_nome"], matricula=row["agente_matricula"]),
        versao=row["versao"],
    )


@app.get("/api/patrimonios")
async def list_(db: Db, user: User, limite: int = 50) -> Lista:
    return Lista(itens=[to_model(row) for row in await db.fetch(LIST, limite)])


@app.get("/api/patrimonios/{id_}")
async def one(db: Db, user: User, id_: UUID) -> Bem:
    row = await db.fetchrow(ONE, id_)
    if row is None:
        raise HTTPException(404)
    return to_model(row)


@app.post("/api/patrimonios", status_code=201)
async def create(db: Db, user: User, novo: Novo) -> Bem:
    async with db.transaction():
        numero = await db.fetchval(COUNT_UP)
        row = await db.fetchrow(
            INSERT, numero, novo.descricao, novo.valor, novo.data_aquisicao,
            novo.classe_id, novo.setor_id, novo.local_id, novo.agente_id,
        )  # fmt: skip
        after = {"numero": numero, **novo.model_dump(mode="json")}
        await db.execute(AUDIT, user, row["id"], json.dumps(after))
    return to_model(row)
