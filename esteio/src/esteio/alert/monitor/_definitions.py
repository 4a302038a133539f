"""The alerts of a service on this toolkit: what each looks at, and from when it is one.

Promises: each alert is defined here and nowhere else; its meaning is what the reference prints. Numbers that the rules of
Prometheus compare with, too, come from the one table (`esteio.metrics`). What nobody measured is unknown, never well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from esteio.alert.incidents import Evidence, Source
from esteio.alert.objectives import AVAILABILITY, LATENCY, Ledger, Objective, burn_rules, burn_signals, burns, tail
from esteio.alert.rules import Condition, Rule, Severity, Signal
from esteio.health import Result, Status
from esteio.health.series import Family, WorkerReading
from esteio.metrics import PACES, THRESHOLDS, Thresholds

__all__ = ["Definition", "View", "service_definitions"]

LOOP = "process:crash-loop"
_STALE = 30.0  # seconds after which an answer of a check says nothing of now
_LATELY = 60.0  # seconds for which something that happened is still a signal: longer than a gap of our own
_LOOP, _LOOP_OF = 300.0, 3  # as many deaths of one process within as many seconds are a crash loop
_ERRORS_OF = 300.0  # seconds over which the share of errors is taken
_SURELY = 0.005
_WELL, _BAD, _UNKNOWN = Condition.WELL, Condition.BAD, Condition.UNKNOWN


@dataclass(frozen=True, slots=True)
class View:
    """What is known at `now`, Unix seconds: the newest answers of the checks, what the workers say, and what happened lately.

    `problems` of the backups are codes with their sentences, None where nobody knows.
    """

    now: float
    results: Mapping[str, Result] = field(default_factory=dict)
    workers: Sequence[WorkerReading] = ()
    families: Sequence[Family] = ()
    ledger: Ledger = field(default_factory=Ledger)
    happened: tuple[Evidence, ...] = ()
    problems: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """An alert: its `rule`, what it sees, and in English what it says (`title`) and what it means."""

    rule: Rule
    title: str
    meaning: str
    see: Callable[[View], Signal]
    source: Source = Source.ALERT


def service_definitions(
    checks: Sequence[str], *, availability: Objective = AVAILABILITY, latency: Objective = LATENCY,
    thresholds: Thresholds = THRESHOLDS, backups: bool = True,
    processes: Sequence[str] = ("worker", "operator", "PostgreSQL"),
) -> list[Definition]:  # fmt: skip
    """Those that the checks named `checks`, the workers' measurements and the journal can tell.

    `processes`: beginnings of the names of those whose deaths are told apart. `thresholds`: what values are compared with.
    """
    found = [
        *_of_checks(checks, thresholds),
        *_of_processes(thresholds),
        *_of_happenings(processes),
        *_of_requests(checks, thresholds),
    ]
    roots = tuple(each.rule.name for each in found if each.rule.name in ("web:down", "postgres:down"))
    found += _of_objective(availability, roots)
    found += _of_objective(latency, roots)
    return [*found, *(_of_backups() if backups else ())]


def _of_checks(checks: Sequence[str], thresholds: Thresholds) -> list[Definition]:
    database_ms, wal = 1000 * thresholds.database_seconds, thresholds.wal_bytes / 1e6
    days = thresholds.certificate_days
    room = f"Less than {thresholds.disk_low:g} % is free, or it will be full within {thresholds.disk_days:g} days"
    every = [
        _fails("web:responseTime", Rule("web:down", Severity.PAGE, 10.0, 60.0), "the service does not answer",
               "Asked from this machine, the service did not answer for 10 s."),
        _fails("postgres:responseTime", _paced("postgres:down", 60.0), "the database does not answer",
               "For 10 s no connection to PostgreSQL got an answer."),
        _above("postgres:responseTime", _paced("postgres:slow", 300.0, above=database_ms,
               back_below=database_ms / 2, depends_on=("postgres:down",)), "the database answers slowly",
               f"For 5 min a round trip to PostgreSQL took more than {database_ms:g} ms."),
        _fails("redis:responseTime", Rule("redis:down", Severity.TICKET, 60.0, 120.0), "Redis does not answer",
               "For a minute nothing answered there; each machine counts its limits for itself meanwhile."),
        _fails("documents:responseTime", Rule("documents:down", Severity.TICKET, 60.0, 120.0),
               "the store of the documents does not answer",
               "For a minute nothing answered there, or it let nobody in; what people upload is refused, all else goes on."),
        _fails("disk:free", _paced("disk:full", 60.0), "the disk is nearly full",
               f"Less than {thresholds.disk_full:g} % is free where the data is, no file can be made, or nothing more is "
               "written."),
        _warns("disk:free", _paced("disk:low", 600.0, depends_on=("disk:full",)),
               "the disk is filling up", f"{room}, at this rate."),
        _warns("clock:offset", Rule("clock:offset", Severity.TICKET, 300.0, 300.0), "the clock is off",
               f"The clock of this machine leapt, or is more than {thresholds.clock_seconds:g} s off."),
        _warns("jobs:waiting", Rule("jobs:stuck", Severity.TICKET, 60.0, 60.0, depends_on=("postgres:down",)),
               "jobs wait and nobody does them", "For minutes a job was due, and no machine worked on it."),
        _fails("tls:certificate", _paced("tls:refused", 60.0), "the certificate is refused, or will be within days",
               f"For a minute clients refuse it, or it is valid for less than {thresholds.certificate_last_days:g} days."),
        _warns("tls:certificate", _paced("tls:certificate", 300.0, absent_after=86_400.0, depends_on=("tls:refused",)),
               "the certificate expires soon", f"It is valid for less than {days:g} days."),
        _warns("tls:cluster", Rule("tls:cluster", Severity.TICKET, 300.0, 300.0, absent_after=86_400.0),
               "a certificate between the machines expires soon",
               f"One is valid for less than {days:g} days, or is refused; without one no machine lets another one in."),
        _warns("replication:lag", Rule("replication:lag", Severity.TICKET, 120.0, 300.0, depends_on=("postgres:down",)),
               "a receiver of the log is behind",
               f"A replica or an archive has more than {wal:g} MB of WAL to flush, or has not answered, for 2 min."),
        _fails("backup:directory", Rule("backup:directory", Severity.TICKET, 60.0, 60.0),
               "the directory of the backups is gone",
               "For a minute the directory that backups are written into was not there."),
        _warns("backup:free", Rule("backup:full", Severity.TICKET, 300.0, 600.0), "the room for backups runs out",
               f"Where backups are: {room.lower()}."),
    ]  # fmt: skip
    found = [definition for name, definition in every if name in checks]
    names = [name for name in checks if name.startswith("heartbeat:")]
    return found + [
        _fails(name, Rule(name, Severity.TICKET, 60.0, 60.0), "a heartbeat is missing",
               "A job that reports when it ends has not reported for too long.")[1]
        for name in names
    ]  # fmt: skip


def _paced(name: str, clear_after: float, **options: Any) -> Rule:
    """The rule of an alert that Prometheus knows, too: how urgent it is, and how long it has to be bad, is in the table."""
    pace = PACES[name]
    return Rule(name, Severity(pace.severity), pace.lasting, clear_after, **options)


def _fails(check: str, rule: Rule, title: str, meaning: str) -> tuple[str, Definition]:
    return check, Definition(rule, title, meaning, lambda view: _judged(view, check, {Status.FAIL}), Source.PROBE)


def _warns(check: str, rule: Rule, title: str, meaning: str) -> tuple[str, Definition]:
    bad = {Status.FAIL, Status.WARN}
    return check, Definition(rule, title, meaning, lambda view: _judged(view, check, bad), Source.PROBE)


def _above(check: str, rule: Rule, title: str, meaning: str) -> tuple[str, Definition]:
    def see(view: View) -> Signal:
        result = _fresh(view, check)
        if result is None or result.observed is None:
            return Signal(_UNKNOWN)
        return Signal(value=result.observed, reason=f"{result.observed:.0f} {result.unit}")

    return check, Definition(rule, title, meaning, see, Source.PROBE)


def _fresh(view: View, check: str) -> Result | None:
    result = view.results.get(check)
    known = result is not None and result.status is not Status.UNKNOWN and view.now - result.time <= _age(check)
    return result if known else None


def _age(check: str) -> float:
    return (
        2 * 3600.0 if check.startswith("tls:") else _STALE
    )  # a front that does not answer for a while has one all the same


def _judged(view: View, check: str, bad: set[Status]) -> Signal:
    result = _fresh(view, check)
    if result is None:
        return Signal(_UNKNOWN)
    return Signal(_BAD if result.status in bad else _WELL, result.reason)


def _of_processes(thresholds: Thresholds) -> list[Definition]:
    memory, cpu = thresholds.memory_bytes / 1e6, 100 * thresholds.cpu
    return [
        Definition(
            _paced("memory:high", 300.0, above=memory, back_below=0.9 * memory),
            "a process takes much memory", f"For 5 min a worker took more than {memory:g} MB.",
            lambda view: _greatest(view, lambda worker: worker.memory / 1e6, "MB"),
        ),
        Definition(
            _paced("cpu:high", 300.0, above=cpu, back_below=0.9 * cpu),
            "a process is busy all the time", f"For 5 min a worker kept a processor busy for more than {cpu:g} %.",
            lambda view: _greatest(view, lambda worker: worker.cpu_percent, "%"),
        ),
        Definition(
            _paced("circuit:open", 120.0, absent_after=float("inf")),
            "a circuit breaker is open", "For a minute calls to something that kept failing have been refused.", _circuits,
        ),
    ]  # fmt: skip


def _greatest(view: View, of: Callable[[WorkerReading], float], unit: str) -> Signal:
    if not view.workers:
        return Signal(_UNKNOWN)
    value, pid = max((of(worker), worker.pid) for worker in view.workers)
    return Signal(value=value, reason=f"{value:.0f} {unit} (pid {pid})")


def _circuits(view: View) -> Signal:
    names = {
        dict(labels).get("pipeline", "")
        for family in view.families
        if family.name == "esteio_policy_breaker_state"
        for (_, labels), workers in family.samples.items()
        if workers and dict(labels).get("state") in ("open", "forced open")
    }
    return Signal(_BAD if names else _WELL, ", ".join(sorted(names)))


def _of_happenings(processes: Sequence[str]) -> list[Definition]:
    once = Rule("", Severity.TICKET, fire_after=0.0, clear_after=300.0, absent_after=float("inf"))
    return [
        Definition(
            replace(once, name=LOOP, severity=Severity.PAGE), "a process keeps dying",
            "One process died three times within 5 min.", _loops,
        ),
        *(_died(replace(once, name=f"{each.lower()}:died"), each) for each in processes),
        Definition(
            replace(once, name="process:died", depends_on=(LOOP,), settle=0.0), "something died and was replaced",
            "A process that has no alert of its own, or everything at once, ended unexpectedly.",
            lambda view: _lately(view, "process-died", lambda detail: not detail.startswith(tuple(processes))),
        ),
        Definition(
            replace(once, name="statements:slow"), "statements take more than 3 s",
            "A statement took longer than `slow_alert` of the pool.", lambda view: _lately(view, "slow-statement"),
        ),
    ]  # fmt: skip


def _died(rule: Rule, process: str) -> Definition:
    return Definition(
        replace(rule, depends_on=(LOOP,), settle=0.0), f"{process} died and was replaced",
        f"{process} ended unexpectedly; another one was started in its place.",
        lambda view: _lately(view, "process-died", lambda detail: detail.startswith(process)),
    )  # fmt: skip


def _lately(view: View, code: str, fits: Callable[[str], bool] = lambda _: True) -> Signal:
    lately = [each for each in view.happened if each.code == code and view.now - each.at <= _LATELY]
    found = [each.detail for each in lately if fits(each.detail)]
    return Signal(_BAD, found[-1]) if found else Signal(_WELL)


def _loops(view: View) -> Signal:
    died = [e.detail.split(":")[0] for e in view.happened if e.code == "process-died" and view.now - e.at <= _LOOP]
    loops = sorted({name for name in died if died.count(name) >= _LOOP_OF})
    return Signal(_BAD, ", ".join(loops)) if loops else Signal(_WELL)


def _of_requests(checks: Sequence[str], thresholds: Thresholds) -> list[Definition]:
    above = tuple(name for name, check in (("web:down", "web:responseTime"), ("postgres:down", "postgres:responseTime"))
                  if check in checks)  # fmt: skip
    rule = _paced("requests:errors", 120.0, depends_on=above, linger=_ERRORS_OF, absent_after=float("inf"))
    share = thresholds.errors
    meaning = f"Surely more than {100 * share:g} % of the requests of the last 5 min ended in 5xx."
    return [Definition(rule, "too many requests fail", meaning, lambda view: _errors(view, share), Source.REQUESTS)]


def _errors(view: View, share: float) -> Signal:
    sum_ = view.ledger.over(_ERRORS_OF, view.now)
    if not sum_.requests:
        return Signal(_UNKNOWN)
    ratio = sum_.failed / sum_.requests
    bad = sum_.failed > 1 and ratio > share and tail(sum_.failed, sum_.requests, share) < _SURELY
    return Signal(_BAD if bad else _WELL, f"{100 * ratio:.1f} %", ratio)


def _of_objective(objective: Objective, roots: tuple[str, ...]) -> list[Definition]:
    above = (*roots, "requests:errors") if objective.counts == "failed" else roots

    def see(name: str) -> Callable[[View], Signal]:
        return lambda view: burn_signals(burns(objective, view.ledger, view.now))[name]

    return [
        Definition(
            rule,
            f"the budget of {objective.name} is being used up",
            f"In the window {rule.name.rpartition('-')[2]} more fails than {objective.target:.2%} allows, surely.",
            see(rule.name),
            Source.REQUESTS,
        )
        for rule in burn_rules(objective, depends_on=above)
    ]


def _of_backups() -> list[Definition]:
    return [
        Definition(
            _paced("backup:failing", 120.0), "the backups need somebody",
            "There is no proven backup that is young enough and in every store.", lambda view: _problems(view, wal=False),
        ),
        Definition(
            _paced("wal:failing", 120.0), "the log of the database is not archived",
            "WAL is missing, waits or is not received: what is lost could not be restored to the second.",
            lambda view: _problems(view, wal=True),
        ),
    ]  # fmt: skip


def _problems(view: View, *, wal: bool) -> Signal:
    if view.problems is None:
        return Signal(_UNKNOWN)
    found = [text for code, text in view.problems if code.startswith(("LOG_", "SPOOL_", "ARCHIVE_")) is wal]
    return Signal(_BAD, "; ".join(found)) if found else Signal(_WELL)
