"""What most people would write: FastAPI, async SQLAlchemy ORM with its pool, pydantic responses.

Same tables, same session check, same page of fifty with the same fields, same number, audit row and
durable commit on create. Written as its documentation teaches, without tricks and without handicaps.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship

engine = create_async_engine(os.environ["PEER_DATABASE_URL"], pool_size=10, max_overflow=0)
make_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Usuario(Base):
    __tablename__ = "usuario"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    nome: Mapped[str]
    papel: Mapped[str]
    ativo: Mapped[bool]


class Sessao(Base):
    __tablename__ = "sessao"
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    usuario_id: Mapped[UUID] = mapped_column(ForeignKey("usuario.id"))
    expira_em: Mapped[datetime]
    usuario: Mapped[Usuario] = relationship(lazy="joined")


class Setor(Base):
    __tablename__ = "setor"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    codigo: Mapped[str]
    nome: Mapped[str]


class Local(Base):
    __tablename__ = "local"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    nome: Mapped[str]


class Agente(Base):
    __tablename__ = "agente"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    nome: Mapped[str]
    matricula: Mapped[str]


class Classe(Base):
    __tablename__ = "classe"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    nome: Mapped[str]


class Numeracao(Base):
    __tablename__ = "numeracao"
    escopo: Mapped[str] = mapped_column(primary_key=True)
    exercicio: Mapped[int] = mapped_column(primary_key=True)
    ultimo: Mapped[int]


class Evento(Base):
    __tablename__ = "evento"
    id: Mapped[int] = mapped_column(primary_key=True)
    ator_id: Mapped[UUID]
    requisicao: Mapped[str]
    entidade: Mapped[str]
    entidade_id: Mapped[UUID]
    acao: Mapped[str]
    depois: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Patrimonio(Base):
    __tablename__ = "patrimonio"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    numero: Mapped[int]
    descricao: Mapped[str]
    valor: Mapped[Decimal]
    data_aquisicao: Mapped[date]
    data_disponivel: Mapped[date]
    situacao: Mapped[str] = mapped_column(default="em_uso")
    conservacao: Mapped[str] = mapped_column(default="bom")
    classe_id: Mapped[UUID] = mapped_column(ForeignKey("classe.id"))
    setor_id: Mapped[UUID] = mapped_column(ForeignKey("setor.id"))
    local_id: Mapped[UUID] = mapped_column(ForeignKey("local.id"))
    agente_id: Mapped[UUID] = mapped_column(ForeignKey("agente.id"))
    versao: Mapped[int] = mapped_column(default=1)
    classe: Mapped[Classe] = relationship()
    setor: Mapped[Setor] = relationship()
    local: Mapped[Local] = relationship()
    agente: Mapped[Agente] = relationship()


class Saida(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Referencia(Saida):
    id: UUID
    nome: str


class ReferenciaSetor(Referencia):
    codigo: str


class ReferenciaAgente(Referencia):
    matricula: str


class Bem(Saida):
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


async def session() -> AsyncIterator[AsyncSession]:
    async with make_session() as s:
        yield s


Db = Annotated[AsyncSession, Depends(session)]


async def current_user(db: Db, authorization: Annotated[str, Header()]) -> Usuario:
    token = authorization.removeprefix("Bearer ")
    found = await db.get(Sessao, hashlib.sha256(token.encode()).digest())
    if found is None or found.expira_em < datetime.now(UTC) or not found.usuario.ativo:
        raise HTTPException(401)
    return found.usuario


User = Annotated[Usuario, Depends(current_user)]
WITH_NAMES = (
    joinedload(Patrimonio.classe),
    joinedload(Patrimonio.setor),
    joinedload(Patrimonio.local),
    joinedload(Patrimonio.agente),
)
app = FastAPI()


@app.get("/api/patrimonios")
async def list_(db: Db, user: User, limite: int = 50) -> Lista:
    rows = await db.scalars(select(Patrimonio).options(*WITH_NAMES).order_by(Patrimonio.numero).limit(limite))
    return Lista(itens=[Bem.model_validate(row) for row in rows])


@app.get("/api/patrimonios/{id_}")
async def one(db: Db, user: User, id_: UUID) -> Bem:
    row = await db.scalar(select(Patrimonio).options(*WITH_NAMES).where(Patrimonio.id == id_))
    if row is None:
        raise HTTPException(404)
    return Bem.model_validate(row)


@app.post("/api/patrimonios", status_code=201)
async def create(db: Db, user: User, novo: Novo) -> Bem:
    counter = await db.scalar(select(Numeracao).where(Numeracao.escopo == "patrimonio").with_for_update())
    assert counter is not None
    counter.ultimo += 1
    bem = Patrimonio(numero=counter.ultimo, data_disponivel=novo.data_aquisicao, **novo.model_dump())
    db.add(bem)
    await db.flush()
    depois = {"numero": bem.numero, **novo.model_dump(mode="json")}
    db.add(
        Evento(
            ator_id=user.id, requisicao="peer", entidade="patrimonio", entidade_id=bem.id, acao="criar", depois=depois
        )
    )
    await db.commit()
    row = await db.scalar(select(Patrimonio).options(*WITH_NAMES).where(Patrimonio.id == bem.id))
    return Bem.model_validate(row)
