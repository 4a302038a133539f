"""Whatever is killed under `sispat serve`, somebody is told within seconds, and once."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psutil
import pytest
from processos import Service, pasta_de_dados

from esteio.alert.monitor import Alerts

pytestmark = [pytest.mark.fault, pytest.mark.timeout(180)]


@pytest.fixture
def recebidos() -> Iterator[tuple[str, list[tuple[float, dict[str, Any]]]]]:
    """The address of a receiver, and what it was sent with the moment."""
    avisos: list[tuple[float, dict[str, Any]]] = []

    class Recebedor(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            corpo = self.rfile.read(int(self.headers["Content-Length"]))
            avisos.append((time.time(), json.loads(corpo)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    servidor = ThreadingHTTPServer(("127.0.0.1", 0), Recebedor)
    threading.Thread(target=servidor.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{servidor.server_address[1]}/x", avisos
    servidor.shutdown()
    servidor.server_close()


def espera(condicao: Callable[[], bool], segundos: float = 60) -> None:
    limite = time.monotonic() + segundos
    while not condicao():
        assert time.monotonic() < limite
        time.sleep(0.1)


def operador(servico: Service) -> psutil.Process:
    return next(p for p in servico.descendentes() if p.cmdline()[-1:] == ["operator"])


def test_whatever_dies_is_told_within_seconds_with_what_it_was(
    recebidos: tuple[str, list[tuple[float, dict[str, Any]]]],
) -> None:
    endereco, avisos = recebidos
    with pasta_de_dados() as dados:
        variaveis = {
            "SISPAT_DATA_DIR": str(dados),
            "WEBHOOK_URL": endereco,
            "ENABLE_HEALTH_MONITOR": "sim",
            "SISPAT_QUIET_HOURS": "não",
        }
        with Service("--workers", "2", **variaveis) as servico:
            servico.pronto()
            alertas = Alerts(dados / "alerts.sqlite")
            espera(lambda: alertas.path.exists() and bool(alertas.ledger().over(600, time.time()).seen))
            worker = next(p for p in servico.descendentes() if "spawn_main" in " ".join(p.cmdline()))
            for nome, morto, prazo in (
                ("worker:died", worker, 10),
                ("postgresql:died", servico.postgres()[0], 10),
                ("operator:died", operador(servico), 60),  # its successor has to start first
            ):
                morte = time.time()
                os.kill(morto.pid, 9)
                espera(lambda nome=nome: any(nome in aviso["message"] for _, aviso in avisos))  # type: ignore[misc]
                ouvido = next(quando for quando, aviso in avisos if nome in aviso["message"])
                decidido = next(each.told_at for each in alertas.firing() if each.name == nome)
                print(f"{nome}: decided after {decidido - morte:.1f} s, told after {ouvido - morte:.1f} s")
                assert decidido is not None
                assert decidido - morte < prazo
            titulos = [aviso["title"] for _, aviso in avisos]
            # The operator may be killed between the receiver's answer and its note of it: told twice, for its one death.
            assert len(titulos) - len(set(titulos)) <= 1, titulos
            assert all(titulo.startswith("PROBLEMA: ") for titulo in titulos)
            assert "plantao.md" in avisos[0][1]["message"]
