"""The process of a job: for its start somebody waits, so it loads little; and it knows every job."""

from __future__ import annotations

import subprocess
import sys

from esteio.postgres import Dsn
from sispat.app import SLICES
from sispat.cli._job import JOBS, database
from sispat.http.slices import Site
from sispat.settings import Settings

HEAVY = {"fastapi", "starlette", "uvicorn", "typer", "rich", "sqlalchemy", "alembic", "redis", "sentry_sdk"}


def test_it_knows_the_jobs_that_the_service_knows() -> None:
    assert dict(JOBS) == Site(SLICES).jobs


def test_it_loads_neither_the_service_nor_the_other_commands() -> None:
    program = "import sys; from sispat.cli._job import JOBS; list(JOBS.values()); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    assert "sispat" in loaded
    assert loaded & HEAVY == set()


def test_a_command_loads_none_of_the_others() -> None:
    program = "import sys; from sispat.cli._commands import commands; commands('jobs'); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    others = {name for name in ran.stdout.split() if name.startswith(("sispat.cli._", "sispat.drill", "esteio.backup"))}
    assert others == {"sispat.cli._commands", "sispat.cli._failures", "sispat.cli._jobs", "sispat.cli._users"}


async def test_its_transaction_may_wait_longer_than_others_while_pages_are_put_together(banco: Dsn) -> None:
    async with database(Settings(database_url=banco), "teste", connections=1) as db, db.connection() as conn:
        row = await (await conn.execute("show idle_in_transaction_session_timeout")).fetchone()
    assert row == ("2min",)


def test_without_its_arguments_it_says_so_by_its_exit_code() -> None:
    assert subprocess.run([sys.executable, "-m", "sispat", "job"], timeout=120).returncode == 2
