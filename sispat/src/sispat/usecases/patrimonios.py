"""Assets: find, register, correct, hand over.

Promises: nobody sees or touches an asset outside their setores (it "does not exist" for them); a number
is given once; of two people saving the same version exactly one wins, the other is shown both; every
change is audited in the same transaction.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from psycopg import errors
from pydantic import Field, model_validator

from sispat.domain.erros import Conflito, DadosInvalidos, NaoEncontrado
from sispat.domain.permissoes import Acao
from sispat.domain.situacoes import Conservacao, Posse, Situacao
from sispat.store import eventos, restricoes
from sispat.store import patrimonios as store
from sispat.usecases.contexto import Contexto
from sispat.usecases.entradas import Data, Dinheiro, Documento, Entrada, Legivel, Opcional

__all__ = [
    "EdicaoDePatrimonio",
    "ListaDePatrimonios",
    "NovoPatrimonio",
    "Pagina",
    "TrocaDeCarga",
    "chave_de_pagina",
    "contar",
    "criar",
    "editar",
    "exportar",
    "historico",
    "listar",
    "obter",
    "trocar_carga",
]

LOTE_MAXIMO = 500  # equal assets registered at once


class EdicaoDePatrimonio(Entrada):
    """What describes an asset and may be corrected."""

    descricao: Annotated[str, Field(min_length=3, max_length=500), Legivel]
    classe_id: UUID
    valor: Dinheiro
    data_aquisicao: Data
    data_disponivel: Annotated[Data | None, Opcional] = None
    conservacao: Conservacao = Conservacao.BOM
    posse: Posse = Posse.PROPRIO
    marca: Annotated[str, Field(max_length=80), Legivel] = ""
    modelo: Annotated[str, Field(max_length=80), Legivel] = ""
    numero_serie: Annotated[str, Field(max_length=80), Legivel] = ""
    fornecedor_doc: Annotated[Documento | None, Opcional] = None
    nota_fiscal: Annotated[str, Field(max_length=60), Legivel] = ""
    empenho: Annotated[str, Field(max_length=60), Legivel] = ""
    licitacao: Annotated[str, Field(max_length=60), Legivel] = ""
    observacao: Annotated[str, Field(max_length=2000), Legivel] = ""

    @model_validator(mode="after")
    def _disponivel_apos_aquisicao(self) -> Self:
        if self.data_disponivel is not None and self.data_disponivel < self.data_aquisicao:
            raise DadosInvalidos({"data_disponivel": "A data deve ser igual ou posterior à de aquisição."})
        return self

    def colunas(self) -> dict[str, Any]:
        """Values by column; availability is the acquisition's date unless said otherwise."""
        valores = {campo: getattr(self, campo) for campo in type(self).model_fields if campo in store.CAMPOS}
        valores["data_disponivel"] = self.data_disponivel or self.data_aquisicao
        return valores


class TrocaDeCarga(Entrada):
    """Who answers for an asset, and where it stands."""

    setor_id: UUID
    local_id: UUID
    agente_id: UUID


class NovoPatrimonio(EdicaoDePatrimonio):
    """A new asset: described, placed, in somebody's custody. `quantidade` equal ones at once."""

    setor_id: UUID
    local_id: UUID
    agente_id: UUID
    quantidade: Annotated[int, Field(ge=1, le=LOTE_MAXIMO)] = 1


class ListaDePatrimonios(Entrada):
    """What a list may be asked for; `pagina` is the opaque key an earlier page gave."""

    q: Annotated[str, Field(max_length=100), Legivel] = ""
    setor: Annotated[UUID | None, Opcional] = None
    local: Annotated[UUID | None, Opcional] = None
    classe: Annotated[UUID | None, Opcional] = None
    agente: Annotated[UUID | None, Opcional] = None
    situacao: Annotated[Situacao | None, Opcional] = None
    conservacao: Annotated[Conservacao | None, Opcional] = None
    sort: Literal[
        "numero", "-numero", "descricao", "-descricao", "valor", "-valor", "data_aquisicao", "-data_aquisicao"
    ] = "numero"
    pagina: Annotated[str, Field(max_length=600)] = ""
    limite: Annotated[int, Field(ge=1, le=200)] = 50

    def filtros(self) -> dict[str, Any]:
        """The filters that are set, by column."""
        pedidos = {
            "setor_id": self.setor,
            "local_id": self.local,
            "classe_id": self.classe,
            "agente_id": self.agente,
            "situacao": self.situacao,
            "conservacao": self.conservacao,
        }
        return {coluna: valor for coluna, valor in pedidos.items() if valor is not None}


@dataclass(frozen=True, slots=True)
class Pagina:
    """Documents (JSON) of one page and the keys of its neighbours."""

    documentos: list[str]
    proxima: str | None
    anterior: str | None


def _consulta(ctx: Contexto, pedido: ListaDePatrimonios) -> store.Consulta:
    return store.Consulta(
        setores=ctx.acesso.setores,
        q=pedido.q,
        filtros=pedido.filtros(),
        ordem=pedido.sort.lstrip("-"),
        descendente=pedido.sort.startswith("-"),
        limite=pedido.limite,
    )


