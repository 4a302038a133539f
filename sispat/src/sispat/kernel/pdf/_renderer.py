"""The service's side of the process that draws: one, started when it is needed, kept warm for a while.

Promises: documents are drawn one after the other; so many may wait, and who comes then is told so at once. Who gives up
waiting, or waits longer than the limit, ends the process, because its next answer would be to the wrong question; the next
document starts another one. Closed, nothing of it is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import json
import logging
import os
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from esteio.system import die_with_parent
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _
from sispat.kernel.pdf._child import LAST, REFUSED, ROOT
from sispat.kernel.pdf._text import drawable

__all__ = ["PdfBusy", "PdfFailed", "PdfRenderer", "engine"]

_MEMORY = 2 * 1024**3  # bytes of address space: termos of 5,000 and 10,000 assets were measured to take 0.6 and 1.3 GB
_KEPT = 256 * 1024 * 1024  # bytes of memory with which the process that draws may go on after a document
_TIME = 60.0  # seconds for one document: a termo of 10,000 assets was measured to take 5, on a busy machine 21
_MOST_WAITING = 20
_IDLE = 300.0  # seconds after which the process that nobody needs gives its 60 MB back
_MOST_TAGGED = 500  # rows whose structure is written for screen readers: of 5,000 it is 3 MB of 3.4

# By its path: as a module it would bring this package, and with it what only the service needs. -P: its folder is no place
# to import from.
_CHILD = ("-P", str(ROOT / "kernel/pdf/_child.py"))

_logger = logging.getLogger("sispat.pdf")


class PdfFailed(SispatError):
    """The document could not be made; the log says why."""

    code = "pdf-falhou"

    def __init__(self) -> None:
        super().__init__(_("O documento não pôde ser feito agora. Tente de novo; se continuar, avise o suporte."))


class PdfBusy(SispatError):
    """So many documents are waiting already that one more would wait too long."""

    code = "pdf-ocupado"

    def __init__(self) -> None:
        super().__init__(_("Há documentos demais sendo feitos agora. Tente de novo em instantes."))


@cache
def engine(*templates: str) -> str:
    """What the bytes of a document depend on beside its data: Typst's version, and these templates as they are now."""
    digest = hashlib.sha256()
    for template in templates:
        digest.update((ROOT / template).read_bytes())
    return f"typst {version('typst')} {digest.hexdigest()[:12]}"


def _environment() -> dict[str, str]:
    """What the process needs to start, and no setting or secret of ours; one thread: the other cores are for pages."""
    kept = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"RAYON_NUM_THREADS": "1"}


class PdfRenderer:
    """One per process. `time` is in seconds, `memory` in bytes of address space, both of one document.

    With more than `kept` bytes of memory after a document, the process that draws ends, and the next document starts another.
    """

    def __init__(self, *, time: float = _TIME, memory: int = _MEMORY, kept: int = _KEPT, idle: float = _IDLE) -> None:
        self._time, self._memory, self._kept, self._idle = time, memory, kept, idle
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._retirement: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """The process that draws, if one runs."""
        return self._process.pid if self._process is not None else None

    async def render(
        self,
        template: str,
        data: Mapping[str, Any],
        at: dt.datetime | None,
        *,
        rows: int = 0,
        part: bool = False,
        archival: bool = True,
        picture: bool = False,
        qr: Sequence[str] = (),
    ) -> bytes:
        """The PDF that `template` (its path in the package) makes of `data`, dated `at`; None: it says no date.

        `rows` is how many rows its tables have. `archival`: as PDF/A-2, with the structure that screen readers need
        (level a) unless the rows are too many, or it is a `part` of a document, because the structures of two are not one
        (level b). `picture`: its first page as PNG instead. `qr`: texts
        whose QR codes the template finds in `sys.inputs.qr`, in this order; made by the process that draws, because a
        thousand take a second. Raises `PdfFailed`, `PdfBusy`.
        """
        tagged = archival and not part and rows <= _MOST_TAGGED
        standards = [] if not archival or picture else ["a-2a" if tagged else "a-2b"]
        said = json.dumps(drawable(dict(data)), ensure_ascii=False)
        return await self._ask(
            {
                "template": template, "data": said, "qr": list(qr), "standards": standards, "tagged": tagged,
                "at": None if at is None else int(at.timestamp()),
                "format": "png" if picture else "pdf", "ppi": 110.0 if picture else None,
            }
        )  # fmt: skip

    async def start(self) -> None:
        """Have the process that draws get ready while the first document is still being put together."""
        async with self._turn:
            await self._running()

    async def close(self) -> None:
        """End the process that draws."""
        if self._retirement is not None:
            self._retirement.cancel()
        await self._end()

    async def _ask(self, asked: Mapping[str, Any]) -> bytes:
        if self._waiting >= _MOST_WAITING:
            raise PdfBusy
        self._waiting += 1
        try:
            async with self._turn:
                if self._retirement is not None:
                    self._retirement.cancel()
                try:
                    async with asyncio.timeout(self._time):
                        status, content = await self._exchange(asked)
                except BaseException as error:
                    await self._end()
                    if isinstance(error, TimeoutError | OSError | EOFError):
                        _logger.error("%s: the process that draws failed: %r", asked["template"], error)
                        raise PdfFailed from error
                    raise
                if status == LAST:
                    await self._end()
                self._retirement = asyncio.get_running_loop().call_later(self._idle, self._retire)
        finally:
            self._waiting -= 1
        if status == REFUSED:
            _logger.error("%s: Typst refused it: %s", asked["template"], content.decode("utf-8", "replace"))
            raise PdfFailed
        return content

    async def _exchange(self, asked: Mapping[str, Any]) -> tuple[int, bytes]:
        process = await self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        body = json.dumps(asked, ensure_ascii=False).encode()
        process.stdin.write(struct.pack(">I", len(body)) + body)
        await process.stdin.drain()
        status, length = struct.unpack(">BI", await process.stdout.readexactly(5))
        return status, await process.stdout.readexactly(length)

    async def _running(self) -> Process:
        if self._process is not None and self._process.returncode is not None:
            await self._end()  # somebody ended it while nobody needed it
        if self._process is None:
            command = die_with_parent([sys.executable, *_CHILD, str(self._memory), str(self._kept)], nice=5)
            # In a session of its own: Ctrl-C in a terminal is for us, who then end it.
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, env=_environment(), start_new_session=True
            )
        return self._process

    def _retire(self) -> None:
        """End what nobody has needed for a while; not while somebody has the turn."""
        if self._process is not None and not self._turn.locked():
            self._kill(self._process)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            self._kill(process)
            # Killed, it waits for nothing any more: this takes what it had written, and closes the pipes.
            await asyncio.shield(process.communicate())

    @staticmethod
    def _kill(process: Process) -> None:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
