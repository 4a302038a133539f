"""What is typed of people."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from sispat.kernel.inputs import Input, Legible
from sispat.kernel.permissions import Papel

__all__ = ["Credenciais", "NovoUsuario", "TrocaDeSenha"]

Email = Annotated[
    str, Field(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$"), AfterValidator(str.lower), Legible
]
Senha = Annotated[str, Field(min_length=8, max_length=200, repr=False)]


class Credenciais(Input):
    """What a person types to sign in."""

    email: Annotated[str, Field(min_length=1, max_length=254, examples=["admin@demo.local"]), Legible]
    senha: Annotated[str, Field(min_length=1, max_length=200, alias="password", examples=["demo"])]


class NovoUsuario(Input):
    """A person to be made; `setores` are codes."""

    email: Email
    nome: Annotated[str, Field(min_length=1, max_length=120), Legible]
    papel: Papel
    senha: Senha
    setores: tuple[str, ...] = ()


class TrocaDeSenha(Input):
    """A new password for a person."""

    email: Email
    senha: Senha
