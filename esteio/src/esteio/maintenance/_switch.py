"""The switch: two files, one that a person puts there and one that a process holds locked.

Promises: what a process holds ends with it, however it ends; what a person turned on stays until it is turned off.
Each appears whole and at once. Asking costs nothing most of the time and two looks at the file system at most every
`every` seconds, so every process sees a change within that. A notice that can't be read still closes the service.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from esteio.clock import SYSTEM, Clock
from esteio.errors import EsteioError
from esteio.maintenance._notice import Notice

__all__ = ["Maintenance", "MaintenanceError", "MaintenanceHeld"]

_SEEN = 2.5  # times `every`: after that, every process has asked again


class MaintenanceError(EsteioError):
    """The switch can't be moved: its file can't be written or removed."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"maintenance {path}: {problem}; let this account write to {path.parent}")


class MaintenanceHeld(EsteioError):
    """A process that lives holds the switch."""

    def __init__(self, path: Path, notice: Notice) -> None:
        self.path = path
        self.notice = notice
        self.retry_after = 10.0
        super().__init__(
            f"maintenance {path}: process {notice.pid} of {notice.who} holds it ({notice.reason}); "
            "wait until that has ended, or end it"
        )


class Maintenance:
    """The switch at `path`, looked at most every `every` seconds.

    Beside the file `path`, which is a person's, lies `path` with `.held`, which is a process's; not on Windows.
    """

    def __init__(self, path: Path, *, every: float = 0.2, clock: Clock = SYSTEM) -> None:
        self.path = path
        self._held = path.with_name(path.name + ".held")
        self._every = every
        self._clock = clock
        self._looked = float("-inf")
        self._found: Notice | None = None

    def state(self) -> Notice | None:
        """What it says when it is on, as of `every` seconds ago at most; None when it is off."""
        now = self._clock.monotonic()
        if now - self._looked >= self._every:
            self._found, self._looked = self.look(), now
        return self._found

    def look(self) -> Notice | None:
        """As `state`, but as of now."""
        return self._look_at_held() or _read(self.path)

    def turn_on(self, reason: str = "", until: datetime | None = None) -> Notice:
        """Close the service until `turn_off`; MaintenanceError when the file can't be written."""
        notice = self._notice(reason, until, None)
        os.close(self._write(self.path, notice, locked=False))
        return notice

    def turn_off(self) -> bool:
        """Open the service again; whether a person had closed it. MaintenanceHeld while a process keeps it closed."""
        there = self.path.exists()
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise MaintenanceError(self.path, error.strerror or str(error)) from error
        if held := self._look_at_held():
            raise MaintenanceHeld(self.path, held)
        return there

    @contextmanager
    def held(self, reason: str = "", until: datetime | None = None) -> Iterator[Notice]:
        """Closed within the block, which begins when every process has had the time to see it.

        MaintenanceHeld when another process holds it; MaintenanceError when the file can't be written.
        """
        if other := self._look_at_held():
            raise MaintenanceHeld(self.path, other)
        notice = self._notice(reason, until, os.getpid())
        handle = self._write(self._held, notice, locked=True)
        try:
            self._clock.sleep(_SEEN * self._every)
            yield notice
        finally:
            with suppress(OSError):  # what is not locked holds nobody
                if os.path.samestat(os.fstat(handle), self._held.stat()):
                    self._held.unlink()
            os.close(handle)

    def _notice(self, reason: str, until: datetime | None, pid: int | None) -> Notice:
        now = datetime.fromtimestamp(self._clock.time(), UTC)
        return Notice(reason, now, until, f"{_account()}@{socket.gethostname()}", pid)

    def _write(self, path: Path, notice: Notice, *, locked: bool) -> int:
        """Put `notice` there whole, and locked before anybody can look; its handle."""
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.unlink(missing_ok=True)
            handle = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        except OSError as error:
            raise MaintenanceError(self.path, error.strerror or str(error)) from error
        try:
            os.fchmod(handle, 0o644)  # the service may run under another account, whatever our umask is
            if locked:
                _lock(handle, exclusive=True)
            os.write(handle, notice.to_json().encode())
            unfinished.replace(path)
        except BaseException as error:
            os.close(handle)
            unfinished.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise MaintenanceError(self.path, error.strerror or str(error)) from error
            raise
        return handle

    def _look_at_held(self) -> Notice | None:
        """What a process says that lives."""
        try:
            handle = os.open(self._held, os.O_RDONLY)
        except OSError:
            return None
        try:
            _lock(handle, exclusive=False)
        except BlockingIOError:
            return _read(self._held)
        except OSError:
            return None  # without locks nobody can have held it
        else:
            return None  # whoever held it is gone
        finally:
            os.close(handle)


def _read(path: Path) -> Notice | None:
    try:
        written = path.stat().st_mtime
    except FileNotFoundError:
        return None
    except OSError:  # no way to look: nobody could have closed the service there either
        return None
    try:
        text = path.read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError:
        text = ""
    return Notice.from_json(text, written)


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _lock(handle: int, *, exclusive: bool) -> None:
    """Without waiting; OSError when somebody else has the other kind."""
    import fcntl

    fcntl.flock(handle, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
