"""The operator is killed at any moment, with channels that fail, hang, answer 429 or take a notice without an answer.

Each kill falls into a decision: a problem begins or ends, and the process dies up to half a second later. The channels take
turns in misbehaving, and all are well at the end: every notice has to be with every channel by then, and none more often than
once for each kill and each answer that a channel did not give.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks.alerting.receivers import MODES, Receiver, receiver

from esteio.alert import Channel, Channels, NotDelivered, Notice, Outbox
from esteio.alert.monitor import AlertMonitor, Alerts, Definition, View, Watched
from esteio.alert.rules import Condition, Rule, Severity, Signal
from esteio.health import Measurements

_SHIFT = 20  # kills after which the channels change their ways: what waits stays far below what a spool holds
_PATIENCE = 300.0  # seconds
_LIFE = 0.5  # seconds that the process may live after the problem changed


class Kills(NamedTuple):
    """`lost` notices; `beyond`: how many more duplicates there were than kills and unanswered notices explain."""

    kills: int
    notices: int
    lost: int
    duplicates: int
    beyond: int


def operate(directory: Path, urls: list[str]) -> None:
    """Decide and tell until killed. Of its channels only the way is its own: a process for each notice would be most of it."""
    flag = directory / "bad"

    def see(_: View) -> Signal:
        try:
            return Signal(Condition.BAD, flag.read_text())
        except FileNotFoundError:
            return Signal(Condition.WELL)

    outbox = Outbox(directory / "notices", _Direct(urls), every=0.2)
    outbox.start()
    rule = Rule("thing", Severity.PAGE, fire_after=0.0, clear_after=0.0)
    watched = Watched(lambda: None, Measurements())
    monitor = AlertMonitor(directory, [Definition(rule, "thing", "", see)], watched, outbox, every=0.02)
    monitor.start()
    print("ready", flush=True)
    time.sleep(3600)


class _Direct(Channels):
    def __init__(self, urls: list[str]) -> None:
        super().__init__([])
        self.channels = tuple(Channel(f"c{number}", f"c{number}", url) for number, url in enumerate(urls))

    def send(self, channel: Channel, notice: Notice, timeout: float = 15.0) -> None:
        body = json.dumps({"title": notice.subject, "message": notice.body}).encode()
        try:
            urllib.request.urlopen(urllib.request.Request(channel.url, body), timeout=timeout).close()
        except OSError as error:
            raise NotDelivered(channel.name, notice.subject, str(error)) from error


def kills(count: int) -> Kills:
    """Kill it `count` times, an even number; what became of the notices."""
    count += count % 2
    random = Random("kills")
    with tempfile.TemporaryDirectory(prefix="esteio-bench-") as name, ExitStack() as stack:
        directory = Path(name)
        receivers = [stack.enter_context(receiver()) for _ in MODES]
        for turn in range(count):
            for at, each in enumerate(receivers):
                each.mode = MODES[(at + turn // _SHIFT) % len(MODES)]
            _life(directory, receivers, turn, random.uniform(0, _LIFE))
        for each in receivers:
            each.mode = "well"
        _last_life(directory, receivers)
        return _counted(receivers, count)


def _command(directory: Path, receivers: list[Receiver]) -> list[str]:
    return [sys.executable, "-m", "benchmarks.alert", "--operate", str(directory), *(each.url for each in receivers)]


def _life(directory: Path, receivers: list[Receiver], turn: int, after: float) -> None:
    alerts, flag = Alerts(directory / "alerts.sqlite"), directory / "bad"
    with subprocess.Popen(_command(directory, receivers), stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        # What the life before was killed too early to decide is decided first.
        _wait(lambda: bool(alerts.firing()) is flag.exists(), "nothing was decided")
        if turn % 2:
            flag.unlink()
        else:
            fresh = flag.with_suffix(".new")
            fresh.write_text(f"turn {turn // 2}.")
            fresh.replace(flag)  # whole, or not there
        time.sleep(after)
        child.send_signal(signal.SIGKILL)


def _last_life(directory: Path, receivers: list[Receiver]) -> None:
    alerts, flag = Alerts(directory / "alerts.sqlite"), directory / "bad"
    with subprocess.Popen(_command(directory, receivers), stdout=subprocess.PIPE, text=True) as child:
        _wait(lambda: bool(alerts.firing()) is flag.exists(), "nothing was decided")
        _wait(lambda: not list((directory / "notices").glob("*.json")), "notices wait still")
        child.send_signal(signal.SIGKILL)


def _wait(condition: Callable[[], bool], problem: str) -> None:
    until = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"{problem} after {_PATIENCE:.0f} s")
        time.sleep(0.02)


def _counted(receivers: list[Receiver], count: int) -> Kills:
    lost = duplicates = beyond = 0
    for each in receivers:
        told: dict[tuple[bool, str], int] = {}
        for _, notice in each.taken:
            turn = notice["message"].partition("turn ")[2].partition(".")[0]
            key = (notice["title"].startswith("PROBLEM"), turn)
            told[key] = told.get(key, 0) + 1
        expected = [(opened, str(turn)) for opened in (True, False) for turn in range(count // 2)]
        lost += sum(key not in told for key in expected)
        twice = sum(times - 1 for times in told.values())
        duplicates += twice
        beyond += max(0, twice - count - each.unanswered)
    return Kills(count, count * len(receivers), lost, duplicates, beyond)
