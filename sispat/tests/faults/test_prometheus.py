"""A real Prometheus scrapes SISPAT through a kill and a roll, and a real Alertmanager groups what it fires."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from carga import trabalhadores
from processos import Service, pasta_de_dados, por_dentro

from esteio.metrics import of_family

DEPLOY = Path(__file__).parents[3] / "deploy"
TOKEN = "so-para-o-prometheus"
PATH = os.pathsep.join([os.environ["PATH"], f"{sys.prefix}/debian/usr/bin"])
_SCRAPE = 0.5  # seconds


class Webhook:
    """Receives what Alertmanager sends, on loopback."""

    def __init__(self) -> None:
        notices = self.notices = list[dict[str, Any]]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                notices.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def firing(self, name: str) -> list[dict[str, Any]]:
        """The notices that have it firing."""

        def has(notice: dict[str, Any]) -> bool:
            return any(a["labels"]["alertname"] == name and a["status"] == "firing" for a in notice["alerts"])

        return [notice for notice in self.notices if has(notice)]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextlib.contextmanager
def _running(folder: Path, *command: str) -> Iterator[None]:
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait(10)


def _until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    ends = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < ends, f"{what}: not within {seconds:g} s"
        time.sleep(0.1)
    return found


class Prometheus:
    """Asks the one at `port`."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def query(self, expression: str) -> list[dict[str, Any]]:
        asked = f"{self._url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return list(json.load(answer)["data"]["result"])
        except OSError:  # it is starting
            return []

    def value(self, expression: str) -> float:
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else -1.0


def _configure(folder: Path, service: Service, webhook: Webhook, alertmanager: int) -> None:
    """What `deploy/` has, for these addresses, and faster: a test does not wait for half a minute."""
    (folder / "token").write_text(TOKEN)
    (folder / "rules.yml").write_text(
        re.sub(r"    for: \w+", "    for: 1s", por_dentro("metrics", "rules", "--memory", "1").stdout)
    )
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    config["global"] = {
        "scrape_interval": f"{_SCRAPE * 1000:g}ms",
        "scrape_timeout": f"{_SCRAPE * 1000:g}ms",
        "evaluation_interval": "1s",
    }
    (scrape,) = config["scrape_configs"]
    scrape["authorization"]["credentials_file"] = str(folder / "token")
    scrape["static_configs"] = [{"targets": [service.endereco().removeprefix("http://")]}]
    config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]
    (folder / "prometheus.yml").write_text(json.dumps(config))
    config = yaml.safe_load((DEPLOY / "alertmanager/alertmanager.yml").read_text())
    quick = {"group_wait": "2s", "group_interval": "2s"}
    config["route"] |= quick
    config["route"]["routes"] = [each | quick for each in config["route"]["routes"]]
    config["receivers"] = [{"name": "webhook", "webhook_configs": [{"url": webhook.url}]}]
    (folder / "alertmanager.yml").write_text(json.dumps(config))


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.timeout(300)
def test_a_real_prometheus_sees_no_counter_go_back_and_alertmanager_groups_what_it_fires(tmp_path: Path) -> None:
    programs = {
        name: shutil.which(name, path=PATH) for name in ("prometheus", "prometheus-alertmanager", "promtool", "amtool")
    }
    if not all(programs.values()):
        pytest.skip("Prometheus and Alertmanager are not here (.ci/debian brings them)")
    port, alertmanager = _free_port(), _free_port()
    webhook, prometheus = Webhook(), Prometheus(port)
    settings = {"SISPAT_OPERATIONS_TOKEN": TOKEN, "ENABLE_HEALTH_MONITOR": "sim", "HEALTH_CHECK_INTERVAL": "1000"}
    with (
        contextlib.closing(webhook),
        pasta_de_dados() as data,
        Service("--workers", "2", SISPAT_DATA_DIR=str(data), **settings) as service,
        contextlib.ExitStack() as running,
    ):
        service.pronto()
        _configure(tmp_path, service, webhook, alertmanager)
        for check in (
            ["promtool", "check", "config", "prometheus.yml"],
            ["amtool", "check-config", "alertmanager.yml"],
        ):
            done = subprocess.run([programs[check[0]], *check[1:]], cwd=tmp_path, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
        running.enter_context(
            _running(
                tmp_path, str(programs["prometheus"]), "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage",
            )
        )  # fmt: skip
        running.enter_context(
            _running(
                tmp_path, str(programs["prometheus-alertmanager"]), "--config.file=alertmanager.yml", "--storage.path=alerts",
                f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address=",
            )
        )  # fmt: skip
        _until(lambda: prometheus.value("esteio_workers") == 2, "the first scrape")
        _break(service, prometheus)
        _counters_never_went_back(prometheus)
        grouped = _until(lambda: _of_both_workers(webhook), "one notice with the alerts of both workers")
        assert grouped["groupLabels"] == {"job": "sispat", "severity": "ticket"}
        before = len(webhook.notices)
        service.processo.kill()
        absent = _until(lambda: webhook.firing("EsteioAbsent"), "the notice that nobody answers")[-1]
        assert absent["groupLabels"] == {"job": "sispat", "severity": "page"}
        assert webhook.notices[before:].count(absent) == 1


def _break(service: Service, prometheus: Prometheus) -> None:
    """Requests before and after a kill -9 of a worker and a roll; each answered one is in the counts at the end."""
    ask = "/api/health/live"
    answered = 0

    def use() -> None:
        nonlocal answered
        for _ in range(20):
            with contextlib.suppress(OSError):  # in flight when its worker was killed
                answered += service.estado(ask) == 200

    use()
    first = trabalhadores(service)
    first[0].kill()
    use()
    service.esperar(lambda: len(trabalhadores(service)) == 2 and first[0] not in trabalhadores(service), 60)
    use()
    second = set(trabalhadores(service))
    service.processo.send_signal(signal.SIGHUP)
    service.esperar(lambda: len(trabalhadores(service)) == 2 and not second & set(trabalhadores(service)), 90)
    use()
    counted = f'sum(esteio_http_request_seconds_count{{job="sispat",route="{ask}",outcome="2xx"}})'
    # One may have been answered and not counted yet when its worker was killed.
    _until(lambda: prometheus.value(counted) >= answered - 1, "all answered requests in the counts")


def _counters_never_went_back(prometheus: Prometheus) -> None:
    samples = 0
    for series in prometheus.query('{job="sispat",__name__=~"esteio_.*(_total|_count|_sum|_bucket)"}[10m]'):
        name = series["metric"]["__name__"]
        definition = of_family(re.sub(r"_(total|count|sum|bucket)$", "", name))
        assert definition is not None, name
        if "worker" in definition.labels:  # of one process: a new one begins at 0
            continue
        values = [float(value) for _, value in series["values"]]
        assert all(before <= after for before, after in pairwise(values)), (series["metric"], values)
        samples += len(values)
    assert samples > 1000
    (up,) = prometheus.query('up{job="sispat"}[10m]')
    scraped = [float(value) for _, value in up["values"]]
    assert all(scraped), f"a gap: {scraped}"


def _of_both_workers(webhook: Webhook) -> dict[str, Any] | None:
    for notice in webhook.firing("EsteioMemory"):
        workers = {a["labels"]["worker"] for a in notice["alerts"] if a["labels"]["alertname"] == "EsteioMemory"}
        if len(workers) > 1:
            return notice
    return None
