"""What a list is asked for, as the page shows it: fields, links that keep the rest, what is being filtered by."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from sispat.cadastros import actions as cadastros
from sispat.cadastros import pickers
from sispat.kernel.context import Context
from sispat.kernel.errors import NotFound
from sispat.kernel.fields import specs
from sispat.patrimonios.listing import ListaDePatrimonios
from sispat.ui.fields import FormField

__all__ = ["CEILING", "Search", "filter_fields"]

CEILING = 1000  # counted no further: "mais de 1.000"
_NAMES = ("q", "setor", "local", "classe", "agente", "situacao", "conservacao", "sort", "pagina", "todos")
_COLUMNS = {"numero": "Número", "descricao": "Descrição", "valor": "Valor", "data_aquisicao": "Aquisição"}


class Column(NamedTuple):
    """A heading that sorts."""

    label: str
    path: str
    direction: str  # as aria-sort says it, or empty


class Search:
    """The parameters that are set."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self.values = {n: parameters[n] for n in _NAMES if parameters.get(n, "").strip()}

    @property
    def asked(self) -> dict[str, str]:
        """What the list is asked for; `todos` only says that a plate number is to be searched for, too."""
        return {name: value for name, value in self.values.items() if name != "todos"}

    @property
    def sort(self) -> str:
        """The sort in force."""
        return self.values.get("sort", "numero")

    @property
    def is_filtered(self) -> bool:
        """Whether anything narrows the list."""
        return bool(self.values.keys() - {"sort", "pagina", "todos"})

    @property
    def has_filters(self) -> bool:
        """Whether more than words narrows the list."""
        return bool(self.values.keys() - {"q", "sort", "pagina", "todos"})

    def path(self, path: str = "/patrimonios", **changes: str | None) -> str:
        """The list with `changes` (None takes a parameter away), from its first page unless they say otherwise."""
        values = {n: v for n, v in {**self.values, "pagina": None, **changes}.items() if v}
        return f"{path}?{urlencode(values)}" if values else path

    def column(self, name: str) -> Column:
        """The heading of a column that can be sorted by."""
        ascending = self.sort == name
        current = self.sort.lstrip("-") == name
        direction = ("ascending" if ascending else "descending") if current else ""
        return Column(_COLUMNS[name], self.path(sort=f"-{name}" if ascending else name), direction)


async def filter_fields(ctx: Context, values: Mapping[str, str]) -> list[FormField]:
    """The fields of the filter; locais and agentes are offered once their setor is chosen."""
    setor = _uuid(values.get("setor", ""))
    asked = {name: FormField.of(spec) for name, spec in specs(ListaDePatrimonios).items()}
    fields = [
        asked["situacao"],
        asked["conservacao"],
        replace(asked["classe"], groups=await pickers.classes(ctx, values.get("classe", ""))),
        replace(asked["setor"], groups=await pickers.setores(ctx, values.get("setor", ""))),
    ]
    for name, offer in (("local", pickers.locais), ("agente", pickers.agentes)):
        current = values.get(name, "")
        groups = await offer(ctx, current, setor) if setor else ()
        if id_ := _uuid(current):
            with suppress(NotFound):
                groups = pickers.with_current(groups, current, (await cadastros.obter(ctx, name, id_))["nome"])
        fields.append(replace(asked[name], groups=groups, hint="" if setor else "Escolha antes o setor."))
    return fields


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
