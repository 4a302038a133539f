"""Two people, one record: a three-way merge of a form. Pure.

Promises: what the person did not touch is what is stored now, so that saving overwrites nothing of others unseen; what the
person touched is as typed. Where both changed a field, both values are shown, with who changed it and when. The version the
form was made from is found by undoing, in the audit, what was done since; where that cannot be told, every field counts
as touched.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sispat.ui.fields import FormField

__all__ = ["Difference", "merge"]


class Difference(NamedTuple):
    """One field of a conflict. `by` and `at` are of the last change by others, `kept` whether the form has what was typed."""

    label: str
    stored: str
    typed: str
    by: str
    at: dt.datetime | None
    kept: bool


def merge(
    fields: Mapping[str, FormField],
    stored: Mapping[str, str],
    typed: Mapping[str, str],
    events: Sequence[Mapping[str, Any]] | None,
) -> tuple[dict[str, str], list[Difference]]:
    """The values of the form, and the fields in which `typed` differs from `stored`.

    `events` are the records of the audit since the form was made, newest first; None where they are not known.
    """
    values, rows = dict(typed), []
    before = _undone(fields, stored, events) if events is not None else {}
    for name, field in fields.items():
        now, mine = stored.get(name, ""), typed.get(name)
        if mine is None or field.read(now) == field.read(mine):
            continue
        touched = name not in before or field.read(before[name]) != field.read(mine)
        if not touched:
            values[name] = now
        by, at = _last_change(name, events or ())
        rows.append(Difference(field.label, field.shown(now), field.shown(mine), by, at, touched))
    return values, rows


def _undone(
    fields: Mapping[str, FormField], stored: Mapping[str, str], events: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    before = dict(stored)
    for event in events:
        for name, value in (event["antes"] or {}).items():
            if name in fields:
                before[name] = fields[name].text(value)
    return before


def _last_change(name: str, events: Sequence[Mapping[str, Any]]) -> tuple[str, dt.datetime | None]:
    for event in events:
        before, after = event["antes"] or {}, event["depois"] or {}
        if name in after and before.get(name) != after[name]:
            return event["ator"], event["em"]
    return "", None
