"""What a form asks, apart from how it looks.

Promises: a `Campo` knows how a stored value becomes the text of its input, how what was typed becomes what the
use cases read, and how either is shown to people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sispat.domain.enderecos import cep_normal
from sispat.pages import _formatos
from sispat.pages._rotulos import CAMPOS

__all__ = ["SIM_NAO", "Campo", "Grupo", "Opcao", "Secao", "opcoes", "todos"]

Tipo = Literal[
    "texto", "longo", "data", "moeda", "decimal", "inteiro", "codigo", "documento", "cep", "escolha", "radio"
]


@dataclass(frozen=True, slots=True)
class Opcao:
    """One choice."""

    valor: str
    rotulo: str


@dataclass(frozen=True, slots=True)
class Grupo:
    """Choices under one heading; no heading where it is empty."""

    rotulo: str
    opcoes: tuple[Opcao, ...]


def opcoes(pares: Mapping[str, str]) -> tuple[Grupo, ...]:
    """Choices without groups."""
    return (Grupo("", tuple(Opcao(valor, rotulo) for valor, rotulo in pares.items())),)


SIM_NAO = opcoes({"true": "Sim", "false": "Não"})


@dataclass(frozen=True, slots=True)
class Campo:
    """One field. `formato` says in words what the pattern of the field allows.

    `botao` is the label of a button beside it that sends the form as `_acao` = `nome`, to be completed, not saved.
    """

    nome: str
    tipo: Tipo = "texto"
    dica: str = ""
    opcional: bool = False
    grupos: tuple[Grupo, ...] = ()
    formato: str = ""
    largura: Literal["", "curta", "media"] = ""
    rotulo_proprio: str = ""
    botao: str = ""

    @property
    def rotulo(self) -> str:
        """What people read beside the field."""
        return self.rotulo_proprio or CAMPOS[self.nome]

    def texto(self, valor: Any) -> str:
        """A stored value as the text of the input."""
        if valor is None:
            return ""
        if isinstance(valor, bool):
            return "true" if valor else "false"
        if self.tipo == "moeda":
            return _formatos.moeda(valor)
        if self.tipo == "decimal":
            return _formatos.decimal(valor)
        if self.tipo == "documento":
            return _formatos.documento(valor)
        if self.tipo == "cep":
            return _formatos.cep(valor)
        return str(valor)

    def lido(self, digitado: str) -> str:
        """What was typed, in the form the use cases read."""
        texto = digitado.strip()
        if self.tipo == "data" and (partes := re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", texto)):
            return f"{partes[3]}-{partes[2]:0>2}-{partes[1]:0>2}"
        if self.tipo == "decimal":
            return texto.replace(",", ".")
        if self.tipo == "codigo":
            return texto.upper()
        if self.tipo == "cep":
            return cep_normal(texto) or texto
        return digitado

    def mostrado(self, digitado: str) -> str:
        """What was typed or stored, as people read it in a comparison."""
        if self.grupos:
            achado = self.opcao(digitado)
            return achado.rotulo if achado else (digitado or _formatos.VAZIO)
        return (_formatos.data(digitado) if self.tipo == "data" else digitado) or _formatos.VAZIO

    def iso(self, valor: str) -> bool:
        """Whether the browser's own date field can hold `valor`; it would hide anything else."""
        return _formatos.data(valor) != valor

    def opcao(self, valor: str) -> Opcao | None:
        """The choice with this value."""
        return next((opcao for grupo in self.grupos for opcao in grupo.opcoes if opcao.valor == valor), None)

    def erro(self, mensagem: str) -> str:
        """The sentence for a wrong value: a pattern is told in words."""
        return self.formato if self.formato and mensagem.startswith("Formato não aceito") else mensagem


@dataclass(frozen=True, slots=True)
class Secao:
    """Fields that belong together."""

    titulo: str
    campos: tuple[Campo, ...]


def todos(secoes: Iterable[Secao]) -> dict[str, Campo]:
    """All fields by name."""
    return {campo.nome: campo for secao in secoes for campo in secao.campos}
