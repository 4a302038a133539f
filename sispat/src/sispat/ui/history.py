"""The audit in people's words.

Promises: what a record refers to is named, not numbered; a field that did not change is not shown; what was
removed meanwhile is shown by its key.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sispat.kernel import formats
from sispat.ui import labels

__all__ = ["Change", "HistoryEntry", "Names", "readable"]

Names = Callable[[list[UUID]], Awaitable[dict[UUID, str]]]

_REFERENCES = frozenset({"classe_id", "setor_id", "local_id", "agente_id", "pai_id"})
_INTERNAL = frozenset({"id", "versao", "criado_em", "atualizado_em"})
_PAGES = {"patrimonio": "patrimonios", "setor": "setores", "local": "locais", "agente": "agentes", "classe": "classes"}
_POSITION = {field: position for position, field in enumerate(labels.FIELDS)}
_CHOICES = {"situacao": labels.SITUACOES, "conservacao": labels.CONSERVACOES, "posse": labels.POSSES}


class Change(NamedTuple):
    """One field, before and after, as people read it."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One record: who did what to what, when, in which request. `path` is empty where there is no page for it."""

    id: int
    at: dt.datetime
    actor: str
    action: str
    entity: str
    path: str
    name: str
    request_id: str
    creation: bool
    changes: list[Change]


async def readable(events: Iterable[dict[str, Any]], names_of: Names) -> list[HistoryEntry]:
    """`events`, in their order; `names_of` says what the records they refer to are called."""
    events = list(events)
    sides = [event[side] or {} for event in events for side in ("antes", "depois")]
    ids = {value for side in sides for field, value in side.items() if field in _REFERENCES and value}
    names = await names_of([UUID(id_) for id_ in ids])
    return [_entry(event, names) for event in events]


def _entry(event: dict[str, Any], names: dict[UUID, str]) -> HistoryEntry:
    before, after = event["antes"] or {}, event["depois"] or {}
    page = _PAGES.get(event["entidade"], "") if event["acao"] != "excluir" else ""
    changes = [
        Change(labels.FIELDS.get(field, field), _shown(field, before.get(field), names), _shown(field, value, names))
        for field, value in sorted((after or dict.fromkeys(before)).items(), key=_order)
        if field not in _INTERNAL and before.get(field) != value and (before.get(field) or value) not in (None, "")
    ]
    return HistoryEntry(
        id=event["id"],
        at=event["em"],
        actor=event["ator"],
        action=labels.ACTIONS.get(event["acao"], event["acao"]),
        entity=labels.ENTITIES.get(event["entidade"], event["entidade"]),
        path=f"/{page}/{event['entidade_id']}" if page else "",
        name=_name(event["entidade"], before | after),
        request_id=event["requisicao"],
        creation=event["antes"] is None,
        changes=changes,
    )


def _order(pair: tuple[str, Any]) -> int:
    """Fields in the order of the forms; the unknown last."""
    return _POSITION.get(pair[0], len(_POSITION))


def _name(entity: str, values: dict[str, Any]) -> str:
    if entity == "patrimonio" and "numero" in values:
        return formats.plate_number(values["numero"])
    return str(values.get("nome") or "")


def _shown(field: str, value: Any, names: dict[UUID, str]) -> str:
    if value is None or value == "":
        return formats.EMPTY
    if isinstance(value, bool):
        return "Sim" if value else "Não"
    if field in _REFERENCES:
        return names.get(UUID(value), str(value))
    if field in _CHOICES:
        return _CHOICES[field].get(value, str(value))
    if field == "valor":
        return f"R$ {formats.money(value)}"
    if field == "fornecedor_doc":
        return formats.cpf_cnpj(value)
    if field == "cep":
        return formats.cep(value)
    return formats.date(value) if field.startswith("data_") else str(value)
