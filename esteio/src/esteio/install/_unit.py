"""A service as a unit of systemd: kept running, and closed to all that it does not need.

Promises: the unit may write where it is told and nowhere else, gains no privilege, and reaches the network by TCP, UDP and
local sockets alone. Pure: nothing is read or written here.

Left out on purpose: `MemoryDenyWriteExecute` and `PrivateUsers`, which programs of others that a service starts may not bear;
`RemoveIPC`, which takes away what a second program of the same account still uses, PostgreSQL's memory for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["ServiceUnit", "unit_word"]

_HARDENING = """\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
UMask=0077
"""


@dataclass(frozen=True, slots=True)
class ServiceUnit:
    """What systemd is told of a service that tells it when it is ready (`esteio.serve` does). Times in seconds."""

    description: str
    command: Sequence[str]
    user: str
    environment_file: Path | None = None
    environment_file_optional: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    writable: Sequence[Path] = ()
    """Directories it may write to; one that is not there when it starts is left out."""
    runtime_directory: str = ""
    """Below /run, for sockets; its own."""
    state_directory: str = ""
    """Below /var/lib, made when it is missing; its own."""
    capabilities: Sequence[str] = ()
    """CAP_NET_BIND_SERVICE, where it listens on a port below 1024."""
    reload: bool = True
    """Whether SIGHUP is a reload to it."""
    ordered_end: int = 0
    """The exit code with which it ends when it is told to."""
    watchdog: int = 15
    start_timeout: int = 120
    stop_timeout: int = 120
    open_files: int = 65536
    stored_sockets: int = 0
    """How many systemd holds for it (`esteio.serve` stores some): with any, what it started goes on while it is started again
    after a kill, and is to be ended by itself. With 0, what is left when it is gone is killed."""

    @property
    def text(self) -> str:
        """The unit file."""
        allowed = " ".join(self.capabilities)
        optional = "-" if self.environment_file_optional else ""
        lines = [
            "[Unit]",
            f"Description={self.description}",
            "After=network-online.target",
            "Wants=network-online.target",
            "StartLimitIntervalSec=0",  # however often it ends, it is started again
            "",
            "[Service]",
            "Type=notify",
            f"User={self.user}",
            f"Group={self.user}",
            *([f"EnvironmentFile={optional}{self.environment_file}"] if self.environment_file else []),
            *(f"Environment={unit_word(f'{name}={value}')}" for name, value in self.environment.items()),
            f"ExecStart={' '.join(map(unit_word, self.command))}",
            *(["ExecReload=/bin/kill -HUP $MAINPID"] if self.reload else []),
            "Restart=always",
            "RestartSec=1",
            *([f"SuccessExitStatus={self.ordered_end}"] if self.ordered_end else []),
            f"WatchdogSec={self.watchdog}",
            *(
                # Else the directory of the sockets, and with it the database's, is gone when it is started again.
                [
                    "KillMode=process",
                    f"FileDescriptorStoreMax={self.stored_sockets}",
                    "RuntimeDirectoryPreserve=restart",
                ]
                if self.stored_sockets
                else ["KillMode=mixed"]
            ),
            f"TimeoutStartSec={self.start_timeout}",
            f"TimeoutStopSec={self.stop_timeout}",
            f"LimitNOFILE={self.open_files}",
            "OOMPolicy=continue",
            *(
                [f"RuntimeDirectory={self.runtime_directory}", "RuntimeDirectoryMode=0700"]
                if self.runtime_directory
                else []
            ),
            *([f"StateDirectory={self.state_directory}", "StateDirectoryMode=0750"] if self.state_directory else []),
            *(f"ReadWritePaths={unit_word(f'-{path}')}" for path in self.writable),
            f"CapabilityBoundingSet={allowed}",
            f"AmbientCapabilities={allowed}",
            *_HARDENING.splitlines(),
            "",
            "[Install]",
            "WantedBy=multi-user.target",
        ]
        return "\n".join(lines) + "\n"


def unit_word(word: str) -> str:
    """Quoted as systemd.syntax(7) and systemd.service(5) want it."""
    for sign, written in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(sign, written)
    return f'"{word}"'
