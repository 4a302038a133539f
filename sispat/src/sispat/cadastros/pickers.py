"""The choices of fields that refer to the registers, of which there may be thousands.

Promises: a field offers the first `actions.CHOICES` within reach, or those that what was typed beside it finds; where
there are more, it says where a browser finds them by typing (`FormField.search`). What is retired can still be shown
where it is the present value, and not be chosen anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlencode
from uuid import UUID

from sispat.cadastros import actions
from sispat.cadastros.sql import Option
from sispat.http.submission import SEARCHED
from sispat.kernel.context import Context
from sispat.kernel.fields import specs
from sispat.kernel.i18n import _, ngettext
from sispat.kernel.inputs import Input
from sispat.ui.fields import Choice, ChoiceGroup, FormField, Section, in_sections

__all__ = ["fields_of", "path_of", "sections_of", "with_choices", "with_current"]


def fields_of(model: type[Input]) -> list[FormField]:
    """What people type of `model`, without the choices that have to be looked up."""
    return [FormField.of(spec) for spec in specs(model).values() if spec.ui.in_form]


async def sections_of(
    ctx: Context, model: type[Input], order: Sequence[str], values: Mapping[str, str]
) -> tuple[Section, ...]:
    """The form of `model`, its choices loaded, its headings in `order`."""
    ready = []
    for spec in specs(model).values():
        if not spec.ui.in_form:
            continue
        field = FormField.of(spec)
        ready.append(await with_choices(ctx, field, spec.ui.refers_to, values) if spec.ui.refers_to else field)
    return in_sections(ready, order)


async def with_choices(
    ctx: Context,
    field: FormField,
    entity: str,
    values: Mapping[str, str],
    setor_id: UUID | None = None,
    *,
    whole_city: bool = False,
) -> FormField:
    """`field` with its choices, for a form or filter that holds `values`; `setor_id` narrows them.

    `whole_city`: all setores, also those out of reach (`actions.opcoes`).
    """
    current, typed = values.get(field.name, ""), values.get(field.name + SEARCHED, "").strip()
    found, more = await actions.opcoes(ctx, entity, typed, setor_id, whole_city=whole_city)
    rows = {str(row.id): row for row in found}
    chosen = None
    if typed and found:  # whoever searches wants another value than the present one
        chosen = str(found[0].id) if len(found) == 1 else ""
    if current not in rows and (present := await _present(ctx, entity, current, whole_city)):
        rows[current] = present
    return replace(
        field,
        groups=_grouped(rows.values()),
        search=path_of(entity, setor_id, whole_city=whole_city) if more or typed else "",
        typed=typed,
        finding=_finding(typed, len(found), more),
        chosen=chosen,
    )


def with_current(field: FormField, id_: str, label: str) -> FormField:
    """`field`, and the present value where it lies beyond the reach of who is choosing."""
    if field.choice(id_):
        return field
    return replace(field, groups=(ChoiceGroup(_("Atual"), (Choice(id_, label),)), *field.groups))


def path_of(entity: str, setor_id: UUID | None = None, *, whole_city: bool = False) -> str:
    """Where choices are found by typing."""
    asked = {"setor": str(setor_id)} if setor_id else {"cidade": "true"} if whole_city else {}
    return f"/opcoes/{entity}" + (f"?{urlencode(asked)}" if asked else "")


async def _present(ctx: Context, entity: str, current: str, whole_city: bool) -> Option | None:
    try:
        return await actions.escolha(ctx, entity, UUID(current), whole_city=whole_city)
    except ValueError:
        return None


def _grouped(rows: Iterable[Option]) -> tuple[ChoiceGroup, ...]:
    """Under their setores, where they have any."""
    groups: dict[str, list[Choice]] = {}
    for row in rows:
        label = row.label if row.ativo else _("%(label)s (inativo)", label=row.label)
        groups.setdefault(row.setor, []).append(Choice(str(row.id), label))
    return tuple(ChoiceGroup(setor, tuple(choices)) for setor, choices in sorted(groups.items()))


def _finding(typed: str, number: int, more: bool) -> str:
    """What the list of choices holds, in words; empty where it simply holds all there are."""
    if not typed:
        most = actions.CHOICES
        return _("A lista mostra os %(most)s primeiros; para achar outro, busque.", most=most) if more else ""
    if not number:
        return _("Nada encontrado para “%(typed)s”. Tente o começo de outra palavra.", typed=typed)
    if more:
        return _(
            "Os %(most)s primeiros com “%(typed)s”. Escolha na lista, ou digite mais uma palavra e busque.",
            most=actions.CHOICES,
            typed=typed,
        )
    return ngettext(
        "Encontrado para “%(typed)s”.",
        "%(num)s encontrados para “%(typed)s”. Escolha na lista.",
        number,
        num=number,
        typed=typed,
    )
