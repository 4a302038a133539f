"""The settings as tables: the reference page, and what is in force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from esteio.postgres import Dsn
from sispat.settings._model import GROUPS, Settings
from sispat.settings._origin import Origin
from sispat.settings._readers import QUOTA, as_text
from sispat.settings._types import Group
from sispat.settings._variable import Variable, allowed, variable_of

__all__ = ["SettingInForce", "in_force", "reference_page", "variables"]

RESERVED = "**Reservada**: lida e conferida, usada a partir de uma versão futura."
HEADING = """# Configuração

Tudo é opcional. Cada valor vem da linha de comando, do ambiente do processo, do arquivo `.env` da pasta de
trabalho ou do padrão, nesta ordem; vazio conta como ausente. Um valor inválido impede o início, e a mensagem diz
todos de uma vez. `sispat settings` mostra o que está em vigor e de onde veio, com os segredos ocultos.

Esta página é gerada de `sispat.settings` por `make docs`.
"""
COLUMNS = "| Nome | Padrão | Permitido | O que faz |\n|---|---|---|---|\n"


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """One setting in force; `value` is masked when it is a secret."""

    name: str
    value: str
    origin: Origin
    reserved: bool


def variables() -> Iterator[tuple[str, FieldInfo, Variable]]:
    """Every variable, with its field's name and definition."""
    for _, group in GROUPS:
        yield from _variables_of(group)


def _variables_of(group: type[Group]) -> Iterator[tuple[str, FieldInfo, Variable]]:
    for name, field in group.model_fields.items():
        variable = variable_of(field)
        if variable is not None:
            yield name, field, variable


def in_force(settings: Settings) -> list[SettingInForce]:
    """What `sispat settings` shows."""
    return [
        SettingInForce(
            variable.name, _shown(getattr(settings, name), variable), settings.origin(name), variable.reserved
        )
        for name, _, variable in variables()
    ]


def reference_page() -> str:
    """docs/reference/settings.md."""
    parts = [HEADING]
    for title, group in GROUPS:
        rows = [_row(field, variable) for _, field, variable in _variables_of(group)]
        parts.append(f"\n## {title}\n\n{COLUMNS}{''.join(rows)}")
    return "".join(parts)


def _row(field: FieldInfo, variable: Variable) -> str:
    default = variable.default or _shown(field.get_default(), variable)
    description = f"{variable.description} {RESERVED}" if variable.reserved else variable.description
    allowed_values = allowed(field)
    if variable.unit not in ("", QUOTA) and variable.unit not in allowed_values:
        allowed_values += f" ({variable.unit})"
    code = default if variable.default or default == "—" else f"`{default}`"
    return f"| `{variable.name}` | {code} | {allowed_values} | {description} |\n"


def _shown(value: Any, variable: Variable) -> str:
    if value is None and variable.unit != QUOTA:
        return variable.default or "—"
    if isinstance(value, Dsn):
        return value.masked
    if isinstance(value, SecretStr):
        return "***"
    return as_text(variable.unit, value)
