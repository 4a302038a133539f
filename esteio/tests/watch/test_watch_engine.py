"""What a watcher sees over hours, in virtual time: confirmation, parents, quorum, isolation, absences of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from esteio.alert.rules import Severity
from esteio.clock import Clock
from esteio.health import Check, HistoryReader, Unwell
from esteio.health._history import History
from esteio.health.series import State
from esteio.testing import VirtualClock, run_virtual
from esteio.watch import Engine
from esteio.watch._config import Config, Group, Heartbeat, Notify, Peer, Probe, TcpProbe, Watch
from esteio.watch._heartbeat import Beat, Signal
from esteio.watch._peers import PeerRefused, answered, asked
from esteio.watch._quorum import View
from esteio.watch._state import StateFile

UP, DEGRADED, DOWN, UNKNOWN = State.UP, State.DEGRADED, State.DOWN, State.UNKNOWN
HOUR = 3600.0


class Leaping:
    """A clock whose wall time can be set."""

    def __init__(self, clock: VirtualClock) -> None:
        self.inner = clock
        self.offset = 0.0
        self.monotonic = clock.monotonic
        self.sleep_async = clock.sleep_async
        self.sleep = clock.sleep

    def time(self) -> float:
        return self.inner.time() + self.offset


class World:
    """What is down or hangs, by the names of probes; when each was asked."""

    def __init__(self, clock: Leaping) -> None:
        self.clock = clock
        self.down: set[str] = set()
        self.hanging: set[str] = set()
        self.asked: dict[str, list[float]] = {}

    def check(self, probe: Probe, _: Clock) -> Check:
        async def ask() -> float:
            self.asked.setdefault(probe.name, []).append(self.clock.monotonic())
            if probe.name in self.hanging:
                await asyncio.sleep(HOUR)
            if probe.name in self.down:
                raise Unwell("refused")
            return 12.0

        return Check(probe.name, ask, timeout=probe.timeout, cache=0.0, clock=self.clock)


def probe(name: str, **options: Any) -> Probe:
    return TcpProbe(name=name, address=("127.0.0.1", 1), **options)


def config(tmp_path: Path, *probes: Probe, name: str = "a", peers: Sequence[str] = (), **more: Any) -> Config:
    watch = Watch(name=name, directory=str(tmp_path))
    others = tuple(Peer(name=each, url=f"http://{each}:1") for each in peers)
    return Config(
        tmp_path / "watch.toml",
        watch,
        Notify(urls=("json://127.0.0.1/",)),
        Group(secret="s" * 16),
        others,
        probes,
        **more,
    )


class AtOnce(Executor):
    """A disk that takes no time."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


Silent = Callable[..., Awaitable[View]]


async def nobody(*_: object) -> View:
    raise ConnectionRefusedError(111, "refused")


@contextmanager
def engine_of(given: Config, world: World, ask: Silent = nobody) -> Iterator[Engine]:
    folder = given.directory / given.watch.name
    folder.mkdir(exist_ok=True)
    state = StateFile(folder / "watch.sqlite")
    history = History(folder / "history.sqlite")
    engine = Engine(
        given, state, history, check=world.check, ask=ask, disk=AtOnce(), chance=lambda: 0.5, clock=world.clock
    )
    task = asyncio.get_running_loop().create_task(engine.run())
    try:
        yield engine
    finally:
        task.cancel()
        history.close()

        def closed(_: object) -> None:
            state.close()

        task.add_done_callback(closed)


async def ended(*engines: Engine) -> None:
    """Let what was cancelled end."""
    for _ in range(20):
        await asyncio.sleep(0)
    assert engines


def seen(engine: Engine) -> dict[str, State]:
    return {name: each.state for name, each in engine.sight.seen.items()}


def virtual(main: Callable[[Leaping, World], Awaitable[None]]) -> None:
    async def run(clock: VirtualClock) -> None:
        leaping = Leaping(clock)
        await main(leaping, World(leaping))
        await asyncio.sleep(0.1)

    run_virtual(run)
    assert not [each for each in threading.enumerate() if each.name.startswith("esteio watch name")]


