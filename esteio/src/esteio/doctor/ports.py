"""What listens to others than this machine, by TCP, and whose process it is.

Promises: nothing is connected to; the kernel is asked (/proc/net/tcp, proc(5)). A process of another account has no name here
unless this runs as root. What a firewall lets through cannot be seen.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from esteio.doctor._codes import FindingCode
from esteio.doctor._examine import Examination
from esteio.doctor._finding import Finding

__all__ = ["EXPECTED", "ports"]

EXPECTED = frozenset({22, 80, 443})
"""SSH, and the proxy that has the certificate."""
_LISTENS = "0A"  # TCP_LISTEN of the kernel's include/net/tcp_states.h
_PROC = Path("/proc")


class _Socket(NamedTuple):
    address: str
    port: int
    inode: str


def ports(expected: Collection[int] = EXPECTED, proc: Path = _PROC) -> Examination:
    """Looks for ports other than `expected` that others in the network reach."""

    def look() -> Iterator[Finding]:
        if not (proc / "net" / "tcp").exists():
            raise NotImplementedError("this system has no /proc/net/tcp")  # told as NOT_SEEN: unknown, never a pass
        open_to_others = [each for each in _listening(proc) if not ipaddress.ip_address(each.address).is_loopback]
        surprising = [each for each in open_to_others if each.port not in expected]
        owners = _owners(proc, {each.inode for each in surprising}) if surprising else {}
        for port in sorted({each.port for each in surprising}):
            sockets = [each for each in surprising if each.port == port]
            processes = sorted({owners[each.inode] for each in sockets if each.inode in owners})
            yield FindingCode.PORT_OPEN.found(
                port=port,
                addresses=", ".join(sorted({each.address for each in sockets})),
                process=", ".join(processes) or "?",
            )
        if not surprising:
            open_ports = sorted({each.port for each in open_to_others})
            yield FindingCode.PORTS_EXPECTED.found(ports=", ".join(map(str, open_ports)) or "-")

    return Examination("network:ports", look)


def _listening(proc: Path) -> Iterator[_Socket]:
    for name in ("tcp", "tcp6"):
        file = proc / "net" / name
        for line in file.read_text("ascii").splitlines()[1:] if file.exists() else ():
            fields = line.split()
            if fields[3] == _LISTENS:
                address, _, port = fields[1].partition(":")
                yield _Socket(_address(address), int(port, 16), fields[9])


def _address(shown: str) -> str:
    """The kernel shows words of four bytes in the order of this machine."""
    words = [bytes.fromhex(shown[at : at + 8]) for at in range(0, len(shown), 8)]
    raw = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    found = ipaddress.ip_address(raw)
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def _owners(proc: Path, inodes: Collection[str]) -> Mapping[str, str]:
    """By socket the process that has it open, as `name (pid)`: of several, as after a fork, the one with the least number."""
    wanted, found = {f"socket:[{inode}]": inode for inode in inodes}, dict[str, str]()
    for process in sorted((each for each in proc.iterdir() if each.name.isdecimal()), key=lambda each: int(each.name)):
        for link in _open_files(process):
            if (inode := wanted.get(link)) is not None and inode not in found:
                found[inode] = f"{_name(process)} ({process.name})"
    return found


def _open_files(process: Path) -> Iterator[str]:
    with suppress(OSError):  # the process ended meanwhile, or is another account's
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):  # closed since it was listed, as the one that listed them is
                yield str(descriptor.readlink())


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "?"
