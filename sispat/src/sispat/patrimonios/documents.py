"""The shapes the API sends of assets, for its documentation: PostgreSQL builds the documents themselves."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from pydantic import BaseModel

from sispat.kernel.states import Conservacao, Posse, Situacao

__all__ = ["Ficha", "Item", "Lista"]


class Referencia(BaseModel):
    """Another record, by id and name."""

    id: UUID
    nome: str


class ReferenciaSetor(Referencia):
    """A setor."""

    codigo: str


class ReferenciaAgente(Referencia):
    """An agente."""

    matricula: str


class Item(BaseModel):
    """An asset in a list. `valor` is an exact decimal in a string, in reais."""

    id: UUID
    numero: int
    descricao: str
    valor: str
    data_aquisicao: dt.date
    situacao: Situacao
    conservacao: Conservacao
    classe: Referencia
    setor: ReferenciaSetor
    local: Referencia
    agente: ReferenciaAgente
    versao: int


class Ficha(Item):
    """An asset whole."""

    data_disponivel: dt.date
    posse: Posse
    marca: str
    modelo: str
    numero_serie: str
    fornecedor_doc: str | None
    nota_fiscal: str
    empenho: str
    licitacao: str
    observacao: str
    criado_em: dt.datetime
    atualizado_em: dt.datetime


class Lista(BaseModel):
    """One page; `proxima` and `anterior` go into `?pagina=`."""

    itens: list[Item]
    proxima: str | None
    anterior: str | None
