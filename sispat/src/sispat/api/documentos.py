"""The shapes the API sends, for its documentation: PostgreSQL builds the documents themselves."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from sispat.domain.permissoes import Papel
from sispat.domain.situacoes import Conservacao, Posse, Situacao

__all__ = ["RESPOSTAS", "Evento", "Ficha", "Item", "Lista", "Pessoa", "ProblemaJson", "SessaoAberta"]


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


class Evento(BaseModel):
    """One record of the audit."""

    id: int
    em: dt.datetime
    ator: str
    entidade: str
    entidade_id: UUID
    acao: str
    antes: dict[str, Any] | None
    depois: dict[str, Any] | None
    requisicao: str


class Pessoa(BaseModel):
    """Who is signed in; `setores` null means the whole city. `csrf` goes into X-CSRF-Token of writes by cookie."""

    id: UUID
    nome: str
    email: str
    papel: Papel
    setores: list[UUID] | None
    csrf: str | None


class SessaoAberta(BaseModel):
    """The session: also set as a cookie; `token` for `Authorization: Bearer`."""

    token: str
    usuario: Pessoa


class CampoComErro(BaseModel):
    """A field and what is wrong with it."""

    campo: str
    mensagem: str


class ProblemaJson(BaseModel):
    """RFC 9457; `codigo` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    codigo: str
    requisicao: str
    erros: list[CampoComErro] | None = None


def _problema(descricao: str) -> dict[str, Any]:
    return {
        "description": descricao,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemaJson"}}},
    }


RESPOSTAS: dict[int | str, dict[str, Any]] = {
    401: _problema("Ninguém entrou, ou a sessão terminou"),
    403: _problema("O papel não permite, ou falta o token CSRF"),
    404: _problema("Não existe ou não está ao alcance"),
    409: _problema("Alterado por outra pessoa, ou em uso"),
    413: _problema("Corpo acima do limite"),
    422: _problema("Campos inválidos, cada um nomeado"),
    429: _problema("Pedidos demais; tente de novo após Retry-After (segundos)"),
    503: _problema("Banco de dados ou serviço externo indisponível; tente de novo após Retry-After"),
}
