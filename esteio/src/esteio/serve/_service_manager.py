"""What starts the supervisor again when it is killed: systemd or a container's restart policy, and word to systemd.

Promises: never an error; without $NOTIFY_SOCKET nothing is sent. Why there is no guardian process of our own: docs/adr/0009.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

__all__ = ["notify", "restarted_by", "watchdog_interval"]


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


def notify(state: str) -> None:
    """Send `state`, such as "READY=1", to $NOTIFY_SOCKET."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    target = "\0" + address[1:] if address.startswith("@") else address
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.sendto(state.encode(), target)
