"""The report as PDF, made by Typst in a process of its own.

Promises: the same document at the same moment makes the same bytes, in any process, time zone and language. The process has a
ceiling on its memory and a limit on its time, gets the document by a pipe and as data, never as Typst's source, and has none
of our settings. It dies with us. This is the one place of the toolkit that runs Typst.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from esteio.alert.report._document import Document
from esteio.errors import EsteioError
from esteio.system import die_with_parent

__all__ = ["PdfFailed", "report_pdf"]

_PROGRAM = Path(__file__).with_name("_typst.py")
_TEMPLATE = Path(__file__).with_name("report.typ")
_MEMORY = 1024**3  # bytes of address space; a report of 1,400 rows was seen to use 0.5 GB of it
_TIME = 30.0  # seconds
_LONGEST = 400  # characters of a reason
_KEPT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")


class PdfFailed(EsteioError):
    """The PDF was not made."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the report was not made as PDF: {reason}; the page has the same, and the browser prints it")


def report_pdf(document: Document, at: float, *, memory: int = _MEMORY, timeout: float = _TIME) -> bytes:
    """The PDF (PDF/A-2, with its structure for screen readers), dated `at`, Unix seconds; blocks. PdfFailed.

    `memory` in bytes of address space and `timeout` in seconds bound the process that makes it.
    """
    request = {"template": str(_TEMPLATE), "at": int(at), "memory": memory, "document": document.to_json()}
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {"RAYON_NUM_THREADS": "1"}
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            die_with_parent([sys.executable, "-P", str(_PROGRAM)]),
            input=json.dumps(request).encode(),
            capture_output=True,
            env=environment,
            timeout=timeout,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise PdfFailed(f"it took more than {timeout:.0f} s") from None
    except OSError as error:
        raise PdfFailed(f"no process could be started: {error.strerror}") from error
    if done.returncode != 0 or not done.stdout.startswith(b"%PDF-"):
        reason = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise PdfFailed(reason[:_LONGEST] or f"its process ended with exit code {done.returncode}")
    return done.stdout
