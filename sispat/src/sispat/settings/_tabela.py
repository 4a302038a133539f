"""The settings as tables: the reference page, and what is in force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from esteio.postgres import Dsn
from sispat.settings._modelo import Settings
from sispat.settings._origem import Origem
from sispat.settings._valores import COTA, em_texto
from sispat.settings._variavel import Variavel, da, permitido

__all__ = ["Linha", "em_vigor", "reference_page", "variaveis"]

RESERVADA = "**Reservada**: lida e conferida, usada a partir de uma versão futura."
CABECALHO = """# Configuração

Tudo é opcional. Cada valor vem da linha de comando, do ambiente do processo, do arquivo `.env` da pasta de
trabalho ou do padrão, nesta ordem; vazio conta como ausente. Um valor inválido impede o início, e a mensagem diz
todos de uma vez. `sispat settings` mostra o que está em vigor e de onde veio, com os segredos ocultos.

Esta página é gerada de `sispat.settings` por `make docs`.

| Nome | Padrão | Permitido | O que faz |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Linha:
    """One setting in force; `valor` is masked when it is a secret."""

    nome: str
    valor: str
    origem: Origem
    reservada: bool


def variaveis() -> Iterator[tuple[str, FieldInfo, Variavel]]:
    """Every variable, with its field's name and definition."""
    for nome, campo in Settings.model_fields.items():
        variavel = da(campo)
        if variavel is not None:
            yield nome, campo, variavel


def em_vigor(settings: Settings) -> list[Linha]:
    """What `sispat settings` shows."""
    return [
        Linha(variavel.nome, _mostrado(getattr(settings, nome), variavel), settings.origem(nome), variavel.reservada)
        for nome, _, variavel in variaveis()
    ]


def reference_page() -> str:
    """docs/reference/settings.md."""
    linhas = []
    for _, campo, variavel in variaveis():
        padrao = variavel.padrao or _mostrado(campo.get_default(), variavel)
        descricao = f"{variavel.descricao} {RESERVADA}" if variavel.reservada else variavel.descricao
        permitida = permitido(campo)
        if variavel.unidade not in ("", COTA) and variavel.unidade not in permitida:
            permitida += f" ({variavel.unidade})"
        codigo = padrao if variavel.padrao or padrao == "—" else f"`{padrao}`"
        linhas.append(f"| `{variavel.nome}` | {codigo} | {permitida} | {descricao} |\n")
    return CABECALHO + "".join(linhas)


def _mostrado(valor: Any, variavel: Variavel) -> str:
    if valor is None and variavel.unidade != COTA:
        return variavel.padrao or "—"
    if isinstance(valor, Dsn):
        return valor.masked
    if isinstance(valor, SecretStr):
        return "***"
    return em_texto(variavel.unidade, valor)
