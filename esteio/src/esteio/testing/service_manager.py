"""What systemd does for a supervisor that it starts again, without systemd.

Promises: as for a unit with `KillMode=process` and `FileDescriptorStoreMax=`: what the program sends to
$NOTIFY_SOCKET is taken, and the sockets that it stores are held until it forgets them, their other ends are closed or
`drop` is called, and are passed to the next start (sd_notify(3), sd_listen_fds(3)). When to start it again is up to
the caller. Nobody checks who sends.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["ServiceManager"]

_MANY = 253  # descriptors that one message can carry
_PATIENCE = 60.0  # seconds for our own thread, on a machine that does much else
# Between us and the program: puts the descriptors where they belong, and says to which process, as only that knows.
_BEFORE = """import fcntl,os,sys
count=int(sys.argv[1])
given=list(map(int,sys.argv[2:2+count]))
copies=[fcntl.fcntl(each,fcntl.F_DUPFD,300) for each in given]
for place,each in enumerate(copies):
    os.dup2(each,3+place)
os.closerange(3+count,max([2,*given,*copies])+1)
os.environ["LISTEN_PID"]=str(os.getpid())
os.execvp(sys.argv[2+count],sys.argv[2+count:])
"""


class ServiceManager:
    """`with ServiceManager(directory) as manager:` - its socket is in `directory`, whose path is to be short."""

    def __init__(self, directory: Path) -> None:
        self._path = str(directory / "notify")
        self._stored: list[tuple[str, int]] = []
        self._told: list[str] = []
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._path)
        self._thread = threading.Thread(target=self._listen, name="esteio-service-manager", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.sendto(b"", self._path)  # of nobody else: the thread ends
        self._thread.join(_PATIENCE)
        self._socket.close()
        Path(self._path).unlink(missing_ok=True)
        self.drop()

    @property
    def told(self) -> list[str]:
        """The messages so far, such as "READY=1"; those about stored sockets are left out."""
        self._settle()
        return list(self._told)

    @property
    def stored(self) -> list[str]:
        """The names of what is held."""
        self._settle()
        return [name for name, _ in self._stored]

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        popen: Callable[..., Any] = subprocess.Popen,
        **options: Any,
    ) -> Any:
        """What `popen` returns for the program, which is passed what is held."""
        self._settle()
        with self._changed:
            numbers = [number for _, number in self._stored]
            passed = {"LISTEN_FDS": str(len(numbers)), "LISTEN_FDNAMES": ":".join(name for name, _ in self._stored)}
            words = [sys.executable, "-ISc", _BEFORE, str(len(numbers)), *map(str, numbers), *command]
            return popen(
                words,
                env={**environment, "NOTIFY_SOCKET": self._path, **(passed if numbers else {})},
                pass_fds=numbers,
                **options,
            )

    def drop(self) -> None:
        """Close all that is held, as when the unit is stopped."""
        with self._changed:
            for _, number in self._stored:
                os.close(number)
            self._stored.clear()

    def _settle(self) -> None:
        """Wait until all that was sent before has been taken; see which ends were closed."""
        mark = f"MARK={os.urandom(8).hex()}"
        self._socket.sendto(mark.encode(), self._path)
        with self._changed:
            if not self._changed.wait_for(lambda: mark in self._told, _PATIENCE):
                raise TimeoutError(f"the messages at {self._path} were not taken within {_PATIENCE:g} s")
            self._told.remove(mark)
            self._forget(lambda _, number: _is_closed(number))

    def _listen(self) -> None:
        while True:
            said, numbers, _flags, _sender = socket.recv_fds(self._socket, 4096, _MANY)
            if not said:
                return
            with self._changed:
                self._take(said.decode(), numbers)
                self._changed.notify_all()

    def _take(self, said: str, numbers: list[int]) -> None:
        lines = dict(line.split("=", 1) for line in said.splitlines())
        name = lines.get("FDNAME", "stored")
        if "FDSTOREREMOVE" in lines:
            self._forget(lambda stored, _: stored == name)
        elif "FDSTORE" in lines:
            self._stored += [(name, number) for number in numbers]
        else:
            self._told.append(said)

    def _forget(self, whether: Callable[[str, int], bool]) -> None:
        for each in [(name, number) for name, number in self._stored if whether(name, number)]:
            os.close(each[1])
            self._stored.remove(each)


def _is_closed(number: int) -> bool:
    poll = select.poll()
    poll.register(number, 0)  # asked for nothing, it tells of the end alone
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))
