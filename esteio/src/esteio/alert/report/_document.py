"""The report in words: headings, sentences and tables, which the page and the PDF both show. Pure.

Promises: what people or programs wrote - names, reasons, details - is text in it, never markup. Long tables are cut, and
say by how much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from esteio.alert._words import NoticeWords
from esteio.alert.incidents import CAUSE_WORDS, SOURCE_WORDS, Evidence, Incident, Uptime
from esteio.alert.monitor import BackupRecord
from esteio.alert.objectives import Budget
from esteio.alert.report._month import Month, MonthReport
from esteio.alert.report._words import ReportWords
from esteio.alert.rules import ABSENT
from esteio.health.series import State

__all__ = ["Document", "Part", "Table", "report_document"]

_MOST_ROWS = 200
_MOST_EVIDENCE = 3


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of plain text under `heads`."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A heading, sentences, and a table where there is one."""

    heading: str
    sentences: tuple[str, ...] = ()
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A report as people read it."""

    title: str
    language: str
    made: str
    page: str
    """What is written before the number of a page."""
    parts: tuple[Part, ...]

    def to_json(self) -> dict[str, Any]:
        """As a record."""
        return asdict(self)


def report_document(
    report: MonthReport, words: ReportWords, notice: NoticeWords, *, service: str = "", names: Mapping[str, str] | None = None,
    titles: Mapping[str, str] | None = None,
) -> Document:  # fmt: skip
    """`report` in `words`; `notice` writes moments, sizes and durations. `service` is what its title begins with.

    `names` are what people call checks, `titles` what alerts say, by their names.
    """
    teller = _Teller(words, notice, names or {}, titles or {})
    title = words["title"].format(month=teller.month(report.month))
    partial = report.until < report.month.end
    made = words["partial" if partial else "made"].format(moment=notice.when(report.until))
    parts = (
        teller.availability(report.service), teller.checks(report.checks), teller.budget(report.budgets),
        teller.incidents(report), teller.maintenance(report), teller.backups(report.backups), teller.marks(report),
    )  # fmt: skip
    return Document(f"{service} · {title}" if service else title, words.tag, made, words["page"], parts)


@dataclass(frozen=True, slots=True)
class _Teller:
    """Says the parts."""

    words: ReportWords
    notice: NoticeWords
    names: Mapping[str, str]
    titles: Mapping[str, str]

    def month(self, month: Month) -> str:
        """Such as November 2026."""
        year, number = month.name.split("-")
        return self.words.month.format(name=self.words.months[int(number) - 1], year=year)

    def availability(self, found: Uptime) -> Part:
        """How long it was in each state; what nobody observed is said."""
        said = [self.words["available"].format(share=self._share(found.ratio))]
        if found.ratio is None:
            said = [self.words["nothing"]]
        unknown = found.seconds[State.UNKNOWN]
        if unknown >= 1:
            share = self._share(unknown / found.period)
            said.append(self.words["unknown"].format(duration=self.notice.duration(unknown), share=share))
        rows = [
            (self.words.states[state], self.notice.duration(seconds), self._share(seconds / found.period))
            for state, seconds in found.seconds.items()
        ]
        return Part(self.words["availability"], tuple(said), self._table(("state", "time", "share"), rows))

    def checks(self, found: Mapping[str, Uptime]) -> Part:
        """Each check."""
        rows = [
            (
                self.names.get(name, name), self._share(each.ratio), self.notice.duration(each.seconds[State.DOWN]),
                self.notice.duration(each.seconds[State.UNKNOWN]),
            )
            for name, each in found.items()
        ]  # fmt: skip
        return Part(self.words["checks"], (), self._table(("check", "up", "down", "unseen"), rows))

    def budget(self, found: Sequence[Budget]) -> Part:
        """What was allowed to fail, what did, and what is left of that."""
        rows = [self._budget(each) for each in found]
        return Part(self.words["budget"], (), self._table(("objective", "counted", "bad", "allowed", "left"), rows))

    def _budget(self, found: Budget) -> tuple[str, ...]:
        name = "time" if found.tally.timed else found.objective.name
        said = self.words[f"objective_{name}"].format(target=self.words.number(100 * found.objective.target, 1, "%"))
        amounts = (found.tally.total, found.tally.bad, found.allowed)
        shown = [self.notice.duration(each) if found.tally.timed else self.words.number(each) for each in amounts]
        return (said, *shown, "–" if found.left is None else self.words.number(100 * found.left, 1, "%"))

    def incidents(self, report: MonthReport) -> Part:
        """Each incident, and what they say together."""
        if not report.incidents:
            return Part(self.words["incidents"], (self.words["no_incidents"],))
        found = report.reliability
        said = self.words["reliability"].format(
            count=found.count, mttr=self._duration(found.mttr), mtbf=self._duration(found.mtbf),
            detection=self._duration(found.detection),
        )  # fmt: skip
        heads = ("began", "lasted", "cause", "seen_by", "delay", "evidence")
        rows = [self._incident(each) for each in report.incidents]
        return Part(self.words["incidents"], (said,) if found.count else (), self._table(heads, rows))

    def _incident(self, incident: Incident) -> tuple[str, ...]:
        lasted = (
            self.words["open"] if incident.ended is None else self.notice.duration(incident.duration(incident.ended))
        )
        if incident.maintenance:
            lasted = f"{lasted} ({self.words['in_maintenance']})"
        evidence = [self._evidence(each) for each in incident.evidence[:_MOST_EVIDENCE]]
        if (more := len(incident.evidence) - _MOST_EVIDENCE) > 0:
            evidence.append(self.words["more"].format(more=more))
        sources = (SOURCE_WORDS[self.words.tag][each] for each in incident.sources)
        return (
            self.notice.when(incident.began), lasted, self._cause(incident.cause), ", ".join(sources),
            self.notice.duration(incident.detection_delay), "; ".join(evidence),
        )  # fmt: skip

    def maintenance(self, report: MonthReport) -> Part:
        """When the service was closed on purpose."""
        rows = [
            (
                self.notice.when(each.since), self.notice.when(each.until), self.notice.duration(each.until - each.since),
                each.reason,
            )
            for each in report.maintenance
        ]  # fmt: skip
        said = self._listed(report, rows, "no_maintenance")
        return Part(self.words["maintenance"], said, self._table(("began", "ended", "lasted", "why"), rows))

    def backups(self, found: Sequence[BackupRecord]) -> Part:
        """Each backup with its proof."""
        if not found:
            return Part(self.words["backups"], (self.words["no_backups"],))
        proven = sum(each.verified is not None and each.sound for each in found)
        rows = [
            (
                each.name, each.kind, self.notice.size(each.size), self._proof(each), self._duration(each.restore_seconds),
            )
            for each in found
        ]  # fmt: skip
        said = self.words["proven"].format(made=len(found), proven=proven)
        return Part(self.words["backups"], (said,), self._table(("backup", "kind", "size", "proof", "restore"), rows))

    def _proof(self, found: BackupRecord) -> str:
        if found.verified is None:
            return self.words["unproven"]
        return self.notice.when(found.verified) if found.sound else self.words["unsound"]

    def marks(self, report: MonthReport) -> Part:
        """Deploys, rolls, settings, deaths."""
        rows = [
            (self.notice.when(each.at), self.words.marks[each.kind].format(name=each.name, detail=each.detail))
            for each in report.marks
            if each.kind in self.words.marks
        ]
        said = self._listed(report, rows, "no_marks")
        return Part(self.words["marks"], said, self._table(("when", "what"), rows))

    def _listed(self, report: MonthReport, rows: Sequence[object], none: str) -> tuple[str, ...]:
        """That there is nothing is only said where it would be known."""
        if not report.detailed:
            return (self.words["forgotten"],)
        return () if rows else (self.words[none],)

    def _evidence(self, evidence: Evidence) -> str:
        said = self._cause(evidence.code)
        return f"{said}: {evidence.detail}" if evidence.detail else said

    def _cause(self, code: str) -> str:
        known = CAUSE_WORDS[self.words.tag].get(code)
        return known or self.titles.get(code.removesuffix(ABSENT), code)

    def _duration(self, seconds: float | None) -> str:
        return "–" if seconds is None else self.notice.duration(seconds)

    def _share(self, ratio: float | None) -> str:
        return "–" if ratio is None else self.words.number(100 * ratio, 3, "%")

    def _table(self, heads: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table | None:
        if not rows:
            return None
        shown = list(rows[:_MOST_ROWS])
        if (more := len(rows) - _MOST_ROWS) > 0:
            shown.append((self.words["more"].format(more=more), *[""] * (len(heads) - 1)))
        return Table(tuple(self.words[head] for head in heads), tuple(shown))
