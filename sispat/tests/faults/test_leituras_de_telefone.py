"""A thousand readings that waited in a phone, sent twice while processes are killed: each is there exactly once."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import psutil
import psycopg
import pytest
from processos import SEM_LIMITES, Service, pasta_de_dados

from esteio.postgres import Dsn
from sispat.cli._data_lock import DataInUse, DataLock

pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(240)]

READINGS = int(os.environ.get("SISPAT_PHONE_READINGS", "1000"))
LOT = 50
KILLS = {3: "workers", 15: "postgres", 27: "workers"}  # before this lot of forty


@pytest.fixture
def service() -> Iterator[tuple[Service, Dsn]]:
    with (
        pasta_de_dados() as dados,
        Service(
            "--demo", "--size", str(READINGS + 200), "--workers", "2", SISPAT_DATA_DIR=str(dados), **SEM_LIMITES
        ) as s,
    ):
        s.pronto(60)
        with pytest.raises(DataInUse) as held, DataLock(dados):
            pass
        yield s, Dsn.parse(held.value.url or "")


class Phone:
    """Sends a lot until it is acknowledged, as count_queue.js does; a lot whose answer is lost is sent again."""

    def __init__(self, service: Service) -> None:
        self.service, self.http = service, httpx.Client(base_url=service.endereco(), timeout=30)
        self.again = 0

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            with contextlib.suppress(httpx.TransportError):
                answer = self.http.post(path, json=body)
                if answer.status_code < 500:
                    assert answer.status_code in (200, 201), answer.text
                    return dict(answer.json())
            self.again += 1
            time.sleep(0.1)  # the service is being killed under us
        raise AssertionError(f"{path}: not acknowledged within 120 s\n{self.service.saida}")

    def sign_in(self) -> None:
        token = self.post("/api/auth/login", {"email": "gestor@demo.local", "password": "demo"})["token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        self.http.cookies.clear()


def _workers(service: Service) -> list[psutil.Process]:
    found = []
    for each in service.descendentes():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "postgres" not in each.name():
                found.append(each)
    return found


def test_a_thousand_readings_sent_twice_between_kills_are_there_exactly_once(service: tuple[Service, Dsn]) -> None:
    real, dsn = service
    phone = Phone(real)
    with phone.http:
        _count(real, dsn, phone)


def _count(real: Service, dsn: Dsn, phone: Phone) -> None:
    phone.sign_in()
    with psycopg.connect(dsn.conninfo) as conn:
        (commission,) = conn.execute("select id::text from comissao limit 1").fetchone() or ("",)
    opened = phone.post("/api/inventarios", {"escopo": "cidade", "comissao_id": commission, "data_base": "2026-12-31"})
    root = f"/api/inventarios/{opened['id']}"
    phone.post(f"{root}/estado", {"estado": "contando"})
    with psycopg.connect(dsn.conninfo) as conn:
        numbers = [
            row[0] for row in conn.execute("select plaqueta from inventario_item order by numero limit %s", [READINGS])
        ]
    assert len(numbers) == READINGS
    queued = [
        {"id": str(uuid4()), "codigo": str(n), "resultado": "encontrado", "lida_em": "2026-12-01T09:00:00-03:00"}
        for n in numbers
    ]
    lots = [queued[at : at + LOT] for at in range(0, READINGS, LOT)]
    acknowledged: list[str] = []
    for at, lot in enumerate([*lots, *lots]):
        if at in KILLS:
            victims = real.postgres()[:1] if KILLS[at] == "postgres" else _workers(real)
            for victim in victims:
                with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                    os.kill(victim.pid, signal.SIGKILL)
        items = phone.post(f"{root}/leituras", {"leituras": lot})["items"]
        assert [each["motivo"] for each in items] == [""] * len(lot)
        acknowledged += [each["id"] for each in items]
        assert all(each["repetida"] for each in items) or at < len(lots), "the second time each is known"
    assert phone.again, "nothing was killed while it mattered"
    with psycopg.connect(dsn.conninfo) as conn:
        stored = [row[0] for row in conn.execute("select id::text from inventario_leitura")]
        once, more = conn.execute(
            "select count(*) filter (where leituras = 1 and estado = 'encontrado'), count(*) filter (where leituras > 1)"
            " from inventario_item"
        ).fetchone() or (0, 0)
    assert sorted(stored) == sorted(each["id"] for each in queued)
    assert sorted(acknowledged) == sorted(stored * 2)
    assert (once, more) == (READINGS, 0)
