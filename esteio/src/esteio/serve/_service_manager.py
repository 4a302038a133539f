"""What starts the supervisor again when it is killed: systemd or a container's restart policy, and word to systemd.

Promises: never an error; without $NOTIFY_SOCKET nothing is sent. A socket that is stored is held by systemd too, until it is
forgotten, its other end is closed or the unit is stopped, and the next start is passed it; a unit without
`FileDescriptorStoreMax=` stores none, and only its log says so. Why there is no guardian process of our own: docs/adr/0009.
"""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache

__all__ = ["forget", "notify", "restarted_by", "store", "taken", "watchdog_interval"]

_FIRST = 3  # the number of the first descriptor that systemd passes


def restarted_by(variables: Mapping[str, str], pid: int, parent: int) -> str | None:
    """Who starts this process again when it is killed; None when, as far as can be seen, nobody does."""
    if variables.get("INVOCATION_ID") and parent == 1:
        return "systemd, if its unit has Restart="
    return "the container's restart policy" if pid == 1 else None


def watchdog_interval(variables: Mapping[str, str], pid: int) -> float | None:
    """Seconds between two signs of life that systemd asked of this process (WatchdogSec=); None when it did not."""
    text, of = variables.get("WATCHDOG_USEC", ""), variables.get("WATCHDOG_PID", str(pid))
    if not (text.isdecimal() and int(text) and of == str(pid)):
        return None
    return int(text) / 1e6 / 2  # half of the limit, as sd_watchdog_enabled(3) recommends


def notify(state: str, *descriptors: int) -> None:
    """Send `state`, such as "READY=1", to $NOTIFY_SOCKET, with duplicates of the descriptors."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    target = "\0" + address[1:] if address.startswith("@") else address
    attached = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.sendmsg([state.encode()], attached, 0, target)


def store(name: str, sock: socket.socket) -> None:
    """Have systemd hold a duplicate of it, under a name without a colon."""
    notify(f"FDSTORE=1\nFDNAME={name}", sock.fileno())


def forget(name: str) -> None:
    """Have systemd close all that it holds under `name`."""
    notify(f"FDSTOREREMOVE=1\nFDNAME={name}")


def taken(name: str, fits: Callable[[socket.socket], bool] = lambda _: True) -> list[tuple[str, socket.socket]]:
    """The sockets that systemd passed to this process, stored as `name` or as `name`-SOMETHING; each is given once."""
    found = [(full, sock) for full, sock in _passed() if f"{full}-".startswith(f"{name}-") and fits(sock)]
    for each in found:
        _passed().remove(each)
    return found


@cache  # the environment says it once
def _passed() -> list[tuple[str, socket.socket]]:
    """As sd_listen_fds(3): what we start neither inherits them nor reads in its environment that there were some."""
    given = {name: os.environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    if given["LISTEN_PID"] != str(os.getpid()) or not given["LISTEN_FDS"].isdecimal():
        return []
    found = []
    names = given["LISTEN_FDNAMES"].split(":")
    for number, name in zip(range(_FIRST, _FIRST + int(given["LISTEN_FDS"])), names, strict=False):
        with suppress(OSError):  # not open, or no socket
            os.set_inheritable(number, False)
            found.append((name, socket.socket(fileno=number)))
    return found
