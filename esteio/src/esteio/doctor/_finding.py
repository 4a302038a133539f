"""What the doctor finds: a code and its fields, from which the evidence and the fix are made.

Promises: pure. A code says by itself how bad it is; nothing has to be parsed from a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from esteio.health import Status

__all__ = ["BY_BADNESS", "Code", "Finding", "exit_code", "groups"]

BY_BADNESS = (Status.FAIL, Status.WARN, Status.UNKNOWN, Status.PASS)


class Code(Enum):
    """A kind of finding: how bad it is, the evidence and the fix as sentences with their fields in braces.

    Without members: a program that adds examinations of its own makes an enumeration out of it.
    """

    def __init__(self, status: Status, evidence: str, fix: str = "") -> None:
        self.status = status
        self.evidence = evidence
        self.fix = fix

    def found(self, **fields: Any) -> Finding:
        """A finding of this kind with the fields of its sentences."""
        return Finding(self, fields)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `examination` names who looked, as `group:what`."""

    code: Code
    fields: Mapping[str, Any]
    examination: str = ""

    @property
    def status(self) -> Status:
        """How bad it is."""
        return self.code.status

    @property
    def group(self) -> str:
        """What it belongs to, such as `postgresql`."""
        return self.examination.partition(":")[0]

    @property
    def evidence(self) -> str:
        """What was seen, in English."""
        return self.code.evidence.format(**self.fields)

    @property
    def fix(self) -> str:
        """What to do, in English; empty where nothing has to be done."""
        return self.code.fix.format(**self.fields)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "examination": self.examination,
            "code": self.code.name,
            "status": self.status.value,
            "evidence": self.evidence,
            "fix": self.fix,
            "about": {name: _plain(value) for name, value in self.fields.items()},
        }


def exit_code(findings: Sequence[Finding], accepted: Sequence[str] = ()) -> int:
    """2 where something fails, 1 where something warns or is unknown, else 0; codes in `accepted` count as passed."""
    found = {each.status for each in findings if each.code.name not in accepted}
    return 2 if Status.FAIL in found else 1 if found & {Status.WARN, Status.UNKNOWN} else 0


def groups(findings: Sequence[Finding]) -> Mapping[str, tuple[Finding, ...]]:
    """The findings by their group: the group with the worst finding first, and in each the worst first."""
    ordered = sorted(findings, key=lambda each: BY_BADNESS.index(each.status))
    return {
        name: tuple(each for each in ordered if each.group == name) for name in dict.fromkeys(e.group for e in ordered)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    plain = getattr(value, "plain", None)
    if plain is not None:
        return plain()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
