"""A server of a killed supervisor ends with its unit, and not before; and what systemd passes is read as it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest
from house import alive, gone

from esteio.serve._service_manager import taken

GUARDING = """
import sys, types
from esteio.serve import EndsWithUnit
server = types.SimpleNamespace(name="a server", start=lambda: None, stop=lambda timeout: None)
service = EndsWithUnit(server)
for line in sys.stdin:
    server.pid, server.data_dir = line.split()
    service.stop(60) if server.pid == "0" else service.start()
    print("done", flush=True)
"""


@pytest.fixture
def server(tmp_path):
    """What `sleep` is to a guard: a server that works in `tmp_path`."""
    with subprocess.Popen(["sleep", "600"], cwd=tmp_path) as process:
        yield process
        process.kill()


@pytest.fixture
def guarding(manager):
    """Starts programs whose service is what they are told."""
    running = []

    def start():
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        running.append(manager.start([sys.executable, "-c", GUARDING], environment, **pipes))
        return running[-1]

    yield start
    for each in running:
        each.kill()
        with each:
            each.wait(60)


def tell(program, pid, directory):
    program.stdin.write(f"{pid} {directory}\n")
    program.stdin.flush()
    assert program.stdout.readline() == "done\n"


def kill(program):
    program.kill()
    program.wait(60)


def test_a_server_is_ended_when_the_unit_is_stopped_and_not_when_the_supervisor_is_killed(
    manager, server, guarding, tmp_path
):
    first = guarding()
    tell(first, server.pid, tmp_path)
    kill(first)
    assert manager.stored == ["guard-a server"]
    second = guarding()
    tell(second, server.pid, tmp_path)  # takes it over, with a guard of its own
    assert manager.stored == ["guard-a server"]
    kill(second)
    assert manager.stored == ["guard-a server"]
    assert server.poll() is None
    manager.drop()
    assert server.wait(60) == -signal.SIGINT


def test_a_server_that_is_looked_after_otherwise_has_no_guard_any_more(manager, server, guarding, tmp_path):
    program = guarding()
    tell(program, server.pid, tmp_path)
    tell(program, 0, tmp_path)  # waits for the end of the guard
    assert manager.stored == []
    kill(program)
    assert server.poll() is None


async def test_the_number_of_a_server_that_ended_may_be_another_programs(manager, server, guarding, tmp_path):
    program = guarding()
    tell(program, server.pid, tmp_path / "elsewhere")
    shells = [shell.pid for shell in psutil.Process(program.pid).children()]
    kill(program)
    assert list(map(alive, shells)) == [True]
    manager.drop()
    await gone(shells)
    assert server.poll() is None


def test_what_was_passed_to_another_process_is_not_taken_and_no_child_reads_of_it(monkeypatch):
    from esteio.serve._service_manager import _passed

    monkeypatch.setenv("LISTEN_PID", str(os.getppid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_FDNAMES", "listener")
    _passed.cache_clear()
    try:
        assert taken("listener") == []
    finally:
        _passed.cache_clear()
    assert not {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} & os.environ.keys()
