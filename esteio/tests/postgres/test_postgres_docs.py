"""What can be set is documented, with its default."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from esteio import postgres
from esteio.events import Event
from esteio.postgres import Database

REFERENCE = (Path(__file__).parents[3] / "docs/reference/postgres.md").read_text()


def test_every_parameter_of_a_database_has_a_row() -> None:
    rows = set(re.findall(r"^\| `(\w+)`", REFERENCE, re.MULTILINE))
    parameters = set(inspect.signature(Database).parameters) - {"dsn", "clock"}
    assert parameters | set(inspect.signature(Database.run).parameters) - {"self", "function"} <= rows | {"statements"}


def test_every_event_and_error_is_told_of() -> None:
    public = {name: getattr(postgres, name) for name in postgres.__all__}
    told = {n for n, thing in public.items() if isinstance(thing, type) and issubclass(thing, Event | Exception)}
    assert {name for name in told if f"`{name}`" not in REFERENCE} <= {"DsnError"}
