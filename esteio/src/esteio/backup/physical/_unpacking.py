"""A tar stream back into a directory.

Promises: regular files and directories below the directory only, readable by their owner alone; a stream that ends too
early, or was changed, raises what the reader of the backup says, and never passes for whole.
"""

from __future__ import annotations

import os
import tarfile
import threading
from pathlib import Path
from typing import IO

from esteio.backup._errors import BackupDamaged
from esteio.backup._folder import Folder
from esteio.backup._manifest import Part

__all__ = ["unpack_tar"]


def unpack_tar(folder: Folder, part: Part, directory: Path) -> None:
    """Extract `part` of a backup into `directory`, which is made."""
    directory.mkdir(mode=0o700)
    reading, writing = os.pipe()
    failures: list[BaseException] = []
    with os.fdopen(reading, "rb") as source:
        thread = threading.Thread(target=_read, args=(folder, part, os.fdopen(writing, "wb"), failures))
        thread.start()
        broken: tarfile.TarError | None = None
        try:
            _extract(source, directory)
        except tarfile.TarError as error:
            broken = error
        finally:
            while source.read(1 << 20):  # the end of the stream, so that all of it is checked
                pass
            thread.join()
    if failures:
        raise failures[0]
    if broken is not None:
        raise BackupDamaged(folder.manifest.id, part.name, f"no whole tar file ({broken})")


def _read(folder: Folder, part: Part, sink: IO[bytes], failures: list[BaseException]) -> None:
    try:
        with sink:
            folder.read(part, sink)
    except BaseException as error:  # noqa: BLE001 - raised again by who waits
        failures.append(error)


def _extract(source: IO[bytes], directory: Path) -> None:
    with tarfile.open(fileobj=source, mode="r|") as tar:
        for member in tar:
            tar.extract(member, directory, filter=_private)


def _private(member: tarfile.TarInfo, _: str) -> tarfile.TarInfo:
    path = Path(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
        msg = f"{member.name!r} is neither a file nor a directory below the data directory"
        raise tarfile.TarError(msg)
    mode = 0o700 if member.isdir() else 0o600
    return member.replace(mode=mode, uid=os.geteuid(), gid=os.getegid(), uname="", gname="", deep=False)
