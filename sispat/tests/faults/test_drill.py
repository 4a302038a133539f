"""The drill itself, against a real service: what it finds out, what it writes, and that it cleans up after itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from processos import ambiente, por_dentro

from esteio.drill import Measure, Run
from sispat.drill import reports
from sispat.drill.faults import _ROUNDS, FAULTS, SHORT
from sispat.drill.reports import Reports

pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(600)]

BUSY = {"load-stalled", "load-not-offered", "unwell-before"}
"""Reasons for which the machine may be to blame; all others are the service's or the drill's."""


def running(place: str) -> list[psutil.Process]:
    """What belongs to a drill below `place`, which is in the command line of some, in the environment of others."""
    found = []
    for each in psutil.process_iter(["cmdline", "environ", "status"]):
        words = " ".join(each.info["cmdline"] or ())
        data = (each.info["environ"] or {}).get("SISPAT_DATA_DIR", "")
        if each.info["status"] != psutil.STATUS_ZOMBIE and (place in words or data.startswith(place)):
            found.append(each)
    return found


def lines_until(lines: Iterable[str], word: str) -> Iterator[str]:
    for line in lines:
        yield line
        if word in line:
            return
    raise AssertionError(f"the drill never said {word!r}")


@contextmanager
def started(place: str, output: Path, fault: str = "worker-killed") -> Iterator[subprocess.Popen[str]]:
    """A drill as a process of its own, whose folder is below `place`."""
    options = ("--rounds", "100", "--size", "300", "--load", "10", "--output", str(output))
    command = [sys.executable, "-m", "sispat", "drill", fault, *options]
    with subprocess.Popen(command, env=ambiente(TMPDIR=place), stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(holds: Callable[[], object], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(holds())


def mounts(place: str) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if place in line]


def kill_one_that_starts(place: str, output: Path) -> Path:
    """The folder that it leaves."""
    with started(place, output, "certificate-expired") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "iniciado" in line)
        assert wait_for(lambda: any("serve" in (each.info["cmdline"] or ()) for each in running(place)))
        process.kill()
    assert running(place), "the service of a drill that is killed goes on"
    assert len(mounts(place)) == (3 if os.geteuid() == 0 else 0)
    [folder] = Path(place).iterdir()
    return folder


def test_a_drill_that_is_ended_while_it_starts_or_breaks_leaves_nothing_running_and_one_that_is_killed_leaves_it_to_the_next(
    tmp_path,
) -> None:
    with tempfile.TemporaryDirectory(prefix="d-") as place:  # short: the path of a socket has 107 characters
        Path(place).chmod(0o711)
        left = kill_one_that_starts(place, tmp_path)
        for number, when, code in ((signal.SIGINT, "iniciado", 130), (signal.SIGTERM, "worker-killed ", 143)):
            with started(place, tmp_path) as process:
                assert process.stdout is not None
                said = list(lines_until(process.stdout, when))
                assert any(str(left) in line for line in said) is (number == signal.SIGINT), (
                    "removed, and said so, once"
                )
                assert not left.exists()
                assert running(place) or number == signal.SIGINT
                process.send_signal(number)
                process.stdout.read()
                assert process.wait(120) == code
            assert not running(place)
            assert not mounts(place)
            assert not list(Path(place).iterdir())
    assert json.loads((tmp_path / "drill.json").read_text())["faults"], "what is known by then is written"


def test_eight_faults_lose_no_acknowledged_write_take_effect_and_are_reported(tmp_path, capsys) -> None:
    ended = por_dentro("drill", "--short", "--size", "300", "--output", str(tmp_path))
    told = json.loads((tmp_path / "drill.json").read_text())
    with capsys.disabled():
        print(f"\n{ended.stdout}")
    assert [fault["name"] for fault in told["faults"]] == list(SHORT)
    for fault in told["faults"]:
        (run,) = fault["runs"]
        assert set(run["invalid"]) <= BUSY, fault
        assert run["offered"] > 100, fault
        assert set(run["gaps_s"]) == {"list", "card", "create", "cep"}
    assert ended.returncode == (0 if all(fault["valid"] for fault in told["faults"]) else 1), ended.stderr
    assert {share["name"] for share in told["prediction"]["shares"]} >= {"power"}
    for total in ("software", "with_changes", "with_site"):
        assert told["prediction"][total].keys() == {"median", "low", "high", "p_99_9", "p_99_99"}
    for word in (*SHORT, "só o software", "com as mudanças", "com o lugar"):
        assert word in ended.stdout, word
    html = (tmp_path / "drill.html").read_text("utf-8")
    assert html.count("<figure") == len(SHORT)
    assert set(told["steps_s"]) >= {"starting", "between", "calm", "proof", "lasts", "recovery"}, "where the time went"
    assert not running("/sispat-drill-"), "nothing of it runs on"


def test_a_drill_of_all_faults_is_shown_on_the_operations_page_of_this_machine(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SISPAT_DATA_DIR", str(tmp_path / "data"))
    told, shown = {"drill.json": '{"faults": []}', "drill.html": "<p>"}, tmp_path / "data" / "drill" / "drill.json"
    whole = Reports(FAULTS, 3, (), tmp_path)
    whole.publish(told)
    assert not shown.exists(), "no service keeps its data here"
    (tmp_path / "data").mkdir()
    Reports(FAULTS[:3], 3, (), tmp_path).publish(told)
    assert not shown.exists(), "three faults are no year"
    whole.publish(told)
    assert shown.read_text() == told["drill.json"]
    assert shown.with_suffix(".html").read_text() == "<p>"


def test_an_unknown_fault_is_named_beside_those_that_are_known_and_nothing_is_started() -> None:
    refused = por_dentro("drill", "worker-killed", "meteoro")
    assert refused.returncode == 1
    assert "meteoro" in refused.stderr
    assert "postgres-killed" in refused.stderr
    listed = por_dentro("drill", "--list")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [fault.name for fault in FAULTS]
    assert set(_ROUNDS) < {fault.name for fault in FAULTS}


def test_rates_that_cannot_be_used_are_refused_before_anything_is_started(tmp_path) -> None:
    file = tmp_path / "rates.toml"
    file.write_text("[power]\nyearly = 'often'\nsource = 'me'\n")
    refused = por_dentro("drill", "--rates", str(file), "--output", str(tmp_path / "out"))
    assert refused.returncode == 1
    assert "yearly = 'often'" in refused.stderr


def drilled(mttr: float, lost: int = 10, *, reload_valid: bool = True) -> dict[str, Any]:
    """What `drill.json` says of two faults."""
    faults = (("reload", 0.0, 0, reload_valid), ("postgres-killed", mttr, lost, True))
    return {
        "faults": [
            {"name": name, "valid": valid, "recovered": True, "mttr_s": mttr, "lost": lost, "runs": [{"lost": lost}]}
            for name, mttr, lost, valid in faults
        ]
    }


def test_two_drills_are_compared_fault_by_fault(tmp_path) -> None:
    def compared(now: dict[str, Any], before: dict[str, Any]) -> tuple[int, str]:
        (tmp_path / "before.json").write_text(json.dumps(before))
        (tmp_path / "drill.json").write_text(json.dumps(now))
        ended = por_dentro("drill", "--output", str(tmp_path), "--compare", str(tmp_path / "before.json"))
        return ended.returncode, ended.stdout

    first = drilled(2.0)
    code, told = compared(drilled(2.3), first)
    assert (code, told.splitlines()) == (0, ["2 de 2 falhas iguais, até um quinto."])
    code, told = compared(drilled(4.0, 50), first)
    assert code == 1
    assert "postgres-killed, MTTR 2.00 s → 4.00 s" in told
    assert "postgres-killed, perdidos por rodada 10 → 50" in told
    assert "1 de 2 falhas iguais" in told
    code, told = compared(drilled(2.0, reload_valid=False), first)
    assert code == 0
    assert "Sem comparação, porque um dos dois não tem só rodadas válidas delas: reload" in told
    assert "1 de 1 falhas iguais" in told, "what proves nothing is not called the same"
    assert compared({"faults": first["faults"][:1]}, {"faults": first["faults"][1:]})[0] == 1, "nothing to compare"
    assert compared(first, {"faults": []})[0] == 1


def test_a_drill_of_another_version_is_named_with_what_to_do_and_a_new_one_beside_it_is_written(
    tmp_path, capsys
) -> None:
    older = {"faults": [{"name": "postgres-killed", "valid": True, "mttr_s": 2.0, "lost": 1, "recovered": True}]}
    before, now = tmp_path / "before.json", tmp_path / "drill.json"
    for old, new in ((before, now), (now, before)):
        old.write_text(json.dumps(older))
        new.write_text(json.dumps(drilled(2.0)))
        assert reports.compared(now, before) == 2
        told = capsys.readouterr().err
        assert f"{old} é de outra versão do simulado (a fault has no 'runs')" in told
        assert "Faça o simulado de novo" in told
    made = Reports(FAULTS[:1], 1, (), tmp_path)
    made.begin(SimpleNamespace(routes=lambda: [SimpleNamespace(rate=100.0)]))  # type: ignore[arg-type]
    made.add(Run(FAULTS[0].name, (), "", Measure(500, 0, 0, 0, {"list": 0.1}, 0.1)))
    now.write_text(json.dumps(older))
    made.write()
    assert f"{now} é de outra versão" in capsys.readouterr().err
    assert json.loads(now.read_text())["faults"][0]["name"] == FAULTS[0].name, "it takes the place of the older one"
