"""The incidents of this machine, as its operator wrote them, change the yearly rates; what a person wrote stays."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from esteio.alert.incidents import Evidence, Incident, Source
from esteio.alert.monitor import AlertStore
from esteio.alert.objectives import Minute
from sispat.drill.command import _RATES, _yearly
from sispat.drill.reports import _show_lived

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
