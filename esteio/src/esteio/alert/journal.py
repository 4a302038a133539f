"""What happened on this machine, told by whichever process saw it: one line for each, read by whoever looks for causes.

Promises: a line is written whole or not at all, by any number of processes; writing raises nothing and costs one system call.
The file is bounded: beyond `MOST` bytes it is begun anew, and the one before is kept beside it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from esteio.alert.incidents import Evidence
from esteio.clock import SYSTEM, Clock
from esteio.events import Event, subscribe

__all__ = ["MOST", "Journal", "JournalReader", "note_events"]

MOST = 1_000_000
_LONGEST = 400  # characters of a detail: with the rest below the 4 kB that one write surely keeps together


class Journal:
    """Appends to the file at `path`."""

    def __init__(self, path: Path, clock: Clock = SYSTEM) -> None:
        self.path = path
        self._clock = clock

    def note(self, code: str, detail: str = "", at: float | None = None) -> None:
        """Something happened now, or `at`, Unix seconds."""
        moment = self._clock.time() if at is None else at
        line = json.dumps({"at": round(moment, 3), "code": code, "detail": " ".join(detail.split())[:_LONGEST]})
        with suppress(OSError):  # a full disk is no reason to fail where something else has failed just now
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
            try:
                full = os.fstat(handle).st_size > MOST
                os.write(handle, f"{line}\n".encode())
            finally:
                os.close(handle)
            if full:
                self.path.replace(self.path.with_name(self.path.name + ".1"))


class JournalReader:
    """Reads what was appended since it was made, or since `ago` seconds before; a line that is none is left out."""

    def __init__(self, path: Path, *, ago: float = 300.0, clock: Clock = SYSTEM) -> None:
        self._path = path
        self._since = clock.time() - ago
        self._place: tuple[int, int] = (0, 0)  # inode and offset

    def read(self) -> list[Evidence]:
        """What is new, the oldest first."""
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                inode, offset = self._place
                file.seek(offset if inode == status.st_ino and offset <= status.st_size else 0)
                lines = file.read(2 * MOST).splitlines(keepends=True)
                whole = [line for line in lines if line.endswith(b"\n")]  # the last one may still be on its way
                place = file.tell() - sum(map(len, lines[len(whole) :]))
                self._place = (status.st_ino, place)
        except OSError:
            return []
        found = [each for line in whole if (each := _evidence(line)) is not None]
        return [each for each in found if each.at >= self._since]


def _evidence(line: bytes) -> Evidence | None:
    try:
        given = json.loads(line)
        return Evidence(float(given["at"]), str(given["code"]), str(given["detail"]))
    except (ValueError, KeyError, TypeError):
        return None


def note_events(journal: Journal) -> Callable[[], None]:
    """Note what this process sees from now on: processes that die, rolls, circuits that open, statements that are too slow,

    a database that is lost. The returned function ends it.
    """

    def hook(event: Event) -> None:
        note = _NOTES.get(type(event).__name__)
        found = note(event) if note is not None else None
        if found is not None:
            journal.note(*found)

    return subscribe(hook)


# By the names of the events: who has no PostgreSQL or no supervisor imports neither.
_NOTES: Mapping[str, Callable[[Any], tuple[str, str] | None]] = {
    "WorkerDied": lambda event: ("process-died", f"{event.name}: {event.reason}"),
    "WorkerHung": lambda event: ("process-died", f"{event.name}: it hung for {event.silent:.0f} s and was killed"),
    "ServiceDied": lambda event: ("process-died", f"{event.name}: it died"),
    "ServiceFailed": lambda event: ("process-died", f"{event.name}: {event.error}"),
    "RollFinished": lambda event: ("deploy", f"{event.name}: all workers are new"),
    "RollAborted": lambda event: ("deploy", f"{event.name}: {event.reason}"),
    "CircuitChanged": lambda event: ("circuit-open", event.name) if event.after == "open" else None,
    "SlowQuery": lambda event: ("slow-statement", f"{event.seconds:.1f} s: {event.statement}"),
    "DatabaseLost": lambda event: ("database-shutdown", f"{event.name}: {event.error}"),
}