async def listar(ctx: Contexto, pedido: ListaDePatrimonios) -> Pagina:
    """One page, walked by key: what is inserted meanwhile neither repeats nor hides a row."""
    ctx.acesso.exigir(Acao.PATRIMONIO_VER)
    consulta = _consulta(ctx, pedido)
    para_tras = False
    if pedido.pagina:
        para_tras, chave, numero = _abrir_chave(pedido)
        consulta = replace(consulta, apos=(chave, numero), descendente=consulta.descendente != para_tras)
    linhas = await store.listar(ctx.conn, replace(consulta, limite=pedido.limite + 1))
    ha_mais, linhas = len(linhas) > pedido.limite, linhas[: pedido.limite]
    if para_tras:
        linhas.reverse()
    ha_depois, ha_antes = (True, ha_mais) if para_tras else (ha_mais, bool(pedido.pagina))
    return Pagina(
        [linha.documento for linha in linhas],
        chave_de_pagina(pedido, linhas[-1], "d") if linhas and ha_depois else None,
        chave_de_pagina(pedido, linhas[0], "a") if linhas and ha_antes else None,
    )


def chave_de_pagina(pedido: ListaDePatrimonios, linha: store.Linha, sentido: Literal["a", "d"]) -> str:
    """The opaque key of the page before ("a") or after ("d") `linha`."""
    dados = json.dumps([pedido.sort, sentido, linha.chave, linha.numero], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(dados.encode()).decode().rstrip("=")


def _abrir_chave(pedido: ListaDePatrimonios) -> tuple[bool, str, int]:
    try:
        dados = base64.urlsafe_b64decode(pedido.pagina + "=" * (-len(pedido.pagina) % 4))
        sort, sentido, chave, numero = json.loads(dados)
        valida = sort == pedido.sort and sentido in ("a", "d") and isinstance(chave, str) and isinstance(numero, int)
    except (ValueError, TypeError):
        valida = False
    if not valida:
        raise DadosInvalidos({"pagina": "A chave da página não é desta lista. Comece de novo pela primeira página."})
    return sentido == "a", chave, numero


async def contar(ctx: Contexto, pedido: ListaDePatrimonios, teto: int = 1000) -> int:
    """How many match, counted no further than `teto` + 1."""
    ctx.acesso.exigir(Acao.PATRIMONIO_VER)
    return await store.contar(ctx.conn, _consulta(ctx, pedido), teto)


async def exportar(ctx: Contexto, pedido: ListaDePatrimonios) -> AsyncIterator[list[dict[str, Any]]]:
    """All that match, in lots."""
    ctx.acesso.exigir(Acao.PATRIMONIO_VER)
    async for linhas in store.percorrer(ctx.conn, _consulta(ctx, pedido)):
        yield [json.loads(linha.documento) for linha in linhas]


async def obter(ctx: Contexto, id_: UUID) -> str:
    """The document (JSON) of one asset."""
    ctx.acesso.exigir(Acao.PATRIMONIO_VER)
    documento = await store.ficha(ctx.conn, ctx.acesso.setores, id_)
    if documento is None:
        raise NaoEncontrado("O bem", id_)
    return documento


async def historico(ctx: Contexto, id_: UUID) -> list[dict[str, Any]]:
    """What happened to one asset within reach, newest first."""
    await obter(ctx, id_)
    return await eventos.historico(ctx.conn, id_)


async def criar(ctx: Contexto, dados: NovoPatrimonio) -> list[str]:
    """Register `dados.quantidade` equal assets; their documents (JSON), numbers consecutive."""
    ctx.acesso.exigir(Acao.PATRIMONIO_CRIAR)
    _exigir_alcance(ctx, dados.setor_id)
    try:
        await ctx.vez.tomar()
        return await store.criar(ctx.conn, dados.colunas(), dados.quantidade, ctx.ator, ctx.requisicao)
    except errors.IntegrityError as erro:
        raise restricoes.traduzir(erro) or erro from erro


async def editar(ctx: Contexto, id_: UUID, dados: EdicaoDePatrimonio, versao: int) -> str:
    """Correct what describes an asset; its document (JSON) as stored. Raises `Conflito` when somebody was faster."""
    ctx.acesso.exigir(Acao.PATRIMONIO_EDITAR)
    return await _alterar(ctx, id_, dados.colunas(), versao, "editar")


async def trocar_carga(ctx: Contexto, id_: UUID, dados: TrocaDeCarga, versao: int) -> str:
    """Put an asset into other custody; its document (JSON) as stored."""
    ctx.acesso.exigir(Acao.PATRIMONIO_TROCAR_CARGA)
    _exigir_alcance(ctx, dados.setor_id)
    return await _alterar(ctx, id_, dados.model_dump(), versao, "trocar_carga")


async def _alterar(ctx: Contexto, id_: UUID, novo: dict[str, Any], versao: int, acao: str) -> str:
    async with ctx.conn.transaction():
        antes = await store.bloquear(ctx.conn, ctx.acesso.setores, id_)
        if antes is None:
            raise NaoEncontrado("O bem", id_)
        if antes["versao"] != versao:
            raise Conflito(f"O bem {antes['numero']:06}", atual=json.loads(await obter(ctx, id_)), enviado=novo)
        if antes["situacao"] == Situacao.BAIXADO:
            raise DadosInvalidos({"situacao": "O bem está baixado e não pode mais ser alterado."})
        mudancas = {campo: valor for campo, valor in novo.items() if antes[campo] != valor}
        if mudancas:
            try:
                await store.gravar(ctx.conn, id_, antes, mudancas, acao, ctx.ator, ctx.requisicao)
            except errors.IntegrityError as erro:
                raise restricoes.traduzir(erro) or erro from erro
        return await obter(ctx, id_)


def _exigir_alcance(ctx: Contexto, setor_id: UUID) -> None:
    if not ctx.acesso.alcanca(setor_id):
        raise DadosInvalidos({"setor_id": "O setor escolhido não existe ou não está ao seu alcance."})
