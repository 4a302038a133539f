"""Nothing public of esteio.postgres is missing from its reference, and its examples run."""

from __future__ import annotations

import re
from dataclasses import fields
from inspect import signature
from pathlib import Path

import psycopg
import pytest

from esteio import EsteioError
from esteio.postgres import ConnectionLeaked, Database, DatabaseStats, SlowQuery, StatementStats, Times, _errors
from esteio.postgres._errors._sqlstate import CLASSES, CODES
from esteio.postgres.report import IndexReport, Report, Session, TableReport

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


@pytest.mark.parametrize(
    ("title", "record"),
    [
        ("Slow queries", SlowQuery),
        ("Leaks", ConnectionLeaked),
        ("Statistics", DatabaseStats),
        ("Statistics", StatementStats),
        ("Statistics", Times),
        ("Reports", Report),
        ("Reports", Session),
        ("Reports", TableReport),
        ("Reports", IndexReport),
    ],
)
def test_each_field_and_property_of_a_record_is_in_its_section(title: str, record: type) -> None:
    text = section(title)
    names = [field.name for field in fields(record)]
    names += [name for name, value in vars(record).items() if isinstance(value, property)]
    assert [name for name in names if not re.search(rf"`{name}(\(\w+\))?`", text)] == []


def test_the_parameters_that_watch_are_in_the_reference_with_their_defaults() -> None:
    given = signature(Database).parameters
    for name in ("slow_warn", "slow_alert", "leak_after"):
        assert re.search(rf"^\| `{name}` \| [^|]+ \| {given[name].default} \|", REFERENCE, re.MULTILINE), name
    assert f"`statements={given['statements'].default}`" in section("Statistics")
