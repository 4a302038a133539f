"""What a report is, and how its values are read.

Promises: one declaration is all that page, CSV, XLSX, PDF, API and OpenAPI know of a report; a column that its SQL does not
give, or one more, fails a test.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from sispat.kernel import formats
from sispat.kernel.context import Context
from sispat.kernel.fields import Entity, FieldSpec, specs
from sispat.kernel.permissions import Action
from sispat.relatorios.fields import Pedido

__all__ = ["Fact", "Report", "as_read"]

Fact = tuple[str, str]
"""A label and what stands beside it."""


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """`name` is its address, `question` what it answers; `line` what a line of it has, `asked` its filters, `sql` its text.

    `sql` is one text or several (`sql.reports`). `summed` are the columns that are added up, `empty` what is said where it has
    no line. `facts` gives what stands above the lines beside the filters, and raises for a record out of reach.
    """

    name: str
    title: str
    question: str
    line: type[BaseModel]
    asked: type[Pedido]
    sql: str | tuple[str, ...]
    action: Action
    summed: tuple[str, ...]
    empty: str
    facts: Callable[[Context, Any], Awaitable[Sequence[Fact]]] | None = None

    @property
    def path(self) -> str:
        """Of its page."""
        return f"/relatorios/{self.name}"

    @property
    def api(self) -> str:
        """Of its addresses in the API, without their ends."""
        return f"/api{self.path}"

    @property
    def texts(self) -> tuple[str, ...]:
        """Its SQL."""
        return (self.sql,) if isinstance(self.sql, str) else self.sql

    @property
    def columns(self) -> dict[str, FieldSpec]:
        """All that files have."""
        return specs(self.line)

    @property
    def shown(self) -> list[FieldSpec]:
        """What the page and paper have."""
        return [spec for spec in self.columns.values() if spec.ui.in_list]

    @property
    def filters(self) -> dict[str, FieldSpec]:
        """What people may ask for."""
        return {name: spec for name, spec in specs(self.asked).items() if name not in Pedido.model_fields}

    @property
    def document(self) -> Any:
        """The shape of a line, for OpenAPI."""
        name = "".join(word.capitalize() for word in self.name.split("-"))
        return Entity(name=self.name, label=self.title, given=self.line, title="").document(f"Linha{name}")


def as_read(spec: FieldSpec, value: Any) -> str:
    """A value as people read it in a table: an amount without its currency, which the heading says."""
    if value is None or value == "":
        return formats.EMPTY
    if spec.kind in ("money", "integer"):
        return formats.money(value) if spec.kind == "money" else formats.decimal(value)
    return spec.shown(value)
