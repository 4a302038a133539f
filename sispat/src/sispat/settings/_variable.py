"""What is known of one variable besides its type: name, unit, meaning, whether it is secret or not used yet."""

from __future__ import annotations

from dataclasses import dataclass

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from sispat.kernel.i18n import _
from sispat.settings._readers import DURATION, QUOTA, SIZE, as_text

__all__ = ["Variable", "allowed", "bounds", "variable_of"]


@dataclass(frozen=True, slots=True)
class Variable:
    """The name in the environment, and the texts of the table in docs/reference/settings.md.

    `accepts`: what is allowed, where the type and its limits do not say it. `default`: shown instead of a default
    that differs from machine to machine. `reserved`: read and checked, but nothing uses it yet.
    """

    name: str
    description: str
    unit: str = ""
    accepts: str = ""
    default: str = ""
    secret: bool = False
    reserved: bool = False


def variable_of(field: FieldInfo) -> Variable | None:
    """The variable behind a field of `Settings`, or None for what no environment sets."""
    return next((each for each in field.metadata if isinstance(each, Variable)), None)


def bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    """Minimum and maximum, in the unit the value is kept in."""
    least = next((each.ge for each in field.metadata if isinstance(each, Ge)), None)
    most = next((each.le for each in field.metadata if isinstance(each, Le)), None)
    return least, most  # type: ignore[return-value] # all limits of `Settings` are numbers


def allowed(field: FieldInfo) -> str:
    """What may be given, in a few words."""
    variable = variable_of(field)
    assert variable is not None
    if variable.accepts:
        return _(variable.accepts)
    if field.annotation is bool:
        return _("sim ou não (também true/false, 1/0)")
    if variable.unit == QUOTA:
        return _("de 1 a 1000000 por 1s a 1d, como 100/15min")
    least, most = bounds(field)
    limits = {"least": as_text(variable.unit, least), "most": as_text(variable.unit, most)}
    if variable.unit == DURATION:
        return _("uma duração de %(least)s a %(most)s, como 90s, 30min ou 8h", **limits)
    if variable.unit == SIZE:
        return _("um tamanho de %(least)s a %(most)s, como 512kB ou 1MB", **limits)
    return _("um número inteiro de %(least)s a %(most)s", **limits)
