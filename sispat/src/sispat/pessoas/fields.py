"""What is typed of people."""

from __future__ import annotations

import datetime as dt
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from sispat.kernel.brazil import valid_cpf, without_separators
from sispat.kernel.fields import Entity, Shape, Ui
from sispat.kernel.i18n import _, lazy
from sispat.kernel.inputs import As, BlankIsNone, Date, Input, Legible, Whole, example
from sispat.kernel.paging import Paged
from sispat.kernel.permissions import Papel

__all__ = [
    "BLOQUEIO", "CHAVE", "USUARIO", "Codigo", "Credenciais", "DadosDeUsuario", "ListaDeChaves", "ListaDeUsuarios",
    "NovaChave", "NovoUsuario", "TrocaDaPropriaSenha", "TrocaDeSenha",
]  # fmt: skip

Email = Annotated[
    str,
    Field(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$"),
    AfterValidator(str.lower),
    Legible,
    Ui("E-mail"),
]
Senha = Annotated[str, Field(min_length=1, max_length=200, repr=False), Ui("Senha")]


class Credenciais(Input):
    """What a person types to sign in."""

    model_config = example(email="gestor@demo.local", password="demo")  # noqa: S106 - public by design

    email: Annotated[str, Field(min_length=1, max_length=254, examples=["admin@demo.local"]), Legible, Ui("E-mail")]
    senha: Annotated[str, Field(min_length=1, max_length=200, alias="password", examples=["demo"]), Ui("Senha")]


def _cpf(value: str) -> str:
    cpf = without_separators(value)
    if not valid_cpf(cpf):
        raise PydanticCustomError("cpf", _("CPF inválido: são 11 algarismos e os dois últimos conferem os demais."))
    return cpf


class DadosDeUsuario(Input):
    """What an administrator writes of a person; `setores` are codes."""

    model_config = example(email="ana.lima@cidade.example", nome="Ana Lima", papel="consulta")

    email: Email
    nome: Annotated[str, Field(min_length=1, max_length=120), Legible, Ui("Nome", "Até 120 caracteres.")]
    papel: Annotated[Papel, Ui("Papel", "O que a pessoa é na prefeitura; dele depende o que ela pode fazer.")]
    cpf: Annotated[
        Annotated[str, AfterValidator(_cpf), As("cpf_cnpj")] | None,
        BlankIsNone,
        Ui("CPF", "Para entrar pelo gov.br, onde ele está ligado. Só administradores o veem.", width="media"),
    ] = None
    setores: Annotated[
        tuple[Annotated[str, Field(max_length=20), Legible], ...],
        Field(max_length=500, examples=[["SEMED"]]),
        As("text"),
        Ui(
            "Setores",
            "Os códigos, separados por vírgula, como SEMED, SEMUS. São o alcance de quem é Responsável; os outros papéis "
            "alcançam a cidade inteira.",
        ),
    ] = ()
    acesso_ate: Annotated[
        Date | None,
        BlankIsNone,
        Ui(
            "Acesso até",
            "O último dia em que a conta entra; depois dele as sessões e as chaves não abrem mais nada. Obrigatório para "
            "auditores; em branco, sem fim.",
            width="curta",
        ),
    ] = None


_Integracao = Annotated[
    bool,
    Ui(
        "Integração",
        "Outro programa, que entra só por chaves da API, nunca com senha. Dê-lhe um e-mail que nenhuma pessoa use. Não muda "
        "depois.",
        fixed=True,
    ),
]


class NovoUsuario(DadosDeUsuario):
    """What an administrator writes of a new account."""

    integracao: _Integracao = False


class NovaChave(Input):
    """A new key of an integration; `dias` from now it expires."""

    model_config = example(nome="Folha de pagamento", dias=365)

    nome: Annotated[
        str,
        Field(min_length=1, max_length=120),
        Legible,
        Ui("Nome", "Onde a chave vai ficar, como “servidor da folha”. Até 120 caracteres."),
    ]
    dias: Annotated[int, Whole, Field(ge=1, le=365), Ui("Validade em dias", "De 1 a 365.")] = 365


class ListaDeChaves(Paged):
    """What the list of keys may be asked for."""

    integracao_id: Annotated[UUID | None, BlankIsNone, Ui("Integração", refers_to="usuario")] = None
    em_vigor: Annotated[bool, Ui("Só as que estão em vigor")] = False


class TrocaDeSenha(Input):
    """A new password for a person, given by somebody else."""

    email: Email
    senha: Senha


class TrocaDaPropriaSenha(Input):
    """A new password for oneself."""

    atual: Annotated[str, Field(min_length=1, max_length=200, repr=False), Ui("Senha atual")]
    nova: Annotated[str, Field(min_length=1, max_length=200, repr=False), Ui("Senha nova")]


class Codigo(Input):
    """A code of the second factor, or a recovery code."""

    codigo: Annotated[str, Field(min_length=1, max_length=40, repr=False, examples=["123456"]), Legible, Ui("Código")]


class ListaDeUsuarios(Paged):
    """What the list of people may be asked for."""

    q: Annotated[str, Field(max_length=100), Legible, Ui("Busca")] = ""
    ativos: Annotated[bool, Ui("Só quem pode entrar")] = False


class _Conta(Shape):
    """What the service keeps of a person."""

    id: Annotated[UUID, Ui("Identificador")]
    integracao: _Integracao
    ativo: Annotated[bool, Ui("Pode entrar")]
    acesso_terminado: Annotated[bool, Ui("Acesso terminado")]
    senha_provisoria: Annotated[bool, Ui("Senha provisória")]
    senha_dada_em: Annotated[dt.datetime, Ui("Senha dada em")]
    segundo_fator: Annotated[bool, Ui("Segundo fator")]
    versao: Annotated[int, Ui("Versão")]
    criado_em: Annotated[dt.datetime, Ui("Cadastrado em")]
    atualizado_em: Annotated[dt.datetime, Ui("Gravado em")]


class _Bloqueio(Shape):
    """What the audit keeps of a block that was lifted."""

    tipo: Annotated[str, Ui("Tipo")]
    endereco: Annotated[str, Ui("Endereço de rede")]
    nome: Annotated[str, Ui("Nome")]
    email: Annotated[str, Ui("E-mail")]


class _Chave(Shape):
    """What the audit keeps of a key."""

    nome: Annotated[str, Ui("Nome")]
    inicio: Annotated[str, Ui("Começa por")]
    integracao: Annotated[str, Ui("Integração")]
    expira_em: Annotated[dt.datetime, Ui("Vale até")]
    endereco: Annotated[str, Ui("Endereço de rede")]


CHAVE = Entity("chave", lazy("Chave da API"), given=_Chave)
USUARIO = Entity("usuario", lazy("Usuário"), (DadosDeUsuario,), _Conta, "/usuarios")
BLOQUEIO = Entity("bloqueio", lazy("Bloqueio"), given=_Bloqueio)
