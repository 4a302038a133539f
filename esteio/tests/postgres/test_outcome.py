"""What became of a lost COMMIT is never said wrongly: judged against a model of servers that crash and are promoted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esteio.postgres._identity import read_origin
from esteio.postgres._outcome import History, Incarnation, Outcome, Start, Ticket, explained, judge

FIRST = Incarnation(7, 1, "monday", "monday")


@dataclass
class Server:
    """A server's log, of which a crash or a promotion keeps a beginning; xids whose traces are lost are given anew."""

    life: Incarnation = FIRST
    next_xid: int = 10
    log: list[tuple[str, int, str]] = field(default_factory=list)  # what, xid, whose
    owner: dict[int, str] = field(default_factory=dict)
    started_at: int = 10
    clock: int = 0

    def assign(self, whose: str) -> int:
        xid, self.next_xid = self.next_xid, self.next_xid + 1
        self.owner[xid] = whose
        self.log.append(("write", xid, whose))
        return xid

    def end(self, xid: int, what: str) -> None:
        self.log.append((what, xid, self.owner[xid]))

    def lose(self, kept: int) -> None:
        del self.log[kept:]
        self.next_xid = max([xid for _, xid, _ in self.log], default=self.started_at - 1) + 1
        self.next_xid = max(self.next_xid, self.started_at)
        running = {xid for what, xid, _ in self.log if what == "write"} - {
            xid for what, xid, _ in self.log if what != "write"
        }
        for xid in running:
            self.log.append(("abort", xid, self.owner[xid]))
        self.started_at = self.next_xid
        self.clock += 1

    def status(self, xid: int) -> str:
        if xid >= self.next_xid:
            return "future"
        last = [what for what, number, _ in self.log if number == xid]
        return {"write": "in progress", "commit": "committed", "abort": "aborted"}[last[-1]] if last else "aborted"

    def committed(self, xid: int, whose: str) -> bool:
        return ("commit", xid, whose) in self.log


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["stranger", "crash", "promote", "restart", "reset"]), st.integers(0, 30), st.booleans()),
    max_size=8,
)


@settings(max_examples=600, deadline=None)
@given(before=st.integers(0, 3), beside=st.integers(0, 3), arrived=st.booleans(), actions=ACTIONS)
def test_a_lost_commit_is_never_taken_for_what_it_is_not(
    before: int, beside: int, arrived: bool, actions: list[tuple[str, int, bool]]
) -> None:
    server, history = Server(), History()
    checkpoint: Start | None = Start(100, server.started_at)
    origin = current = history.witness(server.life, checkpoint)
    for _ in range(before):
        server.end(server.assign("stranger"), "commit")
    ours = server.assign("we")
    for _ in range(beside):
        server.end(server.assign("stranger"), "commit")
    if arrived:
        server.end(ours, "commit")
    for what, number, seen in actions:
        if what == "stranger":
            server.end(server.assign("stranger"), "commit" if seen else "abort")
            continue
        clock = str(server.clock)
        if what == "reset":
            server.life = replace(server.life, reset=f"reset {clock}")
            server.clock += 1
            checkpoint = checkpoint if seen else None  # an ordinary one has been made meanwhile
        elif what == "promote":
            behind = server.started_at  # a standby's last checkpoint is older than its promotion
            server.lose(min(number, len(server.log)))
            server.life = replace(server.life, timeline=server.life.timeline + 1, reset=f"promoted {clock}")
            checkpoint = Start(1000 + server.clock, min(behind, server.started_at)) if seen else None
        else:
            server.lose(min(number, len(server.log)) if what == "crash" else len(server.log))
            started = server.life.postmaster if what == "crash" else f"started {clock}"
            server.life = replace(server.life, postmaster=started, reset=f"{what} {clock}")
            checkpoint = Start(1000 + server.clock, server.started_at) if seen else None
        current = history.witness(server.life, checkpoint)
    outcome = judge(ours, origin, current, server.status(ours), history)
    if outcome is Outcome.COMMITTED:
        assert server.committed(ours, "we")
    elif outcome is Outcome.ABORTED:
        assert not server.committed(ours, "we")
        assert server.status(ours) != "in progress" or server.owner[ours] != "we" or current != origin


@given(arrived=st.booleans(), kept=st.integers(0, 12), strangers=st.integers(0, 4))
def test_after_a_crash_of_the_same_server_the_outcome_is_always_known(arrived: bool, kept: int, strangers: int) -> None:
    server, history = Server(), History()
    origin = history.witness(server.life, None)
    ours = server.assign("we")
    for _ in range(2):
        server.end(server.assign("stranger"), "commit")
    if arrived:
        server.end(ours, "commit")
    server.lose(min(kept, len(server.log)))
    server.life = replace(server.life, reset="tuesday")
    start = Start(2000, server.started_at)
    for _ in range(strangers):
        server.end(server.assign("stranger"), "commit")
    current = history.witness(server.life, start)
    expected = Outcome.COMMITTED if server.committed(ours, "we") else Outcome.ABORTED
    assert judge(ours, origin, current, server.status(ours), history) is expected


def test_a_number_given_out_again_after_a_crash_is_not_taken_for_ours() -> None:
    history = History()
    origin = history.witness(FIRST, Start(100, 10))
    later = history.witness(replace(FIRST, reset="tuesday"), Start(200, 20))
    assert judge(25, origin, later, "committed", history) is Outcome.ABORTED
    assert judge(19, origin, later, "committed", history) is Outcome.COMMITTED