def test_down_is_confirmed_by_three_looks_five_seconds_apart_and_up_by_the_next_good_one(tmp_path: Path) -> None:
    async def main(clock: Leaping, world: World) -> None:
        with engine_of(config(tmp_path, probe("web")), world) as engine:
            assert seen(engine) == {}, "nothing is known before the first look"
            await clock.sleep_async(10)
            assert seen(engine) == {"web": UP}
            world.down.add("web")
            asked = len(world.asked["web"])
            await clock.sleep_async(29)
            first = world.asked["web"][asked]
            await clock.sleep_async(first + 10.5 - clock.monotonic())
            assert seen(engine) == {"web": DOWN}
            assert [each - first for each in world.asked["web"][asked : asked + 3]] == pytest.approx([0, 5, 10])
            world.down.clear()
            await clock.sleep_async(31)
            assert seen(engine) == {"web": UP}
        await ended(engine)

    virtual(main)


def test_one_failure_in_passing_is_looked_at_again_soon_and_tells_nothing(tmp_path: Path) -> None:
    async def main(clock: Leaping, world: World) -> None:
        with engine_of(config(tmp_path, probe("web")), world) as engine:
            await clock.sleep_async(29)
            world.down.add("web")
            await clock.sleep_async(3)
            world.down.clear()
            for _ in range(60):
                await clock.sleep_async(1)
                assert seen(engine) == {"web": UP}
        await ended(engine)

    virtual(main)


def test_ten_that_hang_make_nobody_else_late(tmp_path: Path) -> None:
    async def main(clock: Leaping, world: World) -> None:
        probes = [probe(f"p{number}") for number in range(50)]
        world.hanging = {f"p{number}" for number in range(10)}
        with engine_of(config(tmp_path, *probes), world) as engine:
            await clock.sleep_async(300)
            states = seen(engine)
        await ended(engine)
        for number in range(50):
            name, moments = f"p{number}", world.asked[f"p{number}"]
            assert states[name] is (DOWN if name in world.hanging else UP)
            pauses = {round(after - before, 6) for before, after in pairwise(moments)}
            if name not in world.hanging:
                assert pauses == {30.0}

    virtual(main)


def test_what_a_failing_probe_depends_on_is_looked_at_at_once(tmp_path: Path) -> None:
    async def main(clock: Leaping, world: World) -> None:
        child = probe("child", interval=10.0, depends_on=("parent",))
        with engine_of(config(tmp_path, child, probe("parent", interval=3000.0)), world) as engine:
            await clock.sleep_async(20)
            world.down = {"child", "parent"}
            await clock.sleep_async(22)
            assert seen(engine) == {"child": DOWN, "parent": DOWN}, "50 minutes before its own turn"
        await ended(engine)

    virtual(main)


def test_a_suspended_machine_a_stopped_process_and_a_leaping_clock_call_nothing_down(tmp_path: Path) -> None:
    async def main(clock: Leaping, world: World) -> None:
        given = config(
            tmp_path, probe("web"), probe("ill"),
            heartbeats=(Heartbeat(name="job", key="k" * 16, every=HOUR, grace=60.0),),
        )  # fmt: skip
        world.down = {"ill"}
        with engine_of(given, world) as engine:
            await engine.receive(engine.jobs["job"], Signal.SUCCESS, "")
            await clock.sleep_async(60)
            assert seen(engine) == {"web": UP, "ill": DOWN, "job": UP}
            for away in ("suspended", "stopped", "forward", "back"):
                world.down = {"web", "ill"}  # the network is not there yet
                if away == "stopped":
                    clock.sleep(5 * HOUR)
                else:
                    clock.offset += {"suspended": 5 * HOUR, "forward": HOUR, "back": -HOUR}[away]
                await clock.sleep_async(3)
                assert DOWN not in seen(engine).values(), away
                assert seen(engine)["web"] is UNKNOWN, "what was seen before says nothing of now"
                world.down = {"ill"}
                await clock.sleep_async(40)
                assert (seen(engine)["web"], seen(engine)["ill"]) == (UP, DOWN), away
                await engine.receive(engine.jobs["job"], Signal.SUCCESS, "")
                assert seen(engine)["job"] is UP
            await clock.sleep_async(HOUR + 62)
            assert seen(engine)["job"] is DOWN, "one that really stays away is found"
        await ended(engine)

    virtual(main)


