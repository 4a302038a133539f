"""People at work on SISPAT's API while its processes and its database are broken in random ways.

Nothing acknowledged is lost or doubled, no asset is lost on its way between setores, and what each asset says is
linearizable. What the service refuses with "nothing was saved" counts as certainly not done. `SISPAT_KILLS=1000` breaks it
as often (`make histories`).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import psycopg
import pytest
from processos import SEM_LIMITES, ambiente

from esteio.drill.history import Known, break_and_check
from esteio.postgres import Dsn
from esteio.testing.postgres import PostgresServer
from sispat.demo import populate
from sispat.kernel.schema import migrate

KILLS = int(os.environ.get("SISPAT_KILLS", "4"))
pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(300 + 30 * KILLS)]
WITHIN = float(os.environ.get("ESTEIO_HISTORY_SECONDS", "inf"))
MOVED = 30  # assets of the bank
REFUSED = {409, 412, 503}  # and nothing was saved, unless the code says that nobody knows


class Workers:
    """Two processes that serve one socket, without a supervisor that would take its time after the tenth kill."""

    def __init__(self, dsn: Dsn) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._environment = ambiente(DATABASE_URL=dsn.url, **SEM_LIMITES)
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Workers:
        self._running = [self._start() for _ in range(2)]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.kill()
        for process in self._running:
            process.wait(10)
        self._listener.close()

    def kill(self, place: int) -> None:
        """SIGKILL, and another one in its place."""
        self._running[place].kill()
        self._running[place].wait(10)
        self._running[place] = self._start()

    async def freeze(self, place: int, seconds: float) -> None:
        process = self._running[place]
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        process.send_signal(signal.SIGCONT)

    def _start(self) -> subprocess.Popen[bytes]:
        number = self._listener.fileno()
        command = [sys.executable, "-m", "uvicorn", "sispat.app:app", "--fd", str(number), "--log-level", "critical"]
        return subprocess.Popen(
            command, pass_fds=[number], env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )


class City:
    """The clients' view of SISPAT: cards as registers, new assets as a set, assets in setores as a bank."""

    total = MOVED

    def __init__(self, http: httpx2.AsyncClient, dsn: Dsn, rng: random.Random) -> None:
        self._http, self._dsn, self._rng = http, dsn, rng
        self._versions: dict[tuple[object, str], str] = {}
        self._numbers = itertools.count()
        self.strange: Counter[str] = Counter()
        """Answers that nobody should get, whatever is broken."""

    async def prepare(self) -> None:
        async with asyncio.timeout(120):
            while not await self._is_ready():  # noqa: ASYNC110 - other processes, which tell nobody
                await asyncio.sleep(0.1)
        signed = await self._http.post("/api/auth/login", json={"email": "gestor@demo.local", "password": "demo"})
        self._http.headers["Authorization"] = f"Bearer {signed.json()['token']}"
        self._http.cookies.clear()
        known = (await self._http.get("/api/patrimonios", params={"limit": 200})).json()["items"]
        places = {
            each["setor"]["id"]: {f"{name}_id": each[name]["id"] for name in ("setor", "local", "agente")}
            for each in known
        }
        self._places = list(places.values())
        self.accounts = set(places)
        self._new = {"valor": "10.00", "data_aquisicao": "2026-01-31", "classe_id": known[0]["classe"]["id"]}
        self._assets = [(await self._create(f"Bancodahistoria {n}"))["id"] for n in range(MOVED)]

    async def _is_ready(self) -> bool:
        with contextlib.suppress(httpx2.HTTPError):
            return (await self._http.get("/api/health/ready", timeout=5)).is_success
        return False

    async def _create(self, text: str, key: str = "", place: dict[str, str] | None = None) -> dict[str, Any]:
        body = self._new | (place or self._rng.choice(self._places)) | {"descricao": text}
        headers = {"Idempotency-Key": key} if key else {}
        return dict(self._answered(await self._http.post("/api/patrimonios", json=body, headers=headers)).json())

    async def registers(self, count: int) -> Mapping[str, str]:
        made = [await self._create(f"Registro {next(self._numbers)}") for _ in range(count)]
        return dict.fromkeys((each["id"] for each in made), "")

    async def read(self, register: object) -> str:
        card = self._answered(await self._http.get(f"/api/patrimonios/{register}"))
        text = str(card.json()["observacao"])
        self._versions[register, text] = card.headers["etag"]
        return text

    async def write(self, register: object, value: str) -> None:
        await self._set(register, value, self._versions[register, await self._read_first(register)])

    async def _read_first(self, register: object) -> str:
        try:
            return await self.read(register)
        except Exception as error:
            raise Known from error  # nothing was sent that could be done

    async def compare_and_set(self, register: object, expected: Any, value: str) -> None:
        if (register, expected) not in self._versions and await self._read_first(register) != expected:
            raise Known
        await self._set(register, value, self._versions[register, expected])

    async def _set(self, register: object, value: str, version: str) -> None:
        url, headers = f"/api/patrimonios/{register}", {"If-Match": version}
        self._answered(await self._http.patch(url, json={"observacao": value}, headers=headers))

    async def add(self, element: str) -> None:
        """Sent with its key until it is confirmed, as the pages do."""
        place = self._rng.choice(self._places)  # the same each time: another content under one key is refused
        while True:
            with contextlib.suppress(httpx2.HTTPError, Known):
                await self._create(f"Elemento {element}", f"elemento-{element}", place)
                return
            await asyncio.sleep(0.05)

    async def elements(self) -> Sequence[str]:
        async with await psycopg.AsyncConnection.connect(self._dsn.conninfo) as conn:
            rows = await conn.execute("select descricao from patrimonio where descricao like 'Elemento %'")
            return [str(text).split()[1] for (text,) in await rows.fetchall()]

    async def transfer(self) -> None:
        url = f"/api/patrimonios/{self._rng.choice(self._assets)}"
        try:
            version = self._answered(await self._http.get(url)).headers["etag"]
        except httpx2.HTTPError as error:
            raise Known from error
        self._answered(
            await self._http.put(f"{url}/carga", json=self._rng.choice(self._places), headers={"If-Match": version})
        )

    async def balances(self) -> Mapping[str, int]:
        asked = {"q": "bancodahistoria", "limit": 200}
        items = self._answered(await self._http.get("/api/patrimonios", params=asked)).json()["items"]
        each_once = {item["id"]: item["setor"]["id"] for item in items}
        return dict.fromkeys(self.accounts, 0) | Counter(each_once.values())

    def _answered(self, answer: httpx2.Response) -> httpx2.Response:
        """The answer of what was done; `Known` for what was refused unharmed."""
        if answer.status_code in REFUSED and answer.json().get("code") != "gravacao-incerta":
            raise Known(answer.text)
        if not answer.is_success and answer.status_code not in REFUSED:
            self.strange[f"{answer.status_code} {answer.request.method} {answer.text[:200]}"] += 1
        answer.raise_for_status()
        return answer


