"""What is known of one variable besides its type: name, unit, meaning, whether it is secret or not used yet."""

from __future__ import annotations

from dataclasses import dataclass

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from sispat.kernel.i18n import _
from sispat.settings._valores import COTA, DURACAO, TAMANHO, em_texto

__all__ = ["Variavel", "da", "limites", "permitido"]


@dataclass(frozen=True, slots=True)
class Variavel:
    """The name in the environment, and the texts of the table in docs/reference/settings.md.

    `aceita`: what is allowed, where the type and its limits do not say it. `padrao`: shown instead of a default
    that differs from machine to machine. `reservada`: read and checked, but nothing uses it yet.
    """

    nome: str
    descricao: str
    unidade: str = ""
    aceita: str = ""
    padrao: str = ""
    secreta: bool = False
    reservada: bool = False


def da(campo: FieldInfo) -> Variavel | None:
    """The variable behind a field of `Settings`, or None for what no environment sets."""
    return next((dado for dado in campo.metadata if isinstance(dado, Variavel)), None)


def limites(campo: FieldInfo) -> tuple[float | None, float | None]:
    """Minimum and maximum, in the unit the value is kept in."""
    minimo = next((dado.ge for dado in campo.metadata if isinstance(dado, Ge)), None)
    maximo = next((dado.le for dado in campo.metadata if isinstance(dado, Le)), None)
    return minimo, maximo  # type: ignore[return-value] # all limits of `Settings` are numbers


def permitido(campo: FieldInfo) -> str:
    """What may be given, in a few words."""
    variavel = da(campo)
    assert variavel is not None
    if variavel.aceita:
        return _(variavel.aceita)
    if campo.annotation is bool:
        return _("sim ou não (também true/false, 1/0)")
    if variavel.unidade == COTA:
        return _("de 1 a 1000000 por 1s a 1d, como 100/15min")
    minimo, maximo = limites(campo)
    limits = {"least": em_texto(variavel.unidade, minimo), "most": em_texto(variavel.unidade, maximo)}
    if variavel.unidade == DURACAO:
        return _("uma duração de %(least)s a %(most)s, como 90s, 30min ou 8h", **limits)
    if variavel.unidade == TAMANHO:
        return _("um tamanho de %(least)s a %(most)s, como 512kB ou 1MB", **limits)
    return _("um número inteiro de %(least)s a %(most)s", **limits)
