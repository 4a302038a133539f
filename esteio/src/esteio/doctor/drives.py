"""The drives, as they say themselves (SMART): whether they fail, what is damaged, how worn and how old they are.

Promises: `smartctl` is only asked, never told to test anything. A machine that shows no drive - a virtual one, a container, an
account that is not root - is unknown, never passed. Source of what smartctl says: smartctl(8), of its exit status and --json.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

from esteio.doctor._codes import FindingCode
from esteio.doctor._examine import Examination
from esteio.doctor._finding import Finding

__all__ = ["drives"]

_TIMEOUT = 4.0  # seconds of each answer, less than the limit of an examination
_HOURS_A_YEAR = 8766.0
_OLD = 5.0  # years: from then on more drives fail each year (Backblaze, Drive Stats 2024)
_WORN = 80.0  # percent of the writes a drive was made for
_DAMAGED = (5, 197, 198)  # reallocated, pending and uncorrectable sectors
_WEAR = (177, 231, 233)  # of SATA drives without moving parts: 100 when new, 0 at the end
_NOT_OPENED = 0b10  # of the exit status: there is such a device, and this account may not ask it


def drives(program: str = "smartctl") -> Examination:
    """Looks at every drive that `program`, smartctl of smartmontools, finds."""

    def look() -> Iterator[Finding]:
        if shutil.which(program) is None:
            yield FindingCode.DRIVES_UNSEEN.found(reason="smartctl is not installed")
            return
        names = [each["name"] for each in _asked(program, "--scan").get("devices", ())]
        if not names:
            yield FindingCode.DRIVES_UNSEEN.found(reason="no drive is seen here, as in virtual machines and containers")
            return
        answers = {name: _asked(program, "--health", "--attributes", "--info", name) for name in names}
        shut = [name for name, answer in answers.items() if _is_shut(answer)]
        if shut:
            reason = f"{', '.join(shut)} does not answer this account, or has no SMART"
            yield FindingCode.DRIVES_UNSEEN.found(reason=reason)
        found = [finding for name, answer in answers.items() if name not in shut for finding in _judged(name, answer)]
        yield from found
        seen = [answer for name, answer in answers.items() if name not in shut]
        if seen and not found:
            yield FindingCode.DRIVES_SOUND.found(count=len(seen), years=max(map(_years, seen)))

    return Examination("machine:drives", look)


def _asked(program: str, *arguments: str) -> Mapping[str, Any]:
    """The answer; empty where it is none."""
    try:
        done = subprocess.run(  # noqa: S603 - the administrator's own program
            [program, "--json", *arguments], capture_output=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{program} did not answer in {_TIMEOUT:g} s") from error
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_shut(answer: Mapping[str, Any]) -> bool:
    status = int(answer.get("smartctl", {}).get("exit_status", _NOT_OPENED))
    return bool(status & _NOT_OPENED) or "smart_status" not in answer


def _judged(name: str, answer: Mapping[str, Any]) -> Iterator[Finding]:
    drive = f"{name} ({answer['model_name']})" if answer.get("model_name") else name
    if not answer["smart_status"].get("passed", False):
        yield FindingCode.DRIVE_FAILING.found(drive=drive)
    if damaged := _damaged(answer):
        yield FindingCode.DRIVE_DAMAGED.found(drive=drive, count=damaged)
    if (worn := _worn(answer)) > _WORN:
        yield FindingCode.DRIVE_WORN.found(drive=drive, percent=worn)
    if (years := _years(answer)) > _OLD:
        yield FindingCode.DRIVE_OLD.found(drive=drive, years=years)


def _damaged(answer: Mapping[str, Any]) -> int:
    errors = int(answer.get("nvme_smart_health_information_log", {}).get("media_errors", 0))
    table = answer.get("ata_smart_attributes", {}).get("table", ())
    return errors + sum(int(each["raw"]["value"]) for each in table if each["id"] in _DAMAGED)


def _worn(answer: Mapping[str, Any]) -> float:
    """Percent; 0 where the drive says nothing of it."""
    used = float(answer.get("nvme_smart_health_information_log", {}).get("percentage_used", 0))
    table = answer.get("ata_smart_attributes", {}).get("table", ())
    spinning = bool(answer.get("rotation_rate"))  # there these numbers mean something else
    return max([used, *(100.0 - float(each["value"]) for each in table if each["id"] in _WEAR and not spinning)])


def _years(answer: Mapping[str, Any]) -> float:
    return float(answer.get("power_on_time", {}).get("hours", 0)) / _HOURS_A_YEAR
