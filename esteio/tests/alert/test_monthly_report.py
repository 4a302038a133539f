"""The report of a month: what was observed, what failed, what was closed on purpose, which backups were proven; as PDF."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pypdfium2
import pytest
from starlette.applications import Starlette

from esteio.alert import ENGLISH
from esteio.alert.incidents import Evidence, Incident, Source
from esteio.alert.monitor import Alerts, AlertStore, BackupRecord
from esteio.alert.objectives import Minute
from esteio.alert.report import (
    REPORT_WORDS,
    Document,
    Month,
    MonthError,
    Part,
    PdfFailed,
    Table,
    month_report,
    report_document,
    report_pdf,
)
from esteio.health import HistoryReader, Measurements, Monitor
from esteio.health._history import History, Observation
from esteio.health.series import SERVICE, Mark, State
from esteio.web.operations import operations_routes

CITY = ZoneInfo("America/Sao_Paulo")
NOVEMBER = Month.parse("2026-11", CITY, 2e9)
HOUR, DAY = 3600.0, 86_400.0
NOW = NOVEMBER.end + 10 * DAY


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[HistoryReader, Alerts]:
    """A November: down for an hour on the 10th, closed for two on the 20th, not observed on the 25th."""
    path = tmp_path_factory.mktemp("report")
    history = History(path / "health.sqlite", gap=HOUR)
    begin = NOVEMBER.begin
    looks = []
    for half in range(-48, 2 * 24 * 32):
        at = begin + half * HOUR / 2
        day, hour = divmod(at - begin, DAY)
        if day == 24:
            continue
        state = State.DOWN if (day, hour) in ((9, 0), (9, HOUR / 2)) else State.UP
        state = State.MAINTENANCE if day == 19 and 0 <= hour < 2 * HOUR else state
        looks.append(Observation(at, states={SERVICE: (state, "new disk"), "db": (State.UP, "")}))
    marks = [Mark(begin - 5, "version", "1.9"), Mark(begin + 9 * DAY - 60, "version", "2.0 #*_$"), Mark(NOW, "start")]
    assert all(history.observe(*looks[part : part + 1000]) for part in range(0, len(looks), 1000))
    assert history.observe(Observation(looks[-1].at, marks=marks))
    history.close()
    store = AlertStore(path / "alerts.sqlite")
    store.load(NOW)
    down = begin + 9 * DAY
    incidents = [
        Incident(1, begin - 60, begin - 50, begin + 240, sources=(Source.PROBE,)),
        Incident(
            2, down, down + 10, down + HOUR, HOUR, "deploy", (Source.PROBE,), (Evidence(down - 60, "deploy", "2.0"),)
        ),
        Incident(3, begin + 19 * DAY, begin + 19 * DAY, begin + 19 * DAY + 60, maintenance=True),
        Incident(4, NOVEMBER.end + 5, NOVEMBER.end + 6, NOVEMBER.end + 9),
    ]
    minutes = [
        Minute(int(begin) - 60, 1000, 1000), Minute(int(begin), 6000, 3, 60, 60, 0), Minute(int(down), 4000, 7, 30, 60, 60),
        Minute(int(NOVEMBER.end), 1000, 1000),
    ]  # fmt: skip
    backups = [
        BackupRecord("b1", "dump", begin - 1, 5),
        BackupRecord("b2", "base", begin + DAY, 5_000_000, begin + DAY + 60, sound=True, restore_seconds=12.0, rows=9),
        BackupRecord("b3", "dump", begin + 2 * DAY, 1000, begin + 2 * DAY, sound=False, restore_seconds=1.0, rows=9),
        BackupRecord("b4", "dump", begin + 3 * DAY, 1000),
    ]
    assert store.save(NOW, {}, incidents, minutes=minutes, backups=backups)
    # As it is later: the minutes are gone, and retention has removed the backups.
    assert store.save(NOW + 40 * DAY, {}, minutes=[Minute(int(NOW + 40 * DAY))])
    store.close()
    return HistoryReader(history.path, gap=HOUR), Alerts(store.path)


def test_months_begin_and_end_at_midnight_of_the_city_also_where_its_clocks_change(tmp_path: Path) -> None:
    assert [datetime.fromtimestamp(at, CITY).isoformat() for at in (NOVEMBER.begin, NOVEMBER.end)] == [
        "2026-11-01T00:00:00-03:00", "2026-12-01T00:00:00-03:00",
    ]  # fmt: skip
    lisbon = ZoneInfo("Europe/Lisbon")
    hours = {name: (m.end - m.begin) / HOUR for name in ("2026-03", "2026-10", "2026-12")
             for m in [Month.parse(name, lisbon, 2e9)]}  # fmt: skip
    assert hours == {"2026-03": 743, "2026-10": 745, "2026-12": 744}
    then = Month.parse("2018-11", CITY, 2e9)  # daylight saving time began on the 4th
    assert (then.end - then.begin) / HOUR == 719
    assert Month.of(then.begin, CITY) == then
    assert Month.of(then.begin - 1, CITY).name == then.before(CITY).name == "2018-10"
    assert Month.parse("2026-12", CITY, 2e9).before(CITY) == NOVEMBER
    for wrong in ("2026-13", "2026-1", "november", "", "2026-11-01", "0001-01", "\u0662026-11"):
        with pytest.raises(MonthError, match="2026-11"):
            Month.parse(wrong, CITY, 2e9)
    with pytest.raises(MonthError, match="have begun"):
        Month.parse("2026-11", CITY, NOVEMBER.begin - 1)


def test_unknown_time_is_apart_maintenance_is_listed_and_only_the_month_counts(
    kept: tuple[HistoryReader, Alerts],
) -> None:
    found = month_report(NOVEMBER, *kept, NOW)
    seconds = found.service.seconds
    assert sum(seconds.values()) == NOVEMBER.end - NOVEMBER.begin == 30 * DAY
    assert seconds[State.DOWN] == pytest.approx(HOUR)
    assert seconds[State.MAINTENANCE] == pytest.approx(2 * HOUR)
    assert seconds[State.UNKNOWN] == pytest.approx(DAY, rel=0.03)
    assert found.service.ratio == pytest.approx(1 - HOUR / (30 * DAY - 2 * HOUR - seconds[State.UNKNOWN]))
    assert found.checks["db"].ratio == 1.0
    assert [(each.since, each.until - each.since) for each in found.maintenance] == [
        (NOVEMBER.begin + 19 * DAY, pytest.approx(2 * HOUR))
    ]
    assert [each.number for each in found.incidents] == [1, 2, 3], "one that began in October lasted into November"
    assert (found.reliability.count, found.reliability.mttr, found.reliability.detection) == (2, 1950.0, 10.0)
    assert found.reliability.mtbf == pytest.approx(seconds[State.UP] / 2)
    availability, latency, by_time = found.budgets
    assert (availability.tally.total, availability.tally.bad, availability.left) == (10_000, 10, pytest.approx(0.0))
    assert (latency.tally.bad, latency.left) == (90, pytest.approx(0.1))
    assert (by_time.tally.timed, by_time.tally.total, by_time.tally.bad) == (True, 120, 60)
    assert [each.name for each in found.backups] == ["b2", "b3", "b4"]
    assert [each.name for each in found.marks] == ["2.0 #*_$"]


def test_a_month_that_goes_on_is_reported_up_to_now_and_one_nobody_saw_is_unknown(
    kept: tuple[HistoryReader, Alerts], tmp_path: Path
) -> None:
    half = month_report(NOVEMBER, *kept, NOVEMBER.begin + 9 * DAY)
    assert (half.service.period, half.service.ratio) == (9 * DAY, 1.0)
    said = report_document(half, REPORT_WORDS["en"], ENGLISH)
    assert said.made == "The month is not over: until 2026-11-10 03:00 UTC."
    empty = month_report(NOVEMBER, HistoryReader(tmp_path / "none"), Alerts(tmp_path / "none"), NOW)
    assert (empty.service.ratio, empty.service.seconds[State.UNKNOWN]) == (None, 30 * DAY)
    nothing = report_document(empty, REPORT_WORDS["en"], ENGLISH)
    sentences = [sentence for part in nothing.parts for sentence in part.sentences]
    later = month_report(NOVEMBER, *kept, NOVEMBER.begin + 91 * DAY)
    assert (found := [s for part in report_document(later, REPORT_WORDS["en"], ENGLISH).parts for s in part.sentences])
    assert found.count("Of this only the last 90 days are kept.") == 2, "nothing known is not nothing there"
    assert later.service.seconds[State.DOWN] == pytest.approx(HOUR)
    assert {"Nobody observed the service in this month.", "No incident.", "No backup is known.", "None."} <= set(
        sentences
    )


def text_of(document: Document) -> str:
    return json.dumps(document.to_json(), ensure_ascii=False)


def document_of(kept: tuple[HistoryReader, Alerts], tag: str = "en") -> Document:
    return report_document(
        month_report(NOVEMBER, *kept, NOW), REPORT_WORDS[tag], replace(ENGLISH, timezone="America/Sao_Paulo"), service="S",
        names={"db": "The database"},
    )  # fmt: skip


def test_it_says_all_that_in_words_of_both_languages(kept: tuple[HistoryReader, Alerts]) -> None:
    english, portuguese = document_of(kept), document_of(kept, "pt-BR")
    assert english.title == "S · Monthly report: November 2026"
    assert portuguese.title == "S · Relatório mensal: novembro de 2026"
    for shown in (
        "the service was up for 99.8", "2 ended: mean duration (MTTR) 32.5 min", "The database",
        "3 made, 1 proven by a restore.",
        "the proof failed", "not proven", "new disk", "deploy: 2.0", "99.9 % of the observed time up", "(in maintenance)",
    ):  # fmt: skip
        assert shown in text_of(english), shown
    assert REPORT_WORDS["en"].texts.keys() == REPORT_WORDS["pt-BR"].texts.keys()
    assert len(english.parts) == len(portuguese.parts)
    assert not {p.heading for p in english.parts} & {p.heading for p in portuguese.parts}


def test_the_pdf_is_the_same_bytes_in_any_process_time_zone_and_language_and_holds_what_was_typed_as_text(
    kept: tuple[HistoryReader, Alerts], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = document_of(kept)
    first = report_pdf(document, NOVEMBER.end)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    assert report_pdf(document, NOVEMBER.end) == first
    opened = pypdfium2.PdfDocument(first)
    text = "\n".join(page.get_textpage().get_text_bounded() for page in opened)
    opened.close()
    assert "2.0 #*_$" in text, "markup of Typst in a name is text"
    assert "Monthly report: November 2026" in text


def test_a_pdf_that_takes_too_much_or_too_long_fails_with_the_reason_and_nothing_else() -> None:
    small = Document("t", "en", "m", "Page", (Part("h", ("\U0001f600 #panic()",)),))
    assert report_pdf(small, 0.0).startswith(b"%PDF-")
    with pytest.raises(PdfFailed, match=r"failed to map|memory|exit code"):
        report_pdf(small, 0.0, memory=60_000_000)
    rows = tuple((str(n), "x " * 40) for n in range(20_000))
    with pytest.raises(PdfFailed, match="more than 0 s"):
        report_pdf(Document("t", "en", "m", "Page", (Part("h", (), Table(("a", "b"), rows)),)), 0.0, timeout=0.05)


async def test_the_page_and_its_pdf_are_routes_of_the_operations_page(kept: tuple[HistoryReader, Alerts]) -> None:
    history, alerts = kept
    app = Starlette(
        routes=operations_routes(
            Monitor([]), Measurements(), history, alerts=alerts, title="<S>", timezone="America/Sao_Paulo"
        )
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        page = await client.get("/operations/report?month=2026-11", headers={"Accept-Language": "pt-BR"})
        pdf = await client.get("/operations/report.pdf?month=2026-11")
        wrong = await client.get("/operations/report?month=2026-13")
        latest = await client.get("/operations/report")
        linked = await client.get("/operations")
    assert page.status_code == 200
    assert "<h1>&lt;S&gt; · Relatório mensal: novembro de 2026</h1>" in page.text
    assert "Nova versão: 2.0 #*_$" in page.text
    assert 'href="/operations/report.pdf?month=2026-11"' in page.text
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-")
    assert (wrong.status_code, latest.status_code) == (422, 200)
    assert 'href="/operations/report"' in linked.text


def test_the_program_that_draws_needs_nothing_of_the_toolkit() -> None:
    program = Path(sys.modules["esteio.alert.report._pdf"].__file__ or "").with_name("_typst.py")
    done = subprocess.run([sys.executable, "-I", str(program)], input=b"{}", capture_output=True, check=False, env={})
    assert done.returncode != 0
    assert b"KeyError: 'memory'" in done.stderr
