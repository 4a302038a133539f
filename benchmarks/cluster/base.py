"""Claims `base`, `base restore` and `delta restore`: the whole cluster stored, and back, ready to be put in place.

Ours are the whole commands, Python's start included, from a directory of backups into a directory that was started,
looked at and made durable. pg_restore fills a new database of an equal server that runs already; what is not durable
when it ends is made so by a CHECKPOINT, as ours is.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.cluster.barman import Barman, BarmanFailed
from benchmarks.report import Claim

from esteio.backup.tools import Toolbox, environment
from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded

__all__ = ["ESTEIO", "measure"]

ESTEIO = [sys.executable, "-m", "esteio", "backup"]


def measure(dsn: Dsn, rounds: int, home: Path) -> list[Claim]:
    """Both claims, on the server at `dsn`, with `home` for all files."""
    home.chmod(0o711)  # as root, the servers' account has to pass
    variables = environment(dsn) | {"DATABASE_URL": dsn.url, "BACKUP_DIR": str(home / "cluster")}
    run([*ESTEIO, "init"], variables)
    programs = Toolbox(18).directory
    copies: dict[str, Callable[[], object]] = {
        "floor": lambda: run([programs / "pg_basebackup", *_TO_STDOUT], variables),
        "ours": lambda: run([*ESTEIO, "run", "--kind", "base", "--no-verify"], variables),
        "pg_basebackup -Ft": lambda: run([programs / "pg_basebackup", "-Ft", *_into(home / "tar")], variables),
        "pg_basebackup -Ft -Z gzip:1": lambda: run(
            [programs / "pg_basebackup", "-Ft", "--compress=client-gzip:1", *_into(home / "tar")], variables
        ),
    }
    run([programs / "pg_dump", "-Fc", "-f", home / "custom"], variables)
    run([programs / "pg_dumpall", "--roles-only", "-f", home / "roles"], variables)
    with _Other(home, home / "roles") as other:
        restores: dict[str, Callable[[], object]] = {
            "ours": lambda: run([*ESTEIO, "restore", "--to", "last", "--directory", _gone(home / "new")], variables),
            "pg_restore": lambda: other.restore(home / "custom", 1),
            "pg_restore -j2": lambda: other.restore(home / "custom", 2),
        }
        barman = _barman(dsn, home)
        if barman is not None:
            copies["barman backup"] = lambda: run(barman.backup(), variables)
            restores["barman recover"] = lambda: run(barman.recover(_gone(home / "recovered")), variables)
        try:
            copied, restored = best(copies, rounds), best(restores, rounds)
        finally:
            if barman is not None:
                barman.stop()
    slowest = restored["pg_restore"]
    return [
        Claim("delta restore", "x", "lower", _delta(home / "new", variables, rounds) / restored["ours"], target=0.3),
        Claim("base", "s", "lower", copied.pop("ours"), copied, copied.pop("floor")),
        Claim("base restore", "s", "lower", restored.pop("ours"), restored, target=slowest / 4),
    ]


def _delta(directory: Path, variables: Mapping[str, str], rounds: int) -> float:
    """Seconds to make a restored directory, which was not changed since, as the base is once more."""
    again = [*ESTEIO, "restore", "cluster", "--replace", "--data-dir", directory, "--delta", "--yes"]
    return best({"delta": lambda: run(again, variables)}, rounds)["delta"]


_TO_STDOUT = ["-Ft", "-D", "-", "-X", "fetch", "--checkpoint=fast"]


def best(commands: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The shortest time of each in seconds, all run in turn."""
    found = dict.fromkeys(commands, float("inf"))
    for _ in range(rounds):
        for name, command in commands.items():
            began = time.perf_counter()
            command()
            found[name] = min(found[name], time.perf_counter() - began)
    return found


def run(command: list[str | Path], variables: Mapping[str, str]) -> None:
    """Run a command that must not fail; its output is of no interest."""
    quiet = subprocess.DEVNULL
    done = subprocess.run(
        command, check=False, env=dict(variables), stdin=quiet, stdout=quiet, stderr=subprocess.PIPE, text=True
    )
    if done.returncode != 0:
        raise SystemExit(f"{command} failed with {done.returncode}: {done.stderr}")


def _into(directory: Path) -> list[str | Path]:
    return ["-D", _gone(directory), "-X", "fetch", "--checkpoint=fast"]


def _gone(directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    return directory


def _barman(dsn: Dsn, home: Path) -> Barman | None:
    """Ready to be measured, or the reason is printed."""
    reason = Barman.missing()
    if reason is None:
        made = Barman(dsn, home / "barman")
        try:
            made.start()
        except BarmanFailed as error:
            made.stop()
            reason = str(error)
        else:
            return made
    print(f"Barman is left out: {reason}")
    return None


class _Other:
    """A second server, durable as the first, that pg_restore fills."""

    def __init__(self, home: Path, roles: Path) -> None:
        self._roles = roles
        self._server = Embedded(home / "other")
        self._programs = Toolbox(18).directory

    def __enter__(self) -> _Other:
        self._server.start()
        run([self._programs / "psql", "-f", self._roles], environment(self._server.dsn()))
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def restore(self, archive: Path, jobs: int) -> None:
        """A new database from `archive`."""
        variables = environment(self._server.dsn())
        run([self._programs / "dropdb", "--if-exists", "--force", "city"], variables)
        run([self._programs / "createdb", "city"], variables)
        run([self._programs / "pg_restore", f"--jobs={jobs}", "--no-owner", "-d", "city", archive], variables)
        run([self._programs / "psql", "-c", "CHECKPOINT"], variables)
