"""The health of a running service: counted over all workers, kept, and truthful while the database is frozen."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request

import psutil
import pytest
from processos import Service, pasta_de_dados

from esteio.health import HistoryReader
from esteio.health.series import SERVICE, State

TOKEN = "so-para-quem-opera"


def _ask(servico: Service, caminho: str) -> tuple[int, str]:
    pedido = urllib.request.Request(servico.endereco() + caminho, headers={"Authorization": f"Bearer {TOKEN}"})
    try:
        with urllib.request.urlopen(pedido, timeout=20) as resposta:
            return resposta.status, resposta.read().decode()
    except urllib.error.HTTPError as erro:
        return erro.code, erro.read().decode()


def _counted(servico: Service) -> float:
    lines = _ask(servico, "/metrics")[1].splitlines()
    wanted = [each for each in lines if each.startswith("esteio_http_request_seconds_count") and "health/live" in each]
    return sum(float(line.rpartition(" ")[2]) for line in wanted)


def _workers(servico: Service) -> set[psutil.Process]:
    found = set()
    for processo in servico.descendentes():
        try:
            if "spawn_main" in " ".join(processo.cmdline()):
                found.add(processo)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.timeout(180)
def test_health_is_counted_through_kills_and_told_while_the_database_is_frozen() -> None:
    settings = {"ENABLE_HEALTH_MONITOR": "sim", "HEALTH_CHECK_INTERVAL": "1000", "SISPAT_OPERATIONS_TOKEN": TOKEN}
    with pasta_de_dados() as pasta, Service("--workers", "2", SISPAT_DATA_DIR=str(pasta), **settings) as servico:
        servico.pronto()
        for _ in range(20):
            assert servico.estado("/api/health/live") == 200
        counted, before = _counted(servico), _workers(servico)
        assert counted >= 20
        before.copy().pop().kill()
        servico.esperar(lambda: len(_workers(servico) - before) == 1 and len(_workers(servico)) == 2, 90)
        servico.pronto()
        assert _counted(servico) >= counted, "a killed worker's counts stay"

        def measured() -> bool:
            found = json.loads(_ask(servico, "/api/health/metrics")[1])
            now = found["current"]
            return bool(now["dbResponseTimeMs"] and now["workers"] == 2 and found["history"])

        servico.esperar(measured, 90)
        frozen = servico.postgres()
        for processo in frozen:
            processo.suspend()
        try:
            began = time.monotonic()
            servico.esperar(lambda: _ask(servico, "/api/health")[0] == 503, 90)
            assert "postgres:responseTime" in json.loads(_ask(servico, "/api/health")[1])["output"]
            assert _ask(servico, "/metrics")[0] == 200
            history = HistoryReader(pasta / "health.sqlite")

            def down() -> bool:
                now = time.time()
                return history.intervals(now - 60, now)[SERVICE][-1].state is State.DOWN

            servico.esperar(down, 90)
            print(f"a frozen database is told and written down within {time.monotonic() - began:.1f} s")
        finally:
            for processo in frozen:
                processo.resume()
        servico.esperar(lambda: _ask(servico, "/api/health")[0] == 200, 90)
