"""Every setting, reason, and figure of the store is in its page, and the page's examples run."""

import re
from dataclasses import fields
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hiredis")

import esteio.limit.redis
from esteio.limit.redis import REASONS, NodeSnapshot, RedisSnapshot, RedisStore

PAGE = (Path(__file__).parents[4] / "docs/how-to/limits-with-redis.md").read_text(encoding="utf-8")
SETTINGS = PAGE.partition("## Settings of RedisStore\n")[2].partition("\n## ")[0]


async def test_the_examples_run() -> None:
    names: dict[str, Any] = {}
    for number, block in enumerate(re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL), 1):
        exec(compile(block, f"example {number}", "exec"), names)
    assert names["metrics"]() == {}


@pytest.mark.parametrize("name", [each for each in signature(RedisStore).parameters if each not in ("url", "clock")])
def test_each_setting_is_in_the_table_with_its_default(name: str) -> None:
    (row,) = [line for line in SETTINGS.splitlines() if line.startswith(f"| `{name}` |")]
    default = signature(RedisStore).parameters[name].default
    shown = f"{default:,}" if isinstance(default, int) else str(default)
    assert default is Parameter.empty or shown in row or (default == "" and "empty" in row), row


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_is_in_the_table_of_failures(reason: str) -> None:
    assert f"| `{reason}` |" in PAGE


@pytest.mark.parametrize("record", [RedisSnapshot, NodeSnapshot], ids=lambda record: record.__name__)
def test_each_figure_of_a_snapshot_is_named(record: type[Any]) -> None:
    for field in fields(record):
        assert f"`{field.name}`" in PAGE


def test_each_public_name_is_on_the_page() -> None:
    for name in esteio.limit.redis.__all__:
        assert re.search(rf"\b{name}\b", PAGE), name
