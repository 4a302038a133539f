"""Files, directories and links of an installation: made, brought up to date, and taken away again.

Promises: a second `apply` changes nothing and says so. What a person changed is kept, and what would have been written lies
beside it as `.new`. Each file is whole at each moment and never open to more than its mode says. What was written is
noted in `record`, which tells what a person changed from what we wrote. `remove` takes away what is as we wrote it, and keeps
the rest. An item that cannot be made is the system's OSError, with its path; what was made before it stays, and the next
`apply` goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from esteio.errors import EsteioError
from esteio.system import atomic_write, sync_directory

__all__ = ["Directory", "Done", "File", "Installation", "Item", "Link", "UnknownAccount"]


class UnknownAccount(EsteioError):
    """A file is for an account or a group that the system does not have."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path
        super().__init__(f"{path} is for {name}, and this system has no such account or group; make it first")


@dataclass(frozen=True, slots=True)
class File:
    """A text file. One that is a person's from the `first` time on is never written again."""

    path: Path
    text: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    first: bool = False
    secret: bool = False
    """Whether its text is kept from the screen."""


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory; `remove` leaves it, unless it is empty and not `kept`."""

    path: Path
    owner: str = "root"
    group: str = "root"
    mode: int = 0o755
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link; a person's, once it is there."""

    path: Path
    target: Path


Item = File | Directory | Link


class Done(Enum):
    """What became of an item."""

    CREATED = "created"
    UPDATED = "updated"
    CORRECTED = "corrected"  # its owner or mode
    UNCHANGED = "unchanged"
    KEPT = "kept"  # changed by a person, or theirs
    BESIDE = "beside"  # changed by a person; the new one lies beside it
    REMOVED = "removed"


class Installation:
    """Items below `root`, in the order in which they are made.

    Owners are those of the system below `root`; who is not root itself makes all of it their own.
    """

    def __init__(self, record: Path, *, root: Path = Path("/")) -> None:
        self._root = root
        self._record = self.at(record)
        self._owns = hasattr(os, "geteuid") and os.geteuid() == 0

    def at(self, path: Path) -> Path:
        """Where `path` of the installed system lies."""
        return self._root / path.relative_to("/")

    def apply(self, items: Iterable[Item]) -> Iterator[tuple[Item, Done]]:
        """Make each, and say what became of it."""
        written = self._written()
        for item in items:
            done = self._make(item, written)
            self._note(written)
            yield item, done

    def remove(self, items: Iterable[Item]) -> Iterator[tuple[Item, Done]]:
        """Take away each that is as it was written, the last one first; then the record."""
        written = self._written()
        for item in reversed(list(items)):
            path = self.at(item.path)
            if not os.path.lexists(path):
                continue
            yield item, Done.REMOVED if self._take_away(item, path, written) else Done.KEPT
        self._record.unlink(missing_ok=True)
        with suppress(OSError):
            self._record.parent.rmdir()

    def _make(self, item: Item, written: dict[str, str]) -> Done:
        path = self.at(item.path)
        if isinstance(item, Directory):
            return self._make_directory(item, path)
        _make_parents(path)
        if isinstance(item, Link):
            if os.path.lexists(path):
                return Done.UNCHANGED if path.is_symlink() and path.readlink() == item.target else Done.KEPT
            path.symlink_to(item.target)
            return Done.CREATED
        return self._make_file(item, path, written)

    def _make_directory(self, item: Directory, path: Path) -> Done:
        if path.is_dir():
            return Done.CORRECTED if self._give(item, path) else Done.UNCHANGED
        _make_parents(path)
        path.mkdir(mode=0o700)
        self._give(item, path)
        return Done.CREATED

    def _make_file(self, item: File, path: Path, written: dict[str, str]) -> Done:
        if not os.path.lexists(path):
            self._write(item, path)
            written[str(item.path)] = _digest(item.text)
            return Done.CREATED
        if path.is_symlink() or not path.is_file():
            return Done.KEPT
        present = path.read_text("utf-8", "surrogateescape")
        if item.first or present == item.text:
            written.setdefault(str(item.path), _digest(present))
            return Done.CORRECTED if self._give(item, path) else Done.UNCHANGED
        if written.get(str(item.path)) == _digest(present):
            self._write(item, path)
            written[str(item.path)] = _digest(item.text)
            return Done.UPDATED
        return self._lay_beside(item, path)

    def _lay_beside(self, item: File, path: Path) -> Done:
        beside = path.with_name(f"{path.name}.new")
        if beside.is_file() and not beside.is_symlink() and beside.read_text("utf-8", "surrogateescape") == item.text:
            return Done.KEPT
        self._write(item, beside)
        return Done.BESIDE

    def _write(self, item: File, path: Path) -> None:
        """Never more open than `item.mode`, not even for a moment."""
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(item.text)
                file.flush()
                os.fsync(file.fileno())
            self._give(item, Path(name))
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_directory(path.parent)

    def _give(self, item: File | Directory, path: Path) -> bool:
        """Set owner and mode; whether one of them was another."""
        found = path.stat()
        wanted = (self._number("passwd", item.owner, item.path), self._number("group", item.group, item.path))
        wrong_owner = self._owns and (found.st_uid, found.st_gid) != wanted
        if wrong_owner:
            os.chown(path, *wanted, follow_symlinks=False)
        if wrong_mode := stat.S_IMODE(found.st_mode) != item.mode:
            path.chmod(item.mode)
        return wrong_owner or wrong_mode

    def _number(self, database: str, name: str, path: Path) -> int:
        """The number of an account or group, by the system below `root`."""
        if not self._owns or name == "root":
            return 0
        if self._root == Path("/"):
            import grp
            import pwd

            with suppress(KeyError):
                return pwd.getpwnam(name).pw_uid if database == "passwd" else grp.getgrnam(name).gr_gid
        else:
            with suppress(FileNotFoundError):
                for line in (self._root / "etc" / database).read_text("utf-8").splitlines():
                    if line.startswith(f"{name}:"):
                        return int(line.split(":")[2])
        raise UnknownAccount(name, path)

    def _take_away(self, item: Item, path: Path, written: Mapping[str, str]) -> bool:
        if isinstance(item, Directory):
            with suppress(OSError):  # not empty: what is in it is somebody's
                if not item.kept:
                    path.rmdir()
            return not path.exists()
        if isinstance(item, Link):
            ours = path.is_symlink()
        else:
            ours = (
                not item.first
                and path.is_file()
                and not path.is_symlink()
                and (written.get(str(item.path)) == _digest(path.read_text("utf-8", "surrogateescape")))
            )
        if ours:
            path.unlink()
        return ours

    def _written(self) -> dict[str, str]:
        with suppress(OSError, ValueError):
            found = json.loads(self._record.read_text("utf-8"))
            if isinstance(found, dict):
                return found
        return {}

    def _note(self, written: Mapping[str, str]) -> None:
        text = json.dumps(written, indent=1, sort_keys=True).encode()
        with suppress(OSError):
            if self._record.read_bytes() == text:
                return
        _make_parents(self._record)
        atomic_write(self._record, text)


def _make_parents(path: Path) -> None:
    """As a system has them, whatever the umask of who installs is."""
    for parent in reversed(path.parents):
        if not parent.exists():
            parent.mkdir()
            parent.chmod(0o755)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
