"""What can go wrong with a backup or a restore, and what to do about it.

Promises: each error derives from `BackupError` and says whether anything was changed where that is in doubt. No
password is ever in a message: the tools get theirs by the environment, and addresses are shown masked.
"""

from __future__ import annotations

from pathlib import Path

from esteio.backup._details import Detail, DetailCode
from esteio.errors import EsteioError

__all__ = [
    "AlreadyRunning",
    "BackupDamaged",
    "BackupError",
    "BackupNotFound",
    "CannotVerify",
    "DatabaseRefused",
    "DeleteRefused",
    "EncryptionRequired",
    "LeaseHeld",
    "LeaseLost",
    "LockRefused",
    "ManifestError",
    "NotConfirmed",
    "NotLeader",
    "RestoreRefused",
    "RestoreUnclear",
    "StoreInUse",
    "ToolError",
    "ToolFailed",
    "ToolMissing",
    "VerificationFailed",
]


class BackupError(EsteioError):
    """Base of the errors of backups and restores."""


class ManifestError(BackupError):
    """A manifest that cannot be read: damaged, or written by a later version."""

    def __init__(self, backup: str, problem: str, advice: str) -> None:
        self.backup = backup
        self.problem = problem
        self.advice = advice
        super().__init__(f"manifest of backup {backup!r}: {problem}; {advice}")


class BackupNotFound(BackupError):
    """No complete backup of that name, or none at all; `refused` are those that `latest` must not be."""

    def __init__(self, wanted: str, known: tuple[str, ...], where: str, refused: tuple[str, ...] = ()) -> None:
        self.wanted = wanted
        self.known = known
        self.where = where
        self.refused = refused
        some = ", ".join(known[-3:]) or "none yet: make one with `backup run`"
        if refused:
            named = ", ".join(refused[-3:])
            some += f"; failed its verification or lies in the future: {named}; to use it all the same, name it"
        super().__init__(f"backup {wanted!r} is not in {where}; the newest there: {some}")


class BackupDamaged(BackupError):
    """A stored file is not what the manifest says."""

    def __init__(self, backup: str, file: str, problem: str) -> None:
        self.backup = backup
        self.file = file
        self.problem = problem
        super().__init__(
            f"backup {backup!r} is damaged: {file}: {problem}; restore another backup, or this one from another store"
        )


class VerificationFailed(BackupError):
    """A backup was restored, and what came out is not what went in."""

    def __init__(self, backup: str, problems: tuple[str, ...]) -> None:
        self.backup = backup
        self.problems = problems
        more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
        super().__init__(
            f"backup {backup!r} did not pass its verification: {'; '.join(problems[:5])}{more}; "
            "do not count on it, make a new one"
        )


class DatabaseRefused(BackupError):
    """The server did not carry out a statement: rights are missing, or something is there that should not be."""

    def __init__(self, database: str, reason: str) -> None:
        self.database = database
        self.reason = reason
        super().__init__(f"database {database} refused: {reason}; use its owner or a superuser, or see the reason")


class DeleteRefused(BackupError):
    """A backup that somebody wants, or that another one needs, was not deleted: nothing was changed."""

    def __init__(self, backup: str, reason: str, advice: str) -> None:
        self.backup = backup
        self.reason = reason
        self.advice = advice
        super().__init__(f"backup {backup!r} was not deleted: {reason}; {advice}")


class EncryptionRequired(BackupError):
    """The store was made for encrypted backups alone, and this one would not be: nothing was written."""

    def __init__(self, store: str) -> None:
        self.store = store
        super().__init__(
            f"backup store {store} takes only encrypted backups, and nothing says how to encrypt; set BACKUP_PASSPHRASE or "
            "BACKUP_RECIPIENTS"
        )


class RestoreRefused(BackupError):
    """A restore that would fail or harm was not begun: nothing was changed."""

    def __init__(self, database: str, reason: str, advice: str) -> None:
        self.database = database
        self.reason = reason
        self.advice = advice
        super().__init__(f"restore into {database!r} refused, nothing was changed: {reason}; {advice}")


class RestoreUnclear(BackupError):
    """The server was lost while the databases changed names, and did not come back: it may have done it, or not."""

    def __init__(self, database: str) -> None:
        self.database = database
        super().__init__(
            f"the server was lost while {database!r} took the place of the old database, and does not answer; when it is "
            "back: if that database still exists, nothing was changed, and the documents of before, kept beside, have to "
            "be put back; if it does not, all is done"
        )


class NotConfirmed(BackupError):
    """The name that was typed is not the one of the database: nothing was changed."""

    def __init__(self, database: str) -> None:
        self.database = database
        super().__init__(
            f"restore into {database!r} was not confirmed, nothing was changed; type its name, or pass --yes"
        )


