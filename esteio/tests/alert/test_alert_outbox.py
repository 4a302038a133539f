"""A notice is owed until each channel took it: over outages, crashes, full disks and several processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from receivers import http_receiver

from esteio.alert import Channel, Channels, NotDelivered, Notice, Outbox
from esteio.alert._deliverer import GIVEN_UP
from esteio.alert._spool import MOST, Spool
from esteio.clock import SYSTEM
from esteio.policy import Constant, Retry
from esteio.testing import ManualClock

AT_ONCE = Retry(3, Constant(0), idempotent=True, budget=None)
ROUNDS = int(os.environ.get("ESTEIO_NOTICE_KILLS", "2"))


class Told(Channels):
    """Channels of this process: each takes what is not in `refused`, and all attempts are kept."""

    def __init__(self, *names: str) -> None:
        super().__init__([])
        self.channels = tuple(Channel(name, name, "") for name in names)
        self.refused: set[str] = set()
        self.attempts: list[tuple[str, str]] = []
        self.taken: list[tuple[str, str]] = []

    def send(self, channel: Channel, notice: Notice, timeout: float = 15.0) -> None:
        self.attempts.append((channel.name, notice.subject))
        if {channel.name, notice.subject} & self.refused:
            raise NotDelivered(channel.name, notice.subject, "it is full")
        self.taken.append((channel.name, notice.subject))


def notice(subject: str, at: float = 1e9, level="failure") -> Notice:
    return Notice(subject, "why", level, at)


def waiting(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def outbox(directory: Path, channels: Channels, clock=SYSTEM) -> Outbox:
    return Outbox(directory / "notices", channels, retry=AT_ONCE, every=0.05, clock=clock)


def test_a_channel_that_refuses_keeps_what_it_is_owed_and_no_other_channel_waits(tmp_path: Path) -> None:
    channels = Told("a", "b")
    box = outbox(tmp_path, channels)
    channels.refused = {"b"}
    for number in range(3):
        box.put(notice(str(number), 1e9 + number))
    done = box.deliver()
    assert (done.sent, done.owed) == (3, 3)
    assert channels.taken == [("a", "0"), ("a", "1"), ("a", "2")]
    assert channels.attempts.count(("b", "0")) == 3
    channels.refused = set()
    again = outbox(tmp_path, channels)  # another process
    assert again.deliver().owed == 0
    assert channels.taken[3:] == [("b", "0"), ("b", "1"), ("b", "2")]


def test_a_channel_that_hangs_holds_up_no_other_one_and_gets_its_own_in_order_afterwards(tmp_path: Path) -> None:
    answered = threading.Event()

    class Hanging(Told):
        def send(self, channel: Channel, notice: Notice, timeout: float = 15.0) -> None:
            if channel.name == "b":
                assert answered.wait(30)
            super().send(channel, notice, timeout)

    channels = Hanging("a", "b", "c")
    service = outbox(tmp_path, channels)
    service.start()
    try:
        for number in range(3):
            service.put(notice(str(number), 1e9 + number))
            assert waiting(lambda number=number: {("a", str(number)), ("c", str(number))} <= set(channels.taken))  # type: ignore[misc]
        assert "b" not in {name for name, _ in channels.taken}
        answered.set()
        assert waiting(lambda: service.owed() == 0)
    finally:
        answered.set()
        service.stop(30.0)
    for name in "abc":
        assert [subject for each, subject in channels.taken if each == name] == ["0", "1", "2"]


def test_a_channel_of_the_escalation_gets_only_what_names_it(tmp_path: Path) -> None:
    channels = Told("a", "boss")
    channels.channels = (channels.channels[0], replace(channels.channels[1], escalation=True))
    box = outbox(tmp_path, channels)
    box.put(notice("a backup failed"))
    box.put(notice("nobody looks after it", 2e9), ["a", "boss"])
    assert box.deliver().owed == 0
    assert channels.taken.count(("a", "a backup failed")) == 1
    assert [subject for name, subject in channels.taken if name == "boss"] == ["nobody looks after it"]


def test_what_a_channel_will_never_take_is_passed_over_and_given_up_after_three_days(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, channels = ManualClock(), Told("a")
    box = outbox(tmp_path, channels, clock)
    channels.refused = {"poison"}
    for number, subject in enumerate(["poison", "one", "two"]):
        box.put(notice(subject, clock.time() + number))
    assert box.deliver().sent == 2
    assert channels.taken == [("a", "one"), ("a", "two")]
    clock.advance(GIVEN_UP - 60)
    assert box.deliver().owed == 1
    clock.advance(60)
    assert box.deliver().owed == 0
    assert "'poison' is given up after 72 h" in caplog.text


def test_a_channel_that_is_down_is_left_alone_after_three_refusals(tmp_path: Path) -> None:
    channels = Told("a")
    channels.refused = {"a"}
    box = outbox(tmp_path, channels)
    for number in range(10):
        box.put(notice(str(number), 1e9 + number))
    box.deliver()
    assert [subject for _, subject in channels.attempts] == ["0", "0", "0", "1", "2"]


def test_what_is_owed_to_a_channel_that_nobody_names_any_more_is_given_up_when_it_is_old(tmp_path: Path) -> None:
    clock = ManualClock()
    outbox(tmp_path, Told("gone"), clock).put(notice("old", clock.time()))
    other = outbox(tmp_path, Told("a"), clock)
    assert other.deliver() == other.deliver()
    assert len(list((tmp_path / "notices").glob("*.json"))) == 1
    clock.advance(GIVEN_UP)
    other.deliver()
    assert list((tmp_path / "notices").glob("*.json")) == []


def test_more_than_a_thousand_are_not_kept_and_successes_go_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("esteio.alert._spool.MOST", 10)
    assert MOST == 1000
    box = outbox(tmp_path, Told("a"))
    for number in range(6):
        box.put(notice(f"bad {number}", 1e9 + number))
    for number in range(6):
        box.put(notice(f"good {number}", 2e9 + number, "success"))
    kept = [owed.notice.subject for owed in Spool(tmp_path / "notices", SYSTEM).owed()]
    assert kept == [f"bad {number}" for number in range(6)] + [f"good {number}" for number in range(2, 6)]
    assert "'good 1' is dropped" in caplog.text


def test_a_directory_that_cannot_be_written_does_not_keep_a_notice_from_being_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    channels = Told("a")
    (tmp_path / "file").touch()
    for place in (tmp_path / "not" / "so" / "there", tmp_path / "file"):
        box = Outbox(place, channels, retry=AT_ONCE)
        box.put(notice("disk full"))
        assert box.owed() == 1
        assert box.deliver().owed == 0
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    box = Outbox(tmp_path / "link", channels, retry=AT_ONCE)
    box.put(notice("not ours"))
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert box.deliver().sent == 1
    assert caplog.text.count("kept in memory instead") == 3


def test_what_lies_there_and_is_no_notice_is_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    channels = Told("a")
    box = outbox(tmp_path, channels)
    box.put(notice("sound"))
    for name, content in (
        ("0.json", b"{"),
        ("1.json", b"[]"),
        ("2.json", b'{"key": "a", "refused": null, "notice": 3}'),
    ):
        (tmp_path / "notices" / name).write_bytes(content)
    assert box.deliver().sent == 1
    assert caplog.text.count("is no notice") == 3
    assert not list((tmp_path / "notices").glob("*.json"))


def test_what_waits_on_the_disk_can_be_read_by_its_owner_alone_and_holds_no_address(tmp_path: Path) -> None:
    box = outbox(tmp_path, Told("a"))
    box.put(notice("x"))
    [path] = (tmp_path / "notices").glob("*.json")
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert json.loads(path.read_text()).keys() == {"key", "refused", "notice"}


def test_two_outboxes_of_one_directory_tell_each_notice_once(tmp_path: Path) -> None:
    channels = Told("a")
    first, second = outbox(tmp_path, channels), outbox(tmp_path, channels)
    for number in range(20):
        first.put(notice(str(number), 1e9 + number))
    threads = [threading.Thread(target=each.deliver) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert channels.taken == [("a", str(number)) for number in range(20)]


def test_as_a_service_it_delivers_what_another_process_put_there_and_pauses_when_it_is_refused(tmp_path: Path) -> None:
    channels = Told("a", "b")
    service, other = outbox(tmp_path, channels), outbox(tmp_path, Told("a", "b"))
    channels.refused = {"b"}
    service.start()
    try:
        for number in range(2):
            other.put(notice(str(number), 1e9 + number))
            deadline = time.monotonic() + 10
            while ("a", str(number)) not in channels.taken and time.monotonic() < deadline:
                time.sleep(0.01)
    finally:
        service.stop(5.0)
    assert not service.is_alive()
    assert channels.taken == [("a", "0"), ("a", "1")]
    assert channels.attempts.count(("b", "1")) <= 1  # its next round is ten seconds away
    assert service.owed() == 2


# In real processes, over real HTTP

PROGRAM = """
import sys
from pathlib import Path
from esteio.alert import Channels, Notice, Outbox
box = Outbox(Path(sys.argv[1]), Channels([sys.argv[2]]))
box.put(Notice(sys.argv[3], "why", "failure", float(sys.argv[4])))
print("put", flush=True)
print(box.deliver(), flush=True)
"""


def process(directory: Path, url: str, subject: str, at: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(directory), url, subject, str(at)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.mark.fault
@pytest.mark.untimed
def test_a_process_that_is_killed_between_writing_and_delivering_loses_nothing_and_tells_at_most_twice(
    tmp_path: Path,
) -> None:
    with http_receiver() as receiver:
        box = Outbox(tmp_path / "notices", Channels([receiver.url]))
        receiver.wait = 0.2
        for number in range(ROUNDS):
            with process(tmp_path / "notices", receiver.url, str(number), 1e9 + number) as child:
                assert child.stdout is not None
                assert child.stdout.readline() == "put\n"
                time.sleep(number * 0.3 % 1.2)
                child.send_signal(signal.SIGKILL)
            assert box.deliver().owed == 0
        deadline = time.monotonic() + 0.5  # what was on its way when its process was killed
        while len(receiver.subjects) < 2 * ROUNDS and time.monotonic() < deadline:
            time.sleep(0.05)
        counts = [receiver.subjects.count(str(number)) for number in range(ROUNDS)]
        assert set(counts) <= {1, 2}, receiver.subjects


def test_a_receiver_that_was_away_gets_everything_when_it_is_back(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        box = Outbox(tmp_path / "notices", Channels([receiver.url]), retry=Retry(2, Constant(0), idempotent=True))
        receiver.status = 503
        box.put(notice("one"))
        assert box.deliver().owed == 1
    box.put(notice("two", 2e9))
    with http_receiver(receiver.port) as receiver:
        assert box.deliver().owed == 0
        assert receiver.subjects == ["one", "two"]
