"""Load shedding: the decision alone, and the middleware around an application."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esteio.clock import SYSTEM
from esteio.health import Measurements, Sampler
from esteio.health.series import HTTP
from esteio.serve import EARLY_REFUSAL
from esteio.web import Measure
from esteio.web.shedding import Admission, Level, Shedding, SheddingError, SheddingLimits, current_level
from esteio.web.shedding._admission import Turn

LOW, MIDDLE, HIGH = Level("low", 0.5, 0.2), Level("middle", 0.8, 1.0), Level("high", 1.0, 2.0)
LEVELS = (LOW, MIDDLE, HIGH)


def admission(limit: int = 10, **more: object) -> Admission:
    return Admission(LEVELS, SheddingLimits(**{"minimum": 2, "initial": limit, "maximum": 100, **more}))


def test_each_level_fills_its_share_and_a_more_important_one_still_finds_room() -> None:
    gate = admission()
    assert [gate.enter(0, 0.0).turn for _ in range(6)] == [Turn.RUNS] * 5 + [Turn.WAITS]
    assert [gate.enter(1, 0.0).turn for _ in range(4)] == [Turn.RUNS] * 3 + [Turn.WAITS]
    assert [gate.enter(2, 0.0).turn for _ in range(3)] == [Turn.RUNS] * 2 + [Turn.WAITS]
    assert (gate.running, gate.waiting) == (10, 3)


def test_whoever_ends_makes_room_for_the_most_important_and_within_a_level_for_the_first() -> None:
    gate = admission()
    running = [gate.enter(2, 0.0) for _ in range(10)]
    low, first, second, high = gate.enter(0, 0.0), gate.enter(1, 0.0), gate.enter(1, 0.1), gate.enter(2, 0.1)
    served = []
    for name, entry in (("low", low), ("first", first), ("second", second), ("high", high)):
        entry.wake = lambda name=name: served.append(name)
    for entry in running:
        gate.leave(entry, 0.0)
    assert served == ["high", "first", "second", "low"]


def test_nobody_waits_longer_than_the_patience_of_the_level() -> None:
    gate = admission(maximum=10)
    for _ in range(10):
        gate.enter(2, 0.0)
    low, middle = gate.enter(0, 0.0), gate.enter(1, 0.0)
    gate.tick(0.0, 0.3)
    assert (low.turn, middle.turn) == (Turn.REFUSED, Turn.WAITS)
    gate.tick(0.0, 1.1)
    assert middle.turn is Turn.REFUSED
    assert [count.refused for count in gate.counts] == [1, 1, 0]


def test_in_a_queue_that_stands_the_newest_is_served_first() -> None:
    gate = admission(maximum=10)
    running = [gate.enter(2, 0.0) for _ in range(10)]
    first, newest = gate.enter(2, 0.0), gate.enter(2, 0.6)
    gate.leave(running[0], 0.4)
    assert (first.turn, newest.turn) == (Turn.RUNS, Turn.WAITS)
    late, later = gate.enter(2, 0.7), gate.enter(2, 0.8)
    gate.leave(running[1], 1.0)
    assert [each.turn for each in (newest, late, later)] == [Turn.WAITS, Turn.WAITS, Turn.RUNS]


def test_a_full_queue_gives_the_place_of_the_oldest_of_the_least_important() -> None:
    gate = admission(max_waiting=2, maximum=10)
    for _ in range(10):
        gate.enter(2, 0.0)
    low, middle = gate.enter(0, 0.0), gate.enter(1, 0.0)
    assert gate.enter(2, 0.0).turn is Turn.WAITS
    assert (low.turn, middle.turn) == (Turn.REFUSED, Turn.WAITS)
    assert gate.enter(0, 0.0).turn is Turn.REFUSED, "it matters less than all that wait"
    assert middle.turn is Turn.WAITS


def test_while_the_loop_is_late_for_its_own_requests_the_lesser_levels_do_without() -> None:
    gate = admission(12, minimum=2)
    entry = gate.enter(1, 0.0)
    gate.tick(0.1, 0.0)
    gate.tick(0.1, 0.0)
    assert gate.enter(0, 0.1).turn is Turn.RUNS, "one in flight: it is late for others on the machine"
    gate = admission(12, minimum=2)
    for _ in range(2):
        entry = gate.enter(1, 0.0)
    gate.tick(0.1, 0.0)
    gate.leave(entry, 0.1)
    assert gate.enter(0, 0.1).turn is Turn.RUNS, "once late: a moment of its own"
    gate.tick(0.1, 0.2)
    gate.tick(0.1, 0.2)
    assert gate.enter(0, 0.6).turn is Turn.REFUSED
    assert gate.enter(0, 0.8).turn is not Turn.REFUSED


def test_the_lesser_levels_do_without_while_their_queue_or_a_more_important_one_stands() -> None:
    gate = admission(4, maximum=4, minimum=4)
    running = [gate.enter(2, 0.0) for _ in range(4)]
    assert not gate.presses(0.0)
    waiting = [gate.enter(1, 0.0)]
    assert gate.presses(0.0)
    waiting.append(gate.enter(0, 0.4))
    assert waiting[1].turn is Turn.WAITS, "a burst that is over within half a second"
    assert gate.enter(0, 0.6).turn is Turn.REFUSED
    waiting.append(gate.enter(1, 0.6))
    for entry in (*running, *waiting):
        assert entry.turn in (Turn.RUNS, Turn.WAITS)
        gate.leave(entry, 0.6)
    assert (gate.running, gate.waiting) == (0, 0)
    assert gate.enter(0, 0.7).turn is Turn.RUNS
    assert not gate.presses(0.7)


def spaced(**more: object) -> Admission:
    levels = (Level("low", 0.5), Level("heavy", 0.5, 2.0, spacing=0.2), Level("high"))
    return Admission(levels, SheddingLimits(**{"minimum": 4, "initial": 10, "maximum": 20, **more}))


def test_of_a_level_with_spacing_one_begins_after_the_other_and_nobody_else_waits_for_them() -> None:
    gate = spaced()
    assert gate.enter(1, 0.0).turn is Turn.RUNS
    second, third = gate.enter(1, 0.1), gate.enter(1, 0.15)
    assert [each.turn for each in (second, third)] == [Turn.WAITS] * 2
    assert [gate.enter(level, 0.15).turn for level in (0, 2)] == [Turn.RUNS] * 2
    gate.tick(0.0, 0.2)
    assert [each.turn for each in (second, third)] == [Turn.RUNS, Turn.WAITS]
    gate.tick(0.0, 0.35)
    assert third.turn is Turn.WAITS
    assert gate.enter(1, 0.45).turn is Turn.WAITS, "the third comes first"
    assert gate.enter(0, 0.45).turn is Turn.WAITS, "nothing hinders the third any more"
    gate.tick(0.0, 0.45)
    assert third.turn is Turn.RUNS
    assert gate.waiting == 1, "the low one runs too; the fourth is spaced"


def test_a_queue_that_waits_for_the_spacing_does_not_stand_and_raises_no_limit() -> None:
    gate = spaced()
    entries = [gate.enter(1, 0.0) for _ in range(8)]
    for step in range(1, 15):
        gate.tick(0.0, step * 0.05)
    assert [each.turn for each in entries].count(Turn.RUNS) == 4
    assert gate.limit == 10
    assert gate.enter(1, 0.71).turn is Turn.WAITS, "after more than the interval, and not refused"
    assert gate.enter(0, 0.71).turn is Turn.RUNS


def test_a_spaced_queue_that_waits_for_room_stands() -> None:
    gate = spaced(maximum=10)
    for _ in range(5):
        gate.enter(2, 0.0)
    assert gate.enter(1, 0.0).turn is Turn.WAITS
    assert gate.enter(1, 0.4).turn is Turn.WAITS
    assert gate.enter(1, 0.6).turn is Turn.REFUSED


def test_who_matters_less_waits_for_a_spaced_request_that_waits_for_room() -> None:
    gate = spaced(maximum=10)
    running = [gate.enter(2, 0.0) for _ in range(10)]
    heavy, low = gate.enter(1, 0.0), gate.enter(0, 0.0)
    for entry in running[:6]:
        gate.leave(entry, 0.1)
    assert [each.turn for each in (heavy, low)] == [Turn.RUNS, Turn.WAITS]
    gate.leave(running[6], 0.1)
    assert low.turn is Turn.RUNS


def test_who_would_be_refused_at_once_is_turned_away_and_counted_without_an_entry() -> None:
    gate = admission(max_waiting=2, maximum=10)
    for _ in range(10):
        gate.enter(2, 0.0)
    assert not gate.turns_away(2, 0.0), "it would wait"
    low, _ = gate.enter(0, 0.0), gate.enter(2, 0.0)
    assert not gate.turns_away(1, 0.0), "it would get the place of the low one"
    gate.leave(low, 0.0)
    gate.enter(2, 0.0)
    assert gate.turns_away(1, 0.0)
    assert not gate.turns_away(2, 0.0)
    assert [count.refused for count in gate.counts] == [0, 1, 0]


def test_the_limit_follows_the_delay_and_comes_back_to_where_it_began() -> None:
    gate = admission(10, maximum=20)
    gate.tick(0.03, 0.0)
    assert gate.limit == 9
    gate.tick(0.06, 0.0)
    assert gate.limit == 4
    for _ in range(9):
        gate.tick(1.0, 0.0)
    assert gate.limit == 2
    for _ in range(40):
        gate.tick(0.0, 0.0)
    assert gate.limit == 10
    assert gate.idle
    running = [gate.enter(2, 0.0) for _ in range(11)]
    for _ in range(30):  # all of them only wait for somebody else: the loop is not late
        running.append(gate.enter(2, 0.0))
        gate.tick(0.0, 0.0)
    assert gate.limit == 20
    for entry in running:
        gate.leave(entry, 0.0)
    for _ in range(40):
        gate.tick(0.0, 0.0)
    assert gate.limit == 10


@given(st.lists(st.tuples(st.sampled_from("aaaltt"), st.integers(0, 2), st.floats(0, 0.5)), max_size=120))
@settings(deadline=None, max_examples=150)
def test_what_is_counted_is_what_runs_and_nobody_waits_while_there_is_room(steps: list[tuple[str, int, float]]) -> None:
    gate, now, entries = admission(4, maximum=8, max_waiting=5), 0.0, []
    for what, number, seconds in steps:
        now += seconds
        if what == "a":
            away = gate.turns_away(number, now)
            assert gate.presses(now) or not away
            entries.append(gate.enter(number, now))
            assert away is (entries[-1].turn is Turn.REFUSED)
        elif what == "t":
            gate.tick(seconds / 5, now)
        elif there := [each for each in entries if each.turn in (Turn.RUNS, Turn.WAITS)]:
            gate.leave(there[number % len(there)], now)
        turns = Counter(each.turn for each in entries)
        assert (gate.running, gate.waiting) == (turns[Turn.RUNS], turns[Turn.WAITS])
        assert gate.waiting <= 5
        for place, level in enumerate(LEVELS):
            if any(each.turn is Turn.WAITS and each.level == place for each in entries):
                assert gate.running >= int(level.share * gate.limit)
    assert sum(count.admitted for count in gate.counts) >= gate.running


def test_at_ten_times_its_capacity_a_server_goes_on_with_what_matters() -> None:
    """A server of one request per ms, asked 10,000 times a second; every tenth request is of the highest level."""
    gate, now, work, done, offered = Admission(LEVELS), 0.0, [], Counter[str](), Counter[str]()
    waiting: list[tuple[object, float]] = []
    for millisecond in range(4000):
        now = millisecond / 1000
        for number in range(10):
            entry = gate.enter(2 if number == 9 else number % 2, now)
            offered[LEVELS[entry.level].name] += 1
            waiting.append((entry, now))
        # The event loop takes turns with all that run: one that has many is as late as it takes to go round.
        work += [each for each in waiting if each[0].turn is Turn.RUNS]
        waiting = [each for each in waiting if each[0].turn is Turn.WAITS]
        if work:
            entry, since = work.pop(0)
            gate.leave(entry, 0.0)
            done[LEVELS[entry.level].name] += now - since < 0.25
        if millisecond % 50 == 0:
            gate.tick(len(work) / 1000, now)
    assert done["high"] >= 0.9 * offered["high"]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Level("a", 0.0),
        lambda: Level("a", patience=float("inf")),
        lambda: Level("a", patience=1.0, spacing=1.0),
        lambda: Level("a", spacing=-0.1),
        lambda: SheddingLimits(minimum=5, initial=4),
        lambda: SheddingLimits(target=0),
        lambda: SheddingLimits(max_waiting=0),
        lambda: Admission([]),
        lambda: Admission([HIGH, LOW]),
        lambda: Admission([LOW, LOW]),
    ],
)
def test_what_cannot_be_is_refused_by_name(wrong) -> None:
    with pytest.raises(SheddingError, match=r"levels|share|patience|spacing|minimum|target|max_waiting"):
        wrong()


def test_an_error_has_the_setting_its_value_and_what_is_allowed_and_levels_may_have_the_same_share() -> None:
    with pytest.raises(SheddingError) as refused:
        SheddingLimits(max_waiting=0)
    assert (refused.value.setting, refused.value.value) == ("max_waiting", 0)
    assert refused.value.allowed in str(refused.value)
    assert len(Admission([Level("a", 0.5), Level("b", 0.5)]).levels) == 2


def test_a_limit_that_nobody_has_reached_stays() -> None:
    gate = admission(10)
    gate.tick(0.0, 0.0)
    assert gate.limit == 10


class Gated:
    """An application whose requests end when they are let go."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.go = asyncio.Event()

    async def __call__(self, scope, receive, send) -> None:
        level = current_level()
        self.begun.append(level.name if level else "none")
        await self.go.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def by_path(scope) -> int | None:
    return {"/low": 0, "/middle": 1, "/high": 2}.get(scope["path"])


