"""What a list is asked for, as the page shows it: fields, links that keep the rest, what is being filtered by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from sispat.cadastros import pickers
from sispat.kernel.context import Context
from sispat.kernel.fields import specs
from sispat.kernel.i18n import lazy
from sispat.patrimonios.listing import ListaDePatrimonios
from sispat.ui.fields import FormField

__all__ = ["CEILING", "Search", "filter_fields"]

CEILING = 1000  # counted no further: "mais de 1.000"
_NAMES = ("q", "setor", "local", "classe", "agente", "situacao", "conservacao", "importacao", "sort", "pagina", "todos")
_COLUMNS = {
    "numero": lazy("Número"),
    "descricao": lazy("Descrição"),
    "valor": lazy("Valor"),
    "data_aquisicao": lazy("Aquisição"),
}


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
    """The fields of the filter; a chosen setor narrows the locais and agentes that are offered."""
    setor = _uuid(values.get("setor", ""))
    asked = {name: FormField.of(spec) for name, spec in specs(ListaDePatrimonios).items()}
    return [
        asked["situacao"],
        asked["conservacao"],
        await pickers.with_choices(ctx, asked["classe"], "classe", values),
        await pickers.with_choices(ctx, asked["setor"], "setor", values),
        await pickers.with_choices(ctx, asked["local"], "local", values, setor),
        await pickers.with_choices(ctx, asked["agente"], "agente", values, setor),
    ]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
