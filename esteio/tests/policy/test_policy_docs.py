"""The documentation of policies runs, and nothing public is missing from its reference."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import esteio.policy
from esteio import (
    Bulkhead,
    Cache,
    CircuitBreaker,
    Deadline,
    Fallback,
    Hedge,
    LoadShedder,
    Pipeline,
    Policy,
    Retry,
    Timeout,
)
from esteio.policy import AIMD, Constant, CountWindow, Exponential, Gradient, RetryBudget, TimeWindow

DOCS = Path(__file__).parents[3] / "docs"
PAGES = (
    "tutorial/policy.md",
    "reference/policy.md",
    "how-to/call-other-services.md",
    "how-to/coming-from.md",
    "explanation/policy-semantics.md",
)
REFERENCE = (DOCS / "reference/policy.md").read_text(encoding="utf-8")
KINDS: dict[type[Policy], Policy] = {
    type(policy): policy
    for policy in (
        LoadShedder(),
        Cache(),
        Fallback(),
        Deadline(5),
        Retry(idempotent=True),
        Hedge(1, idempotent=True),
        CircuitBreaker(),
        Bulkhead(),
        Timeout(1),
    )
}


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_run(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for client in set(re.findall(r"^import (httpx2|requests)$", "".join(blocks), re.MULTILINE)):
        pytest.importorskip(client)  # not there with the core alone
    names: dict[str, Any] = {}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"{page}, example {number}", "exec"), names)


def section(title: str) -> str:
    return REFERENCE.partition(f"## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("kind", [*KINDS, RetryBudget], ids=lambda kind: kind.__name__)
def test_each_parameter_is_in_the_reference_with_its_default(kind: type[Any]) -> None:
    rows = [line for line in section(kind.__name__).splitlines() if line.startswith("| `")]
    for field in fields(kind):
        if field.name == "name":
            continue
        (row,) = [row for row in rows if f"`{field.name}`" in row.split("|")[1]]
        if isinstance(field.default, int | float):
            assert f"{field.default:g}" in row or str(field.default) in row, row


@pytest.mark.parametrize("kind", [AIMD, Gradient, Exponential, Constant, CountWindow, TimeWindow], ids=str)
def test_each_parameter_of_the_parts_is_in_the_reference(kind: type[Any]) -> None:
    signature = max(re.findall(rf"`{kind.__name__}\(([^`]*)\)`", REFERENCE), key=len)
    assert [part.split("=")[0].strip() for part in signature.split(",")] == [field.name for field in fields(kind)]


@pytest.mark.parametrize("name", esteio.policy.__all__)
def test_each_public_name_is_in_the_reference(name: str) -> None:
    assert re.search(rf"\b{name}\b", REFERENCE)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_snapshot_key_is_in_the_reference(kind: type[Policy]) -> None:
    (snapshot,) = Pipeline("p", KINDS[kind], registry=None).snapshot().policies
    (row,) = [
        line for line in section("Snapshot values and metrics").splitlines() if line.startswith(f"| `{snapshot.kind}`")
    ]
    for key in snapshot.values:
        assert f"`{key}`" in row
