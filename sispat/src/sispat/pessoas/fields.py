"""What is typed of people."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from sispat.kernel.fields import Entity, Ui
from sispat.kernel.inputs import As, Input, Legible
from sispat.kernel.permissions import Papel

__all__ = ["BLOQUEIO", "USUARIO", "Credenciais", "NovoUsuario", "TrocaDeSenha"]

Email = Annotated[
    str,
    Field(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$"),
    AfterValidator(str.lower),
    Legible,
    Ui("E-mail"),
]
Senha = Annotated[str, Field(min_length=8, max_length=200, repr=False), Ui("Senha")]


class Credenciais(Input):
    """What a person types to sign in."""

    email: Annotated[str, Field(min_length=1, max_length=254, examples=["admin@demo.local"]), Legible, Ui("E-mail")]
    senha: Annotated[str, Field(min_length=1, max_length=200, alias="password", examples=["demo"]), Ui("Senha")]


class NovoUsuario(Input):
    """A person to be made; `setores` are codes."""

    email: Email
    nome: Annotated[str, Field(min_length=1, max_length=120), Legible, Ui("Nome")]
    papel: Annotated[Papel, Ui("Papel")]
    senha: Senha
    setores: Annotated[tuple[str, ...], As("text"), Ui("Setores")] = ()


class TrocaDeSenha(Input):
    """A new password for a person."""

    email: Email
    senha: Senha


class _Bloqueio(BaseModel):
    """What the audit keeps of a block that was lifted."""

    tipo: Annotated[str, Ui("Tipo")]
    endereco: Annotated[str, Ui("Endereço de rede")]
    nome: Annotated[str, Ui("Nome")]
    email: Annotated[str, Ui("E-mail")]


USUARIO = Entity("usuario", "Usuário", (NovoUsuario,))
BLOQUEIO = Entity("bloqueio", "Bloqueio", given=_Bloqueio)
