"""Reading the sources, strongest last, and remembering which one each value came from.

pydantic alone checks the values: pydantic-settings reads sources too, but does not tell afterwards where a value
came from, which is the first thing one asks when a service does not do what its `.env` says.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream
from pydantic import ValidationError

from sispat.kernel.i18n import _
from sispat.settings._errors import InvalidSettings, InvalidValue
from sispat.settings._model import GROUPS, Settings
from sispat.settings._origin import Origin
from sispat.settings._variable import allowed, variable_of

__all__ = ["Origin", "load_settings"]

CARRIED_PREFIX = "SISPAT_"
_LOGIN = re.compile(r"//\S*@")  # in an address where none is allowed, whatever its password contains
_FIELDS = {
    variable.name: name
    for _title, group in GROUPS
    for name, field in group.model_fields.items()
    if (variable := variable_of(field))
}


def load_settings(
    env: Mapping[str, str] | None = None,
    env_file: Path | None = None,
    command_line: Mapping[str, Any] | None = None,
) -> Settings:
    """Read and check everything; raises `InvalidSettings` with all that is wrong.

    Without `env` the process environment counts, and `.env` of the working directory below it; an `env` that is
    given counts alone. `command_line` has values of the command line by field name; None there means not given. An empty
    variable counts as not set.
    """
    if env is None:
        env, env_file = os.environ, env_file or Path(".env")
    file = _read_file(env_file) if env_file is not None else {}
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for origin, source in ((Origin.FILE, file), (Origin.ENVIRONMENT, env)):
        for name, field in _FIELDS.items():
            if source.get(name, ""):
                values[field], origins[field] = source[name], origin
    for field, value in (command_line or {}).items():
        if value is not None:
            values[field], origins[field] = value, Origin.COMMAND_LINE
    warnings = (*_unknown_names(env, Origin.ENVIRONMENT), *_unknown_names(file, Origin.FILE))
    try:
        return Settings(**values, origins=origins, warnings=warnings)
    except ValidationError as error:
        raise InvalidSettings(_invalid_values(error, values, origins)) from None


def _read_file(file: Path) -> dict[str, str]:
    try:
        with file.open(encoding="utf-8") as text:
            parts = list(parse_stream(text))
    except (FileNotFoundError, IsADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(
            (InvalidValue(str(file), "…", _("arquivo"), str(error), _("um texto em UTF-8 que se possa ler")),)
        ) from error
    bad = tuple(
        InvalidValue(
            _("%(file)s, linha %(line)s", file=file, line=part.original.line),
            "…",
            _("arquivo"),
            _("não se entende"),
            _("NOME=valor"),
        )
        for part in parts
        if part.error
    )
    if bad:
        raise InvalidSettings(bad)
    return {part.key: part.value for part in parts if part.key and part.value}


def _unknown_names(source: Mapping[str, str], origin: Origin) -> Iterable[str]:
    for name in sorted(source):
        if name.startswith(CARRIED_PREFIX) and name not in _FIELDS:
            near = difflib.get_close_matches(name, _FIELDS, 1)
            told = {"name": name, "origin": origin.label}
            unknown = _("%(name)s (%(origin)s) não é uma configuração do SISPAT e não tem efeito.", **told)
            yield f"{unknown} {_('Você quis dizer %(name)s?', name=near[0])}" if near else unknown


def _invalid_values(
    error: ValidationError, values: Mapping[str, Any], origins: Mapping[str, Origin]
) -> tuple[InvalidValue, ...]:
    found_values: dict[str, InvalidValue] = {}
    for detail in error.errors(include_url=False, include_input=False):
        # A rule between two values has no place of its own; see SignInSettings.
        name = str(detail["loc"][0]) if detail["loc"] else "session_idle"
        field = Settings.model_fields[name]
        variable = variable_of(field)
        assert variable is not None
        cause = detail.get("ctx", {}).get("error")
        reason = str(cause) if isinstance(cause, ValueError) else ""
        if not detail["loc"]:
            reason = _("é mais longa do que SISPAT_SESSION_MAX")
        found_values.setdefault(
            name,
            InvalidValue(
                name=variable.name,
                value="***" if variable.secret else _LOGIN.sub("//***@", str(values.get(name, field.get_default()))),
                origin=origins.get(name, Origin.DEFAULT).label,
                reason=reason,
                allowed=allowed(field),
            ),
        )
    return tuple(found_values[name] for name in _FIELDS.values() if name in found_values)