async def ask(app, path: str) -> tuple[int, dict[str, str], bytes]:
    said: list[dict] = []

    async def send(message) -> None:
        said.append(message)

    async def receive() -> dict:
        return {"type": "http.request"}

    await app({"type": "http", "path": path, "method": "GET", "headers": []}, receive, send)
    return said[0]["status"], {n.decode(): v.decode() for n, v in said[0]["headers"]}, said[-1]["body"]


async def until(holds) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


async def test_the_middleware_lets_in_waits_refuses_and_forgets_who_left() -> None:
    inner = Gated()
    patient_ones = [Level("low", 0.5, 0.05), Level("middle", 0.8, 300), Level("high", 1.0, 300)]
    gate = Admission(patient_ones, SheddingLimits(minimum=4, initial=4, maximum=4))
    app = Shedding(inner, gate, by_path)
    running = [asyncio.create_task(ask(app, f"/{name}")) for name in ("high", "high", "low", "high", "high", "health")]
    await until(lambda: len(inner.begun) == 5)
    assert sorted(inner.begun) == ["high", "high", "high", "high", "none"], "the low one finds half of four taken"
    status, headers, body = await running[2]
    assert status == 503
    assert 2 <= int(headers["retry-after"]) <= 4
    assert json.loads(body)["type"] == "urn:esteio:problem:overloaded"
    patient = asyncio.create_task(ask(app, "/middle"))
    leaves = asyncio.create_task(ask(app, "/middle"))
    await until(lambda: gate.waiting == 2)
    leaves.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaves
    assert gate.waiting == 1
    inner.go.set()
    assert [(await each)[0] for each in (*running[:2], *running[3:], patient)] == [204] * 6
    assert (gate.running, gate.waiting) == (0, 0)
    assert current_level() is None
    await until(lambda: gate.idle)


