"""A disk of its own for a directory of the drill, small enough to be filled: ext4 in a file, mounted through a loop device.

Promises: only as root and only where that works; elsewhere `SmallDisk.reason` says why not, and the directory lies on the
disk that everything lies on. Nothing of it is left when the block ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from sispat.kernel.i18n import _

__all__ = ["SmallDisk", "tool"]

_FILLER = "cheio"


class SmallDisk:
    """`with SmallDisk(directory, size):` - `directory` is a disk of `size` bytes, of which ext4 keeps some for itself."""

    def __init__(self, directory: Path, size: int) -> None:
        self.directory = directory
        self.reason: str | None = _("só quem é root monta um disco pequeno")
        """Why it cannot be filled; None once it is mounted."""
        self._size = size
        self._image = directory.with_name(f"{directory.name}.disco")

    def __enter__(self) -> Self:
        self.directory.mkdir()
        if os.geteuid() == 0:
            try:
                self._mount()
            except (OSError, subprocess.CalledProcessError) as error:
                self.reason = _("nenhum disco pode ser montado aqui: %(error)s", error=error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.reason is None:
            # Lazy: a process that hangs on it must not keep the drill from ending.
            subprocess.run([tool("umount"), "--lazy", self.directory], check=False, capture_output=True)  # noqa: S603

    def _mount(self) -> None:
        with self._image.open("wb") as image:
            image.truncate(self._size)  # a hole: what is not written takes no room
        # No bytes for root only: it is full for us, too. Nothing is set up later, in the middle of a measurement.
        options = ["-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard"]
        subprocess.run([tool("mkfs.ext4"), *options, self._image], check=True, capture_output=True)  # noqa: S603
        subprocess.run([tool("mount"), "-o", "loop", self._image, self.directory], check=True, capture_output=True)  # noqa: S603
        (self.directory / "lost+found").rmdir()
        self.reason = None

    def fill(self, leave: int = 0) -> None:
        """Take what is free but for `leave` bytes, to the last block, as somebody else's file."""
        assert self.reason is None, "it would be the machine's own disk"
        if leave:
            with (self.directory / _FILLER).open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(self.directory).free - leave)
            return
        with (self.directory / _FILLER).open("ab", buffering=0) as file:
            for piece in (1 << 26, 1 << 20, 1 << 12):  # large ones first; others write meanwhile
                try:
                    while True:
                        os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), piece)
                except OSError:
                    continue

    def is_full(self) -> bool:
        """Whether less than a page of the log is free."""
        return shutil.disk_usage(self.directory).free < 1 << 13

    def free_again(self) -> None:
        """Remove that file."""
        (self.directory / _FILLER).unlink(missing_ok=True)

    @property
    def device(self) -> str:
        """The block device, such as 7:0, for who slows it down."""
        found = self.directory.stat().st_dev
        return f"{os.major(found)}:{os.minor(found)}"


def tool(name: str) -> str:
    """Where administrators' programs lie, which is not in everybody's PATH."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
    if found is None:
        raise FileNotFoundError(name)
    return found