def test_a_watcher_that_was_off_for_five_hours_excuses_what_was_due_meanwhile_and_remembers_what_it_heard(
    tmp_path: Path,
) -> None:
    async def main(clock: Leaping, world: World) -> None:
        job = Heartbeat(name="job", key="k" * 16, every=HOUR, grace=600.0)
        given = config(tmp_path, heartbeats=(job,))
        with engine_of(given, world) as engine:
            await engine.receive(engine.jobs["job"], Signal.SUCCESS, "")
            await clock.sleep_async(30)
        await ended(engine)
        clock.offset += 5 * HOUR
        with engine_of(given, world) as engine:
            await clock.sleep_async(3)
            assert seen(engine) == {"job": UNKNOWN}
            assert engine.jobs["job"].beat.success is not None
            await clock.sleep_async(HOUR + 590)
            assert seen(engine) == {"job": UNKNOWN}
            await clock.sleep_async(20)
            assert seen(engine) == {"job": DOWN}
        await ended(engine)

    virtual(main)


class Group3:
    """Watchers that ask each other without a network; `cut` are pairs that do not reach each other."""

    def __init__(self, tmp_path: Path, clock: Leaping, names: str, *probes: Probe, **group: Any) -> None:
        self.clock = clock
        self.cut: set[frozenset[str]] = set()
        self.gone: set[str] = set()
        self.worlds = {name: World(clock) for name in names}
        self.engines: dict[str, Engine] = {}
        for name in names:
            given = config(tmp_path, *probes, name=name, peers=[each for each in names if each != name])
            self.configs = {**getattr(self, "configs", {}), name: replace(given, group=replace(given.group, **group))}

    async def ask(self, peer: Peer, secret: str, own: str, suspects: Sequence[str]) -> View:
        assert secret == "s" * 16
        if frozenset((own, peer.name)) in self.cut or peer.name in self.gone:
            raise ConnectionRefusedError(111, "refused")
        other = self.engines[peer.name]
        other.suspected(suspects)
        return other.view

    def states(self, probe: str = "web") -> str:
        return " ".join(str(engine.sight.seen[probe].state) for engine in self.engines.values())


def in_group(
    tmp_path: Path, names: str, play: Callable[[Group3], Awaitable[None]], *probes: Probe, **group: Any
) -> None:
    async def main(clock: Leaping, _: World) -> None:
        together = Group3(tmp_path, clock, names, *(probes or (probe("web"),)), **group)
        with contextmanager_of(together):
            await clock.sleep_async(20)
            await play(together)
        await ended(*together.engines.values())

    virtual(main)


@contextmanager
def contextmanager_of(together: Group3) -> Iterator[None]:
    from contextlib import ExitStack

    with ExitStack() as stack:
        for name, given in together.configs.items():
            together.engines[name] = stack.enter_context(engine_of(given, together.worlds[name], together.ask))
        yield


def test_what_one_of_three_watchers_cannot_reach_is_degraded_and_what_all_cannot_is_down_soon(tmp_path: Path) -> None:
    async def play(group: Group3) -> None:
        assert group.states() == "up up up"
        group.worlds["b"].down.add("web")
        await group.clock.sleep_async(60)
        assert group.states() == "degraded degraded degraded"
        assert group.engines["a"].sight.seen["web"].reason == "down from b"
        for world in group.worlds.values():
            world.down.add("web")
        await group.clock.sleep_async(45)
        assert group.states() == "down down down"
        assert [dict(each.sight.told_by) for each in group.engines.values()] == [{}, {"web": "a"}, {"web": "a"}]
        for world in group.worlds.values():
            world.down.clear()
        await group.clock.sleep_async(36)
        assert group.states() == "up up up"

    in_group(tmp_path, "abc", play)


