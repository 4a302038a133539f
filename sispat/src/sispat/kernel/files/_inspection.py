"""What was received, looked into by a program of its own (`inspector`).

Promises: at most one file of this process is looked into at a time, for `SECONDS` at most and in as much memory as the program
allows itself; a program that crashes, hangs or is killed by the kernel refuses its file, and nothing else. It knows no secret:
it gets none of the settings, and ends with this process. Each looks into one file and no more. To start one takes longer than
to look into most files: `expect` starts it while the file is received, and for `_KEPT` seconds after a file the next one
waits, because people send several.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from asyncio.subprocess import Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esteio.system import die_with_parent
from sispat.kernel.files._errors import FileRefused, InspectionBusy, NoRoom, Reason
from sispat.kernel.files._formats import Format
from sispat.kernel.files._incoming import Incoming, no_room
from sispat.kernel.files._names import as_named

__all__ = ["Inspected", "Inspection"]

SECONDS = 30.0
_LONGEST_WAIT = 60.0  # seconds, behind other files
_KEPT = 60.0  # seconds; it has 30 MB, half of them shared with others of its kind
_ENVIRONMENT = ("PATH", "SYSTEMROOT", "TMPDIR", "LD_LIBRARY_PATH")
_INSPECTOR = Path(__file__).with_name(
    "inspector.py"
)  # by its path: as a module it would bring this package, and psycopg


@dataclass(frozen=True, slots=True)
class Inspected:
    """A file that may be kept: `path` is what is kept of it, `small` a small picture of it (None: it is no picture)."""

    name: str
    format: Format
    sha256: bytes
    size: int
    path: Path
    small: Path | None = None
    width: int | None = None
    height: int | None = None


class Inspection:
    """Of one process."""

    def __init__(self) -> None:
        self._one = asyncio.Semaphore(1)
        self._ready: asyncio.Task[Process] | None = None
        self._end: asyncio.TimerHandle | None = None
        self._leaving: asyncio.Task[None] | None = None

    def expect(self) -> None:
        """A file is on its way: have a program ready to look into it."""
        if self._end is not None:
            self._end.cancel()
        self._end = asyncio.get_running_loop().call_later(_KEPT, self._dismiss)
        if self._ready is None:
            self._ready = asyncio.create_task(_started())

    def _dismiss(self) -> None:
        ready, self._ready = self._ready, None
        if ready is not None:
            self._leaving = asyncio.create_task(_ended(ready))  # referred to, else it might be collected

    async def close(self) -> None:
        """End the program that waits."""
        if self._end is not None:
            self._end.cancel()
        ready, self._ready = self._ready, None
        if ready is not None:
            await _ended(ready)
        if self._leaving is not None:
            await self._leaving

    async def look_into(self, incoming: Incoming) -> Inspected:
        """What was received, fit to be kept; raises `FileRefused`, `NoRoom`, `InspectionBusy`."""
        out, small = incoming.path.with_suffix(".out"), incoming.path.with_suffix(".small")
        try:
            async with asyncio.timeout(_LONGEST_WAIT):
                await self._one.acquire()
        except TimeoutError:
            raise InspectionBusy from None
        try:
            # What is kept as it came gets onto the disk meanwhile.
            found, failed = await asyncio.gather(
                self._run(incoming.format, incoming.path, out, small), incoming.on_disk()
            )
        finally:
            self._one.release()
        if failed is not None:
            raise NoRoom if no_room(failed) else failed
        if "format" not in found:
            raise _refusal(found).of(incoming.name or "?")
        return await asyncio.to_thread(_kept, incoming, found, out, small)

    async def codes_in(self, picture: Inspected) -> list[str]:
        """The texts of the bar codes in a picture that was looked into; none where it cannot be read in time."""
        if picture.small is None:
            return []
        async with self._one:
            found = await self._run("codes", picture.path, os.devnull, os.devnull)
        codes: list[str] = found.get("codes", [])
        return codes

    async def _run(self, *arguments: str | Path) -> dict[str, Any]:
        """What a program finds."""
        process = await self._taken()
        try:
            async with asyncio.timeout(SECONDS):
                printed, _ = await process.communicate(json.dumps([str(each) for each in arguments]).encode() + b"\n")
        except TimeoutError:
            return {}
        finally:
            await _killed(process)  # it hangs, or the client is gone: nobody waits for it any more
            self.expect()
        try:
            found: dict[str, Any] = json.loads(printed)
        except ValueError:  # it crashed, or was killed at one of its limits
            return {}
        return found

    async def _taken(self) -> Process:
        """The program that is ready, or another one where that has ended while it waited."""
        ready, self._ready = self._ready, None
        if ready is not None:
            with suppress(OSError):
                process = await ready
                if process.returncode is None:
                    return process
        return await _started()


async def _started() -> Process:
    command = die_with_parent([sys.executable, "-I", str(_INSPECTOR)], nice=5)
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
    )


async def _killed(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await asyncio.shield(process.wait())


async def _ended(ready: asyncio.Task[Process]) -> None:
    with suppress(OSError):  # it never began
        await _killed(await ready)


def _refusal(found: dict[str, Any]) -> FileRefused:
    if no_room(OSError(found.get("errno"), "")):
        raise NoRoom
    if "reason" not in found:
        return FileRefused(Reason.NOT_INSPECTED)
    return FileRefused(Reason(found["reason"]), what=found["what"], limit=found["limit"])


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _kept(incoming: Incoming, found: dict[str, Any], out: Path, small: Path) -> Inspected:
    """What is kept: of a picture the new one, else what came; on the disk before anything refers to it."""
    format_ = Format(found["format"])
    name = as_named(incoming.name, format_)
    if not out.exists():
        return Inspected(name, format_, incoming.sha256, incoming.size, incoming.path)
    for path in (out, small):
        _sync(path)
    with out.open("rb") as file:
        sha256, size = hashlib.file_digest(file, "sha256").digest(), out.stat().st_size
    return Inspected(name, format_, sha256, size, out, small, found["width"], found["height"])
