"""The pages on bridges, migrations and the embedded server run, and leave no parameter out."""

import inspect
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from esteio.postgres import embedded
from esteio.postgres.migrations import MigrationRules
from esteio.postgres.sqlalchemy import _OURS

DOCS = Path(__file__).parents[3] / "docs"


def _text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["how-to/sqlalchemy.md", "how-to/migrate-online.md", "reference/embedded.md"])
def test_the_examples_run(page: str, postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres_database)
    blocks = re.findall(r"^```python\n(.*?)^```", _text(page), re.MULTILINE | re.DOTALL)
    assert blocks
    names: dict[str, Any] = {"__name__": "example"}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"{page}, example {number}", "exec"), names)


def test_who_uses_no_bridge_needs_none_of_what_they_lead_to() -> None:
    look = "import sys, esteio.postgres, esteio.postgres.migrations, esteio.postgres.sync, esteio.web;"
    look += "print(sorted({'alembic', 'sqlalchemy', 'fastapi'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run([sys.executable, "-c", look], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_each_rule_of_migrations_is_there_with_its_default() -> None:
    page = _text("how-to/migrate-online.md")
    for field in fields(MigrationRules):
        assert re.search(rf"^\| `{field.name}` \| [^|]+ \| {field.default} \|", page, re.MULTILINE), field.name


def test_each_parameter_of_the_embedded_server_is_there_with_its_default() -> None:
    page = _text("reference/embedded.md")
    for name, parameter in inspect.signature(embedded.Embedded).parameters.items():
        default = "required" if parameter.default is inspect.Parameter.empty else f"`{_shown(parameter.default)}`"
        assert re.search(rf"^\| `{name}` \| [^|]+ \| {re.escape(default)} \|", page, re.MULTILINE), (name, default)


def _shown(default: object) -> str:
    return repr(default) if default is None or isinstance(default, int | float) else "SYSTEM"


def test_each_error_of_the_embedded_server_is_there() -> None:
    page = _text("reference/embedded.md")
    missing = [name for name in embedded.__all__ if name.endswith(("Error", "Failed", "Missing", "Mismatch"))]
    assert [name for name in missing if f"`{name}`" not in page] == []


def test_each_refused_engine_option_is_there() -> None:
    page = _text("how-to/sqlalchemy.md")
    assert [name for name in _OURS.keys() - {"async_creator", "pool"} if f"`{name}`" not in page] == []