def test_the_suspicion_of_one_makes_the_others_look_at_once(tmp_path: Path) -> None:
    async def play(group: Group3) -> None:
        for world in group.worlds.values():
            world.down.add("web")
        moments = {name: list(world.asked["web"]) for name, world in group.worlds.items()}
        await group.clock.sleep_async(1)
        group.engines["a"].suspected(["web"])
        await group.clock.sleep_async(18)
        assert group.states() == "down down down"
        assert all(len(group.worlds[name].asked["web"]) - len(before) >= 3 for name, before in moments.items())

    in_group(tmp_path, "abc", play, probe("web", interval=3000.0))


def test_a_watcher_that_is_cut_off_says_so_and_calls_nothing_down_also_when_it_is_back(tmp_path: Path) -> None:
    async def play(group: Group3) -> None:
        group.cut = {frozenset("ab"), frozenset("ac")}
        group.worlds["a"].down = {"web"}
        for _ in range(120):
            await group.clock.sleep_async(1)
            assert group.engines["a"].sight.seen["web"].state is not DOWN
        assert group.engines["a"].sight.isolated
        assert group.states() == "unknown up up"
        assert group.engines["a"].sight.seen["watcher:b"].state is UNKNOWN, "nobody knows who of the two is away"
        assert group.engines["b"].sight.seen["watcher:a"].state is DOWN
        assert [dict(group.engines[name].sight.told_by) for name in "bc"] == [{}, {"web": "b"}], "the next one tells"
        group.cut.clear()
        group.worlds["a"].down.clear()
        for _ in range(60):
            await group.clock.sleep_async(0.5)
            assert group.engines["a"].sight.seen["web"].state is not DOWN
        assert group.states() == "up up up"

    in_group(tmp_path, "abc", play)


def test_of_two_watchers_the_one_that_is_left_needs_an_anchor_to_call_something_down(tmp_path: Path) -> None:
    async def play(group: Group3) -> None:
        group.gone = {"b"}
        group.worlds["a"].down = {"web"}
        await group.clock.sleep_async(90)
        sight = group.engines["a"].sight
        assert (sight.isolated, sight.seen["web"].state) == (True, UNKNOWN)

    in_group(tmp_path, "ab", play)


def test_a_job_is_not_missing_that_could_not_reach_a_watcher_that_was_cut_off(tmp_path: Path) -> None:
    async def main(clock: Leaping, world: World) -> None:
        job = Heartbeat(name="job", key="k" * 16, every=HOUR, grace=600.0)
        given = config(tmp_path, probe("web"), heartbeats=(job,))
        given = replace(given, group=replace(given.group, anchors=(("127.0.0.1", 1),)))
        with engine_of(given, world) as engine:
            anchors, engine._anchors, engine._anchored = engine._anchors, [], [True]
            await engine.receive(engine.jobs["job"], Signal.SUCCESS, "")
            await clock.sleep_async(1800)
            assert seen(engine) == {"web": UP, "job": UP}
            engine._anchors, world.down = anchors, {"web"}  # the cable is pulled between two looks at the anchors
            for _ in range(120):
                await clock.sleep_async(0.5)
                assert seen(engine)["web"] is not DOWN, "its anchors are asked before it is called down"
            await clock.sleep_async(2 * HOUR)
            assert engine.sight.isolated
            assert seen(engine) == {"web": UNKNOWN, "job": UNKNOWN}
            engine._anchors, engine._anchored, world.down = [], [True], set()
            await clock.sleep_async(60)
            assert seen(engine) == {"web": UP, "job": UNKNOWN}
            await clock.sleep_async(HOUR + 600)
            assert seen(engine) == {"web": UP, "job": DOWN}
        await ended(engine)

    virtual(main)


