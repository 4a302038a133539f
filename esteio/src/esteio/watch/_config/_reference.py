"""The reference of the file, made from the tables that read it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING
from datetime import datetime
from typing import Any

from esteio.watch._config._load import options
from esteio.watch._config._sections import SECTIONS, Probe, Section

__all__ = ["reference_page"]

_HEAD = """# Reference: the file of `esteio watch`

Made from the tables in `esteio.watch._config` by `make docs`; [how to set up a watcher](../how-to/watch.md). The file is
[TOML](https://toml.io); `${NAME}` in a text is the variable NAME of the environment, for what is secret. Times are seconds. A
section or an option that is not known is an error. `esteio watch check` says all that is wrong at once; `esteio watch init`
writes a file to begin with.

"""


def reference_page() -> str:
    """The page."""
    parts = [_HEAD]
    common = {name for name, _, _ in options(Probe)}
    for name, section in SECTIONS.items():
        brackets = f"[{name}]" if name in ("watch", "notify", "group") else f"[[{name}]]"
        parts.append(f"## {brackets}\n\n{(section.__doc__ or '').strip()}\n\n")
        of_probe = issubclass(section, Probe)
        if of_probe:
            parts.append("Also [what all probes have](#what-all-probes-have).\n\n")
        parts.append(_table(section, common if of_probe else set()))
    parts.append("## What all probes have\n\n" + _table(Probe, set()).rstrip("\n") + "\n")
    return "".join(parts)


def _table(section: type[Section], without: set[str]) -> str:
    known = {name: default for name, _, default in options(Probe)}
    rows = [
        f"| `{name}` | {option.kind.allowed} | {_default(default)} | {option.meaning} |\n"
        for name, option, default in options(section)
        if name not in without or (section is not Probe and known[name] != default)
    ]
    return "| option | allowed | default | what it is |\n|---|---|---|---|\n" + "".join(rows) + "\n"


def _default(value: Any) -> str:
    if value is MISSING:
        return "**needed**"
    if value is None or value in ("", (), {}, 0.0):
        return ""
    return f"`{''.join(_toml(value))}`"


def _toml(value: Any) -> Iterator[str]:
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], int):
        yield f'"{value[0]}:{value[1]}"'
    elif isinstance(value, tuple):
        yield f"[{', '.join(''.join(_toml(each)) for each in value)}]"
    elif isinstance(value, str):
        yield f'"{value}"'
    else:
        yield value.isoformat() if isinstance(value, datetime) else f"{value:g}"
