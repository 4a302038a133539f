"""Forms: shown, received, shown again.

Promises: whatever goes wrong with a submission, the form comes back with everything that was typed: fields that
cannot be accepted (422), a record that somebody else changed meanwhile (409, both versions side by side, ready to be
saved over the new one), a record in use (409). A form that is sent twice is done once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from sispat.domain.erros import ChaveReutilizada, Conflito, DadosInvalidos, EmUso, SispatError
from sispat.identity import tokens
from sispat.pages._campos import Campo, Secao, todos
from sispat.pages._envio import Envio, ler_envio
from sispat.pages._modelos import pagina
from sispat.pages._rotulos import CAMPOS
from sispat.usecases.contexto import Contexto
from sispat.web.porta import Atendimento
from sispat.web.uma_vez import uma_vez

__all__ = ["Formulario", "Tela", "atender", "mostrar", "receber", "versao_de"]

_JA_ENVIADO = (
    "Este formulário já foi enviado antes, com outros dados, e aqueles dados foram gravados. "
    "Para gravar também estes, confira-os e salve de novo."
)


class Tela(ABC):
    """A form's screen: subclasses say what it asks, what it starts with and what it does."""

    modelo = "formulario.html"
    titulo = ""
    subtitulo = ""
    migalhas: Sequence[tuple[str, str]] = ()
    salvar = "Salvar"
    voltar = "/"
    usa_versao = False

    @abstractmethod
    async def abrir(self, ctx: Contexto) -> None:
        """Load what the screen shows; raises what keeps the person from seeing it."""

    @abstractmethod
    async def secoes(self, ctx: Contexto, valores: dict[str, str]) -> Sequence[Secao]:
        """The fields, their choices loaded."""

    async def iniciais(self, ctx: Contexto) -> dict[str, str]:
        """What the fields hold at first; with `versao` where the screen uses it."""
        del ctx
        return {}

    def de_gravado(self, gravado: dict[str, Any]) -> dict[str, str]:
        """A stored record (as in `Conflito.atual`) as texts of the fields."""
        del gravado
        return {}

    async def completar(self, acao: str, formulario: Formulario) -> None:
        """Do what the button `acao` of a field promises; called without a connection, it may take its time."""
        del acao, formulario

    @abstractmethod
    async def gravar(self, ctx: Contexto, envio: Envio) -> Response:
        """Do it; the answer."""


class Diferenca(NamedTuple):
    """One field of a conflict."""

    rotulo: str
    gravado: str
    digitado: str


@dataclass(slots=True)
class Formulario:
    """What a template needs of a form."""

    secoes: Sequence[Secao]
    valores: dict[str, str]
    chave: str
    erros: dict[str, str] = field(default_factory=dict)
    aviso: str = ""
    diferencas: list[Diferenca] = field(default_factory=list)
    versao: str = ""

    def valor(self, campo: Campo) -> str:
        """What the input holds."""
        return self.valores.get(campo.nome, "")

    @property
    def tem_botoes(self) -> bool:
        """Whether a button other than the one that saves comes first in the form."""
        return any(campo.botao for campo in todos(self.secoes).values())

    @property
    def resumo(self) -> list[tuple[str, str, str]]:
        """Every error as (field name, or empty where this form has no such field; label; sentence)."""
        campos = todos(self.secoes)
        linhas = []
        for nome, mensagem in self.erros.items():
            campo = campos.get(nome)
            linhas.append((nome if campo else "", campo.rotulo if campo else CAMPOS.get(nome, ""), mensagem))
        return linhas


async def mostrar(request: Request, tela: Tela) -> Response:
    """The form as it is at first."""
    async with Atendimento(request) as ctx:
        request.state.acesso = ctx.acesso
        await tela.abrir(ctx)
        valores = await tela.iniciais(ctx)
        secoes = await tela.secoes(ctx, valores)
    formulario = Formulario(secoes, valores, tokens.novo_token(), versao=valores.get("versao", ""))
    return pagina(request, tela.modelo, tela=tela, f=formulario)


async def receber(request: Request, tela: Tela) -> Response:
    """A submission: done, or the form again."""
    envio = await ler_envio(request)
    async with Atendimento(request, csrf=envio.csrf) as ctx:
        request.state.acesso = ctx.acesso
        estado = 200
        falha: SispatError | None = None
        if not envio.rever:
            try:
                return await atender(ctx, request, envio, lambda: tela.gravar(ctx, envio))
            except (DadosInvalidos, ChaveReutilizada) as erro:
                estado, falha = 422, erro
            except (Conflito, EmUso) as erro:
                estado, falha = 409, erro
        await tela.abrir(ctx)
        secoes = await tela.secoes(ctx, envio.digitado())
    formulario = _de_novo(tela, secoes, envio, falha)
    if envio.acao:
        await tela.completar(envio.acao, formulario)
        estado = 422 if formulario.erros else 200
    return pagina(request, tela.modelo, estado, tela=tela, f=formulario)


async def atender(ctx: Contexto, request: Request, envio: Envio, fazer: Callable[[], Awaitable[Response]]) -> Response:
    """`fazer`, once however often the same form is sent."""
    pedido = envio.resumo(request.url.path)
    try:
        return await uma_vez(ctx, envio.chave, pedido, fazer)
    except ChaveReutilizada:
        raise
    except SispatError as erro:
        causa = erro

    async def desistir() -> Response:
        raise causa

    # A double click that lost the race fails because of its own twin: then the twin's answer counts.
    return await uma_vez(ctx, envio.chave, pedido, desistir)


def _de_novo(tela: Tela, secoes: Sequence[Secao], envio: Envio, falha: SispatError | None) -> Formulario:
    valores = envio.digitado()
    formulario = Formulario(secoes, valores, envio.chave or tokens.novo_token(), versao=valores.get("versao", ""))
    if falha is None:
        formulario.aviso = "Confira o que você tinha digitado e salve. Nada foi gravado ainda."
    elif isinstance(falha, DadosInvalidos):
        campos = todos(secoes)
        formulario.erros = {n: campos[n].erro(m) if n in campos else m for n, m in falha.campos.items()}
    elif isinstance(falha, Conflito):
        formulario.aviso = falha.mensagem
        formulario.versao = str(falha.atual["versao"])
        formulario.diferencas = _diferencas(tela, secoes, valores, falha)
    elif isinstance(falha, ChaveReutilizada):
        formulario.aviso, formulario.chave = _JA_ENVIADO, tokens.novo_token()
    else:
        formulario.aviso = falha.mensagem
    return formulario


def _diferencas(tela: Tela, secoes: Sequence[Secao], valores: dict[str, str], conflito: Conflito) -> list[Diferenca]:
    gravados = tela.de_gravado(conflito.atual)
    linhas = []
    for nome, campo in todos(secoes).items():
        gravado, digitado = gravados.get(nome, ""), valores.get(nome, "")
        if campo.lido(gravado) != campo.lido(digitado):
            linhas.append(Diferenca(campo.rotulo, campo.mostrado(gravado), campo.mostrado(digitado)))
    return linhas


def versao_de(envio: Envio) -> int:
    """The version the form was made from; raises `DadosInvalidos`."""
    versao = envio.valores.get("versao", "")
    if not (versao.isascii() and versao.isdigit() and len(versao) < 10):
        raise DadosInvalidos({"versao": "Falta a versão do registro. Recarregue a página de edição e tente de novo."})
    return int(versao)
