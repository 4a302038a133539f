"""The choices of the forms and filters about assets, from the registers.

Promises: what is retired can still be shown where it is the present value, and not be chosen anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sispat.cadastros import actions
from sispat.kernel.context import Context
from sispat.ui.fields import Choice, ChoiceGroup

__all__ = ["agentes", "classes", "locais", "offered", "setores", "with_current"]


async def offered(ctx: Context, entity: str, current: str = "") -> tuple[ChoiceGroup, ...]:
    """The choices of a field that refers to `entity`."""
    return await {"classe": classes, "setor": setores, "local": locais, "agente": agentes}[entity](ctx, current)


async def classes(ctx: Context, current: str = "") -> tuple[ChoiceGroup, ...]:
    """Classes, by account."""
    rows = _offered(await actions.listar(ctx, "classe"), current)
    return (ChoiceGroup("", tuple(Choice(str(c["id"]), f"{c['nome']}{_retired_mark(c)}") for c in rows)),)


async def setores(ctx: Context, current: str = "", but: str = "") -> tuple[ChoiceGroup, ...]:
    """Setores, by code."""
    rows = [s for s in _offered(await actions.listar(ctx, "setor"), current) if str(s["id"]) != but]
    return (
        ChoiceGroup("", tuple(Choice(str(s["id"]), f"{s['codigo']} · {s['nome']}{_retired_mark(s)}") for s in rows)),
    )


async def locais(ctx: Context, current: str = "", setor_id: UUID | None = None) -> tuple[ChoiceGroup, ...]:
    """Locais, grouped by setor."""
    rows = _offered(await actions.listar(ctx, "local", setor_id=setor_id), current)
    return await _by_setor(ctx, [(local, f"{local['nome']}{_retired_mark(local)}") for local in rows])


async def agentes(ctx: Context, current: str = "", setor_id: UUID | None = None) -> tuple[ChoiceGroup, ...]:
    """Agentes, grouped by setor."""
    rows = _offered(await actions.listar(ctx, "agente", setor_id=setor_id), current)
    return await _by_setor(ctx, [(a, f"{a['nome']} ({a['matricula']}){_retired_mark(a)}") for a in rows])


def with_current(groups: tuple[ChoiceGroup, ...], id_: str, label: str) -> tuple[ChoiceGroup, ...]:
    """`groups`, and the present value where it lies beyond the reach of who is choosing."""
    if any(choice.value == id_ for group in groups for choice in group.choices):
        return groups
    return (ChoiceGroup("Atual", (Choice(id_, label),)), *groups)


def _offered(rows: Iterable[dict[str, Any]], current: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["ativo"] or str(row["id"]) == current]


def _retired_mark(row: dict[str, Any]) -> str:
    return "" if row["ativo"] else " (inativo)"


async def _by_setor(ctx: Context, rows: list[tuple[dict[str, Any], str]]) -> tuple[ChoiceGroup, ...]:
    groups: dict[UUID, list[Choice]] = {}
    for row, label in rows:
        groups.setdefault(row["setor_id"], []).append(Choice(str(row["id"]), label))
    names = await actions.nomes(ctx, list(groups))
    return tuple(
        ChoiceGroup(names[setor], tuple(choices))
        for setor, choices in sorted(groups.items(), key=lambda g: names[g[0]])
    )
