"""What lies in a directory now.

Promises: symbolic links are not followed - what they point to may lie anywhere, and be anybody's; they, and what is
neither a file nor a directory, are counted. What vanishes meanwhile is left out; what may not be read is told with the
system's reason.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Scan", "Seen", "scan"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A file or a directory, and what the system says of it."""

    path: str
    stat: os.stat_result


@dataclass(slots=True)
class Scan:
    """All of a directory, in the order of the paths."""

    files: list[Seen] = field(default_factory=list)
    directories: list[Seen] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    special: int = 0

    @property
    def size(self) -> int:
        """Bytes in all files."""
        return sum(seen.stat.st_size for seen in self.files)


def scan(root: Path) -> Scan:
    """Look at everything below `root`; OSError when `root` itself cannot be read."""
    found = Scan()
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    _note(found, f"{folder}/{entry.name}" if folder else entry.name, entry, folders)
        except FileNotFoundError:
            if not folder:
                raise
        except OSError as error:
            if not folder:
                raise
            found.unreadable[folder] = error.strerror or str(error)
    found.files.sort(key=lambda seen: seen.path)
    found.directories.sort(key=lambda seen: seen.path)
    return found


def _note(found: Scan, path: str, entry: os.DirEntry[str], folders: list[str]) -> None:
    try:
        about = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        found.unreadable[path] = error.strerror or str(error)
        return
    if stat.S_ISDIR(about.st_mode):
        found.directories.append(Seen(path, about))
        folders.append(path)
    elif stat.S_ISREG(about.st_mode):
        found.files.append(Seen(path, about))
    else:
        found.special += 1
