"""An import by the real service: done once or not at all, killed or cancelled in the middle."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from processos import SEM_LIMITES, Service, pasta_de_dados

from esteio.postgres import Dsn
from sispat.cli._data_lock import DataInUse, DataLock

pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(240)]

ROWS = int(os.environ.get("SISPAT_IMPORT_ROWS", "15000"))


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[Service, Dsn]]:
    with (
        pasta_de_dados() as dados,
        Service(
            "--demo", "--size", "100", "--workers", "1", SISPAT_DATA_DIR=str(dados), SISPAT_JOBS="1", **SEM_LIMITES
        ) as s,
    ):
        s.pronto(60)
        with pytest.raises(DataInUse) as held, DataLock(dados):
            pass
        yield s, Dsn.parse(held.value.url or "")


@pytest.fixture
def client(service: tuple[Service, Dsn]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service[0].endereco(), timeout=60) as client:
        token = client.post("/api/auth/login", json={"email": "gestor@demo.local", "password": "demo"}).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        client.cookies.clear()
        yield client


def spreadsheet(dsn: Dsn) -> bytes:
    with psycopg.connect(dsn.conninfo) as conn:
        row = conn.execute(
            """select c.conta, s.codigo, l.nome, a.matricula from patrimonio p join classe c on c.id = classe_id
               join setor s on s.id = p.setor_id join local l on l.id = local_id join agente a on a.id = agente_id limit 1"""
        ).fetchone()
    assert row is not None
    line = f"Cadeira importada;{row[0]};10,00;31/01/2026;{row[1]};{row[2]};{row[3]}\n"
    return ("Descrição;Conta;Valor;Data de aquisição;Setor;Local;Matrícula\n" + line * ROWS).encode()


class Import:
    def __init__(self, service: Service, client: httpx.Client, dsn: Dsn) -> None:
        self.service, self.client, self.dsn = service, client, dsn
        made = client.post("/api/importacoes", files={"arquivo": ("bens.csv", spreadsheet(dsn))}).json()
        self.root = f"/api/importacoes/{made['id']}"
        self.ended()

    def get(self, path: str) -> dict[str, Any]:
        """Also while the database is away for a moment."""

        def asked() -> dict[str, Any]:
            answer = self.client.get(path)
            return answer.json() if answer.status_code == 200 else {}

        return self.service.esperar(asked, 60)

    def job(self) -> dict[str, Any]:
        return self.get(f"/api/tarefas/{self.get(self.root)['tarefa_id']}")

    def ended(self) -> dict[str, Any]:
        """Its job, once it has ended."""

        def end() -> dict[str, Any]:
            job = self.job()
            return job if job["terminada_em"] else {}

        return self.service.esperar(end, 150)

    def save(self) -> None:
        """Begin to save, and wait until it writes."""
        version = self.get(self.root)["versao"]
        assert self.client.post(f"{self.root}/gravacao", json={"versao": version}).status_code == 200
        self.writes()

    def writes(self) -> None:
        """Wait until its job writes assets."""
        self.service.esperar(lambda: self.job()["etapa"] == "Gravando os bens" or self.job()["terminada_em"], 60)
        assert self.job()["terminada_em"] is None, "it was too fast to be interrupted"

    def process(self) -> psutil.Process:
        return next(each for each in self.service.descendentes() if each.cmdline()[2:4] == ["sispat", "job"])

    def made(self) -> int:
        with psycopg.connect(self.dsn.conninfo) as conn:
            row = conn.execute("select count(*) from patrimonio where descricao = 'Cadeira importada'").fetchone()
        return int(row[0]) if row else 0


def test_its_process_and_then_postgresql_killed_in_the_middle_all_assets_are_there_once(
    service: tuple[Service, Dsn], client: httpx.Client
) -> None:
    real, dsn = service
    each = Import(real, client, dsn)
    each.save()
    each.process().kill()
    real.esperar(lambda: each.job()["estado"] == "pendente", 60)
    each.writes()
    os.kill(real.postgres()[0].pid, signal.SIGKILL)
    assert each.ended()["estado"] == "concluida", each.ended()
    assert each.made() == ROWS
    with psycopg.connect(dsn.conninfo) as conn:
        [(audited, low, high)] = conn.execute(
            """select count(*), min((depois ->> 'numero')::bigint), max((depois ->> 'numero')::bigint)
               from evento where acao = 'importar' and entidade_id in (select id from patrimonio)"""
        ).fetchall()
    assert (audited, high - low + 1) == (ROWS, ROWS), "an attempt after a crash takes the numbers reserved before"
    assert client.post(f"{each.root}/desfazimento").status_code == 200
    assert each.ended()["estado"] == "concluida", each.ended()
    assert each.made() == 0


def test_cancelled_in_the_middle_nothing_is_there(service: tuple[Service, Dsn], client: httpx.Client) -> None:
    real, dsn = service
    each = Import(real, client, dsn)
    each.save()
    assert client.post(f"/api/tarefas/{each.get(each.root)['tarefa_id']}/cancelamento").status_code == 200
    assert each.ended()["estado"] == "cancelada"
    assert (each.made(), each.get(each.root)["estado"]) == (0, "conferida")
