"""Progress for many who look: one question to the database a round, none when nobody looks; it ends with worker or session."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID

import pytest
from contagem import comecar, leitura, local_com_bens

from esteio.postgres import Database
from esteio.serve import lifecycle
from sispat.inventario import progress
from sispat.inventario.progress import ProgressFeed, TooManyViewers
from sispat.kernel.errors import NotAuthenticated


async def _fine() -> None:
    """The session holds."""


async def _until(stream, told: dict[str, int]) -> None:
    async with asyncio.timeout(60):
        async for event in stream:
            if event.startswith(b"event") and json.loads(event.split(b"data: ")[1]).items() >= told.items():
                return
    raise AssertionError("the stream ended")


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_EVERY", 0.05)
    monkeypatch.setattr(progress, "_LOOK", 0.01)


async def test_twenty_viewers_see_a_reading_and_share_one_question(cliente, cidade) -> None:
    local, numeros = local_com_bens(cidade, 2)
    async with cliente("gestor@demo.local") as c, Database(cidade) as db:
        inventario = await comecar(c, cidade, local_id=local)
        id_, feed = UUID(inventario["id"]), ProgressFeed(db.connection)
        streams = [feed.events(id_, _fine) for _ in range(20)]
        try:
            await asyncio.gather(*(_until(each, {"nao_verificado": len(numeros)}) for each in streams))
            assert feed.asked < 20, "one question for all of them, not one for each"
            raiz = f"/api/inventarios/{id_}/leituras"
            await c.post(raiz, json={"leituras": [leitura(numeros[0], local_id=local)]})
            await asyncio.gather(*(_until(each, {"encontrado": 1}) for each in streams))
        finally:
            for each in streams:
                await each.aclose()
        asked = feed.asked
        await asyncio.sleep(0.2)
        assert feed.asked <= asked + 1, "nobody looks, nobody asks"
        await feed.close()


async def test_a_stream_ends_with_its_worker_and_with_its_session(cidade, monkeypatch) -> None:
    async with Database(cidade) as db:
        feed, id_ = ProgressFeed(db.connection), UUID(int=1)
        monkeypatch.setattr(lifecycle, "draining", True)
        assert [each async for each in feed.events(id_, _fine)] == [b"retry: 3000\n\n"]
        monkeypatch.setattr(lifecycle, "draining", False)
        monkeypatch.setattr(progress, "_CHECKED", 0.0)

        async def ended() -> None:
            raise NotAuthenticated

        async with asyncio.timeout(10):
            assert [each async for each in feed.events(id_, ended)]
        await feed.close()


async def test_one_more_than_there_is_room_for_is_told_so(cidade, monkeypatch) -> None:
    monkeypatch.setattr(progress, "_MOST", 1)
    async with Database(cidade) as db:
        feed = ProgressFeed(db.connection)
        stream = feed.events(UUID(int=1), _fine)
        await anext(stream)
        with pytest.raises(TooManyViewers):
            feed.admit()
        await stream.aclose()
        feed.admit()
        await feed.close()
