"""Write the threaded modules of `esteio.postgres.sync` from the asynchronous ones.

One source for both flavours, as psycopg has (its tools/async_to_sync.py changes the syntax tree; this one the tokens, so
comments and layout stay as they are). `async` and `await` go, names in NAMES are replaced, `Awaitable[X]` becomes `X`,
and a module that is generated imports those that are generated. What differs otherwise is in the two modules
`_concurrency.py`, which are written by hand.

Run: python -m tools.async_to_sync [--check]
"""

from __future__ import annotations

import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "esteio" / "src" / "esteio" / "postgres"
OUTPUT = PACKAGE / "sync"
MODULES = (
    "_blocks",
    "_connect",
    "_connection",
    "_connectors",
    "_core",
    "_cursor",
    "_database",
    "_guarded",
    "_pool",
    "_replicas",
    "_resets",
    "_resolution",
    "_run",
    "_statement",
    "_sweep",
    "_transaction",
    "_waiting_queue",
)
BY_HAND = ("_concurrency",)
NAMES = {
    "AbstractAsyncContextManager": "AbstractContextManager",
    "AsyncConnection": "Connection",
    "AsyncCursor": "Cursor",
    "AsyncRowFactory": "RowFactory",
    "AsyncServerCursor": "ServerCursor",
    "Connection": "SyncConnection",
    "Cursor": "SyncCursor",
    "Database": "SyncDatabase",
    "ServerCursor": "SyncServerCursor",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "pause_async": "pause",
    "sleep_async": "sleep",
}
WORDS = {
    "belongs to one event loop": "for any number of threads",
    "`Database.run`": "`SyncDatabase.run`",
    "`async with conn.pipeline():`": "`with conn.pipeline():`",
}
_IMPORT = re.compile(r"^from esteio\.postgres\.(\w+) import", re.MULTILINE)
_QUOTED = re.compile(r"""(^"|`)(\w+)("$|`|\.\w+`)""")
_LAYOUT = frozenset({tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT})


def sync_source(name: str) -> str:
    """The threaded module `name`."""
    source = (PACKAGE / f"{name}.py").read_text()
    source = _IMPORT.sub(_import, source)
    for ours, theirs in WORDS.items():
        source = source.replace(ours, theirs)
    header = f"# Generated from ../{name}.py by tools/async_to_sync.py: change that file and run the tool.\n"
    return _formatted(header + "".join(_converted(source)), name)


def _import(found: re.Match[str]) -> str:
    generated = found[1] in MODULES or found[1] in BY_HAND
    return found[0].replace("postgres.", "postgres.sync.", 1) if generated else found[0]


def _converted(source: str) -> Iterator[str]:
    """The text of `source` without what is asynchronous, piece by piece."""
    lines = source.splitlines(keepends=True)
    at = (1, 0)
    skipped: list[int] = []  # for each `Awaitable[` that is open: how many brackets are, in it
    drop_space = drop_next = False
    for token in tokenize.generate_tokens(StringIO(source).readline):
        between = _text(lines, at, token.start)
        at = token.end
        yield "" if drop_space else between
        drop_space = False
        text = token.string
        if token.type in _LAYOUT or token.type == tokenize.ENDMARKER:
            yield _text(lines, token.start, token.end)
            continue
        if drop_next:
            drop_next = False
            skipped.append(0)
            continue
        if text in ("async", "await") and token.type == tokenize.NAME:
            drop_space = True
            continue
        if text == "Awaitable" and lines[token.end[0] - 1][token.end[1] : token.end[1] + 1] == "[":
            drop_next = True
            continue
        if skipped and text == "[":
            skipped[-1] += 1
        if skipped and text == "]":
            if skipped[-1] == 0:
                skipped.pop()
                continue
            skipped[-1] -= 1
        yield _renamed(token, _text(lines, token.start, token.end))


def _renamed(token: tokenize.TokenInfo, text: str) -> str:
    if token.type == tokenize.NAME:
        return NAMES.get(text, text)
    if token.type == tokenize.STRING:  # a name that is exported, and names in documentation
        return _QUOTED.sub(lambda found: found[1] + NAMES.get(found[2], found[2]) + found[3], text)
    return text


def _text(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]] if start[0] <= len(lines) else ""
    return "".join((lines[start[0] - 1][start[1] :], *lines[start[0] : end[0] - 1], *_head(lines, end)))


def _head(lines: list[str], end: tuple[int, int]) -> list[str]:
    return [lines[end[0] - 1][: end[1]]] if end[0] <= len(lines) else []


def _formatted(text: str, name: str) -> str:
    """`text` with its imports sorted, without those that are no longer used, in the project's format."""
    file = str(OUTPUT / f"{name}.py")
    fix = ("check", "--select", "I,F401", "--fix", "--exit-zero", "--quiet")
    for command in (fix, ("format", "--quiet")):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", file, "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout
    return text


def stale() -> list[str]:
    """The generated modules that are not what their source says now."""
    there = {path.stem for path in OUTPUT.glob("_*.py")} - {"__init__", *BY_HAND}
    left = sorted(there - set(MODULES))
    return left + [name for name in MODULES if name not in there or _there(name) != sync_source(name)]


def _there(name: str) -> str:
    return (OUTPUT / f"{name}.py").read_text()


def main() -> int:
    if "--check" in sys.argv[1:]:
        if names := stale():
            sys.stderr.write(
                f"not current: {', '.join(names)} of esteio.postgres.sync; run: python -m tools.async_to_sync\n"
            )
        return bool(names)
    for name in MODULES:
        (OUTPUT / f"{name}.py").write_text(sync_source(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
