"""Nothing public of esteio.postgres is missing from its reference, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from esteio import EsteioError
from esteio.postgres import _errors
from esteio.postgres._errors._sqlstate import CLASSES, CODES

REFERENCE = (Path(__file__).parents[3] / "docs/reference/postgres.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a heading."""
    return REFERENCE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_each_class_and_each_exceptional_code_is_in_the_reference() -> None:
    text = section("Errors")
    names = {
        getattr(kind, "sqlstate", None): name for name, kind in vars(psycopg.errors).items() if isinstance(kind, type)
    }
    rows = [f"| {code} | {title} | {category.value} |" for code, (title, category) in CLASSES.items()]
    rows += [f"| {code} | {names[code]} | {category.value} |" for code, category in CODES.items()]
    assert [row for row in rows if row not in text] == []
    assert len(re.findall(r"^\| [0-9A-Z]{2} \|", text, re.MULTILINE)) == len(CLASSES)
    assert len(re.findall(r"^\| [0-9A-Z]{5} \|", text, re.MULTILINE)) == len(CODES)


def test_each_error_is_in_the_reference_with_its_fields() -> None:
    text = section("Errors")
    for name in _errors.__all__:
        kind = getattr(_errors, name)
        if isinstance(kind, type) and issubclass(kind, EsteioError):
            assert f"| `{name}` |" in text


@pytest.mark.parametrize("block", re.findall(r"^```python\n(.*?)^```", REFERENCE, re.MULTILINE | re.DOTALL))
def test_the_examples_of_the_reference_compile_and_their_imports_exist(block: str) -> None:
    compile(block, "postgres.md", "exec")
    for line in re.findall(r"^from esteio.*", block, re.MULTILINE):
        exec(line, {})
