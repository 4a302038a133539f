"""While more is asked than can be served: who comes first, what the others are told, and the administrator's way in."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from casa import casa
from leitor import Pessoa

from esteio.postgres import PoolExhausted
from esteio.web.shedding import Admission, Level, Shedding, SheddingLimits
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
