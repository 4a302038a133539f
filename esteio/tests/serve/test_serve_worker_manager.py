"""What is decided about workers, with time moved by hand and no process at all."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esteio.serve import RollFinished, Timeouts, WorkerReady, WorkerReplaced, WorkerStarted, WorkerStopped
from esteio.serve._events import described
from esteio.serve._settings import RESTARTS
from esteio.serve._slot import Kill, Note, Order, Phase, Role, Send, Spawn
from esteio.serve._worker_manager import WorkerManager
from esteio.testing import ManualClock


class Stage:
    """A manager whose workers are numbers in lists."""

    def __init__(self, size=2, memory_limit=None, **timeouts):
        self.clock = ManualClock()
        self.manager = WorkerManager(
            size,
            timeouts=Timeouts(**timeouts),
            backoff=RESTARTS,
            chance=lambda: 0.0,
            now=0.0,
            memory_limit=memory_limit,
        )
        self.living: list[int] = []
        self.slots: dict[int, int] = {}
        self.told: list[tuple[int, Order]] = []
        self.killed: list[int] = []
        self.events: list = []
        self.step()

    def step(self, seconds=0.0):
        """Let time pass in turns of 1/8 s, which floats add up exactly."""
        for _ in range(round(seconds * 8)):
            self.clock.advance(0.125)
            self._turn()
        self._turn()

    def _turn(self):
        self.manager.tick(self.now)
        for action in self.manager.take():
            match action:
                case Spawn(number, slot):
                    self.living.append(number)
                    self.slots[number] = slot
                    self.manager.spawned(number, 1000 + number)
                case Send(number, order):
                    self.told.append((number, order))
                case Kill(number):
                    self.killed.append(number)
                case Note(event):
                    self.events.append(event)

    @property
    def now(self):
        return self.clock.monotonic()

    def says(self, phase, *numbers):
        for number in numbers or self.living:
            self.manager.heard(number, phase, self.now)
        self.step()

    def ends(self, number, exitcode):
        self.living.remove(number)
        self.manager.exited(number, exitcode, self.now)
        self.step()

    def pass_with_beats(self, seconds):
        for _ in range(round(seconds * 2)):
            self.step(0.5)
            for number in self.living:
                self.manager.heard(number, self.manager._workers[number].phase, self.now)

    def named(self, name):
        return [e for e in self.events if type(e).__name__ == name]


def test_every_slot_gets_a_worker_at_once():
    assert Stage(3).living == [1, 2, 3]


def test_a_worker_beyond_its_memory_is_replaced_alone_and_drains_once_the_other_is_ready():
    stage = Stage(2, memory_limit=100)
    stage.says(Phase.READY)
    stage.manager.weighed(1, 100, stage.now)
    stage.step()
    assert stage.living == [1, 2]
    stage.manager.weighed(1, 101, stage.now)
    stage.step()
    assert stage.living == [1, 2, 3]
    assert stage.told == []
    stage.manager.weighed(2, 150, stage.now)  # one at a time
    stage.says(Phase.READY, 3)
    assert stage.told == [(1, Order.RETIRE)]
    stage.ends(1, 0)
    stage.step(0.5)
    assert stage.named("RollFinished")
    assert stage.named("WorkerDied") == []
    (event,) = stage.named("WorkerOversized")
    assert (event.pid, event.resident, event.limit) == (1001, 101, 100)
    stage.manager.weighed(2, 150, stage.now)
    stage.step()
    assert stage.living == [2, 3, 4]


def test_where_the_replacement_is_not_ready_the_heavy_one_goes_on_and_at_twice_the_limit_it_is_killed():
    stage = Stage(1, memory_limit=100, ready=5)
    stage.says(Phase.READY)
    stage.manager.weighed(1, 150, stage.now)
    stage.step()
    stage.ends(2, 3)
    assert stage.named("RollAborted")
    for _ in range(4):
        stage.manager.weighed(1, 150, stage.now)
        stage.pass_with_beats(1)
    assert stage.living == [1], "not again at every look"
    stage.pass_with_beats(1)
    stage.manager.weighed(1, 150, stage.now)
    stage.step()
    assert len(stage.living) == 2
    stage.manager.weighed(1, 201, stage.now)
    stage.step()
    assert stage.killed == [1]
    stage.manager.weighed(99, 201, stage.now)  # gone meanwhile
    stage.manager.stop(stage.now)
    stage.manager.weighed(3, 150, stage.now)
    assert len(stage.named("WorkerOversized")) == 3


def test_at_twice_its_memory_a_worker_is_replaced_and_beyond_that_killed_with_a_reason():
    mib = 1 << 20
    stage = Stage(1, memory_limit=100 * mib)
    stage.says(Phase.READY)
    stage.manager.weighed(1, 200 * mib, stage.now)
    stage.step()
    assert (stage.killed, stage.living) == ([], [1, 2])
    stage.manager.weighed(1, 200 * mib + 1, stage.now)
    stage.step()
    assert stage.killed == [1]
    stage.ends(1, -9)
    assert [event.reason for event in stage.named("WorkerDied")] == ["killed: 200 MiB of memory, the limit is 100 MiB"]


def test_a_replacement_that_is_too_heavy_itself_is_replaced_without_waiting():
    stage = Stage(1, memory_limit=100, ready=60)
    stage.says(Phase.READY)
    stage.manager.weighed(1, 150, stage.now)
    stage.step()
    stage.says(Phase.READY, 2)
    stage.ends(1, 0)
    stage.step(0.5)
    assert stage.living == [2]
    stage.manager.weighed(2, 150, stage.now)
    stage.step()
    assert stage.living == [2, 3]


def test_deaths_in_a_row_wait_longer_each_time_and_stability_forgives():
    stage = Stage(1)
    waits = []
    for _ in range(4):
        stage.says(Phase.READY)
        stage.ends(stage.living[0], -signal.SIGKILL)
        waits.append(stage.named("WorkerDied")[-1].restart_in)
        stage.step(waits[-1])
        assert len(stage.living) == 1
    assert waits == [0.0, 0.5, 1.0, 2.0]
    stage.says(Phase.READY)
    stage.pass_with_beats(31)
    stage.ends(stage.living[0], 1)
    assert stage.named("WorkerDied")[-1].failures == 1


@pytest.mark.parametrize(("steady", "failures"), [(29.5, 3), (30, 1)])
def test_failures_are_forgiven_after_thirty_seconds_of_being_ready(steady, failures):
    stage = Stage(1, stable_after=30)
    for number in (1, 2):
        stage.step(20)
        stage.ends(number, 3)
    stage.step(1)
    stage.says(Phase.READY)
    stage.pass_with_beats(steady)
    stage.ends(3, -9)
    assert stage.named("WorkerDied")[-1].failures == failures


def test_the_event_of_a_death_says_why_and_whether_anybody_was_ever_ready():
    stage = Stage(1)
    stage.ends(1, 3)
    event = stage.named("WorkerDied")[0]
    assert "failed to start" in event.reason
    assert not event.ever_ready
    assert "no worker has been ready yet" in str(event)


def test_each_step_of_a_workers_life_is_told_with_its_pid_and_seconds():
    stage = Stage(1)
    manager = stage.manager
    stage.step(5)
    stage.ends(1, 3)
    stage.step(2)
    assert (manager.ever_served, manager.ever_ready) == (False, False)
    stage.says(Phase.SERVING)
    assert (manager.ever_served, manager.ever_ready) == (True, False)
    stage.step(1)
    stage.says(Phase.READY)
    assert (manager.ever_served, manager.ever_ready) == (True, True)
    started = [WorkerStarted("worker 0", pid) for pid in (1001, 1002)]
    assert stage.events == [started[0], stage.named("WorkerDied")[0], started[1], WorkerReady("worker 0", 1002, 3.0)]
    stage.step(1)
    stage.ends(2, -signal.SIGKILL)
    died = stage.events[4]
    assert (died.name, died.pid, died.exitcode, died.uptime, died.ever_ready) == ("worker 0", 1002, -9, 4.0, True)
    stage.step(died.restart_in)
    manager.stop(stage.now)
    stage.ends(3, 0)
    assert stage.events[5:] == [WorkerStarted("worker 0", 1003), WorkerStopped("worker 0", 1003, 0, described(0))]


def test_a_process_the_system_refuses_counts_as_a_death():
    stage = Stage(1)
    stage.living.clear()
    stage.manager.exited(1, None, stage.now, reason="could not be started: out of memory")
    stage.step()
    assert "out of memory" in stage.named("WorkerDied")[0].reason
    assert stage.living == [2]


def test_silence_is_judged_only_once_the_loop_runs_and_kills_once():
    stage = Stage(1, healthcheck=10, startup=60)
    stage.step(30)
    assert stage.killed == []
    stage.says(Phase.READY)
    stage.step(9.9)
    assert stage.killed == []
    stage.step(5)
    assert stage.killed == [1]
    assert 10 <= stage.named("WorkerHung")[0].silent < 10.2
    stage.ends(1, -9)
    assert stage.named("WorkerDied")[0].reason.startswith("hung for 10")
    assert stage.living == [2]


def test_a_worker_that_does_not_start_in_time_is_killed():
    stage = Stage(1, startup=5)
    stage.step(5)
    assert stage.killed == [1]


def test_silence_while_the_supervisor_itself_was_stopped_proves_nothing():
    stage = Stage(1, healthcheck=10)
    stage.says(Phase.READY)
    stage.clock.advance(3600)
    stage.step()
    assert stage.killed == []
    stage.step(10.1)
    assert stage.killed == [1]


def test_a_gap_of_two_seconds_is_no_standstill_yet():
    stage = Stage(1, healthcheck=4)
    stage.says(Phase.READY)
    for _ in range(2):
        assert stage.killed == []
        stage.clock.advance(2.0)
        stage.step()
    assert stage.killed == [1]


def test_a_worker_that_is_to_end_gets_the_time_back_for_which_the_supervisor_stood_still():
    stage = Stage(1, graceful_shutdown=10, lifespan_shutdown=1)
    stage.says(Phase.READY)
    stage.manager.stop(stage.now)
    stage.step()
    stage.clock.advance(3600)
    stage.step()
    stage.pass_with_beats(10.5)
    assert stage.killed == []
    stage.pass_with_beats(1)
    assert stage.killed == [1]


def test_a_roll_retires_each_member_only_after_its_successor_is_ready_and_one_at_a_time():
    stage = Stage(2)
    stage.says(Phase.READY)
    stage.manager.roll(stage.now)
    stage.step()
    assert stage.living == [1, 2, 3]
    assert stage.told == []
    stage.says(Phase.SERVING, 3)
    assert stage.told == []
    stage.says(Phase.READY, 3)
    assert stage.told == [(1, Order.RETIRE)]
    stage.says(Phase.DRAINING, 1)
    assert stage.living == [1, 2, 3]  # the second step waits until the first is over
    stage.ends(1, 0)
    stage.step()
    assert stage.living == [2, 3, 4]
    stage.says(Phase.READY, 4)
    stage.ends(2, 0)
    stage.step()
    assert not stage.manager.rolling
    assert stage.named("RollFinished")
    assert stage.named("WorkerDied") == []
    assert [stage.slots[n] for n in stage.living] == [0, 1]
    replaced = [WorkerReplaced("worker 0", old_pid=1001, pid=1003), WorkerReplaced("worker 1", old_pid=1002, pid=1004)]
    assert stage.named("WorkerReplaced") == replaced


def test_a_candidate_has_its_time_from_its_own_start_without_what_the_supervisor_missed():
    stage = Stage(1, ready=5)
    stage.says(Phase.READY)
    stage.pass_with_beats(20)
    stage.manager.roll(stage.now)
    stage.step()
    stage.clock.advance(60)
    stage.step()
    assert stage.killed == []
    stage.step(5)
    assert stage.killed == [2]


def test_a_roll_tells_how_long_it_took_and_forgives_the_failures_of_whom_it_replaced():
    stage = Stage(1)
    for _ in range(3):
        stage.ends(stage.living[0], 3)
        stage.step(stage.named("WorkerDied")[-1].restart_in)
    stage.says(Phase.READY)
    stage.manager.roll(stage.now)
    stage.step(1)
    stage.says(Phase.READY)
    stage.ends(stage.living[0], 0)
    stage.step()
    assert stage.named("RollFinished") == [RollFinished("workers", 1.0)]
    stage.ends(stage.living[0], 3)
    assert (stage.named("WorkerDied")[-1].failures, stage.named("WorkerDied")[-1].restart_in) == (1, 0.0)


@pytest.mark.parametrize("end", ["dies", "late"])
def test_a_roll_whose_candidate_fails_is_aborted_and_the_old_stay(end):
    stage = Stage(2, ready=5)
    stage.says(Phase.READY)
    stage.manager.roll(stage.now)
    stage.step()
    if end == "dies":
        stage.ends(3, 3)
    else:
        stage.step(5)
        assert stage.killed == [3]
        assert [each.reason for each in stage.named("RollAborted")] == ["was not ready within 5 s"]
        stage.ends(3, -9)
    assert len(stage.named("RollAborted")) == 1
    assert not stage.manager.rolling
    stage.pass_with_beats(5)
    assert stage.living == [1, 2]
    assert stage.told == []


def test_a_member_that_dies_during_its_roll_is_followed_by_the_candidate():
    stage = Stage(1)
    stage.says(Phase.READY)
    stage.manager.roll(stage.now)
    stage.step()
    stage.ends(1, -9)
    stage.step(1)
    assert stage.living == [2]
    stage.says(Phase.READY, 2)
    stage.step()
    assert not stage.manager.rolling
    stage.pass_with_beats(3)
    assert stage.living == [2]


def test_a_second_hup_begins_the_roll_again():
    stage = Stage(2)
    stage.says(Phase.READY)
    stage.manager.roll(stage.now)
    stage.step()
    stage.manager.roll(stage.now)
    stage.step()
    assert stage.killed == [3]
    assert [stage.slots[n] for n in stage.living] == [0, 1, 0, 0]
    stage.ends(3, -9)
    assert stage.named("RollAborted") == []


def test_a_second_hup_waits_for_the_worker_that_the_first_one_has_retired():
    stage = Stage(2)
    stage.says(Phase.READY)
    stage.manager.roll(stage.now)
    stage.step()
    stage.says(Phase.READY, 3)
    assert stage.told == [(1, Order.RETIRE)]
    stage.manager.roll(stage.now)
    stage.step()
    assert stage.living == [1, 2, 3]  # one worker more than there are slots, no two
    stage.ends(1, 0)
    assert stage.living == [2, 3, 4]


def test_a_slot_that_goes_takes_its_candidate_along_and_the_roll_ends_without_it():
    stage = Stage(2)
    stage.says(Phase.READY)
    stage.manager.roll(stage.now)
    stage.step()
    stage.says(Phase.READY, 3)
    stage.ends(1, 0)
    stage.step()
    assert (stage.living, stage.slots[4]) == ([2, 3, 4], 1)
    assert stage.manager.shrink(stage.now)
    stage.step()
    assert stage.killed == [4]
    assert stage.told[1:] == [(2, Order.RETIRE)]
    stage.ends(4, -9)
    stage.ends(2, 0)
    stage.step()
    assert not stage.manager.rolling
    assert stage.named("RollAborted") == []
    assert stage.living == [3]


def test_a_slot_that_goes_before_its_turn_in_a_roll_is_not_rolled():
    stage = Stage(2)
    stage.says(Phase.READY)
    stage.manager.roll(stage.now)
    stage.step()
    assert stage.manager.shrink(stage.now)
    stage.step()
    assert stage.killed == []
    stage.ends(2, 0)
    stage.says(Phase.READY, 3)
    stage.ends(1, 0)
    stage.step(1)
    assert not stage.manager.rolling
    assert stage.living == [3]


def test_a_roll_gives_a_crash_loop_its_next_attempt_at_once():
    stage = Stage(1)
    for _ in range(6):
        stage.ends(stage.living[0], 3)
        stage.step(stage.named("WorkerDied")[-1].restart_in)
    stage.ends(stage.living[0], 3)
    assert stage.living == []
    stage.manager.roll(stage.now)
    stage.step()
    assert len(stage.living) == 1
    stage.ends(stage.living[0], 3)
    assert stage.named("WorkerDied")[-1].failures == 1  # what made it fail may be repaired now


def test_the_stop_tells_all_and_kills_those_that_exceed_their_budget():
    stage = Stage(2, graceful_shutdown=30, lifespan_shutdown=10, drain_delay=5)
    stage.says(Phase.READY)
    stage.manager.stop(stage.now)
    stage.step()
    assert stage.told == [(1, Order.STOP), (2, Order.STOP)]
    stage.says(Phase.DRAINING)
    stage.ends(1, 0)
    stage.pass_with_beats(44.5)
    assert stage.killed == []
    stage.pass_with_beats(1)
    assert stage.killed == [2]
    stage.ends(2, -9)
    assert stage.manager.empty


def test_a_forced_stop_kills_all_at_once_and_ends_the_roll():
    stage = Stage(2)
    stage.says(Phase.READY)
    stage.manager.roll(stage.now)
    stage.step()
    stage.manager.stop(stage.now)
    assert not stage.manager.rolling
    stage.manager.force()
    stage.step()
    assert stage.killed == [1, 2, 3]


def test_a_worker_that_drains_already_gets_no_more_time_by_the_stop():
    stage = Stage(1, graceful_shutdown=10, lifespan_shutdown=1, drain_delay=60)
    stage.says(Phase.READY)
    stage.manager.roll(stage.now)
    stage.step()
    stage.says(Phase.READY, 2)
    assert stage.told == [(1, Order.RETIRE)]
    stage.pass_with_beats(5)
    stage.manager.stop(stage.now)
    stage.pass_with_beats(5.5)
    assert stage.killed == []
    stage.pass_with_beats(1)
    assert stage.killed == [1]


def test_a_worker_that_still_boots_gets_little_time_to_end():
    stage = Stage(1)
    stage.manager.stop(stage.now)
    stage.step(5)
    assert stage.killed == [1]


def test_a_worker_that_drains_on_its_own_account_is_replaced_before_it_has_ended():
    stage = Stage(1)
    stage.says(Phase.READY)
    stage.says(Phase.DRAINING)
    assert stage.living == [1, 2]
    stage.ends(1, 0)
    assert stage.named("WorkerDied") == []


def test_a_worker_that_drains_on_its_own_account_has_the_time_of_one_that_is_retired():
    stage = Stage(1, graceful_shutdown=10, lifespan_shutdown=1)
    stage.says(Phase.READY)
    stage.says(Phase.DRAINING)
    stage.pass_with_beats(10.5)
    assert stage.killed == []
    stage.pass_with_beats(1)
    assert stage.killed == [1]


def test_growing_and_shrinking_keep_at_least_one():
    stage = Stage(1)
    stage.says(Phase.READY)
    stage.manager.grow(stage.now)
    stage.step()
    stage.says(Phase.READY)
    assert stage.manager.size == 2
    assert stage.manager.shrink(stage.now)
    stage.step()
    assert stage.told == [(2, Order.RETIRE)]
    assert not stage.manager.shrink(stage.now)


_COMMANDS = st.lists(
    st.tuples(st.sampled_from(["say", "die", "roll", "grow", "shrink", "wait"]), st.integers(0, 9), st.integers(0, 4)),
    max_size=40,
)
_PHASES = [Phase.STARTING, Phase.SERVING, Phase.READY, Phase.READY, Phase.DRAINING]


def _do(stage, command, which, how):
    number = stage.living[which % len(stage.living)] if stage.living else None
    if command == "say" and number:
        stage.says(_PHASES[how], number)
    elif command == "die" and number:
        stage.ends(number, [0, 1, 3, -9, -15][how])
    elif command in ("roll", "grow", "shrink"):
        getattr(stage.manager, command)(stage.now)
    else:
        stage.step(which / 2)
    for each in [n for n in stage.killed if n in stage.living]:
        stage.ends(each, -9)


def _behave(stage):
    """Every worker gets ready, or ends when it shall."""
    for number in list(stage.living):
        leaving = number in stage.killed or stage.manager._workers[number].role is Role.LEAVING
        if leaving:
            stage.ends(number, 0)
        else:
            stage.manager.heard(number, Phase.READY, stage.now)
    stage.step(0.125)


@settings(max_examples=150, deadline=None)
@given(_COMMANDS)
def test_whatever_happens_no_slot_is_forgotten_and_the_stop_ends_all(commands):
    stage = Stage(2, ready=5, startup=5, healthcheck=5, graceful_shutdown=5, lifespan_shutdown=1)
    for command, which, how in commands:
        _do(stage, command, which, how)
        roles = [worker.role for worker in stage.manager._workers.values()]
        assert roles.count(Role.CANDIDATE) <= 1
        assert roles.count(Role.MEMBER) <= stage.manager.size
    for _ in range(400):
        _behave(stage)
    assert not stage.manager.rolling
    assert len(stage.living) == len({stage.slots[n] for n in stage.living}) == stage.manager.size
    stage.manager.stop(stage.now)
    stage.step(10)
    assert set(stage.living) <= set(stage.killed)


def test_time_in_which_we_stood_still_ourselves_is_no_workers_fault():
    stage = Stage(1, startup=5)
    stage.clock.advance(60)  # suspended, or stopped: the worker had no time to start either
    stage.step()
    assert stage.killed == []
    stage.step(5)
    assert stage.killed == [1]