class AlreadyRunning(BackupError):
    """Another process backs up, restores or prunes with the same directory.

    A command that ends with it exits with `exit_code`: EX_TEMPFAIL of sysexits.h, come again later.
    """

    exit_code = 75

    def __init__(self, lock: Path, pid: int | None) -> None:
        self.lock = lock
        self.pid = pid
        self.retry_after = 60.0
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"backups under {lock.parent}: {who} is at work there; wait until it has ended, then try again"
        )


class LeaseHeld(AlreadyRunning):
    """Another machine backs up or prunes in that store, as the lease there says. Times are UTC in ISO 8601."""

    def __init__(self, store: str, *, host: str, pid: int, since: str, expires: str) -> None:
        self.store = store
        self.host = host
        self.since = since
        self.expires = expires
        super().__init__(Path(store), pid or None)
        self.args = (
            f"backup store {store}: process {pid} on {host or 'an unknown host'} has been at work there since {since}; wait "
            f"until it has ended, then try again. If it is gone for good, its lease runs out at {expires}, and who comes "
            "then replaces it after a minute; `backup unlock` does at once",
        )


class StoreInUse(LeaseHeld):
    """Another machine reads from that store, so nothing is removed there, or removes there, so nothing is read."""

    def __init__(self, store: str, *, host: str, pid: int, since: str, expires: str) -> None:
        super().__init__(store, host=host, pid=pid, since=since, expires=expires)
        self.args = (
            f"backup store {store}: process {pid} on {host or 'an unknown host'} has been reading or removing there since "
            f"{since}; wait until it has ended, then try again. If it is gone, it counts for nothing from {expires} on",
        )


class LeaseLost(BackupError):
    """Another process took the lease of a store: what we were about to write or remove there was not. It ends."""

    def __init__(self, store: str, host: str, pid: int) -> None:
        self.store = store
        self.host = host
        self.pid = pid
        who = f"process {pid} on {host}" if host else "somebody"
        super().__init__(
            f"backup store {store}: {who} took the lease, as we did not renew it for a minute or by `backup unlock`; nothing "
            "more is changed there by this run, make a new one"
        )


class NotLeader(BackupError):
    """Another machine makes the backups of this database now; a command that ends with it exits as for `AlreadyRunning`."""

    exit_code = 75

    def __init__(self, database: str) -> None:
        self.database = database
        self.retry_after = 60.0
        super().__init__(
            f"backups of {database}: another machine makes them now and holds the leader lock in that database; it does "
            "what has to be done, or leave out --if-leader"
        )


class LockRefused(BackupError):
    """The lock file cannot be made or opened."""

    def __init__(self, lock: Path, reason: str) -> None:
        self.lock = lock
        self.reason = reason
        super().__init__(f"lock {lock}: {reason}; let this account write to that directory, or choose another")


class CannotVerify(BackupError):
    """There is no room to restore a backup to verify it, which says nothing about the backup. Sizes are MB."""

    def __init__(self, backup: str, directory: Path, *, free: int, needed: int) -> None:
        self.backup = backup
        self.directory = directory
        self.free = free
        self.needed = needed
        super().__init__(
            f"backup {backup!r} cannot be verified: {directory} has {free} MB free, {needed} MB are needed; "
            "name another directory (TMPDIR)"
        )


class ToolError(BackupError):
    """Base of the errors of PostgreSQL's own programs."""


class ToolMissing(ToolError):
    """A program of PostgreSQL is not where the server's are, or is of another major."""

    def __init__(self, program: str, major: int, problem: str) -> None:
        self.program = program
        self.major = major
        self.problem = problem
        super().__init__(
            f"{program} of PostgreSQL {major}: {problem}; install the client programs of PostgreSQL {major}, "
            "or name the directory they are in"
        )


class ToolFailed(ToolError):
    """A program of PostgreSQL ended with an error; `stderr` is the end of what it said."""

    def __init__(self, program: str, code: int, stderr: str) -> None:
        self.program = program
        self.code = code
        self.stderr = stderr
        super().__init__(self.detail)

    @property
    def brief(self) -> Detail:
        """Which program ended how, without what it said."""
        if self.code < 0:
            return DetailCode.PROGRAM_KILLED(program=self.program, signal=-self.code)
        return DetailCode.PROGRAM_FAILED(program=self.program, code=self.code)

    @property
    def detail(self) -> Detail:
        """The whole sentence."""
        said = self.stderr if isinstance(self.stderr, Detail) else self.stderr.strip() or DetailCode.SAID_NOTHING()
        if self.code < 0:
            return DetailCode.PROGRAM_KILLED_SAID(program=self.program, signal=-self.code, said=said)
        return DetailCode.PROGRAM_FAILED_SAID(program=self.program, code=self.code, said=said)
