"""How backups are shown to people and to programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esteio.cli._words import Words
from esteio.clock import SYSTEM

if TYPE_CHECKING:
    from esteio.backup import Entry, Problem, Status
    from esteio.backup.documents import Returned
    from esteio.backup.restore import Window

__all__ = [
    "age_text",
    "documents_taken",
    "documents_text",
    "entries_json",
    "entries_table",
    "entry_json",
    "operator_says",
    "size_text",
    "status_json",
    "status_lines",
]


def size_text(size: int) -> str:
    """Such as `12.3 MB`; 1 MB is 1,000,000 bytes."""
    if size < 1000:
        return f"{size} B"
    amount, units = size / 1000, ["kB", "MB", "GB", "TB"]
    while amount >= 999.95 and len(units) > 1:
        amount /= 1000
        del units[0]
    return f"{amount:.1f} {units[0]}"


def age_text(seconds: float) -> str:
    """Such as `5 min`, `3.2 h` or `12.0 d`."""
    if abs(seconds) < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if abs(seconds) < 48 * 3600 else f"{seconds / 86400:.1f} d"


def documents_taken(about: Mapping[str, Any], words: Words) -> list[str]:
    """What a manifest's details say of the documents; nothing where there are none."""
    if "files" not in about:
        return []
    shown = {**about, "size": size_text(about["size"]), "new_size": size_text(about["new_size"])}
    odd = any(about[name] for name in ("vanished", "changed", "unreadable", "special"))
    return [text.format(**shown) for text in (words.documents_made, *([words.documents_odd] if odd else []))]


def documents_text(returned: Returned | None, words: Words) -> list[str]:
    """What a restore did with the documents."""
    if returned is None:
        return []
    size = size_text(returned.size)
    lines = [words.documents_back.format(files=returned.files, size=size, directory=returned.directory)]
    return lines if returned.kept is None else [*lines, words.documents_kept.format(kept=returned.kept)]


def entries_json(entries: Sequence[Entry], windows: Mapping[str, Window]) -> str:
    """One object for each folder."""
    return json.dumps([_plain(entry, windows.get(entry.id)) for entry in entries], ensure_ascii=False, indent=2)


def entry_json(entry: Entry, window: Window | None) -> str:
    """One backup, as in the list."""
    return json.dumps(_plain(entry, window), ensure_ascii=False, indent=2)


def status_json(status: Status) -> str:
    """The status with its verdict; each problem as its code, its English sentence and what it is about."""
    found = {field: getattr(status, field) for field in status.__slots__ if field != "problems"}
    problems = [{"code": each.code.name, "text": str(each), **each.fields} for each in status.problems]
    return json.dumps({"ok": status.ok, "problems": problems, **found}, ensure_ascii=False, indent=2)


def status_lines(status: Status, words: Words) -> Iterator[str]:
    """The verdict in one line, as monitoring shows it, then each further problem in its own."""
    if status.ok:
        yield words.ok.format(id=status.verified, age=age_text(status.verified_age or 0))
    for number, problem in enumerate(map(words.problem, status.problems)):
        yield problem if number else words.red.format(problem=problem)


def operator_says(path: Path | None) -> tuple[Problem, ...]:
    """What is bad, as the operator that writes `path` says, where there is one that makes the backups."""
    from esteio.backup.agent import read_state

    state = read_state(path) if path else None
    if state is None or not state.active:
        return ()
    return state.problems(SYSTEM.time())


def entries_table(entries: Sequence[Entry], windows: Mapping[str, Window], words: Words) -> None:
    """A table on a terminal; lines with tabs elsewhere."""
    now = datetime.now(UTC)
    rows = [(*_row(entry, words, now), _reach(windows.get(entry.id), words)) for entry in entries]
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*words.columns)
    for entry, row in zip(entries, rows, strict=True):
        table.add_row(*map(escape, row), style="green" if entry.verified and not entry.problem else "yellow")
    Console().print(table)


def _row(entry: Entry, words: Words, now: datetime) -> tuple[str, ...]:
    manifest, verification = entry.manifest, entry.verification
    return (
        entry.id,
        manifest.kind if manifest else "",
        age_text((now - entry.began).total_seconds()),
        size_text(manifest.size) if manifest else "",
        size_text(manifest.stored) if manifest else "",
        _state(entry, words),
        f"{verification.restore_seconds:.1f} s" if verification and verification.ok else "",
        ", ".join(entry.stores),
    )


def _reach(window: Window | None, words: Words) -> str:
    if window is None:
        return ""
    begins, ends = (moment.isoformat(" ", "seconds") for moment in (window.begins, window.ends))
    return words.reach.format(begins=begins, ends=ends)


def _state(entry: Entry, words: Words) -> str:
    if entry.problem or any(defect.file for defect in entry.defects):
        return words.damaged
    if not entry.complete:
        return words.unfinished
    if entry.verification is None:
        return words.unverified
    return words.verified if entry.verification.ok else words.failed


def _plain(entry: Entry, window: Window | None) -> dict[str, Any]:
    manifest, verification = entry.manifest, entry.verification
    return {
        "id": entry.id,
        "began": entry.began.isoformat(),
        "complete": entry.complete,
        "problem": str(entry.problem) if entry.problem else None,
        "stores": entry.stores,
        "flaws": [
            {"store": defect.store, "file": defect.file, "problem": str(defect.problem)} for defect in entry.defects
        ],
        "kind": manifest.kind if manifest else None,
        "size": manifest.size if manifest else None,
        "stored": manifest.stored if manifest else None,
        "duration": manifest.duration if manifest else None,
        "server_version": manifest.server_version if manifest else None,
        "lsn": manifest.lsn if manifest else None,
        "documents": manifest.details.get("documents") if manifest else None,
        "verified": entry.verified,
        "proof": asdict(verification) if verification else None,
        "kept": entry.pinned,
        "note": entry.marks.note if entry.marks else "",
        "accepted": dict(entry.marks.accepted) if entry.marks else {},
        "reachable": [window.begins.isoformat(), window.ends.isoformat()] if window else None,
    }
