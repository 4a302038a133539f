"""Corrections of some fields of a record (JSON Merge Patch, RFC 7396).

Promises: what a patch leaves out stays as it is stored, null takes a field back to what it is when nobody fills it in,
and the whole that results passes the same checks as a record that is sent whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import create_model

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.inputs import Input

__all__ = ["Patch", "patch_of"]

_I = TypeVar("_I", bound=Input)


class Patch(Input):
    """Some fields of an input; made by `patch_of`."""

    def applied(self, whole: type[_I], stored: Mapping[str, Any]) -> _I:
        """`whole` made of what is stored and what this says; raises `InvalidData`."""
        said = {name: getattr(self, name) for name in self.model_fields_set}
        merged = {name: stored[name] for name in whole.model_fields} | said
        return whole.parse({name: value for name, value in merged.items() if value is not None})


def patch_of(name: str, whole: type[Input], **example: Any) -> type[Patch]:
    """The patch of `whole`: each of its fields, none of them required, each checked as there. `example` is one."""
    fields: dict[str, Any] = {
        field: (Annotated[info.annotation, *info.metadata] | None, None) for field, info in whole.model_fields.items()
    }
    doc = gettext_noop("Alguns campos: os que faltam ficam como estão; null vale como não preenchido.")
    made: type[Patch] = create_model(name, __base__=Patch, __doc__=doc, **fields)
    made.model_config = {**made.model_config, "json_schema_extra": {"examples": [example]}}
    return made
