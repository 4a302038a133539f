"""Releases side by side: an environment each, and a link to the one in force.

Promises: the link leads to a whole release at each moment, also when this process is killed. A release that was not
finished is never switched to, and is made anew. `prune` takes away neither the release in force nor one that is named to it
as used.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from esteio.errors import EsteioError
from esteio.system import atomic_write, sync_directory

__all__ = ["WHOLE", "ReleaseFailed", "Releases"]

WHOLE = ".whole"
"""A file in each release that was finished."""
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+!-]{0,63}")
_PATIENCE = 1800.0  # seconds for packages to be fetched and installed


class ReleaseFailed(EsteioError):
    """A release could not be made, or cannot be switched to."""

    def __init__(self, release: Path, problem: str) -> None:
        self.release, self.problem = release, problem
        super().__init__(f"release {release}: {problem}")


class Releases:
    """The releases below `home`/releases, and the link `home`/current."""

    def __init__(self, home: Path) -> None:
        self._directory = home / "releases"
        self.link = home / "current"

    def path(self, name: str) -> Path:
        """Where the release `name` lies."""
        if not _NAME.fullmatch(name):
            raise ReleaseFailed(self._directory / name, "its name is no version")
        return self._directory / name

    @property
    def current(self) -> Path | None:
        """What the link leads to."""
        return Path(os.path.realpath(self.link)) if self.link.is_symlink() else None

    def all(self) -> list[Path]:
        """Those that are whole, the oldest first."""
        found = (
            [each for each in self._directory.iterdir() if (each / WHOLE).exists()] if self._directory.is_dir() else []
        )
        return sorted(found, key=lambda each: (each / WHOLE).stat().st_mtime_ns)

    def make(self, name: str, requirements: Sequence[str], options: Sequence[str] = ()) -> Path:
        """An environment with `requirements`, installed by pip with `options`; one that is whole, or in force, is left alone.

        It is made where it will be used: an environment cannot be moved. ReleaseFailed, with pip's words.
        """
        release = self.path(name)
        if (release / WHOLE).exists() or release == self.current:
            return release
        shutil.rmtree(release, ignore_errors=True)
        self._directory.mkdir(parents=True, exist_ok=True)
        # The base interpreter: an environment made by another environment's Python leads to it through that.
        self._run(release, [_base_python(), "-I", "-m", "venv", str(release)])
        pip = [str(release / "bin" / "python"), "-I", "-m", "pip", "--disable-pip-version-check", "-q", "install"]
        self._run(release, [*pip, *options, *requirements])
        atomic_write(release / WHOLE, b"")
        return release

    def switch(self, release: Path) -> None:
        """Have the link lead to `release`, in one step."""
        if not (release / "bin" / "python").exists():
            raise ReleaseFailed(release, "there is no Python in it")
        new = self.link.with_name(f".{self.link.name}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(release)
        new.replace(self.link)
        sync_directory(self.link.parent)

    def prune(self, keep: int, used: Collection[Path] = ()) -> list[Path]:
        """Take away all but the newest `keep`; those that are."""
        spared = {self.current, *used, *self.all()[-keep:]}
        gone = [each for each in self.all() if each not in spared]
        for each in gone:
            (each / WHOLE).unlink()  # from now on it is unfinished, however far the removal gets
            shutil.rmtree(each, ignore_errors=True)
        return gone

    def _run(self, release: Path, words: Sequence[str]) -> None:
        try:
            done = subprocess.run(  # noqa: S603
                words, capture_output=True, text=True, check=False, timeout=_PATIENCE, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ReleaseFailed(release, f"{words[0]}: {error}") from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()[-20:]
            raise ReleaseFailed(release, "\n".join([f"{' '.join(words)} ended with {done.returncode}", *said]))


def _base_python() -> str:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = Path(sys.base_exec_prefix) / "bin" / version
    return str(found) if found.exists() else sys.executable
