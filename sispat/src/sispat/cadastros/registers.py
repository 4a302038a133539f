"""The four registers as their screens see them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from sispat.cadastros import pickers
from sispat.cadastros.fields import ENTITIES
from sispat.cadastros.rules import editing
from sispat.kernel.context import Context
from sispat.kernel.fields import FieldSpec
from sispat.kernel.i18n import lazy
from sispat.kernel.permissions import Action
from sispat.ui.fields import FormField, Section, in_sections

__all__ = ["REGISTERS", "Register", "fields", "sections"]


@dataclass(frozen=True, slots=True)
class Register:
    """One register: `plural` is its address, `columns` what its list shows beside the name.

    `new`, `edit` and `remove` are titles of its forms, `searched_by` what its list is searched by.
    """

    kind: str
    plural: str
    title: str
    new: str
    edit: str
    remove: str
    searched_by: str
    columns: tuple[str, ...]
    help: str
    short: str = ""  # its name in the menu, where the title is too long

    @property
    def menu_label(self) -> str:
        """What the menu calls it."""
        return self.short or self.title

    @property
    def path(self) -> str:
        """Of the list."""
        return f"/{self.plural}"

    @property
    def listed(self) -> list[FieldSpec]:
        """What its list shows beside the name."""
        return [ENTITIES[self.kind].fields[column] for column in self.columns]

    @property
    def action(self) -> Action:
        """What changing it takes."""
        return editing(self.kind)


REGISTERS = (
    Register(
        "setor", "setores", lazy("Setores"), lazy("Novo setor"), lazy("Editar setor"), lazy("Excluir setor"),
        lazy("Parte do nome ou do código"), ("codigo", "pai_id"),
        lazy("As unidades da prefeitura. Cada pessoa alcança os bens dos seus setores."),
    ),
    Register(
        "local", "locais", lazy("Locais"), lazy("Novo local"), lazy("Editar local"), lazy("Excluir local"),
        lazy("Parte do nome"), ("setor_id",),
        lazy("Salas, depósitos e pátios. Um local pertence sempre ao mesmo setor."),
    ),
    Register(
        "agente", "agentes", lazy("Agentes responsáveis"), lazy("Novo agente"), lazy("Editar agente"), lazy("Excluir agente"),
        lazy("Parte do nome ou da matrícula"), ("matricula", "cargo", "setor_id"),
        lazy("As pessoas que respondem por bens (Lei 4.320/64, art. 94)."), lazy("Agentes"),
    ),
    Register(
        "classe", "classes", lazy("Classes"), lazy("Nova classe"), lazy("Editar classe"), lazy("Excluir classe"),
        lazy("Parte do nome ou da conta"), ("conta", "vida_util_meses", "residual_pct"),
        lazy("As contas do patrimônio, com a vida útil e o valor residual de cada uma."),
    ),
)  # fmt: skip


def fields(kind: str, *, new: bool) -> list[FormField]:
    """The fields of one register's form, without choices; those of a row that exists lack what never changes."""
    table = ENTITIES[kind]
    return [FormField.of(table.fields[column]) for column in table.columns if new or not table.fields[column].ui.fixed]


async def sections(
    ctx: Context, kind: str, values: dict[str, str], id_: UUID | None, *, buttons: bool
) -> tuple[Section, ...]:
    """The fields with their choices; a setor is not offered as its own superior."""
    ready = []
    for field in fields(kind, new=id_ is None):
        if field.kind == "reference":
            ready.append(_but(str(id_), await pickers.with_choices(ctx, field, "setor", values)))
        else:
            ready.append(replace(field, button=field.button if buttons else ""))
    return in_sections(ready, ENTITIES[kind].sections)


def _but(id_: str, field: FormField) -> FormField:
    """`field` without the choice `id_`; who finds it by typing is told by the constraint."""
    groups = (replace(g, choices=tuple(choice for choice in g.choices if choice.value != id_)) for g in field.groups)
    return replace(field, groups=tuple(groups))
