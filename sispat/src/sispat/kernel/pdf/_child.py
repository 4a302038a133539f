"""The process that draws: reads requests from its standard input, one after the other, and answers on its standard output.

A request is a length (4 bytes, big-endian) and a JSON object; an answer is a status (`DONE`, `LAST` or `REFUSED`), a length,
and the document, or why there is none. Typst keeps what it made for the next document; where that is too much it is given up,
and where it is too much all the same, the process ends after an answer `LAST`. It has none of our settings, connections or
secrets.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["DONE", "LAST", "REFUSED", "main"]

DONE, LAST, REFUSED = 0, 1, 2
_FORGOTTEN = 12  # documents after which Typst gives up what it kept of one: its memoization evicts what ten passed by
ROOT = Path(__file__).parents[2]  # of the package: the templates lie beside the code of their slice


def main() -> None:
    """Answer until the input ends. The arguments are bytes of memory: the ceiling, and what is too much after a document."""
    most, kept = map(int, sys.argv[1:3])
    _limit_memory(most)
    import typst  # after the ceiling was set: what it maps counts

    compiler = typst.Compiler(root=str(ROOT), ignore_system_fonts=True)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while True:
        head = requests.read(4)
        if len(head) < 4:
            return
        asked = json.loads(requests.read(struct.unpack(">I", head)[0]))
        try:
            document = _draw(compiler, asked)
        except typst.TypstError as error:
            _answer(answers, REFUSED, f"{error.message} {'; '.join(error.hints)}".encode())
            continue
        if _memory_used() > kept:
            _forget(compiler)
        last = _memory_used() > kept
        _answer(answers, LAST if last else DONE, document)
        if last:
            return


def _draw(compiler: Any, asked: dict[str, Any]) -> bytes:
    inputs = {"dados": asked["data"]}
    if asked["qr"]:
        from sispat.kernel.qr import qr_svg  # late: few documents have any

        inputs["qr"] = json.dumps([qr_svg(text, border=2, quickly=True) for text in asked["qr"]])
    made = compiler.compile(
        str(ROOT / asked["template"]),
        format=asked["format"],
        ppi=asked["ppi"],
        sys_inputs=inputs,
        pdf_standards=asked["standards"],
        pdf_tags=asked["tagged"],
        timestamp=asked["at"],
    )
    first: bytes = made[0] if isinstance(made, list) else made  # one picture for each page
    return first


def _forget(compiler: Any) -> None:
    """Have Typst give up what it kept for the next document, which has other data.

    It gives up what the last documents did not use: some empty ones take less time than to end this process and start another.
    """
    compiler.compile(b"", format="svg", sys_inputs={})
    for _ in range(_FORGOTTEN):
        compiler.compile(b"", format="svg")  # the same again
    with contextlib.suppress(AttributeError, OSError):  # no glibc
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)  # what is free goes back to the system


def _answer(answers: BinaryIO, status: int, content: bytes) -> None:
    answers.write(struct.pack(">BI", status, len(content)))
    answers.write(content)
    answers.flush()


def _limit_memory(most: int) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows; a ceiling below ours is in force already
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _memory_used() -> int:
    """What this process uses, in bytes; 0 where the system does not say.

    Not getrusage's ru_maxrss: Linux hands the largest memory of who started a program on to it.
    """
    with contextlib.suppress(OSError, ValueError):
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


if __name__ == "__main__":
    main()