async def test_with_an_anchor_that_answers_the_one_that_is_left_decides_alone(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    address = server.sockets[0].getsockname()[:2]
    given = config(tmp_path, probe("web", timeout=0.1, retry=0.5), peers=["b"])
    given = replace(given, group=replace(given.group, anchors=(address,)))
    from esteio.clock import SYSTEM

    world = World(SYSTEM)  # type: ignore[arg-type]
    world.down = {"web"}
    with engine_of(given, world) as engine:
        for _ in range(300):
            await asyncio.sleep(0.1)
            if engine.sight.seen and engine.sight.seen["web"].state is DOWN:
                break
        assert engine.sight.seen["web"].state is DOWN
        assert not engine.sight.isolated
    await ended(engine)
    server.close()


def test_states_are_written_as_intervals_and_the_time_off_is_unknown(tmp_path: Path) -> None:
    async def main(clock: Leaping, world: World) -> None:
        begin = clock.time()
        with engine_of(config(tmp_path, probe("web", severity=Severity.TICKET)), world) as engine:
            await clock.sleep_async(60)
            world.down.add("web")
            await clock.sleep_async(600)
        await ended(engine)
        reader = HistoryReader(tmp_path / "a" / "history.sqlite")
        intervals = reader.intervals(begin, begin + HOUR)["web"]
        assert [each.state for each in intervals] == [UNKNOWN, UP, DOWN, UNKNOWN][-len(intervals) :]
        assert [round(each.until - begin) for each in intervals[-3:]] == pytest.approx([70, 660, HOUR], abs=30)
        assert intervals[-2].reason == "refused"

    virtual(main)


def test_a_state_file_of_the_release_before_is_brought_up_to_date_and_one_of_a_later_one_is_left_alone(
    tmp_path: Path,
) -> None:
    import sqlite3

    from esteio.watch import StateTooNew
    from esteio.watch._state import _UPGRADES

    path = tmp_path / "watch.sqlite"
    with sqlite3.connect(path, isolation_level=None) as old:
        old.executescript(f"{_UPGRADES[0]} pragma user_version = 1;")
        old.execute("insert into beat values ('job', 10.0, 20.0, null, null, '', null)")
        old.execute("insert into alive values (30.0)")
    old.close()
    state = StateFile(path)
    assert state.beats() == {"job": Beat(10.0, success=20.0)}
    assert state.alive_at == 30.0
    state.save("job", Beat(10.0, success=21.0, took=3.0))
    state.save("gone", Beat(1.0))
    state.keep(["job"])
    state.close()
    with sqlite3.connect(path, isolation_level=None) as newer:
        newer.execute("pragma user_version = 99")
    newer.close()
    with pytest.raises(StateTooNew, match="version 99, this release knows up to 2; install the newer release"):
        StateFile(path)
    with sqlite3.connect(path, isolation_level=None) as back:
        assert back.execute("select took from beat").fetchall() == [(3.0,)]
    back.close()


def test_a_view_is_believed_and_told_only_with_the_secret_and_only_for_its_own_question() -> None:
    import json

    from esteio.watch._peers import _signed

    view = View("b", {"web": UP}, tells=True)
    body = json.dumps({"watcher": "a", "nonce": "1", "suspects": ["web"]}).encode()
    assert asked("secret", _signed("secret", "ask", "1", body), body) == ("1", ["web"])
    assert asked("secret", _signed("other", "ask", "1", body), body) is None
    assert asked("secret", _signed("secret", "view", "1", body), body) is None
    assert asked("secret", "", b"nonsense") is None
    content, signature = answered("secret", "1", view)
    assert signature == _signed("secret", "view", "1", content)
    assert signature != answered("secret", "2", view)[1]
    assert PeerRefused("x").reason == "x"
