"""The forms about assets: register, correct, hand over.

Promises: a local implies its setor, so that the two can't contradict each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.domain.erros import DadosInvalidos, NaoEncontrado
from sispat.domain.permissoes import Acao
from sispat.pages import _escolhas as escolhas
from sispat.pages import _formatos, _rotulos
from sispat.pages._campos import Campo, Secao, opcoes
from sispat.pages._envio import Envio
from sispat.pages._formulario import Tela, versao_de
from sispat.pages._modelos import ir_para
from sispat.usecases import cadastros, patrimonios
from sispat.usecases.contexto import Contexto

__all__ = ["Carga", "Edicao", "Novo"]

_LISTA = ("/patrimonios", "Bens")
_QUE = (
    Campo("descricao", dica="O que é o bem, com o que o distingue. De 3 a 500 caracteres."),
    Campo("marca", opcional=True, largura="media"),
    Campo("modelo", opcional=True, largura="media"),
    Campo("numero_serie", opcional=True, largura="media"),
)
_ORIGEM = (
    Campo("valor", "moeda", dica="Em reais, como 1.234,56.", largura="curta"),
    Campo("data_aquisicao", "data", dica="Dia, mês e ano da compra.", largura="curta"),
    Campo(
        "data_disponivel", "data", dica="Em branco, a de aquisição.", opcional=True,
        largura="curta",
    ),
    Campo("posse", "radio", grupos=opcoes(_rotulos.POSSES)),
    Campo("fornecedor_doc", "documento", opcional=True, largura="media"),
    Campo("nota_fiscal", opcional=True, largura="media"),
    Campo("empenho", opcional=True, largura="media"),
    Campo("licitacao", opcional=True, largura="media"),
)  # fmt: skip
_ESTADO = (
    Campo("conservacao", "radio", grupos=opcoes(_rotulos.CONSERVACOES)),
    Campo("observacao", "longo", dica="Até 2.000 caracteres.", opcional=True),
)
_QUANTIDADE = Campo(
    "quantidade", "inteiro", rotulo_proprio="Quantos bens iguais",
    dica=f"De 1 a {patrimonios.LOTE_MAXIMO}. Cada um recebe o seu número, em sequência.", largura="curta",
)  # fmt: skip


async def _descricao(ctx: Contexto, valores: dict[str, str]) -> list[Secao]:
    classe = Campo("classe_id", "escolha", grupos=await escolhas.classes(ctx, valores.get("classe_id", "")))
    return [
        Secao("O que é", (_QUE[0], classe, *_QUE[1:])),
        Secao("Como foi adquirido", _ORIGEM),
        Secao("Estado", _ESTADO),
    ]


async def _carga(ctx: Contexto, valores: dict[str, str]) -> Secao:
    return Secao(
        "Onde fica e quem responde",
        (
            Campo(
                "local_id", "escolha", dica="Os locais estão reunidos por setor; o setor do bem é o do local.",
                grupos=await escolhas.locais(ctx, valores.get("local_id", "")),
            ),
            Campo("agente_id", "escolha", grupos=await escolhas.agentes(ctx, valores.get("agente_id", ""))),
        ),
    )  # fmt: skip


_DESCRICAO = (*_QUE, Campo("classe_id"), *_ORIGEM, *_ESTADO)
_CARGA = (Campo("local_id"), Campo("agente_id"))


def _lidos(envio: Envio, *campos: Campo) -> dict[str, Any]:
    return {campo.nome: campo.lido(envio.valores[campo.nome]) for campo in campos if campo.nome in envio.valores}


async def _com_setor(ctx: Contexto, dados: dict[str, Any]) -> dict[str, Any]:
    """Add the setor of the local."""
    try:
        local = await cadastros.obter(ctx, "local", UUID(dados.get("local_id", "")))
    except (ValueError, NaoEncontrado):
        return dados
    return {**dados, "setor_id": local["setor_id"]}


def _sem_setor(erro: DadosInvalidos) -> DadosInvalidos:
    """What is wrong with the setor is wrong with the local, as people see it."""
    campos = dict(erro.campos)
    if campos.pop("setor_id", None):
        campos["local_id"] = "Escolha um local da lista."
    return DadosInvalidos(campos)


class Novo(Tela):
    """Register one asset, or some that are equal."""

    titulo = "Cadastrar bem"
    salvar = "Cadastrar"
    voltar = "/patrimonios"
    migalhas = (_LISTA,)

    async def abrir(self, ctx: Contexto) -> None:
        """For those who may."""
        ctx.acesso.exigir(Acao.PATRIMONIO_CRIAR)

    async def secoes(self, ctx: Contexto, valores: dict[str, str]) -> Sequence[Secao]:
        """Everything."""
        que, origem, estado = await _descricao(ctx, valores)
        return que, origem, await _carga(ctx, valores), estado, Secao("Lote", (_QUANTIDADE,))

    async def iniciais(self, ctx: Contexto) -> dict[str, str]:
        """What is mostly so."""
        del ctx
        return {"conservacao": "bom", "posse": "proprio", "quantidade": "1"}

    async def gravar(self, ctx: Contexto, envio: Envio) -> Response:
        """Register; then the card, or for several the list with the newest first."""
        dados = await _com_setor(ctx, _lidos(envio, *_DESCRICAO, *_CARGA, _QUANTIDADE))
        try:
            documentos = await patrimonios.criar(ctx, patrimonios.NovoPatrimonio.ler(dados))
        except DadosInvalidos as erro:
            raise _sem_setor(erro) from erro
        primeiro = orjson.loads(documentos[0])
        if len(documentos) == 1:
            return ir_para(f"/patrimonios/{primeiro['id']}", feito="criado")
        ultimo = primeiro["numero"] + len(documentos) - 1
        return ir_para("/patrimonios", sort="-numero", novos=f"{primeiro['numero']}-{ultimo}")


class _DeUmBem(Tela):
    """A form about an asset that exists."""

    usa_versao = True
    acao: Acao

    def __init__(self, id_: UUID) -> None:
        self.id = id_
        self.bem: dict[str, Any] = {}
        self.voltar = f"/patrimonios/{id_}"

    async def abrir(self, ctx: Contexto) -> None:
        """Load the asset."""
        ctx.acesso.exigir(self.acao)
        self.bem = orjson.loads(await patrimonios.obter(ctx, self.id))
        numero = _formatos.numero_do_bem(self.bem["numero"])
        self.subtitulo = f"Bem {numero} · {self.bem['descricao']}"
        self.migalhas = (_LISTA, (self.voltar, numero))

    async def iniciais(self, ctx: Contexto) -> dict[str, str]:
        """What is stored."""
        del ctx
        return {**self.de_gravado(self.bem), "versao": str(self.bem["versao"])}


class Edicao(_DeUmBem):
    """Correct what describes an asset."""

    titulo = "Editar bem"
    acao = Acao.PATRIMONIO_EDITAR

    async def secoes(self, ctx: Contexto, valores: dict[str, str]) -> Sequence[Secao]:
        """Everything but place and custody."""
        return await _descricao(ctx, valores)

    def de_gravado(self, gravado: dict[str, Any]) -> dict[str, str]:
        """Texts of the fields."""
        campos = (*_QUE, *_ORIGEM, *_ESTADO)
        return {c.nome: c.texto(gravado[c.nome]) for c in campos} | {"classe_id": gravado["classe"]["id"]}

    async def gravar(self, ctx: Contexto, envio: Envio) -> Response:
        """Correct; then the card."""
        dados = patrimonios.EdicaoDePatrimonio.ler(_lidos(envio, *_DESCRICAO))
        await patrimonios.editar(ctx, self.id, dados, versao_de(envio))
        return ir_para(self.voltar, feito="salvo")


class Carga(_DeUmBem):
    """Hand an asset over."""

    titulo = "Trocar a carga"
    salvar = "Trocar a carga"
    acao = Acao.PATRIMONIO_TROCAR_CARGA

    async def secoes(self, ctx: Contexto, valores: dict[str, str]) -> Sequence[Secao]:
        """Place and custody."""
        local, agente = (await _carga(ctx, valores)).campos
        if self.bem:
            atual = self.bem["agente"]
            grupos = escolhas.com_atual(agente.grupos, atual["id"], f"{atual['nome']} ({atual['matricula']})")
            agente = replace(agente, grupos=grupos)
        return (Secao("", (local, agente)),)

    def de_gravado(self, gravado: dict[str, Any]) -> dict[str, str]:
        """Texts of the fields."""
        return {"local_id": gravado["local"]["id"], "agente_id": gravado["agente"]["id"]}

    async def gravar(self, ctx: Contexto, envio: Envio) -> Response:
        """Hand over; then the card."""
        dados = await _com_setor(ctx, _lidos(envio, *_CARGA))
        try:
            await patrimonios.trocar_carga(ctx, self.id, patrimonios.TrocaDeCarga.ler(dados), versao_de(envio))
        except DadosInvalidos as erro:
            raise _sem_setor(erro) from erro
        return ir_para(self.voltar, feito="carga")
