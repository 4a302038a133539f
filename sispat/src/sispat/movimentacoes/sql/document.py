"""The JSON document of a movement, as SQL, made from its table of fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sispat.kernel.fields import FieldSpec
from sispat.kernel.json_sql import json_object, member, nullable, raw

__all__ = ["Document", "document_of"]

# How a record appears in the document of what refers to it, of its row `{0}`.
_REFERENCES = {
    "setor": "{0}.referencia",
    "local": "{0}.referencia",
    "agente": "{0}.referencia",
    "usuario": """'{{"id":"' || {0}.id || '","nome":' || json_texto({0}.nome) || '}}'""",
    "patrimonio": """'{{"id":"' || {0}.id || '","numero":' || {0}.numero || ',"nome":' || json_texto({0}.descricao) || '}}'""",
}


class Document(NamedTuple):
    """The SQL of a document of `m`, a row, and of the joins that it needs."""

    json: str
    joins: str


def document_of(fields: Mapping[str, FieldSpec]) -> Document:
    """The document with all of `fields`."""
    members, joins = [], []
    for spec in fields.values():
        if spec.ui.refers_to in _REFERENCES:
            row = f"r_{spec.member}"
            reference = _REFERENCES[spec.ui.refers_to].format(row)
            members.append(raw(spec.member, f"coalesce({reference}, 'null')" if spec.nullable else reference))
            joins.append(
                f"{'left ' if spec.nullable else ''}join {spec.ui.refers_to} {row} on {row}.id = m.{spec.name}"
            )
        elif spec.kind == "cpf_cnpj":
            members.append(nullable(spec.name, _masked(f"m.{spec.name}")))
        else:
            members.append(member(spec, "m", {}))
    return Document(json_object(*members), " ".join(joins))


def _masked(column: str) -> str:
    """A CPF in part, as kernel.brazil shows it: who deals with movements does not need the whole. A CNPJ is public."""
    return f"""case when length({column}) = 11
        then '***.' || substr({column}, 4, 3) || '.' || substr({column}, 7, 3) || '-**' else {column} end"""