async def test_an_application_that_fails_gives_its_place_back_and_its_own_delay_counts() -> None:
    async def fails(scope, receive, send) -> None:
        raise LookupError("inner")

    gate = admission(4, maximum=4, minimum=4)
    app = Shedding(fails, gate, by_path)
    with pytest.raises(LookupError):
        await ask(app, "/high")
    assert gate.running == 0
    inner = Gated()
    busy = admission(40)
    app = Shedding(inner, busy, by_path, delay=lambda: 1.0)
    asked = [asyncio.create_task(ask(app, "/high")) for _ in range(5)]
    await until(lambda: busy.limit == 2)
    inner.go.set()
    assert {(await each)[0] for each in asked} == {204}


async def early_refusal(app) -> object:
    """What the middleware offers a server that has a state of the lifespan."""
    state: dict[str, object] = {}
    await app({"type": "lifespan", "state": state, "app": "the application"}, None, None)
    await app({"type": "lifespan"}, None, None)
    return state.get(EARLY_REFUSAL)


async def test_a_server_refuses_by_the_head_what_the_middleware_would_refuse_at_once_and_both_count() -> None:
    asked = []

    def by_head(scope) -> int | None:
        asked.append(scope["app"])
        return {"/low": 0, "/high": 2}.get(scope["path"])

    async def nothing(*_: object) -> None:
        pass

    measurements, gate = Measurements(), admission(12, minimum=2)
    app = Measure(Shedding(nothing, gate, by_path, by_head=by_head), measurements, Sampler(measurements))
    refuse = await early_refusal(app)

    def answer(path: str):
        return refuse(lambda: {"type": "http", "method": "GET", "path": path, "headers": []})

    assert answer("/low") is None
    assert not asked, "nobody looks at a request while nobody could be refused"
    running = [gate.enter(2, SYSTEM.monotonic()) for _ in range(2)]
    for _ in range(3):
        gate.tick(1.0, SYSTEM.monotonic())
    status, headers, body = answer("/low")
    assert status == 503
    assert 2 <= int(dict(headers)[b"retry-after"]) <= 4
    assert int(dict(headers)[b"content-length"]) == len(body)
    assert json.loads(body)["type"] == "urn:esteio:problem:overloaded"
    assert answer("/high") is None
    assert answer("/middle") is None
    assert asked == ["the application"] * 3
    assert [count.refused for count in gate.counts] == [1, 0, 0]
    counted = {
        (k.method, k.route, k.outcome): each.count for k, each in measurements.read().series.items() if k.kind == HTTP
    }
    assert counted == {("GET", "(none)", "5xx"): 1}
    for entry in running:
        gate.leave(entry, SYSTEM.monotonic())


async def test_without_by_head_or_a_state_of_the_lifespan_the_middleware_alone_refuses() -> None:
    async def nothing(*_: object) -> None:
        pass

    assert await early_refusal(Shedding(nothing, admission(), by_path)) is None
    offered = await early_refusal(Shedding(nothing, admission(), by_path, by_head=by_path))
    assert offered(dict) is None
