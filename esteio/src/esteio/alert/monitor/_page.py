"""The reference of every alert, made from their definitions. Pure."""

from __future__ import annotations

from esteio.alert.monitor._definitions import Definition, service_definitions
from esteio.alert.rules import Severity

__all__ = ["EVERY_CHECK", "reference_page"]

EVERY_CHECK = (
    "web:responseTime", "postgres:responseTime", "redis:responseTime", "documents:responseTime", "disk:free", "clock:offset",
    "tls:certificate", "tls:cluster", "jobs:waiting", "replication:lag", "backup:directory", "backup:free", "heartbeat:NAME",
)  # fmt: skip
"""Names of checks that have an alert; `heartbeat:` begins those of jobs."""

_HEAD = """# Reference: alerts

Every alert of a service on Esteio, made from the definitions in `esteio.alert.monitor` by `make docs`. An alert fires when it
was bad for *fires after*, and recovers when it was well for *clears after*; where it flips, the shares of both count. Of one
that *depends on* another, nobody is told while the other is bad. Each that can go missing has a second alert with `:absent` at
the end of its name, a ticket: nothing was heard of it for 10 minutes (of the certificate: a day). Pages wake somebody; tickets
wait while quiet hours last. What to do: [runbook](../how-to/runbook.md).

| alert | severity | fires after | clears after | depends on | what it means |
|---|---|---|---|---|---|
"""


def reference_page() -> str:
    """The page."""
    return _HEAD + "".join(_row(each) for each in service_definitions(EVERY_CHECK))


def _row(definition: Definition) -> str:
    rule = definition.rule
    severity = "**page**" if rule.severity is Severity.PAGE else "ticket"
    above = ", ".join(f"`{name}`" for name in rule.depends_on)
    after, clear = _seconds(rule.fire_after), _seconds(rule.clear_after)
    return f"| `{rule.name}` | {severity} | {after} | {clear} | {above} | {definition.title}: {definition.meaning} |\n"


def _seconds(seconds: float) -> str:
    if not seconds:
        return "at once"
    return f"{seconds / 60:g} min" if seconds >= 120 else f"{seconds:g} s"
