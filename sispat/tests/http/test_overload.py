"""While more is asked than can be served: who comes first, what the others are told, and the administrator's way in."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import httpx2
import pytest
from casa import GESTOR, casa
from leitor import Pessoa
from servida import servir

from esteio.postgres import PoolExhausted
from esteio.serve import http_protocol
from esteio.serve._early import EarlyRefusals
from esteio.web.shedding import Admission, Level, Shedding, SheddingLimits
from esteio.web.shedding._admission import Entry
from sispat.http.database import ServiceDatabase
from sispat.http.shedding import admission
from sispat.settings import Quota

NAMES = [level.name for level in admission().levels]


class Spy(Admission):
    """The levels in the order in which requests came, all let in; `full`: nobody is, but administrators."""

    def __init__(self) -> None:
        super().__init__(admission().levels, SheddingLimits(minimum=1, initial=1, maximum=1))
        self.seen: list[str] = []
        self.full = False

    def enter(self, level: int, now: float):
        self.seen.append(self.levels[level].name)
        self.running = 1 if self.full and level < len(self.levels) - 1 else 0
        entry = super().enter(level, now - 60 if self.full else now)
        self.tick(0.0, now)
        return entry

    def tick(self, delay: float, now: float) -> None:
        super().tick(0.0, now)  # however late this machine's loop is

    def leave(self, entry, now: float) -> None:
        super().leave(entry, now)
        self.running = 0


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    made = Spy()
    monkeypatch.setattr("sispat.app.admission", lambda: made)
    return made


async def test_health_then_administrators_writes_reads_entering_exports_and_nobody(cidade, spy: Spy) -> None:
    assert NAMES == ["anonymous", "export", "entering", "read", "write", "administrator"]
    async with casa(cidade, operations_token="x" * 32) as c, AsyncExitStack() as stack:
        people = {}
        for who in ("gestor", "admin"):
            people[who] = Pessoa(await stack.enter_async_context(c.de("203.0.113.7")))
            await people[who].entrar(who)
            await people[who].ver("/")
        nobody = await stack.enter_async_context(c.de("203.0.113.8"))
        known_browser = {"cookie": f"sispat_dispositivo={people['gestor'].http.cookies['sispat_dispositivo']}"}

        async def level(http, method: str, path: str, **more) -> list[str]:
            spy.seen.clear()
            await http.request(method, path, **more)
            return spy.seen

        gestor, admin = people["gestor"].http, people["admin"].http
        for path in ("/api/health", "/api/health/ready", "/static/x/sispat.css"):
            assert await level(nobody, "GET", path) == []
        assert await level(admin, "GET", "/patrimonios") == ["administrator"]
        bearer = {"authorization": f"Bearer {'x' * 32}"}
        assert await level(nobody, "GET", "/metrics", headers=bearer) == ["administrator"]
        assert await level(gestor, "POST", "/setores/novo") == ["write"]
        assert await level(gestor, "GET", "/patrimonios") == ["read"]
        assert await level(gestor, "GET", "/patrimonios.csv") == ["export"]
        assert await level(nobody, "GET", "/entrar", headers=known_browser) == ["entering"]
        assert await level(nobody, "GET", "/patrimonios", headers={"authorization": "Bearer made-up"}) == ["entering"]
        assert await level(nobody, "GET", "/patrimonios", headers=known_browser) == ["anonymous"]
        assert await level(nobody, "POST", "/entrar") == ["entering"]
        assert await level(nobody, "GET", "/entrar") == ["anonymous"]
        assert await level(nobody, "GET", "/metrics") == ["anonymous"]


async def test_whoever_is_refused_is_told_when_to_come_back_and_keeps_what_was_typed(cidade, spy: Spy) -> None:
    async with (
        casa(cidade, limit_write=Quota(1000, 60.0)) as c,
        c.de("203.0.113.7") as http,
        c.de("203.0.113.8") as api,
    ):
        person = Pessoa(http)
        await person.entrar("gestor")
        form = (await person.ver("/setores/novo")).formulario("/setores/novo")
        spy.full = True
        page = await person.mandar(form, codigo="GAR", nome="Garagem")
        assert page.estado == 503
        assert 2 <= int(page.cabecalhos["retry-after"]) <= 4
        assert "Há pedidos demais" in page.texto
        assert not page.problemas
        again = page.formulario("/setores/novo")
        assert (again.valores["nome"], again.valores["_chave"]) == ("Garagem", form.valores["_chave"])
        told = await api.get("/api/patrimonios")
        assert (told.status_code, told.json()["codigo"]) == (503, "sobrecarga")
        anonymous = await api.get("/entrar", headers={"accept": "text/html"})
        assert anonymous.status_code == 503
        assert "Há pedidos demais" in anonymous.text
        assert "sobrecarga" not in anonymous.text
        spy.full = False
        assert "Garagem" in (await person.mandar(again)).texto


class Late(Admission):
    """Its event loop is late, while `late` is set."""

    late = False

    def __init__(self) -> None:
        super().__init__(admission().levels)

    def presses(self, now: float) -> bool:
        self._late_at = now if self.late else self._late_at
        return super().presses(now)

    def enter(self, level: int, now: float) -> Entry:
        self._late_at = now if self.late else self._late_at
        return super().enter(level, now)


async def test_strangers_and_exports_are_refused_by_the_server_itself_and_people_are_served(
    cidade, monkeypatch
) -> None:
    gate = Late()
    monkeypatch.setattr("sispat.app.admission", lambda: gate)
    protocol = http_protocol(trusted="127.0.0.1")
    monkeypatch.setattr("esteio.serve._early._HELD", 0.01)
    early: list[int] = []
    monkeypatch.setattr(EarlyRefusals, "answer", lambda *args, its=EarlyRefusals.answer: early.append(1) or its(*args))
    with servir(cidade, http=protocol, secure_cookies="auto") as address:
        async with httpx2.AsyncClient(base_url=address, headers={"accept-language": "en"}) as http:
            signed = await http.post("/api/auth/login", json=GESTOR)
            http.cookies.clear()
            bearer = {"authorization": f"Bearer {signed.json()['token']}"}
            assert (await http.get("/api/patrimonios", headers=bearer)).status_code == 200
            gate.late = True
            page = await http.get("/entrar")
            assert (page.status_code, page.headers["cache-control"], len(early)) == (503, "no-store", 1)
            assert "Try again" in page.text
            assert page.headers["content-security-policy"].startswith("default-src 'self'")
            assert page.headers["x-content-type-options"] == "nosniff"
            assert 2 <= int(page.headers["retry-after"]) <= 4
            proxied = {"x-forwarded-for": "203.0.113.9", "accept-language": "pt-BR"}
            assert "Tentar de novo" in (await http.get("/entrar", headers=proxied)).text
            told = await http.get("/api/patrimonios", headers=proxied)
            problem = told.json()
            assert (told.status_code, problem["code"], problem["instance"]) == (503, "sobrecarga", "/api/patrimonios")
            assert problem["request_id"] == told.headers["x-request-id"]
            assert (await http.get("/patrimonios.csv", headers=proxied | bearer)).status_code == 503
            assert len(early) == 4
            assert (await http.get("/api/patrimonios", headers=proxied | bearer)).status_code == 200
            assert (await http.get("/api/health/live", headers=proxied)).status_code == 200
            assert (await http.post("/setores/novo", headers=proxied)).status_code == 503
            cookie = {"cookie": "__Host-sispat_sessao=x", "x-forwarded-proto": "https"}
            assert (await http.get("/patrimonios", headers=proxied | cookie)).status_code == 303
            assert len(early) == 4, "what is typed, and who may be signed in, is for the application to judge"
    assert [count.refused for count in gate.counts] == [4, 1, 0, 0, 0, 0]


async def test_an_administrator_gets_the_reserve_while_all_other_connections_are_stuck(cidade) -> None:
    small = cidade.with_(connection_limit=4)
    administrator, reader = Level("administrator"), Level("read")
    async with ServiceDatabase(small, name="sispat") as db, AsyncExitStack() as stuck:
        assert db.stats().max_size == 3
        for _ in range(3):
            await stuck.enter_async_context(db.connection())

        async def asks(level: Level) -> bool:
            got = []

            async def app(*_: object) -> None:
                try:
                    async with db.connection(timeout=0.05) as conn:
                        got.append((await (await conn.execute("select 1")).fetchone()) == (1,))
                except PoolExhausted:
                    pass

            await Shedding(app, [level], lambda _: 0)({"type": "http"}, app, app)
            return got == [True]

        assert not await asks(reader)
        async with asyncio.timeout(30):
            while not await asks(administrator):  # noqa: ASYNC110 - the reserve's connection is being opened
                await asyncio.sleep(0.02)
