"""What a whole drill showed: per fault the medians of its valid runs, and the year."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from esteio.drill._prediction import Event, Prediction, predict
from esteio.drill._rates import Rate
from esteio.drill._run import Run

__all__ = ["FaultReport", "Report"]


@dataclass(frozen=True)
class FaultReport:
    """All runs of one fault. Times are seconds, medians of the valid runs; None where there was none."""

    name: str
    title: str
    planned: bool
    runs: tuple[Run, ...]
    skipped: str = ""
    """Why it could not be done here."""

    @property
    def valid(self) -> bool:
        """Whether every run was."""
        return bool(self.runs) and all(run.valid for run in self.runs)

    @property
    def n(self) -> int:
        """How many valid runs its figures are of."""
        return len(self._valid())

    @property
    def why(self) -> str:
        """Why it is not valid: codes, and what was seen."""
        if self.skipped:
            return self.skipped
        return "; ".join(
            dict.fromkeys(
                f"{', '.join(run.invalid)}{': ' if run.why else ''}{run.why}" for run in self.runs if run.invalid
            )
        )

    @property
    def offered(self) -> int:
        """Requests in all valid runs."""
        return sum(run.measured.offered for run in self._valid() if run.measured)

    @property
    def lost(self) -> int:
        """Requests lost in all valid runs."""
        return sum(run.measured.lost for run in self._valid() if run.measured)

    @property
    def unknown(self) -> int:
        """Writes among the lost, of which nobody was told whether they were done."""
        return sum(run.measured.unknown for run in self._valid() if run.measured)

    @property
    def longest_gap(self) -> float | None:
        """The worst gap of any route in a run."""
        return self._median(run.measured.worst_gap for run in self._valid() if run.measured)

    @property
    def mttr(self) -> float | None:
        """From the injection to five good seconds; infinite where it did not recover."""
        return self._median(run.measured.mttr for run in self._valid() if run.measured)

    @property
    def page_after(self) -> float | None:
        """Until the service said it of itself; None where it never did."""
        return self._median(run.page_after for run in self._valid())

    @property
    def alert_after(self) -> float | None:
        """Until an alert arrived; None where none did."""
        return self._median(run.alert_after for run in self._valid())

    def events(self, rate: float) -> tuple[Event, ...]:
        """The valid runs, as the prediction wants them; `rate` is requests a second."""
        return tuple(
            Event(run.measured.lost / rate, run.measured.worst_gap) for run in self._valid() if run.measured is not None
        )

    def _valid(self) -> list[Run]:
        return [run for run in self.runs if run.valid]

    @staticmethod
    def _median(values: Any) -> float | None:
        known = [value for value in values if value is not None]
        return median(known) if known else None


@dataclass(frozen=True)
class Report:
    """A drill that is over."""

    at: str
    """When it began, ISO 8601."""
    faults: tuple[FaultReport, ...]
    rate: float
    """Requests a second that were offered."""
    machine: Mapping[str, Any]
    rates: tuple[Rate, ...]
    starting: float = 0.0
    """Seconds until what was drilled was ready, and ended again."""

    def steps(self) -> dict[str, float]:
        """Where the time of the drill went, seconds by step; their sum is what it took."""
        sums: dict[str, float] = {"starting": self.starting}
        for run in (run for fault in self.faults for run in fault.runs):
            for step, seconds in run.steps.items():
                sums[step] = sums.get(step, 0.0) + seconds
        return sums

    def prediction(self) -> Prediction:
        """The year; the same for the same runs and rates."""
        return predict({fault.name: fault.events(self.rate) for fault in self.faults}, self.rates)

    def as_json(self) -> dict[str, Any]:
        """What `drill.json` holds. An infinite MTTR (it did not recover) is null with `recovered` false."""
        return {
            "at": self.at,
            "requests_per_s": self.rate,
            "machine": dict(self.machine),
            "steps_s": {step: round(seconds, 1) for step, seconds in self.steps().items()},
            "faults": [_fault_json(fault) for fault in self.faults],
            "prediction": asdict(self.prediction()),
        }


def _fault_json(fault: FaultReport) -> dict[str, Any]:
    return {
        "name": fault.name,
        "title": fault.title,
        "planned": fault.planned,
        "valid": fault.valid,
        "n": fault.n,
        "why": fault.why,
        "skipped": bool(fault.skipped),
        "offered": fault.offered,
        "lost": fault.lost,
        "unknown": fault.unknown,
        "longest_gap_s": _rounded(fault.longest_gap),
        "mttr_s": _rounded(fault.mttr),
        "recovered": fault.mttr != math.inf,
        "detected_s": {"page": _rounded(fault.page_after), "alert": _rounded(fault.alert_after)},
        "runs": [_run_json(run) for run in fault.runs],
    }


def _run_json(run: Run) -> dict[str, Any]:
    measured = run.measured
    return {
        "valid": run.valid,
        "invalid": list(run.invalid),
        "why": run.why,
        "offered": measured.offered if measured else 0,
        "lost": measured.lost if measured else 0,
        "unknown": measured.unknown if measured else 0,
        "gaps_s": {route: _rounded(gap) for route, gap in measured.longest_gap.items()} if measured else {},
        "mttr_s": _rounded(measured.mttr) if measured else None,
        "p99_before_s": _rounded(run.p99_before),
        "healed_after_s": _rounded(run.healed_after),
        "after_heal_s": _rounded(run.after_heal),
        "page_after_s": _rounded(run.page_after),
        "said": run.said,
        "alert_after_s": _rounded(run.alert_after),
        "unknown_stored": run.ledger.unknown_stored,
        "given_up": run.ledger.given_up,
        "errors": run.errors,
        "facts": run.facts,
        "steps_s": {step: round(seconds, 2) for step, seconds in run.steps.items()},
        "seconds": {str(second): dict(counts) for second, counts in run.seconds.items()},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else round(value, 4)