def test_after_a_promotion_a_commit_is_believed_only_when_it_lies_before_it() -> None:
    history = History()
    origin = history.witness(FIRST, None)
    promoted = history.witness(replace(FIRST, timeline=2, reset="tuesday"), Start(150, 20))
    assert judge(19, origin, promoted, "committed", history) is Outcome.COMMITTED
    assert judge(25, origin, promoted, "committed", history) is Outcome.UNKNOWN
    assert judge(25, origin, promoted, "aborted", history) is Outcome.ABORTED
    assert judge(25, origin, promoted, "future", history) is Outcome.ABORTED


@pytest.mark.parametrize("status", ["committed", "aborted", "in progress", "future", None])
def test_another_cluster_and_a_server_left_behind_know_nothing_of_us(status: str | None) -> None:
    history = History()
    origin = history.witness(replace(FIRST, timeline=3), None)
    for other in (replace(FIRST, system=8, timeline=3), replace(FIRST, timeline=2)):
        current = history.witness(other, Start(100, 1000))
        assert judge(5, origin, current, status, history) is Outcome.UNKNOWN
    assert judge(5, None, origin, status, history) is Outcome.UNKNOWN


def test_what_a_server_left_behind_went_through_says_nothing_of_its_successor() -> None:
    history = History()
    origin = history.witness(replace(FIRST, timeline=2), None)
    history.witness(replace(FIRST, reset="tuesday"), Start(90, 12))
    later = history.witness(replace(FIRST, timeline=2, reset="wednesday"), Start(200, 20))
    assert judge(15, origin, later, "committed", history) is Outcome.COMMITTED


def test_a_crash_of_another_copy_of_the_server_does_not_abort_what_ours_has_committed() -> None:
    history = History()
    origin = history.witness(FIRST, None)
    history.witness(replace(FIRST, postmaster="copy"), Start(90, 12))
    later = history.witness(replace(FIRST, reset="wednesday"), Start(200, 20))
    assert judge(15, origin, later, "committed", history) is Outcome.UNKNOWN


def test_within_one_life_the_server_is_believed() -> None:
    history = History()
    origin = history.witness(FIRST, None)
    said = {text: judge(5, origin, origin, text, history) for text in ("committed", "aborted", "in progress")}
    assert said == {
        "committed": Outcome.COMMITTED,
        "aborted": Outcome.ABORTED,
        "in progress": Outcome.RUNNING,
    }
    assert judge(5, origin, origin, None, history) is Outcome.UNKNOWN


def test_after_a_restart_a_stranger_in_progress_has_our_number() -> None:
    history = History()
    origin = history.witness(FIRST, None)
    restarted = history.witness(replace(FIRST, postmaster="tuesday"), None)
    assert judge(15, origin, restarted, "in progress", history) is Outcome.ABORTED
    crashed = history.witness(replace(FIRST, reset="tuesday"), Start(100, 10))
    assert judge(15, origin, crashed, "in progress", history) is Outcome.ABORTED


def test_statistics_reset_by_an_operator_are_not_taken_for_a_crash() -> None:
    history = History()
    origin = history.witness(FIRST, Start(100, 10))
    assert history.witness(replace(FIRST, reset="tuesday"), Start(100, 10)) == origin
    doubtful = history.witness(replace(FIRST, reset="wednesday"), None)
    assert judge(15, origin, doubtful, "in progress", history) is Outcome.RUNNING
    assert judge(15, origin, doubtful, "committed", history) is Outcome.UNKNOWN


def test_the_start_of_a_life_that_was_not_known_at_first_is_kept_once_it_is() -> None:
    history = History()
    history.witness(FIRST, None)
    assert history.witness(FIRST, Start(100, 10)) == FIRST
    assert history.start(FIRST) == Start(100, 10)
    history.witness(FIRST, Start(300, 30))
    assert history.start(FIRST) == Start(100, 10)


def test_the_memory_of_lives_is_bounded() -> None:
    history = History()
    for number in range(100):
        last = history.witness(replace(FIRST, reset=str(number)), Start(number, number))
    assert len(history.after(last)) == 0
    assert len(history.after(FIRST)) == 33


def test_an_ordinary_checkpoint_tells_nothing_of_a_life_and_a_standby_has_none() -> None:
    row = ("4711", "7", "0000000A", "monday", "", "0/2A", "0/2A", "1:5")
    assert read_origin(row) == (4711, Incarnation(7, 10, "monday", ""), Start(42, (1 << 32) + 5))
    assert read_origin((*row[:6], "0/29", "1:5"))[2] is None
    assert read_origin((*row[:2], None, *row[3:])) == (4711, None, None)


@pytest.mark.parametrize(
    ("life", "current", "said"),
    [
        (None, FIRST, "the server does not tell who it is"),
        (FIRST, None, "the server does not tell who it is"),
        (FIRST, replace(FIRST, system=8, timeline=2), "another cluster answers (system 8, the COMMIT went to 7)"),
        (FIRST, replace(FIRST, timeline=2), "timeline 2 answers 'aborted', the COMMIT went to timeline 1"),
        (FIRST, replace(FIRST, reset="tuesday"), "the server has restarted and answers 'aborted'"),
        (FIRST, FIRST, "it answers 'aborted'"),
    ],
)
def test_why_an_outcome_is_not_known_is_said(life: Incarnation | None, current: Incarnation | None, said: str) -> None:
    assert explained(Ticket(10, life, 1), current, "aborted") == said
