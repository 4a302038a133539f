"""The predicted year against closed forms, its file of rates, and the report made of both."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from dataclasses import replace

import pytest

from esteio.drill import (
    Comparison,
    FaultReport,
    Group,
    Invalid,
    LedgerCheck,
    Measure,
    Moved,
    OtherVersion,
    Rate,
    RatesInvalid,
    Report,
    Run,
    compare,
    page,
    predict,
    read_rates,
    update,
)
from esteio.drill._prediction import Event, _poisson
from esteio.drill._rates import SIGMA

MEAN_FACTOR = math.exp(SIGMA**2 / 2)  # of a lognormal with median 1


def test_a_counted_rate_with_a_sure_loss_has_the_mean_of_its_closed_form() -> None:
    events = {"crash": [Event(60.0, 60.0)] * 400}
    rate = Rate("crash", 20, "counted", counted=True, years=10)
    year = predict(events, [rate], years=1500)
    # Gamma(200.5)/10 events, of which Beta(400.5, 0.5) hurt, each a minute times the mean of the tail.
    closed = (200.5 / 10) * (400.5 / 401) * 1.0 * MEAN_FACTOR
    assert year.shares[0].minutes == pytest.approx(closed, rel=0.05)
    assert year.software.low < year.software.median < year.software.high
    assert year.software == year.with_changes == year.with_site


@pytest.mark.parametrize(("counted", "years"), [(0, 1), (1, 1), (0, 20), (3, 2)])
def test_probabilities_and_interval_of_a_fault_that_breaks_any_year_are_those_of_no_event(
    counted: int, years: int
) -> None:
    rate = Rate("flood", counted / years, "counted", counted=True, years=years, assumed_minutes=10**6)
    year = predict({}, [rate], years=4000).software
    # Poisson events with a rate of Gamma(k + 1/2, years) are negative binomial: none with (years / (years + 1))^(k + 1/2).
    none = (years / (years + 1)) ** (counted + 0.5)
    assert year.p_99_9 == pytest.approx(none, abs=0.025)
    assert year.p_99_99 == year.p_99_9
    assert (year.low == 0, year.median == 0, year.high == 0) == (none > 0.05, none > 0.5, none > 0.95)


def test_what_was_seen_updates_what_was_believed_by_the_closed_form() -> None:
    assert Rate("a", 12, "me").gamma() is None
    assert Rate("a", 3, "me", counted=True, years=2, seen=1, seen_years=2).gamma() == (7.5, 4)
    assert Rate("a", 0, "me", seen=2, seen_years=1).gamma() == (2.5, 1)
    before = Rate("a", 12, "me")
    mean = 12 * MEAN_FACTOR
    shape, exposure = Rate("a", 12, "me", seen_years=1e-9).gamma() or (0, 0)
    assert shape / exposure == pytest.approx(mean)
    assert math.sqrt(1 / shape) == pytest.approx(math.sqrt(math.exp(SIGMA**2) - 1))
    quiet, busy, century = ((0, 1.0), (30, 1.0), (300, 100.0))
    means = []
    for seen, years in (quiet, busy, century):
        shape, exposure = replace(before, seen=seen, seen_years=years).gamma() or (0, 0)
        means.append(shape / exposure)
    assert means[0] < mean < means[1]
    assert means[2] == pytest.approx(3.0, rel=0.05), "after a century only what was counted matters"
    year = predict({"a": [Event(60.0, 60.0)] * 400}, [replace(before, seen=300, seen_years=100.0)], years=1500)
    assert year.shares[0].minutes == pytest.approx(means[2] * MEAN_FACTOR, rel=0.1)


def test_incidents_of_the_machine_raise_the_rates_of_their_cause_once_and_lower_only_what_nobody_can_miss() -> None:
    rates = (
        Rate("worker-killed", 12, "assumed", cause="process-died"),
        Rate("worker-busy", 4, "assumed", cause="process-died"),
        Rate("disk-full", 0.5, "assumed", cause="disk-full", noticed=True),
        Rate("power", 4.9, "ANEEL", counted=True, years=2),
    )
    worker, busy, disk, power = update(rates, {"process-died": 8, "unknown": 5}, 0.25)
    assert worker.seen == pytest.approx(6)  # three of four, as was believed before
    assert busy.seen == pytest.approx(2)
    assert worker.seen_years == 0.25
    spread = math.exp(SIGMA**2) - 1
    shape, exposure = 1 / spread, 1 / (spread * rates[0].mean)
    assert worker.mean == pytest.approx((shape + 6) / (exposure + 0.25))
    assert worker.mean > rates[0].mean
    assert worker.lived
    assert worker.source == "assumed; here 8 incidents by process-died in 0.25 years, 6 of them its"
    assert (disk.seen, disk.seen_years) == (0, 0.25)
    assert disk.mean < rates[2].mean
    assert power == rates[3], "no incident says anything of it"
    calm = update(rates, {}, 3.0)
    assert calm[:2] == rates[:2], (
        "a worker that is replaced within a second makes no incident: none of them proves nothing"
    )
    assert calm[2].mean < disk.mean
    assert update(rates, {"process-died": 8}, 0.25, keep=["worker-killed"])[:2] == (rates[0], busy), (
        "a person's own line"
    )
    assert update(rates, {"process-died": 8}, 0.0) == rates, "nobody has looked yet"


def test_no_loss_in_a_few_runs_is_no_proof_of_none() -> None:
    rate = Rate("roll", 24, "counted", counted=True, years=1)
    three = predict({"roll": [Event(0.0, 0.5)] * 3}, [rate]).shares[0].minutes
    thirty = predict({"roll": [Event(0.0, 0.5)] * 30}, [rate]).shares[0].minutes
    assert three == pytest.approx(24.5 * (0.5 / 4) * (0.5 / 60) * MEAN_FACTOR, rel=0.15)
    assert 0 < thirty < three / 4


def test_totals_contain_each_other_and_power_cuts_alone_break_three_nines() -> None:
    rates = [
        Rate("crash", 2, "assumed"),
        Rate("reboot", 12, "assumed", group=Group.CHANGES, assumed_minutes=2),
        Rate("power", 4.9, "ANEEL 2024", group=Group.SITE, assumed_minutes=125),
        Rate("meteor", 1e-6, "assumed"),
    ]
    year = predict({"crash": [Event(0.4, 0.4), Event(0.0, 0.2)]}, rates)
    assert year.software.median < year.with_changes.median < year.with_site.median
    assert year.software.p_99_9 == 1.0
    assert year.with_changes.p_99_9 > 0.99
    assert year.with_site.p_99_9 < 0.5
    assert year.shares[0].name == "power"
    assert [share.measured for share in year.shares] == [False, False, True]
    assert year.left_out == ("meteor",)


def test_only_the_share_of_events_that_meets_people_at_work_counts() -> None:
    def mean(office: float) -> float:
        rate = Rate("x", 40, "counted", counted=True, assumed_minutes=1, office=office)
        return predict({}, [rate]).shares[0].minutes

    assert mean(0.25) == pytest.approx(mean(1.0) / 4, rel=0.1)


@pytest.mark.parametrize("mean", [0.3, 7.0, 900.0])
def test_events_are_poisson(mean: float) -> None:
    rng = random.Random(3)
    drawn = [_poisson(mean, rng) for _ in range(4000)]
    average = sum(drawn) / len(drawn)
    variance = sum((each - average) ** 2 for each in drawn) / len(drawn)
    assert average == pytest.approx(mean, rel=0.08)
    assert variance == pytest.approx(mean, rel=0.12)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a]\nyearly = 1", "[a] of FILE: source is missing."),
        ("[a]\nyearly = -1\nsource = 'x'", "yearly = -1; a number from 0 is allowed"),
        ("[a]\nyearly = 1\nsource = 'x'\ngroup = 'fate'", "group = 'fate'; allowed: software, changes, site"),
        ("[a]\nyearly = 1\nsource = 'x'\nminutes = 3", "minutes is unknown; allowed: "),
        ("a = 1", "[a] of FILE: it has to be a table"),
        ("[a]\nyearly = 1\nsource = 'x'\nyears = 0", "years has to be more than 0"),
        ("[a]\nyearly = 1\nsource = 'x'\nseen = 2", "seen = 2 needs seen_years"),
        ("[a", "FILE: "),
    ],
)
def test_a_rate_that_cannot_be_used_is_named(text: str, told: str, tmp_path) -> None:
    file = tmp_path / "rates.toml"
    file.write_text(text)
    with pytest.raises(RatesInvalid) as refused:
        read_rates(file)
    assert told in str(refused.value).replace(str(file), "FILE")


def run(name: str, lost: int, mttr: float, *invalid: Invalid, page_after: float | None = None) -> Run:
    measured = Measure(1000, lost, lost // 2, 0, {"list": mttr}, mttr)
    return Run(
        name,
        invalid,
        "because <b>" if invalid else "",
        measured,
        0.01,
        page_after,
        "PostgreSQL is away" if page_after else "",
        None,
        LedgerCheck((), (), 1, 0),
        {"ConnectError": lost} if lost else {},
        {-1: Counter(good=100), 0: Counter(good=50, error=lost)},
    )


def report(*faults: FaultReport) -> Report:
    rates = (Rate("kill", 12, "assumed"), Rate("power", 4.9, "ANEEL 2024", group=Group.SITE, assumed_minutes=125))
    return Report("2026-11-29T10:00:00-03:00", faults, 100.0, {"cores": 2}, rates)


def test_the_report_has_medians_of_valid_runs_and_says_why_others_prove_nothing() -> None:
    kill = FaultReport(
        "kill", "Worker killed", False, (run("kill", 1, 0.2), run("kill", 4, 0.9, page_after=0.4), run("kill", 0, 0.0))
    )
    lies = FaultReport("lies", "It <lies>", False, (run("lies", 0, 0.0), run("lies", 9, 1.0, Invalid.WRONG)))
    endless = FaultReport("endless", "Never back", False, (run("endless", 900, math.inf),))
    skipped = FaultReport("disk", "Disk full", False, (), "needs root")
    told = json.loads(json.dumps(report(kill, lies, endless, skipped).as_json()))
    by_name = {fault["name"]: fault for fault in told["faults"]}
    assert by_name["kill"] | {"runs": []} == {
        "name": "kill", "title": "Worker killed", "planned": False, "valid": True, "n": 3, "why": "", "skipped": False,
        "offered": 3000, "lost": 5, "unknown": 2, "longest_gap_s": 0.2, "mttr_s": 0.2, "recovered": True,
        "detected_s": {"page": 0.4, "alert": None}, "runs": [],
    }  # fmt: skip
    assert by_name["lies"]["valid"] is False
    assert by_name["lies"]["why"] == "wrong-answers: because <b>"
    assert (by_name["endless"]["mttr_s"], by_name["endless"]["recovered"]) == (None, False)
    assert by_name["disk"]["skipped"]
    assert [share["name"] for share in told["prediction"]["shares"]] == ["power", "kill"]
    html = page(told)
    assert "It &lt;lies&gt;" in html
    assert "because &lt;b&gt;" in html
    assert "not recovered" in html
    assert html.count("<figure") == 3
    assert "run 2 / 3: lost 4 / 1000" in html, "the run that lost most is drawn"
    assert "<td class=n>1 / 2</td>" in html, "how many runs the figures are of"
    assert "needs root" in html
    assert "://" not in html, "one file that asks nobody for anything"


def test_what_moved_between_two_drills_is_told_and_what_cannot_be_compared_is_not_called_the_same() -> None:
    def drill(*faults: FaultReport) -> dict[str, object]:
        return dict(report(*faults).as_json())

    def one(name: str, *runs: Run) -> FaultReport:
        return FaultReport(name, "", False, runs)

    kill, slower = one("kill", run("kill", 1, 2.0)), one("kill", run("kill", 1, 4.0))
    assert compare(drill(slower), drill(kill)).moved == (Moved("kill", "mttr", 2.0, 4.0),)
    assert compare(drill(kill), drill(kill)) == Comparison((), ("kill",), ())
    thrice = one("kill", *(run("kill", lost, 2.0) for lost in (0, 1, 9)))
    assert compare(drill(thrice), drill(kill)).same == ("kill",), "lost in a run, whatever the number of rounds"
    worse = compare(drill(one("kill", run("kill", 40, 2.2))), drill(kill))
    assert worse.moved == (Moved("kill", "lost", 1, 40),)
    for near in (run("kill", 2, 2.2), run("kill", 0, 1.8)):
        assert compare(drill(one("kill", near)), drill(kill)).same == ("kill",)
    endless = drill(one("kill", run("kill", 1, math.inf)))
    assert compare(endless, drill(kill)).moved == (Moved("kill", "mttr", 2.0, math.inf),)
    assert compare(endless, endless).same == ("kill",)
    stalled, skipped = one("kill", run("kill", 1, 2.0, Invalid.STALLED)), FaultReport("kill", "", False, (), "no root")
    for other in (drill(stalled), drill(skipped), drill(), {}):
        assert compare(other, drill(kill)) == compare(drill(kill), other) == Comparison((), (), ("kill",))
    for missing in ("recovered", "runs"):
        older = drill(kill)
        older["faults"] = [{k: v for k, v in fault.items() if k != missing} for fault in older["faults"]]  # type: ignore[attr-defined]
        with pytest.raises(
            OtherVersion, match=f"'before' was written by another version: a fault has no '{missing}'; drill"
        ):
            compare(drill(kill), older)
        with pytest.raises(OtherVersion, match="'now' was written by another version"):
            compare(older, drill(kill))
    html = page(drill(kill), [Moved("kill", "lost", 1, 40), Moved("hang", "mttr", 2.0, math.inf)])
    assert "kill: lost in a run 1 → 40; hang: MTTR 2.00 s → not recovered</p>" in html


def test_a_fault_that_no_rate_names_is_in_no_total_and_is_said() -> None:
    unknown = FaultReport("flood", "", False, (run("flood", 9, 1.0),))
    told = report(FaultReport("kill", "", False, (run("kill", 1, 2.0),)), unknown).as_json()
    assert told["prediction"]["unrated"] == ("flood",)
    assert "no rate says how often they come: flood." in page(told)
    year = predict({"outage": [Event(1.0, 1.0)], "stalled": []}, [Rate("reboot", 12, "assumed", measured_by="outage")])
    assert year.unrated == (), "another rate is measured by it; and what has no valid run has nothing to count"
