"""Programs as services, and services without workers: real processes, ended and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import esteio
from esteio.policy import Exponential
from esteio.serve import Program, ProgramMissing, ServiceRunner

SCRIPT = Path(__file__).with_name("run_services.py")


def until(true: Callable[[], object], what: str = "it did not happen in time") -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# A program


def test_what_a_program_writes_joins_ours_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    program = Program("talker", ["sh", "-c", "echo one; printf 'tw' >&2; sleep 0.1; echo o >&2; printf end"])
    program.start()
    until(lambda: not program.is_alive())
    program.stop(1.0)
    assert capsys.readouterr().err == "one\ntwo\nend"


def test_a_program_has_a_session_of_its_own_its_own_environment_and_stands_back() -> None:
    program = Program("back", ["sh", "-c", 'test "$COLOUR" = red && exec sleep 60'], env={"COLOUR": "red"}, nice=7)
    program.start()
    try:
        assert program.pid is not None
        until(lambda: psutil.Process(program.pid).name() == "sleep")
        assert os.getsid(program.pid) == program.pid
        assert psutil.Process(program.pid).nice() == min(19, os.nice(0) + 7)
        program.start()  # it runs already
        assert program.is_alive()
    finally:
        program.stop(5.0)
    assert not program.is_alive()
    program.stop(5.0)


def test_a_program_that_does_not_end_is_killed_with_all_it_started(tmp_path: Path) -> None:
    program = Program(
        "stubborn", ["sh", "-c", f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/pid; while :; do wait; done"]
    )
    program.start()
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    began = time.monotonic()
    program.stop(0.3)
    assert time.monotonic() - began >= 0.3
    assert not program.is_alive()
    until(lambda: not alive(int((tmp_path / "pid").read_text())))


def test_a_program_that_cannot_be_given_its_arguments_fails_instead_of_waiting() -> None:
    with pytest.raises(ProgramMissing, match="null byte"):
        Program("odd", ["sh", "-c", "exit 0", "\0"]).start()


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ProgramMissing, match="service ghost: '/no/such/program' cannot be run"):
        Program("ghost", ["/no/such/program"]).start()


# Programs that are kept


class Kept:
    """run_services.py at work."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder / "log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(folder)],
                env={**os.environ, "PYTHONPATH": str(Path(esteio.__file__).parent.parent)},
                stderr=log,
            )
        until(lambda: self.pid("good") and self.pid("stubborn"), self.log())

    def pid(self, name: str) -> int:
        path = self.folder / name
        return int(path.read_text() or 0) if path.exists() else 0

    def log(self) -> str:
        return self._log.read_text()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.process.kill()
    made.process.wait()


def test_a_program_that_is_killed_is_back_while_one_that_cannot_work_holds_up_nobody(kept: Kept) -> None:
    first = kept.pid("good")
    os.kill(first, signal.SIGKILL)
    until(lambda: kept.pid("good") != first, kept.log())
    assert alive(kept.pid("good"))
    until(lambda: "service bad died (failure 3 in a row)" in kept.log(), kept.log())
    assert "service good is up again" in kept.log()
    until(lambda: kept.log().count("it begins\n") == 2, kept.log())
    assert "no luck\n" in kept.log()
    ours = [kept.pid("good"), kept.pid("stubborn")]
    kept.process.send_signal(signal.SIGTERM)
    assert kept.process.wait(20) == signal.SIGTERM
    assert not any(map(alive, ours))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's leash is Linux's")
def test_programs_end_with_who_keeps_them_even_when_that_is_killed(kept: Kept) -> None:
    pid = kept.pid("good")
    kept.process.kill()
    until(lambda: not alive(pid), "it outlived us")
    os.killpg(kept.pid("stubborn"), signal.SIGKILL)  # it was asked to; that it does not want to is its whole purpose


# A runner


class Fake:
    def __init__(self, name: str, calls: list[str]) -> None:
        self.name = name
        self.calls = calls
        self.up = False
        self.error: Exception | None = None

    def start(self) -> None:
        self.calls.append(f"start {self.name}")
        if self.error:
            raise self.error
        self.up = True

    def is_alive(self) -> bool:
        return self.up

    def stop(self, timeout: float) -> None:
        self.calls.append(f"stop {self.name}")
        self.up = False


def test_services_run_only_while_they_may_and_end_in_reverse_order() -> None:
    calls: list[str] = []
    services = [Fake("a", calls), Fake("b", calls)]
    may = threading.Event()
    runner = ServiceRunner(services, may_run=may.is_set)

    def life() -> None:
        time.sleep(0.3)
        calls.append("may")
        may.set()
        until(lambda: all(each.up for each in runner.states()) and runner.states())
        may.clear()
        until(lambda: not runner.states())
        may.set()
        until(lambda: all(each.up for each in runner.states()) and runner.states())
        runner.stop()

    living = threading.Thread(target=life)
    living.start()
    assert runner.run() == 0
    living.join()
    assert calls[0] == "may"
    assert sorted(calls[1:3]) == ["start a", "start b"]
    assert calls[3:5] == ["stop b", "stop a"]
    assert calls[-2:] == ["stop b", "stop a"]


def test_a_turn_that_raises_is_logged_and_the_runner_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    answers = [True, ValueError("again"), True, ValueError("not a word")]

    def may_run() -> bool:
        answer = answers.pop() if answers else True
        if isinstance(answer, ValueError):
            raise answer
        return answer

    def life() -> None:
        until(lambda: not answers and [each for each in runner.states() if each.up])
        runner.stop()

    runner = ServiceRunner([Fake("a", calls)], may_run=may_run)
    living = threading.Thread(target=life)
    living.start()
    assert runner.run() == 0
    living.join()
    assert calls == ["start a", "stop a"]
    assert "a turn of the runner of services failed; it goes on" in caplog.text


def test_a_turn_that_always_raises_ends_the_runner_and_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("esteio.serve._guard.MOST_FAILED_TURNS", 3)
    calls: list[str] = []
    answers = iter([True, True])
    with pytest.raises(StopIteration):
        ServiceRunner([Fake("a", calls)], may_run=lambda: next(answers)).run()
    assert calls[0] == "start a"
    assert calls[-1] == "stop a"


def test_a_demanding_caretaker_gives_up_when_the_first_start_fails() -> None:
    calls: list[str] = []
    services = [Fake("a", calls), Fake("b", calls)]
    services[1].error = ValueError("not today")
    with pytest.raises(ValueError, match="not today"):
        ServiceRunner(services, demanding=True, backoff=Exponential(initial=5.0)).run()
    assert calls[-1] == "stop a"
    assert calls.count("start b") == 1


def test_how_each_service_is_can_be_asked() -> None:
    services = [Fake("a", []), Fake("b", [])]
    services[1].error = ValueError("not today")
    runner = ServiceRunner(services, backoff=Exponential(initial=5.0))
    threading.Timer(0.5, runner.stop).start()
    seen = []
    services[0].is_alive = lambda: bool(seen.append(runner.states())) or True  # type: ignore[func-returns-value, method-assign]
    runner.run()
    a, b = seen[-1]
    assert (a.name, a.up, a.failures, a.error) == ("a", True, 0, "")
    assert (b.up, b.error) == (False, "not today")
    assert b.failures == 2
