"""The drill itself, against a real service: what it finds out, what it writes, and that it cleans up after itself."""

from __future__ import annotations

import json

import psutil
import pytest
from processos import por_dentro

from sispat.drill.faults import FAULTS, SHORT

pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(600)]

BUSY = {"load-stalled", "load-not-offered", "unwell-before"}
"""Reasons for which the machine may be to blame; all others are the service's or the drill's."""


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
    html = (tmp_path / "drill.html").read_text("utf-8")
    assert html.count("<svg") == len(SHORT)
    left = [
        each for each in psutil.process_iter(["cmdline"]) if "sispat-drill-" in " ".join(each.info["cmdline"] or ())
    ]
    assert not left, "nothing of it runs on"


def test_an_unknown_fault_is_named_beside_those_that_are_known_and_nothing_is_started() -> None:
    refused = por_dentro("drill", "worker-killed", "meteoro")
    assert refused.returncode == 1
    assert "meteoro" in refused.stderr
    assert "postgres-killed" in refused.stderr
    listed = por_dentro("drill", "--list")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == [fault.name for fault in FAULTS]


def test_rates_that_cannot_be_used_are_refused_before_anything_is_started(tmp_path) -> None:
    file = tmp_path / "rates.toml"
    file.write_text("[power]\nyearly = 'often'\nsource = 'me'\n")
    refused = por_dentro("drill", "--rates", str(file), "--output", str(tmp_path / "out"))
    assert refused.returncode == 1
    assert "yearly = 'often'" in refused.stderr
