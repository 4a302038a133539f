"""A supplier's CPF, shown whole only to those who may correct it.

Promises: to all others it leaves as ***.456.789-**, whatever it leaves in: document, list, CSV, history, audit, conflict. A
CNPJ is public and stays as it is. Nor is it found by its beginning (`sql.query`), which would tell it figure by figure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sispat.kernel.brazil import mask_cpf
from sispat.kernel.permissions import Access
from sispat.patrimonios import rules

__all__ = ["document", "events", "hidden_from", "record"]

_FIELD = "fornecedor_doc"
# In a JSON text of ours. Inside of a string it cannot stand: the quotes there are escaped.
_IN_JSON = re.compile(rf'(?<="{_FIELD}":")[0-9]{{11}}(?=")')


def hidden_from(access: Access) -> bool:
    """Whether this person sees CPFs only in part."""
    return not access.may(rules.EDITAR)


def document(access: Access, text: str) -> str:
    """A document (JSON), or several, as `access` may read it."""
    return _IN_JSON.sub(lambda found: str(mask_cpf(found[0])), text) if hidden_from(access) else text


def record(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an asset with the CPF in part."""
    doc = values.get(_FIELD)
    return {**values, _FIELD: mask_cpf(doc)} if isinstance(doc, str) and len(doc) == 11 else dict(values)


def events(access: Access, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records of the audit as `access` may read them; those of other entities as they are."""
    if not hidden_from(access):
        return found
    return [_event(each) if each["entidade"] == "patrimonio" else each for each in found]


def _event(event: dict[str, Any]) -> dict[str, Any]:
    return {**event, **{side: event[side] and record(event[side]) for side in ("antes", "depois")}}
