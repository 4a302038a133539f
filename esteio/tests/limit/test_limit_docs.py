"""The documentation of limits runs, and nothing public is missing from its reference."""

import os
import re
from dataclasses import fields
from inspect import Parameter, signature
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import esteio.limit
from esteio.limit import (
    Decision,
    HostStore,
    Limit,
    LimitDenied,
    LimitsDegraded,
    LimitsRestored,
    MemoryStore,
    RateLimit,
    RateLimiter,
    SyncRateLimiter,
)
from esteio.limit._limit import LONGEST, MOST

DOCS = Path(__file__).parents[3] / "docs"
REFERENCE = (DOCS / "reference/limit.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["reference/limit.md", "explanation/rate-limits.md"])
def test_the_examples_run(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks
    names: dict[str, Any] = {}
    with patch.dict(os.environ):
        for number, block in enumerate(blocks, 1):
            exec(compile(block, f"{page}, example {number}", "exec"), names)


def section(title: str) -> str:
    return re.split(r"\n##+ ", REFERENCE.partition(f"# {title}\n")[2])[0]


@pytest.mark.parametrize(
    ("title", "call"),
    [
        ("Limit", Limit),
        ("RateLimiter, SyncRateLimiter", RateLimiter),
        ("RateLimiter, SyncRateLimiter", SyncRateLimiter),
        ("RateLimit", RateLimit),
        ("MemoryStore", MemoryStore),
        ("HostStore", HostStore.create),
    ],
)
def test_each_parameter_is_in_the_reference_with_its_default(title: str, call: Any) -> None:
    rows = [line for line in section(title).splitlines() if line.startswith("| `")]
    for name, parameter in signature(call).parameters.items():
        if name in ("path", "clock"):
            continue
        (row,) = [row for row in rows if f"`{name}`" in row.split("|")[1]]
        if parameter.default not in (Parameter.empty, None, ""):
            shown = f"{parameter.default:,}" if isinstance(parameter.default, int) else str(parameter.default)
            assert shown in row or str(parameter.default) in row, row


def test_the_limits_of_the_limits_are_those_of_the_code() -> None:
    assert f"1 to {MOST:,}" in section("Limit")
    assert f"{LONGEST:,.0f}" in section("Limit")


def test_each_field_of_a_decision_is_in_the_reference() -> None:
    names = [name for name, value in vars(Decision).items() if isinstance(value, property)]
    assert len(names) == 13
    for name in names:
        assert f"`{name}`" in section("Decision")


@pytest.mark.parametrize("event", [LimitDenied, LimitsDegraded, LimitsRestored], ids=lambda event: event.__name__)
def test_each_field_of_an_event_is_in_the_reference(event: type[Any]) -> None:
    (row,) = [line for line in section("Events").splitlines() if line.startswith(f"| `{event.__name__}`")]
    for field in fields(event):
        assert field.name == "name" or f"`{field.name}`" in row


@pytest.mark.parametrize("name", esteio.limit.__all__)
def test_each_public_name_is_in_the_reference(name: str) -> None:
    assert re.search(rf"\b{name}\b", REFERENCE)