async def test_what_people_see_while_everything_is_killed_is_what_one_sound_server_would_say(capsys) -> None:
    rng = random.Random(int(os.environ.get("ESTEIO_SEED", "5")))
    server = PostgresServer()

    async def worker_killed() -> None:
        await asyncio.to_thread(workers.kill, rng.randrange(2))

    async def worker_frozen() -> None:
        await workers.freeze(rng.randrange(2), rng.uniform(0.05, 0.5))

    async def sessions_killed() -> None:
        with contextlib.suppress(psycopg.OperationalError):  # the other fault of the round came first
            await asyncio.to_thread(server.kill_backends)

    async def database_killed() -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)

    faults = {
        "worker killed": worker_killed, "worker frozen": worker_frozen, "sessions killed": sessions_killed,
        "database killed": database_killed,
    }  # fmt: skip
    try:
        await asyncio.to_thread(server.start)
        dsn = server.create_database("historia")
        await asyncio.to_thread(migrate, dsn)
        await asyncio.to_thread(populate, dsn, size=100)
        with Workers(dsn) as workers:
            async with httpx2.AsyncClient(base_url=workers.address, timeout=30) as http:
                city = City(http, dsn, rng)
                await city.prepare()
                seen = await break_and_check(city, faults, rounds=KILLS, calm=(0.1, 0.5), within=WITHIN, rng=rng)
    finally:
        await asyncio.to_thread(server.stop)
    with capsys.disabled():
        print(f"\n    {seen}")
    assert seen.holds, seen.problems
    assert not city.strange
    assert seen.acknowledged > KILLS
