"""The audit in people's words.

Promises: a record, and what it refers to, is named, not numbered; a field that did not change is not shown; what was
removed meanwhile is shown by its key.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sispat.http.session import RequestContext
from sispat.http.slices import Site, site_of
from sispat.kernel import audit
from sispat.kernel.fields import Entity
from sispat.kernel.formats import EMPTY
from sispat.kernel.i18n import _

__all__ = ["Change", "HistoryEntry", "readable"]

_INTERNAL = frozenset({"id", "versao", "criado_em", "atualizado_em"})


class Change(NamedTuple):
    """One field, before and after, as people read it."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One record: who did what to what, when, in which request.

    `key` is the API key that an integration did it with, `verb` what the audit calls `action`; `path` is empty where
    there is no page for it.
    """

    id: int
    at: dt.datetime
    actor: str
    key: str
    action: str
    verb: str
    entity: str
    path: str
    name: str
    request_id: str
    creation: bool
    changes: list[Change]


async def readable(ctx: RequestContext, events: Iterable[dict[str, Any]]) -> list[HistoryEntry]:
    """`events`, in their order."""
    events, site = list(events), site_of(ctx.request)
    ids = {UUID(id_) for event in events for id_ in _references(site, event)}
    names = await site.names(ctx, [*ids, *{event["entidade_id"] for event in events}])
    return [_entry(site, event, names) for event in events]


def _references(site: Site, event: Mapping[str, Any]) -> set[str]:
    """The keys that a record of the audit holds."""
    entity = _entity(site, event)
    return {
        value
        for side in ("antes", "depois")
        for name, value in (event[side] or {}).items()
        if value and name in entity.fields and entity.fields[name].ui.refers_to
    }


def _entity(site: Site, event: Mapping[str, Any]) -> Entity:
    name = event["entidade"]
    return site.entities.get(name) or Entity(name, name)


def _entry(site: Site, event: Mapping[str, Any], names: Mapping[UUID, str]) -> HistoryEntry:
    entity = _entity(site, event)
    before, after = event["antes"] or {}, event["depois"] or {}
    return HistoryEntry(
        id=event["id"],
        at=event["em"],
        actor=_("sistema") if event["ator"] == audit.SYSTEM else event["ator"],
        key=event["chave"] or "",
        action=str(site.verbs.get(event["acao"], event["acao"])),
        verb=event["acao"],
        entity=str(entity.label),
        path=f"{entity.path}/{event['entidade_id']}" if entity.path and event["acao"] != "excluir" else "",
        name=names.get(event["entidade_id"]) or _name(entity, before | after),
        request_id=event["requisicao"],
        creation=event["antes"] is None,
        changes=_changes(site, entity, before, after, names),
    )


def _changes(
    site: Site, entity: Entity, before: Mapping[str, Any], after: Mapping[str, Any], names: Mapping[UUID, str]
) -> list[Change]:
    """Fields in the order of their table, the unknown last; what did not change, or was and is blank, is left out."""
    order = {name: position for position, name in enumerate(entity.fields)}
    changes = []
    for name, value in sorted(
        (after or dict.fromkeys(before)).items(), key=lambda pair: order.get(pair[0], len(order))
    ):
        old = before.get(name)
        if name in _INTERNAL or old == value or (old or value) in (None, ""):
            continue
        spec = entity.fields.get(name)
        if spec is None:
            changes.append(Change(str(site.labels.get(name, name)), str(old or EMPTY), str(value or EMPTY)))
        else:
            changes.append(Change(str(spec.ui.label), spec.shown(old, names), spec.shown(value, names)))
    return changes


def _name(entity: Entity, values: Mapping[str, Any]) -> str:
    title = entity.fields.get(entity.title)
    return title.shown(values[title.name]) if title and values.get(title.name) else str(values.get("nome") or "")
