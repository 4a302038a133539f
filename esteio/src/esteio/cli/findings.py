"""What the doctor found, shown to people and to programs.

Promises: worst first, one line for each finding with its fix beneath; colours on a terminal alone; the exit code is 0 when
nothing has to be done, 1 for warnings and what is unknown, 2 for failures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import typer

from esteio.doctor import Code, Finding, exit_code, groups
from esteio.health import Status

__all__ = ["DoctorWords", "checked_codes", "show_findings"]

_COLOURS = {Status.FAIL: "red", Status.WARN: "yellow", Status.UNKNOWN: "cyan", Status.PASS: "green"}


def _english(finding: Finding) -> tuple[str, str]:
    return finding.evidence, finding.fix


@dataclass(frozen=True, slots=True)
class DoctorWords:
    """What is said around the findings, and how one is said: as its evidence and its fix."""

    statuses: Mapping[Status, str] = field(default_factory=lambda: {each: each.value for each in Status})
    groups: Mapping[str, str] = field(default_factory=dict)
    """Headings by the names of groups; what is not here is shown as it is."""
    accepted: str = "accepted"
    finding: Callable[[Finding], tuple[str, str]] = _english


def show_findings(
    findings: Sequence[Finding],
    *,
    as_json: bool = False,
    verbose: bool = False,
    accepted: Collection[str] = (),
    words: DoctorWords | None = None,
) -> int:
    """Print the findings, those that pass with `verbose` alone; the exit code."""
    code = exit_code(findings, tuple(accepted))
    if as_json:
        found = [{**each.plain(), "accepted": each.code.name in accepted} for each in findings]
        typer.echo(json.dumps({"exit_code": code, "findings": found}, ensure_ascii=False, indent=2))
        return code
    words = words or DoctorWords()
    for name, members in groups(findings).items():
        shown = [each for each in members if verbose or each.status is not Status.PASS]
        if shown:
            typer.secho(words.groups.get(name, name), bold=True)
        for each in shown:
            _show(each, words, accepted=each.code.name in accepted)
    counts = ((words.statuses[status], sum(each.status is status for each in findings)) for status in _COLOURS)
    typer.echo(", ".join(f"{count} {status}" for status, count in counts))
    return code


def _show(finding: Finding, words: DoctorWords, *, accepted: bool) -> None:
    status = words.accepted if accepted else words.statuses[finding.status]
    evidence, fix = words.finding(finding)
    colour = None if accepted else _COLOURS[finding.status]
    typer.echo(f"  {typer.style(f'{status:<12}', fg=colour)} {evidence} [{finding.code.name}]")
    if fix:
        typer.echo(f"  {'':<12} -> {fix}")


def checked_codes(given: Iterable[str], *kinds: type[Code]) -> frozenset[str]:
    """The codes of `--accept`; BadParameter for one that none of `kinds` has."""
    known = {code.name for kind in kinds for code in kind}
    for code in given:
        if code not in known:
            raise typer.BadParameter(f"--accept {code}: no such code; --json shows those of the findings")
    return frozenset(given)
