"""What a worker loads before it serves: each start waits for it, and a killed one's successor is such a start."""

from __future__ import annotations

import subprocess
import sys

LATE = {
    "alembic", "apprise", "babel", "fastapi", "httpx2", "pikepdf", "PIL", "redis", "rich", "sentry_sdk", "sqlalchemy", "typer",
    "typst", "xlsxwriter",
}  # fmt: skip


def test_a_worker_loads_neither_the_commands_nor_what_only_some_requests_need() -> None:
    program = """
import sys
from esteio.postgres import Dsn
from sispat.app import create_app
from sispat.settings import Settings
application = create_app(Settings(database_url=Dsn.parse("postgresql://nobody@127.0.0.1/none")))
application.build_middleware_stack()
print(*sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    assert "sispat" in loaded
    assert loaded & LATE == set()
