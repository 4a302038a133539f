"""Each fault has a yearly rate; the incidents of this machine change them, and what a person wrote stays."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from esteio.alert.incidents import Evidence, Incident, Source
from esteio.alert.monitor import AlertStore
from esteio.alert.objectives import Minute
from esteio.drill import FaultReport, Invalid, Measure, Moved, Rate, Report, Run, page, read_rates
from sispat.drill.command import _RATES, _yearly
from sispat.drill.faults import FAULTS
from sispat.drill.reports import Reports, _show_lived, report_words

_DAY = 86_400


def incident(number: int, cause: str, *evidence: tuple[str, str], maintenance: bool = False) -> Incident:
    began = time.time() - _DAY * number
    found = tuple(Evidence(began, code, detail) for code, detail in evidence)
    return Incident(number, began, began, began + 60, 60.0, cause, (Source.PROBE,), found, maintenance=maintenance)


@pytest.fixture
def lived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that was watched for 73 days, with seven incidents, one of them in maintenance."""
    monkeypatch.setenv("SISPAT_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    died = "process-died"
    incidents = [
        incident(1, died, (died, "worker 1: killed by signal 9")), incident(2, died, (died, "operator: it died")),
        incident(3, died, (died, "PostgreSQL: it died")), incident(4, "database-shutdown", ("database-shutdown", "x")),
        incident(5, died, (died, "everything: away for 900 s")), incident(6, "unknown"),
        incident(7, "disk-full", maintenance=True),
    ]  # fmt: skip
    store = AlertStore(tmp_path / "alerts.sqlite")
    hours = int(time.time()) // 3600 * 3600
    for each in incidents:  # one at a time, as the monitor writes them
        assert store.save(time.time(), {}, [each])
    minutes = [Minute(hours - 3600 * n, 100, 0, 0, 3600.0) for n in reversed(range(73 * 24))]
    for begin in range(0, len(minutes), 24):
        assert store.save(time.time(), {}, [], minutes=minutes[begin : begin + 24])
    store.close()
    return tmp_path


def test_each_fault_has_a_rate_and_each_rate_a_fault_or_a_duration_of_its_own() -> None:
    rates, faults = read_rates(_RATES), {fault.name for fault in FAULTS}
    assert faults == {rate.measured_by or rate.name for rate in rates if not rate.assumed_minutes}
    assert [rate.name for rate in rates if rate.assumed_minutes] == ["power"]


def test_the_report_has_words_of_its_own_language_only() -> None:
    """What `esteio.drill.page` asks for is in the table of its Portuguese words."""
    asked = set[str]()
    run = Run(
        "a", (Invalid.STALLED,), "", Measure(9, 1, 0, 0, {"list": 1.0}, 1.0), said="x", seconds={0: Counter(good=1)}
    )
    endless = replace(run, invalid=(), measured=Measure(9, 1, 0, 0, {"list": 1.0}, math.inf))
    reports = tuple(FaultReport(name, name, False, (each,)) for name, each in (("a", run), ("b", endless)))
    rates = (Rate("b", 1, "x", assumed_minutes=1), Rate("c", 1, "x"))
    told = Report("2026-11-29T10:00:00-03:00", reports, 100.0, {}, rates).as_json()
    told["prediction"]["unrated"] = ("a",)
    page(
        told, [Moved("a", "lost", 1, 9), Moved("a", "mttr", 1, math.inf)], gettext=lambda text: asked.add(text) or text
    )
    assert asked - report_words().keys() == set()


def test_a_second_drill_says_what_moved_since_the_first(tmp_path: Path, capsys) -> None:
    routes = [SimpleNamespace(rate=100.0)]
    for lost, mttr in ((0, 0.5), (40, 3.0)):
        made = Reports(FAULTS[:1], 1, read_rates(_RATES), tmp_path)
        made.begin(SimpleNamespace(routes=lambda: routes))  # type: ignore[arg-type]
        made.add(Run(FAULTS[0].name, (), "", Measure(500, lost, 0, 0, {"list": mttr}, mttr)))
        capsys.readouterr()
        made.write()
    told = capsys.readouterr().out
    assert "worker-killed, MTTR 0.50 s → 3.00 s" in told
    assert "worker-killed, perdidos por rodada 0 → 40" in told
    assert "worker-killed: MTTR 0.50 s → 3.00 s; worker-killed: perdidos por rodada 0 → 40" in (
        tmp_path / "drill.html"
    ).read_text("utf-8")


def test_rates_are_updated_by_the_incidents_of_the_machine_by_cause_and_it_is_said(lived: Path, capsys) -> None:
    rates = {rate.name: rate for rate in _yearly(_RATES)}
    years = 73 / 365
    of_cause = {
        cause: sum(rate.seen for rate in rates.values() if rate.cause == cause)
        for cause in ("process-died", "database-shutdown", "boot", "disk-full")
    }
    assert rates["disk-full"].seen_years == pytest.approx(years, rel=0.001)
    assert (rates["disk-full"].seen, rates["disk-full"].lived) == (0, True)
    assert of_cause["database-shutdown"] == pytest.approx(2), "one said so, of the other one PostgreSQL died"
    assert rates["postgres-killed"].lived
    assert not rates["cep-away"].lived
    assert of_cause["process-died"] == 0, "ten in a year are fewer than was believed, and most make no incident"
    assert not rates["power"].lived
    _show_lived(list(rates.values()))
    told = capsys.readouterr().out
    assert "postgres-killed" in told
    assert "here 2 incidents by database-shutdown in 0.2 years" in told
    assert "cep-away" not in told


def test_a_line_that_a_person_changed_is_left_as_it_is(lived: Path) -> None:
    file = lived / "rates.toml"
    file.write_text(_RATES.read_text().replace("[postgres-killed]\nyearly = 2", "[postgres-killed]\nyearly = 3"))
    rates = {rate.name: rate for rate in _yearly(file)}
    assert (rates["postgres-killed"].yearly, rates["postgres-killed"].lived) == (3, False)
    assert rates["postgres-frozen"].lived, "the others are as they were shipped"


def test_nothing_was_lived_where_no_service_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SISPAT_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert not any(rate.lived for rate in _yearly(_RATES))
    assert not list(tmp_path.iterdir())
