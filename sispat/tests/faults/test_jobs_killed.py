"""A job is done once or not at all, whatever is killed in the middle of it: its process, who looks after it, PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from esteio.postgres import Dsn
from esteio.testing.postgres import PostgresServer
from sispat.kernel.schema import migrate

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))
from job_process import command

pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One that may be killed."""
    server = PostgresServer()
    server.start()
    migrate(server.create_database("tarefas"))
    with psycopg.connect(server.dsn("tarefas").conninfo) as conn:
        conn.execute("insert into usuario (email, nome, papel, senha_hash) values ('a@b.c', 'Ana', 'gestor', '')")
    yield server
    server.stop()


class Runner:
    """Looks after jobs, in a process of its own."""

    def __init__(self, dsn: Dsn) -> None:
        self.dsn = dsn
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command(self.dsn.url))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def start_again(self) -> None:
        self.process = self._start()

    def ask(self, sql: str, *values: object) -> Any:
        """One value, once the database answers."""

        def asked() -> list[Any]:
            try:
                with psycopg.connect(self.dsn.conninfo) as conn:
                    return [(conn.execute(sql, values).fetchone() or [None])[0]]
            except psycopg.OperationalError:
                return []

        return until(asked)[0]

    def put(self, kind: str, gate: Path) -> str:
        return str(
            self.ask(
                """insert into tarefa (tipo, argumentos, pedida_por, requisicao, idioma, tentativas, prazo)
                   select %s, jsonb_build_object('gate', %s::text, 'pid', %s::text), id, 'r', 'pt-BR', 3, %s from usuario
                   returning id""",
                kind, str(gate), str(gate.with_suffix(".pid")), 1 if kind == "teste.breve" else 60,
            )
        )  # fmt: skip

    def state(self, id_: str) -> str:
        return str(self.ask("select estado from tarefa where id = %s", id_))

    def written(self, id_: str) -> int:
        return int(self.ask("select count(*) from evento where entidade_id = %s", id_))


def until(question: Callable[[], Any], limit: float = 60.0) -> Any:
    end = time.monotonic() + limit
    while not (answer := question()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)
    return answer


@pytest.fixture
def runner(server: PostgresServer) -> Iterator[Runner]:
    runner = Runner(server.dsn("tarefas"))
    yield runner
    runner.kill()


def half_done(runner: Runner, tmp_path: Path) -> tuple[str, int, Path]:
    """A job that has written one half, the id of its process, and the file that lets it go on."""
    gate = tmp_path / "gate"
    id_ = runner.put("teste.metade", gate)
    pid = until(lambda: gate.with_suffix(".pid").exists() and gate.with_suffix(".pid").read_text())
    gate.with_suffix(".pid").unlink()
    return id_, int(pid), gate


def done_once(runner: Runner, id_: str, gate: Path) -> int:
    """Let it go on; how many attempts failed."""
    assert runner.written(id_) == 0, "the half is in no committed transaction"
    gate.touch()
    until(lambda: runner.state(id_) == "concluida")
    assert runner.written(id_) == 2
    return int(runner.ask("select falhas from tarefa where id = %s", id_))


def test_kill_9_of_the_process_of_a_job(runner: Runner, tmp_path: Path) -> None:
    id_, pid, gate = half_done(runner, tmp_path)
    os.kill(pid, signal.SIGKILL)
    assert done_once(runner, id_, gate) == 1


def test_kill_9_of_who_looks_after_it_ends_the_job_too_and_the_next_one_does_it(runner: Runner, tmp_path: Path) -> None:
    id_, pid, gate = half_done(runner, tmp_path)
    runner.kill()
    until(lambda: not Path(f"/proc/{pid}").exists())
    runner.ask("update tarefa set vista_em = now() - interval '1 minute' where id = %s returning 1", id_)  # the lease
    runner.start_again()
    assert done_once(runner, id_, gate) == 1


def test_told_to_stop_its_job_goes_back_into_the_queue_and_no_attempt_is_used_up(
    runner: Runner, tmp_path: Path
) -> None:
    id_, _, gate = half_done(runner, tmp_path)
    runner.process.terminate()
    assert runner.process.wait(30) == 0
    assert runner.state(id_) == "pendente"
    runner.start_again()
    assert done_once(runner, id_, gate) == 0


def test_kill_9_of_postgresql(runner: Runner, server: PostgresServer, tmp_path: Path) -> None:
    id_, _, gate = half_done(runner, tmp_path)
    server.kill()
    server.start()
    assert done_once(runner, id_, gate) == 1


def test_a_cancelled_one_is_ended_and_one_that_takes_too_long_and_one_that_aborts_fail(
    runner: Runner, tmp_path: Path
) -> None:
    id_, pid, _ = half_done(runner, tmp_path)
    runner.ask("update tarefa set cancelar_em = now() where id = %s returning 1", id_)
    until(lambda: runner.state(id_) == "cancelada")
    until(lambda: not Path(f"/proc/{pid}").exists())
    assert runner.written(id_) == 0
    late = runner.put("teste.breve", tmp_path / "never")
    until(lambda: runner.state(late) == "falhou")
    assert runner.ask("select erro ->> 'code' from tarefa where id = %s", late) == "tempo"
    aborted = str(
        runner.ask(
            """insert into tarefa (tipo, argumentos, pedida_por, requisicao, idioma, tentativas, prazo)
               select 'teste.cair', '{"how": "abort"}', id, 'r', 'pt-BR', 2, 60 from usuario returning id"""
        )
    )
    until(lambda: runner.state(aborted) == "falhou")
    assert runner.ask("select erro ->> 'code' from tarefa where id = %s", aborted) == "memoria"
