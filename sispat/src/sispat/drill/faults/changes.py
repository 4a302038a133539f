"""What people do on purpose: a reload, a bad release; and what the power company does."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg

import sispat
from esteio.drill import Fault, Group
from sispat.drill.faults.processes import gone, kill
from sispat.drill.load import City
from sispat.kernel.i18n import lazy
from sispat.kernel.schema import expected_version

__all__ = ["FAULTS"]


async def _reload(city: City) -> None:
    supervisor = city.service.supervisor
    if supervisor is None:
        raise LookupError("there is no supervisor")
    city.kept["hit"] = city.service.workers()
    supervisor.send_signal(signal.SIGHUP)


def _release(code: str) -> Callable[[City], Awaitable[None]]:
    async def inject(city: City) -> None:
        city.kept["log"] = len(city.service.log())
        city.service.deploy(code)
        await _reload(city)

    return inject


async def _roll_aborted(city: City) -> bool:
    return "roll aborted" in city.service.log()[city.kept["log"] :]


async def _way_back(city: City) -> None:
    """The release before, put back by a person; the old workers are still there."""
    city.service.deploy()


async def _roll_back(city: City) -> None:
    """The release before, put back by a person: all workers are of the new one."""
    city.service.deploy()
    await _reload(city)


async def _was_replaced_for_its_memory(city: City) -> bool:
    """A worker of the new release has taken over, and has been found too big."""
    return " of memory, the limit is " in city.service.log()[city.kept["log"] :]


def _package(city: City, *migrations: str) -> Path:
    """The program as it is, in a folder of its own, with further migrations."""
    folder = city.service.place / f"release-{len(migrations)}-{time.monotonic_ns()}"
    shutil.copytree(Path(sispat.__file__).parent, folder / "sispat")  # with what is compiled: the times are kept
    head = expected_version()
    for number, sql in enumerate(migrations, int(head) + 1):
        text = _MIGRATION.format(new=f"{number:04d}", before=f"{number - 1:04d}", sql=sql)
        (folder / "sispat" / "migrations" / "versions" / f"{number:04d}_drill.py").write_text(text)
    return folder


_MIGRATION = """from sispat.migrations import executar

revision, down_revision, branch_labels, depends_on = "{new}", "{before}", None, None


def upgrade():
    executar({sql!r})
"""
_ADDS = "create table drill_release (id int primary key); grant select on drill_release to sispat_app"
_FAILS = "create table drill_unfinished (id int); select 1 / 0"


async def _deploy(city: City, *migrations: str) -> None:
    city.kept["log"] = len(city.service.log())
    city.service.deploy(package=await asyncio.to_thread(_package, city, *migrations))
    await _reload(city)


async def _deploy_good(city: City) -> None:
    await _deploy(city, _ADDS)


async def _deploy_failing(city: City) -> None:
    await _deploy(city, _FAILS)


async def _good_one_serves(city: City) -> bool:
    return await gone(city) and await _there(city, "drill_release")


async def _stopped_and_undone(city: City) -> bool:
    return await _roll_aborted(city) and not await _there(city, "drill_unfinished")


async def _there(city: City, table: str) -> bool:
    async with await psycopg.AsyncConnection.connect(city.service.owner().conninfo) as conn:
        row = await (await conn.execute("select to_regclass(%s)", [table])).fetchone()
        return row is not None and row[0] is not None


async def _forget_good(city: City) -> None:
    """So that the next round finds a database without its migration."""
    await _roll_back(city)
    async with await psycopg.AsyncConnection.connect(city.service.owner().conninfo) as conn:
        await conn.execute("drop table if exists drill_release")
        await conn.execute("update alembic_version set version_num = %s", [expected_version()])


async def _power_cut(city: City) -> None:
    """Everything at once, with nobody to start anything until the power is back."""
    kill(city, *city.service.power_cut())


async def _power_back(city: City) -> None:
    city.service.restarts = True


FAULTS: tuple[Fault[City], ...] = (
    Fault(
        "reload",
        lazy("Recarga: todos os processos são trocados"),
        _reload,
        gone,
        planned=True,
        patience=40,
        group=Group.CHANGES,
    ),
    Fault(
        "release",
        lazy("Uma versão nova, com uma migração que só acrescenta, e a volta à anterior"),
        _deploy_good,
        _good_one_serves,
        _forget_good,
        planned=True,
        proof=60.0,
        patience=40,
        group=Group.CHANGES,
    ),
    Fault(
        "release-migration-fails",
        lazy("Uma versão nova cuja migração falha: desfeita, e as anteriores atendem"),
        _deploy_failing,
        _stopped_and_undone,
        _way_back,
        planned=True,
        proof=60.0,
        group=Group.CHANGES,
    ),
    Fault(
        "release-leaks",
        lazy("Uma versão nova que vaza memória; uma pessoa volta à anterior"),
        _release("threading.Thread(target=leak, daemon=True).start()"),
        _was_replaced_for_its_memory,
        _roll_back,
        planned=True,
        proof=60.0,
        patience=40,
        group=Group.CHANGES,
    ),
    Fault(
        "release-dies",
        lazy("Uma versão nova que morre ao iniciar"),
        _release("raise SystemExit(3)"),
        _roll_aborted,
        _way_back,
        planned=True,
        group=Group.CHANGES,
    ),
    Fault(
        "release-never-ready",
        lazy("Uma versão nova que nunca fica pronta"),
        _release("import time; time.sleep(3600)"),
        _roll_aborted,
        _way_back,
        planned=True,
        proof=60.0,  # the supervisor waits for SISPAT_START_TIMEOUT
        group=Group.CHANGES,
    ),
    Fault(
        "power-cut",
        lazy("Queda de energia: tudo morre de uma vez, e volta após 2 s"),
        _power_cut,
        gone,
        _power_back,
        lasts=2.0,
        patience=60,
        group=Group.SITE,
    ),
)
