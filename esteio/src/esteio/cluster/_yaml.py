"""YAML for Patroni and etcd, from dictionaries, lists and scalars. Pure.

Promises: any YAML 1.1 parser reads back what was given. Texts are always quoted, so that no `no` becomes a boolean and no
password a comment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["dumped"]


def dumped(value: Mapping[str, Any]) -> str:
    """`value` as a document."""
    return "\n".join(_lines(value, "")) + "\n"


def _lines(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _entry(f"{indent}{key}:", each, indent + "  ")
    else:
        for each in value:
            yield from _entry(f"{indent}-", each, indent + "  ")


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping | list | tuple) and value:
        yield head
        yield from _lines(value, indent)
    else:
        yield f"{head} {json.dumps(value, ensure_ascii=False)}"
