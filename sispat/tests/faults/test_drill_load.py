"""The drill's load does not believe a 200: wrong rows, another asset, another text are wrong answers; a refusal is none."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from esteio.drill import WrongAnswer
from sispat.drill.load import City, Refused
from sispat.drill.outside import STREET, AlertReceiver, FakeViacep, _HttpServer, _write

ROWS = [{"id": f"id-{n}", **{name: {"id": name} for name in ("classe", "setor", "local", "agente")}} for n in range(10)]


class Liar(_HttpServer):
    """A SISPAT that tells the truth until `lie` changes what it answers."""

    def __init__(self) -> None:
        self.lie: Any = None

    async def answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        truth: dict[str, Any] = {"logradouro": STREET}
        if path == "/api/auth/login":
            truth = {"token": "t"}
        elif path.startswith("/api/patrimonios?"):
            truth = {"items": ROWS}
        elif path.startswith("/api/patrimonios/"):
            truth = {"id": path.rsplit("/", 1)[1]}
        elif path == "/api/patrimonios":
            truth = {"descricao": "somebody else's"}
        await _write(writer, json.dumps(truth if self.lie is None else self.lie).encode())


async def test_a_service_that_answers_200_with_something_else_is_found_out() -> None:
    async with Liar() as liar:
        service: Any = SimpleNamespace(address=liar.url)
        async with City(service, FakeViacep(), SimpleNamespace(arrivals=[])) as city:  # type: ignore[arg-type]
            routes = {route.name: route.request for route in city.routes()}
            for name in ("list", "card", "cep"):
                await routes[name](0)
            with pytest.raises(WrongAnswer, match="somebody else's"):
                await routes["create"](0)
            assert not len(city.ledger), "what was answered wrongly is not acknowledged"
            for name, lie in (
                ("list", {"items": []}),
                ("list", {"items": ROWS[::-1]}),
                ("list", {"items": [*ROWS[:9], ROWS[0]]}),
                ("card", {"id": "id-7"}),
                ("cep", {"logradouro": "em breve"}),
            ):
                liar.lie = lie
                with pytest.raises(WrongAnswer):
                    await routes[name](1)


async def test_a_notice_of_what_works_again_is_no_detection_and_one_of_something_else_neither() -> None:
    def post(text: str) -> bytes:
        return f"POST / HTTP/1.1\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()

    async with AlertReceiver() as alerts:
        service: Any = SimpleNamespace(address="http://127.0.0.1:9")
        city = City(service, FakeViacep(), alerts)
        for kind, message in (("success", "tls:refused"), ("failure", "worker:died"), ("failure", "tls:refused")):
            reader, writer = await asyncio.open_connection("127.0.0.1", alerts.port)
            writer.write(post(json.dumps({"type": kind, "message": message})))
            assert b"200 OK" in await reader.read()
            writer.close()
        (first, _), (second, _) = alerts.arrivals
        assert await city.told(0.0) == first
        city.kept["about"] = ("tls:refused", "tls:certificate")
        assert await city.told(0.0) == second
        assert await city.told(second + 1) is None


async def test_a_refusal_is_no_wrong_answer_and_no_success() -> None:
    class Refusing(Liar):
        async def answer(self, path: str, writer: asyncio.StreamWriter) -> None:
            if self.lie is None:
                return await super().answer(path, writer)
            body = b'{"code": "disco-cheio"}'
            head = f"HTTP/1.1 503 No\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            return await writer.drain()

    async with Refusing() as service:
        here: Any = SimpleNamespace(address=service.url)
        async with City(here, FakeViacep(), SimpleNamespace(arrivals=[])) as city:  # type: ignore[arg-type]
            service.lie = True
            for route in city.routes():
                with pytest.raises(Refused, match="503 disco-cheio"):
                    await route.request(0)
