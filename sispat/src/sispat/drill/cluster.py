"""SISPAT on three machines: namespaces with what `esteio cluster init` writes, a SISPAT on each, people at their address.

Promises: the machines are the drill's own, and end with it. The demo's passwords are replaced by one that only this drill
knows, so that the service may listen on the machines' network.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from esteio.drill import Route
from esteio.postgres import Dsn
from esteio.testing.cluster import ClusterTrio, Machine, missing
from sispat.drill.clock import RIGHT, compile_clock, leap
from sispat.drill.load import City
from sispat.drill.service import ServiceNotReady

if TYPE_CHECKING:
    from sispat.drill.service import DrilledService

__all__ = ["ClusterCity", "ClusterService", "why_not"]

_MANY = "1000000/1min"
_CLOCK = "clock"
"""In a machine's directory: by how many seconds it is off."""
_WRITE_DEADLINE = 40.0
"""Seconds. A write waits for the failover instead of failing: what counts as lost is one that has no answer then."""
_SETTINGS = dict.fromkeys(("SISPAT_LIMIT_WRITE", "SISPAT_LIMIT_USER", "SISPAT_LIMIT_REPORT"), _MANY) | {
    "SISPAT_HOST": "{address}",
    "SISPAT_PORT": "8000",
    "SISPAT_TLS_CERTIFICATE": "{certificate}",
    "SISPAT_TLS_KEY": "{key}",
    "SISPAT_WORKERS": "1",  # three machines share the cores of one
    "SISPAT_JOBS": "0",
    "SISPAT_BACKUP": "não",
    "ENABLE_HEALTH_MONITOR": "não",
    "SISPAT_CEP_URL": "não",
    "SISPAT_DRAIN_DELAY": "2s",  # longer than HAProxy needs to see that it is no longer ready
    "SISPAT_FORWARDED_ALLOW_IPS": "{addresses}",
}


def why_not() -> str | None:
    """Why there can be no three machines here, or None."""
    return missing()


class ClusterService:
    """`async with ClusterService(size=300) as service:` - three machines that serve when the block begins.

    They make no backups; with `archive` there is what whoever makes some needs, and the log is kept for them.
    """

    def __init__(self, *, size: int, archive: bool = False) -> None:
        self.size = size
        self.password = secrets.token_urlsafe(12)
        self.trio = ClusterTrio(
            health="/api/health/ready", environment=_SETTINGS, archive=archive, surroundings=self._clock_of
        )
        self._library = self.trio.network.home / "clock.so"
        self.no_clock: str | None = None
        """Why the clock of a machine cannot leap; None where it can."""

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self._start)
            await self.until_ready()
        except BaseException:
            await asyncio.to_thread(self.trio.stop)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.trio.stop)

    @property
    def address(self) -> str:
        """Where people reach it."""
        return f"http://{self.trio.front}"

    def owner(self) -> Dsn:
        """The address of the database, as its superuser, wherever it leads now."""
        found = self.trio.dsn()
        more = (("target_session_attrs", "read-write"), ("connect_timeout", "3"))
        return found.with_(parameters=(*found.parameters, *more))

    def _start(self) -> None:
        import psycopg

        from sispat.pessoas.passwords import hash_password

        self.no_clock = compile_clock(self._library)
        self.trio.start()
        subprocess.run(  # noqa: S603
            [sys.executable, "-m", "sispat", "demo", "--size", str(self.size)],
            env={"DATABASE_URL": self._database_url(), "PATH": "/usr/bin:/bin"},
            check=True, capture_output=True, cwd="/", timeout=120,
        )  # fmt: skip
        with psycopg.connect(self.owner().conninfo) as conn:
            conn.execute(
                "update usuario set senha_hash = %s where email like '%%@demo.local'", [hash_password(self.password)]
            )
        for machine in self.trio.machines.values():
            self.serve(machine)

    def _clock_of(self, place: Path) -> dict[str, str]:
        if self.no_clock:
            return {}
        clock = place / _CLOCK
        clock.write_bytes(RIGHT)
        return {"LD_PRELOAD": str(self._library), "DRILL_CLOCK": str(clock)}

    def leap(self, machine: Machine, seconds: int) -> None:
        """Set the clock of that machine alone off by so much, in all of its programs but etcd; 0: right again."""
        leap(machine.home / _CLOCK, seconds)

    def serve(self, machine: Machine) -> None:
        """Start SISPAT on a machine."""
        place = machine.home / "data" / "sispat"
        self.trio.serve(machine, [sys.executable, "-m", "sispat", "serve"], {"SISPAT_DATA_DIR": str(place)})

    def boot(self, machine: Machine) -> None:
        """Start all of a machine that was killed."""
        machine.appear()
        self.trio.boot(machine)
        self.serve(machine)

    def _database_url(self) -> str:
        lines = (self.trio.machines["a"].home / "service.env").read_text().splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith("DATABASE_URL="))

    async def until_ready(self, seconds: float = 90.0) -> None:
        """Wait until any one machine may be lost, all three serve, and the shared address leads to one."""
        try:
            async with asyncio.timeout(seconds):
                while not await asyncio.to_thread(self._whole):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.2)
        except TimeoutError:
            logs = [machine.log("service", 10) for machine in self.trio.machines.values()]
            raise ServiceNotReady(seconds, f"{self.trio.status().members}\n" + "\n---\n".join(logs)) from None

    def _whole(self) -> bool:
        machines = self.trio.machines.values()
        return self.trio.status().whole and self.answers() and all(map(self.serves, machines))

    def answers(self) -> bool:
        """Whether the shared address leads to a service that is ready."""
        return _ready(HTTPConnection(self.trio.front, self.trio.plan.ports.front, timeout=2))

    def serves(self, machine: Machine) -> bool:
        """Whether the service of that machine is ready, and shows a certificate that is good for it."""
        port, context = self.trio.plan.ports.service, self.trio.operator()
        return _ready(HTTPSConnection(machine.address, port, timeout=2, context=context))


def _ready(connection: HTTPConnection) -> bool:
    try:
        connection.request("GET", "/api/health/ready")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


class ClusterCity(City):
    """People at three machines. What they do is what they do at one, but for the look-up of addresses."""

    def __init__(self, service: ClusterService, *, load: int = 100) -> None:
        nobody: Any = None  # no ViaCEP is asked, and nobody is told
        super().__init__(cast("DrilledService", service), nobody, nobody, load=load)
        self.machines = service
        self.password = service.password

    @property
    def trio(self) -> ClusterTrio:
        """The machines."""
        return self.machines.trio

    def routes(self) -> Sequence[Route]:
        """Reads have to be answered within 5 s, writes are waited for through a failover."""
        each = self._load / 100
        return (
            Route("list", 40 * each, self._list),
            Route("card", 40 * each, self._read_card),
            Route("create", 20 * each, self._create, deadline=_WRITE_DEADLINE, write=True),
        )

    async def told(self, since: float) -> float | None:  # noqa: ARG002 - nobody watches these machines
        """No alert is sent."""
        return None
