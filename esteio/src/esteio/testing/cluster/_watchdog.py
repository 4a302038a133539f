"""What /dev/watchdog is to a real machine, for one of a test: it is reset when its Patroni has been silent for too long.

Promises: Patroni speaks to it as to the kernel's, over a pipe (its own `driver: testing`); it sets how long it may be silent
and ends it in order (`V`). Unarmed it resets nothing. The machine is reset as power does it: no packet leaves any more.
"""

from __future__ import annotations

import os
import re
import select
import signal
import threading
from contextlib import suppress

from esteio.testing.cluster._machine import Machine

__all__ = ["Watchdog"]

_PATRONI = "esteio-patroni"
_TIMEOUT = re.compile(rb"Ctimeout=(\d+)")
_OFF = 'mode: "off"\n  device: "/dev/watchdog"\n'


class Watchdog:
    """Of the machine that leads; `armed` and `fired` can be waited for."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.armed, self.fired = threading.Event(), threading.Event()
        self._timeout: int | None = None  # seconds that Patroni may be silent, as it said
        self._pipe, self._file = machine.home / "watchdog", machine.home / "patroni.yml"
        self._thread = threading.Thread(target=self._watch, name=f"watchdog-{machine.name}", daemon=True)

    def start(self) -> None:
        """Tell the machine's Patroni of it, which arms it at its next look, as long as it leads."""
        self._pipe.unlink(missing_ok=True)
        os.mkfifo(self._pipe, 0o600)
        self.machine.account.own(self._pipe)
        self._read = os.open(self._pipe, os.O_RDWR)  # both ends: nobody who opens or closes it is waited for
        self._ended, self._end = os.pipe()
        self._thread.start()
        self._tell(_OFF, f'mode: "required"\n  driver: "testing"\n  device: "{self._pipe}"\n')

    def stop(self) -> None:
        """Patroni has none, as before."""
        self._tell(f'mode: "required"\n  driver: "testing"\n  device: "{self._pipe}"\n', _OFF)
        os.close(self._end)
        self._thread.join()
        os.close(self._ended)
        os.close(self._read)

    def _tell(self, old: str, new: str) -> None:
        text = self._file.read_text()
        if old not in text:
            raise ValueError(f"{self._file} does not say {old!r}")
        self._file.write_text(text.replace(old, new))
        if self.machine.runs(_PATRONI):
            self.machine.end(_PATRONI, signal.SIGHUP)

    def _watch(self) -> None:
        while True:
            patience = self._timeout if self.armed.is_set() else None
            ready, _, _ = select.select([self._read, self._ended], [], [], patience)
            if self._ended in ready:
                return
            if not ready:
                with suppress(TimeoutError):  # what does not end is seen by who starts it again
                    self.machine.vanish()
                    self.machine.kill()
                self.fired.set()
                return
            said = os.read(self._read, 4096)
            for seconds in _TIMEOUT.findall(said):
                self._timeout = int(seconds)
            (self.armed.clear if said.endswith(b"V") else self.armed.set)()
