"""One machine: a namespace in which programs run as units of systemd say, and which can vanish."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from esteio.postgres.embedded._account import Account
from esteio.testing.cluster._network import kill_all, run

__all__ = ["Machine", "Unit"]

_TABLE = "esteio_faults"
_INIT = Path(__file__).with_name("_init.py")
_LEAVES_CHILDREN = "esteio-patroni"  # its server is nobody's child


@dataclass(frozen=True, slots=True)
class Unit:
    """What of a unit concerns who runs it without systemd."""

    name: str
    user: str
    before: tuple[str, ...]
    start: str
    capabilities: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()

    @classmethod
    def read(cls, file: Path) -> Unit:
        """From its file; what needs more than the unit's account (`+`) is left out."""
        told: dict[str, list[str]] = {}
        for line in file.read_text().splitlines():
            key, separator, value = line.partition("=")
            if separator:
                told.setdefault(key, []).append(value)
        before = tuple(each for each in told.get("ExecStartPre", []) if "+" not in each[:2])
        capabilities = tuple(each.removeprefix("CAP_").lower() for each in told.get("AmbientCapabilities", []))
        return cls(
            file.stem,
            told.get("User", ["root"])[0],
            before,
            told["ExecStart"][0],
            capabilities,
            tuple(told.get("ExecStop", [])),
            tuple(told.get("ExecStopPost", [])),
        )


@dataclass
class Machine:
    """Its `space` exists; programs are started by `start`, and end all at once by `kill`."""

    name: str
    address: str
    space: str
    home: Path
    account: Account
    environment: Mapping[str, str] = field(default_factory=dict)
    _programs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start_unit(self, unit: Unit) -> None:
        """Start what the unit starts, as its account."""
        self._carry_out(unit.before, unit.user)
        init = [sys.executable, "-I", "-S", str(_INIT)] if unit.name == _LEAVES_CHILDREN else []
        self.start(unit.name, [*init, *shlex.split(unit.start)], user=unit.user, capabilities=unit.capabilities)

    def stop_unit(self, name: str) -> None:
        """What stopping the unit of that name does: its commands, then SIGTERM; returns when it has ended."""
        unit = Unit.read(self.home / f"{name}.service")
        self._carry_out(unit.stop, unit.user)
        self.end(name, signal.SIGTERM)
        self._carry_out(unit.stopped, unit.user)

    def _carry_out(self, commands: Iterable[str], user: str) -> None:
        for each in commands:
            command, must = self._inside(shlex.split(each.removeprefix("-")), user), not each.startswith("-")
            errors = None if must else subprocess.DEVNULL
            subprocess.run(command, check=must, cwd="/", timeout=20, stderr=errors)  # noqa: S603

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        user: str = "",
        capabilities: Sequence[str] = (),
        more: Mapping[str, str] | None = None,
    ) -> None:
        """Start a program; its words go to `NAME.log`."""
        with self._log(name) as log:
            self._programs[name] = subprocess.Popen(  # noqa: S603
                self._inside(command, user or self.account.name, capabilities),
                cwd="/",
                env={"PATH": f"{os.defpath}:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", **self.environment, **(more or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_again(self, unit: str) -> None:
        """Start the unit of that name, which has ended."""
        self.start_unit(Unit.read(self.home / f"{unit}.service"))

    def runs(self, name: str) -> bool:
        """Whether that program has not ended."""
        return name in self._programs and self._programs[name].poll() is None

    def end(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send that program a signal, and wait for it to end where it has to."""
        program = self._programs[name]
        with suppress(ProcessLookupError):
            os.kill(program.pid, number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            program.wait(60)

    def freeze(self, name: str, number: signal.Signals = signal.SIGSTOP) -> None:
        """Stop that program where it is, without what it has started; SIGCONT lets it go on."""
        pid = self._programs[name].pid
        if name == _LEAVES_CHILDREN:  # it is the first child of our init, which adopts the others later
            pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        os.kill(pid, number)

    def kill(self) -> None:
        """End every process, as a machine that loses its power would."""
        kill_all(self.space)
        self.reap()

    def reap(self) -> None:
        """Take note of programs that have ended, all of them."""
        for program in self._programs.values():
            program.wait(10)
        self._programs.clear()

    def log(self, name: str, lines: int = 15) -> str:
        """The last lines of a program's words."""
        with suppress(OSError):
            return "\n".join((self.home / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])
        return ""

    # What happens to its network; nothing answers, nothing is refused

    def vanish(self) -> None:
        """Drop all packets from and to others."""
        self._rules("iif lo accept; drop", "oif lo accept; drop")

    def cut_off(self, others: Iterable[str], *, incoming: bool = True, outgoing: bool = True) -> None:
        """Drop what comes from, or goes to, these addresses."""
        addresses = ", ".join(others)
        self._rules(
            f"ip saddr {{ {addresses} }} drop" if incoming else "accept",
            f"ip daddr {{ {addresses} }} drop" if outgoing else "accept",
        )

    def slow_down(self, *, kilobits: int = 4000) -> None:
        """Let no more than that leave it in a second, the rest waits its turn."""
        run("tc", "-n", self.space, "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", f"{kilobits}kbit",
            "burst", "16kb", "latency", "400ms")  # fmt: skip

    def speed_up(self) -> None:
        """End that."""
        run("tc", "-n", self.space, "qdisc", "delete", "dev", "eth0", "root")

    def appear(self) -> None:
        """Let all packets through again."""
        with suppress(subprocess.CalledProcessError):  # there are no rules
            self._inside_run("nft", "delete", "table", "inet", _TABLE)

    def _rules(self, incoming: str, outgoing: str) -> None:
        self.appear()
        rules = f"""table inet {_TABLE} {{
            chain input {{ type filter hook input priority -300; policy accept; {incoming}; }}
            chain output {{ type filter hook output priority -300; policy accept; {outgoing}; }}
        }}"""
        run("nsenter", f"--net=/run/netns/{self.space}", "nft", "-f", "-", given=rules)

    def _inside_run(self, *command: str) -> str:
        return run("nsenter", f"--net=/run/netns/{self.space}", *command)

    def _inside(self, command: Sequence[str], user: str, capabilities: Sequence[str] = ()) -> list[str]:
        enter = ["nsenter", f"--net=/run/netns/{self.space}", "--"]
        if user == "root":
            return [*enter, *command]
        # The account may not be able to enter the directory of our interpreter, which only root can.
        reachable = all(self.account.can_enter(each) for each in (Path(command[0]).parent, Path(sys.base_prefix)))
        kept = [*capabilities, *([] if reachable else ["dac_override"])]
        given = ",".join(f"+{each}" for each in kept)
        reach = [f"--inh-caps={given}", f"--ambient-caps={given}"] if kept else []
        become = [f"--reuid={self.account.uid}", f"--regid={self.account.gid}", "--clear-groups", *reach]
        return [*enter, "setpriv", *become, "--", *command]

    def _log(self, name: str) -> IO[bytes]:
        return (self.home / f"{name}.log").open("ab")
