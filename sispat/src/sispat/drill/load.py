"""Who uses the service while it is being broken: signed in, reading lists and cards, creating, looking up addresses.

Every second request opens a new connection, the others use those that sixteen people keep open, so that whatever dies has
some of them. Nobody repeats a request that failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import httpx2
import psutil

from esteio.drill import Ledger, Route, WrongAnswer
from sispat.drill import cores
from sispat.drill.outside import STREET, AlertReceiver, FakeViacep
from sispat.drill.service import DrilledService, lives

if TYPE_CHECKING:
    from esteio.testing.redis import RedisServer, SentinelTrio
    from sispat.drill.front import Front
    from sispat.drill.outside import FakeNames

__all__ = ["City"]

_MARK = "Criado no simulado"
_PEOPLE = 16
_LOOK = 1.0  # seconds that a look at /api/health may take
_STORED_WITHIN = 60.0  # seconds in which the database comes back after a run that ended without it
_REPLACED_WITHIN = 60.0  # seconds for the supervisor to replace a worker that does not answer, 10 by default


class City:
    """The system under the drill: the service, what surrounds it, and the people who use it."""

    password = "demo"  # noqa: S105 - that of the demo, which everybody knows

    def __init__(
        self,
        service: DrilledService,
        viacep: FakeViacep,
        alerts: AlertReceiver,
        redis: RedisServer | None = None,
        *,
        sentinels: SentinelTrio | None = None,
        names: FakeNames | None = None,
        front: Front | None = None,
        load: int = 100,
    ) -> None:
        self.service = service
        self.viacep = viacep
        self.redis = redis
        self.sentinels = sentinels
        self.names = names
        self.front = front
        self._load = load
        self.ledger = Ledger()
        self.kept: dict[str, Any] = {}
        """What a fault has to remember until it is healed."""
        self._alerts = alerts
        self._divided = False

    async def __aenter__(self) -> Self:
        limits = httpx2.Limits(max_connections=100, max_keepalive_connections=4, keepalive_expiry=60)
        self._people = [
            httpx2.AsyncClient(base_url=self.service.address, limits=limits, timeout=httpx2.Timeout(30))
            for _ in range(_PEOPLE)
        ]
        self._http = self._people[0]
        self._probe = httpx2.AsyncClient(base_url=self.service.address, timeout=httpx2.Timeout(_LOOK))
        await self.sign_in()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._unite()  # what is started after us begins where we are
        for person in self._people:
            await person.aclose()
        await self._probe.aclose()

    async def sign_in(self) -> None:
        """A new session, and what a new asset needs."""
        self._http.headers.pop("Authorization", None)
        signed = await self._http.post(
            "/api/auth/login", json={"email": "gestor@demo.local", "password": self.password}
        )
        signed.raise_for_status()
        self.authorization = f"Bearer {signed.json()['token']}"
        for person in self._people:
            person.headers["Authorization"] = self.authorization
            person.cookies.clear()
        items = (await self._http.get("/api/patrimonios", params={"limit": 10})).json()["items"]
        first, self._first_ten = items[0], [each["id"] for each in items]
        self._card = first["id"]
        self._asset = {
            "valor": "10.00",
            "data_aquisicao": "2026-01-31",
            **{f"{field}_id": first[field]["id"] for field in ("classe", "setor", "local", "agente")},
        }

    # -- the load

    def routes(self) -> Sequence[Route]:
        """A hundred requests a second are a busy city hall's quarter of an hour, all the time."""
        each = self._load / 100
        by_front = [Route("tls", 2 * each, self._by_front)] if self.front is not None else []
        return (
            Route("list", 40 * each, self._list),
            Route("card", 40 * each, self._read_card),
            Route("create", 15 * each, self._create, write=True),
            Route("cep", 5 * each, self._look_up),
            *by_front,
        )

    async def _list(self, number: int) -> None:
        answer = await self._get(number, "/api/patrimonios", {"limit": 10})
        found = [each["id"] for each in answer.json()["items"]]
        if found != self._first_ten:  # in the order of their numbers: what is created meanwhile comes after them
            raise WrongAnswer(f"the list begins with {found} instead of {self._first_ten}")

    async def _read_card(self, number: int) -> None:
        answer = await self._get(number, f"/api/patrimonios/{self._card}", {})
        if answer.json()["id"] != self._card:
            raise WrongAnswer(f"the card of {answer.json()['id']} instead of {self._card}")

    async def _create(self, number: int) -> None:
        key = self.ledger.begin()
        asset = self._asset | {"descricao": f"{_MARK} {key}"}
        answer = await self._person(number).post("/api/patrimonios", json=asset, headers=_connection(number))
        _require_success(answer)
        if answer.json()["descricao"] != asset["descricao"]:
            raise WrongAnswer(f"created {answer.json()['descricao']!r} instead of {asset['descricao']!r}")
        self.ledger.acknowledge(key)

    async def _look_up(self, number: int) -> None:
        """An address by a CEP nobody asked for; "not now, type it" is an answer a clerk can go on with."""
        answer = await self._person(number).get(f"/api/cep/{next(_CEPS):08d}", headers=_connection(number))
        if answer.status_code == 503 and "cep-indisponivel" in answer.text:
            return
        _require_success(answer)
        if answer.json()["logradouro"] != STREET:
            raise WrongAnswer(f"the street {answer.json()['logradouro']!r} instead of {STREET!r}")

    async def _by_front(self, number: int) -> None:  # noqa: ARG002 - each a new connection: a kept one asks for no certificate
        """A browser that comes by TLS, and looks at the certificate."""
        assert self.front is not None
        status = await self.front.visit("/api/health/live")
        if status != 200:
            raise Refused(f"{status} by TLS")

    async def _get(self, number: int, path: str, params: Mapping[str, Any]) -> httpx2.Response:
        answer = await self._person(number).get(path, params=params, headers=_connection(number))
        _require_success(answer)
        return answer

    def _person(self, number: int) -> httpx2.AsyncClient:
        return self._people[number // 2 % _PEOPLE]

    # -- what the drill asks

    async def stored(self) -> Counter[str]:
        """The keys of all assets that any drill created, from the database itself, once it is there."""
        import psycopg

        end = time.monotonic() + _STORED_WITHIN
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self.service.owner().conninfo, connect_timeout=5
                ) as conn:
                    rows = await conn.execute(
                        "select descricao from patrimonio where descricao like %s", [f"{_MARK} %"]
                    )
                    return Counter([str(descricao).rsplit(" ", 1)[1] for (descricao,) in await rows.fetchall()])
            except psycopg.OperationalError:  # a run in which it did not come back in time
                if time.monotonic() >= end:
                    raise
                await asyncio.sleep(0.5)

    async def unwell(self) -> str | None:
        """What /api/health says, where it is not pass, of what the fault is about, if it does; or "no answer" in a second."""
        try:
            answer = await self._probe.get("/api/health", headers={"Connection": "close"})
            said = answer.json()
        except (httpx2.HTTPError, json.JSONDecodeError):
            return "no answer"
        if said["status"] == "pass":
            return None
        checks = said.get("checks", {})
        about = self.kept.get("about", ("", ""))[1]
        amiss = [name for name, found in checks.items() if any(_is_amiss(each, about) for each in found)]
        if about and not amiss:  # something else: on a busy machine Redis is slow now and then
            return None
        return f"{said['status']}: {', '.join(amiss) or '?'}"

    async def told(self, since: float) -> float | None:
        """When WEBHOOK_URL was first told since then that something is bad: what the fault says it is about, if it does."""
        about = self.kept.get("about", ("", ""))[0]
        return next((moment for moment, text in self._alerts.arrivals if moment >= since and about in text), None)

    # -- what a run needs to be fair

    def divide(self) -> None:
        """Give the drill and what it starts a core of its own, until the next run (`drill.cores`)."""
        self._divided = cores.divide(self._processes())

    def _unite(self) -> None:
        if self._divided:
            self._divided = False
            cores.unite(self._processes())

    def _processes(self) -> list[psutil.Process]:
        return [*self.service.processes(), *psutil.Process().children(recursive=True)]

    async def whole(self) -> None:
        """Wait until nothing of the fault before is left: all workers ready, and nothing failing, for five seconds at most.

        A worker that was frozen or busy may still be there although the service recovered: the other one serves.
        A warning is not waited for: that something died is said for minutes, and what was said before is no detection.
        The load goes on meanwhile, so that both workers have their connections again.
        """
        self.kept.pop("about", None)
        self._unite()
        hung, end = self.kept.pop("hung", ()), time.monotonic() + _REPLACED_WITHIN
        while any(map(lives, hung)) and time.monotonic() < end:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.2)
        await self.service.until_ready()
        end = time.monotonic() + 5
        while _is_failing(await self.unwell()) and time.monotonic() < end:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.2)
        with contextlib.suppress(httpx2.HTTPError):
            if (await self._http.get("/api/auth/me")).status_code == 401:  # a restore took our session
                await self.sign_in()

    async def refuses_strangers(self) -> bool:
        """Whether somebody who is not signed in is told to come back later, or gets no answer within a second."""
        try:
            return (await self._probe.get("/entrar", headers={"Connection": "close"})).status_code == 503
        except httpx2.HTTPError:
            return True


def _is_failing(said: str | None) -> bool:
    return said is not None and not said.startswith("warn")


def _is_amiss(result: Mapping[str, Any], about: str) -> bool:
    """A check of the operator's is named in the words of the one that tells of all of them."""
    return result["status"] != "pass" and about in result.get("output", "")


class Refused(Exception):
    """The service answered, and not with success: its status and, of a problem, the code."""


def _require_success(answer: httpx2.Response) -> None:
    if not answer.is_success:
        problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        raise Refused(f"{answer.status_code} {problem.get('code', '')}".strip())


_CEPS = itertools.count(1_000_000)


def _connection(number: int) -> dict[str, str]:
    return {"Connection": "close"} if number % 2 else {}
