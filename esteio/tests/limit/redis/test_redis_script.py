"""The script decides to the same digit as the pure algorithms: same input, same decision, same state."""

import random
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("redis")
pytest.importorskip("hiredis")

from redis import Redis

from esteio.limit import Hit, Limit
from esteio.limit._algorithms import State
from esteio.limit._group import decide_group
from esteio.limit.redis._local import Memory
from esteio.limit.redis._script import Mode, Row, Unit, answers, call, state_key

ALGORITHMS = ("window", "counter", "gcra", "fixed")
START = 1_790_000_000_000_000

Ask = Callable[..., list[Row]]


@pytest.fixture
def client(redis_server: Any) -> Iterator[Redis]:
    with Redis(port=redis_server.port) as client:
        client.flushall()
        yield client


@pytest.fixture
def ask(client: Redis) -> Iterator[Ask]:
    conn = client.connection_pool.get_connection()

    def asked(*units: Unit, at: int | None = None, declared: bool = True) -> list[Row]:
        given = b"" if at is None else str(at).encode()
        conn.send_packed_command([call(units, at=given, source=True, declared=declared)])
        return list(answers(conn.read_response()))

    yield asked
    client.connection_pool.release(conn)


def stored(client: Redis, key: str) -> State:
    raw: Any = client.get(key) or b""
    return tuple(int(number) for number in struct.unpack(f"<{len(raw) // 8}d", raw))


def some_limit(random: random.Random, algorithm: Any) -> Limit:
    rate = random.choice([1, 2, 5, 64, 65, 100, 1000, 10**6, 1 << 26, random.randint(1, 200)])
    per = random.choice([0.001, 0.0037, 1.0, 60.0, 900.0, 86400 * 366.0, random.uniform(0.001, 100)])
    burst = None
    if algorithm == "gcra" and random.random() < 0.5:
        burst = max(1, min(random.choice([1, 3, rate, rate * 2]), int(rate * 31_622_400.0 / per), 1 << 26))
    return Limit(rate, per, algorithm=algorithm, name="x", burst=burst)


def some_cost(random: random.Random, limit: Limit) -> int:
    rate = limit.rate
    return random.choice([1, 1, 1, 2, rate // 3 + 1, rate, rate + 1, limit.capacity, random.randint(1, limit.capacity)])


def later(random: random.Random, now: int, limit: Limit) -> int:
    per = limit.per_us
    steps = [0, 0, 1, per // limit.rate, per // 7, per // 62, per, 2 * per, -per // 3, -3 * per, random.randint(0, per)]
    return max(START // 2, now + random.choice(steps))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("seed", range(12))
def test_any_sequence_of_hits_refunds_and_charges_is_decided_alike(
    ask: Ask, client: Redis, algorithm: str, seed: int
) -> None:
    rnd = random.Random(f"{algorithm} {seed}")
    for _ in range(5):
        client.flushall()
        limit, state, now = some_limit(rnd, algorithm), (), START
        for _ in range(50):
            if rnd.random() < 0.03:
                limit = some_limit(rnd, algorithm)  # reloaded with other numbers: the state goes on
            now, cost = later(rnd, now, limit), some_cost(rnd, limit)
            mode = rnd.choice([Mode.DECIDE] * 8 + [Mode.REFUND, Mode.CHARGE])
            age = rnd.choice([0, 1, rnd.randint(0, 3 * limit.per_us), limit.per_us, 2 * limit.per_us])
            (row,) = ask(Unit([("k", limit, cost)], ["k"], mode, age), at=now)
            if mode == Mode.DECIDE:
                state, *verdict = limit.decide(state, now, cost)
            elif mode == Mode.REFUND:
                state = limit.rule.refund(state, now, cost, limit)
                _, *verdict = limit.decide(state, now, 0)
            else:
                state = limit.rule.charge(state, now, cost, limit, age)
                state = state if limit.rule.until(state, limit) > now else ()  # what is unused again is not kept
                _, *verdict = limit.decide(state, now, 0)
            assert row == tuple(verdict), (limit, now, cost, mode)
            alive = bool(state) and limit.rule.until(state, limit) > now
            assert stored(client, "k") == state or not alive


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("age", [0, 3, 9, 10, 15, 25, 1000])
def test_a_late_charge_never_gives_back_what_was_used_since(ask: Ask, algorithm: Any, age: int) -> None:
    limit = Limit(10, 10, algorithm=algorithm)
    ask(Unit([("k", limit, 10)], ["k"]), at=START)
    (row,) = ask(Unit([("k", limit, 1)], ["k"], Mode.CHARGE, age * 1_000_000), at=START + 1)
    assert row[1] == 0
    (row,) = ask(Unit([("k", limit, 1)], ["k"], Mode.RESTORE, age * 1_000_000), at=START + 2)
    assert row[1] == 0


@pytest.mark.parametrize("seed", range(8))
def test_groups_are_all_or_nothing_and_say_what_the_memory_store_would_say(ask: Ask, client: Redis, seed: int) -> None:
    rnd = random.Random(seed)
    limits = [Limit(rnd.choice([3, 10, 100]), 60, algorithm=each, name=each) for each in ALGORITHMS]
    states: dict[str, State] = {}
    now = START
    for _ in range(60):
        now += rnd.choice([0, 1_000_000, 20_000_000])
        hits = [Hit(rnd.choice("ab"), rnd.choice(limits), rnd.choice([1, 2, 5])) for _ in range(rnd.randint(1, 6))]
        charge = rnd.random() < 0.8
        names = [state_key("", hit.key, hit.limit) for hit in hits]
        decisions, kept = decide_group(hits, names, lambda name: states.get(name, ()), now, charge)
        states.update({name: state for name, (state, _) in kept.items()})
        rows = ask(Unit(hits, names, Mode.DECIDE if charge else Mode.PEEK), at=now)
        assert rows == [(each.allowed, each.remaining, each.reset_us, each.retry_us) for each in decisions]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_batch_decides_like_its_units_one_by_one(ask: Ask, client: Redis, algorithm: Any) -> None:
    limit = Limit(7, 60, algorithm=algorithm)
    rows = ask(*(Unit([(key, limit, 1)], [key]) for key in "aabab" * 4), at=START)
    assert [row[0] for row in rows].count(1) == 14  # 7 of each
    assert [row[1] for row in rows[:5]] == [6, 5, 6, 4, 5]
    undeclared = ask(*(Unit([(key, limit, 1)], [key]) for key in "ab"), at=START, declared=False)
    assert [row[0] for row in undeclared] == [0, 0]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_unused_again_expires(ask: Ask, client: Redis, algorithm: Any) -> None:
    limit = Limit(5, 100, algorithm=algorithm)
    ask(Unit([("k", limit, 1)], ["k"]))
    lasts: Any = client.pttl("k")
    longest = {"window": 100_000, "fixed": 100_000, "counter": 200_000, "gcra": 20_001}[algorithm]
    assert longest * 0.5 < lasts <= longest
    ask(Unit([("k", limit, 1)], ["k"], Mode.REFUND))
    assert client.exists("k") == 0


def test_a_key_is_bounded_however_often_it_is_hit(ask: Ask, client: Redis) -> None:
    limit = Limit(100_000, 60)
    for step in range(300):
        ask(Unit([("k", limit, 1)], ["k"]), at=START + step * 200_000)
    assert client.strlen("k") <= 8 + 16 * 64


def test_garbage_under_our_key_is_overwritten_not_believed(ask: Ask, client: Redis) -> None:
    limit = Limit(2, 60)
    client.set("k", b"garbage")
    client.rpush("l", "a", "b")
    rows = ask(Unit([("k", limit, 1)], ["k"]), Unit([("l", limit, 1)], ["l"]))
    assert rows == [(1, 1, 60_000_000, 0)] * 2
    assert client.strlen("k") == 24


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_restoring_twice_is_restoring_once_and_never_takes_away(ask: Ask, client: Redis, algorithm: Any) -> None:
    limit = Limit(10, 100, algorithm=algorithm)
    restore = Unit([("k", limit, 6)], ["k"], Mode.RESTORE, 1_000_000)
    assert ask(restore, at=START)[0][1] == 4
    assert ask(restore, at=START)[0][1] == 4
    ask(Unit([("k", limit, 3)], ["k"], Mode.CHARGE), at=START)
    assert ask(restore, at=START)[0][1] == 1


def test_a_cost_beyond_all_numbers_is_denied_for_ever(ask: Ask, client: Redis) -> None:
    for algorithm in ALGORITHMS:
        limit = Limit(5, 60, algorithm=algorithm)  # type: ignore[arg-type]
        assert ask(Unit([("k", limit, 10**30)], [algorithm])) == [(0, 5, 0, -1)]


def test_what_the_server_still_knows_is_not_restored_on_top(ask: Ask, client: Redis) -> None:
    limit = Limit(10, 100)
    for step in range(5):
        ask(Unit([("k", limit, 1)], ["k"]), at=START + step * 1_000_000)
    newest = START + 4_000_000
    now = START + 102_500_000  # three of the five have expired since
    known = Unit([("k", limit, 5)], ["k"], Mode.RESTORE, now - newest)
    assert ask(known, at=now)[0][1] == 8
    lost = Unit([("k", limit, 6)], ["k"], Mode.RESTORE, now - newest - 1_000_000)  # a hit the server never saw
    assert ask(lost, at=now)[0][1] == 7


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("seed", range(10))
def test_what_a_server_lost_is_restored_and_never_more_generous_than_it_was(
    ask: Ask, client: Redis, algorithm: Any, seed: int
) -> None:
    rnd = random.Random(f"{algorithm} {seed}")
    limit, now = Limit(rnd.choice([5, 40, 200]), 100, algorithm=algorithm), START
    for _ in range(rnd.randint(1, 30)):
        now += rnd.randint(0, limit.per_us // 8)
        (row,) = ask(Unit([("k", limit, rnd.randint(1, 3))], ["k"]), at=now)
    memory = Memory(10)
    memory.young["k"] = (limit, row[1], row[2], now)
    lost: Any = client.get("k")
    now += rnd.randint(0, limit.per_us // 2)
    client.delete("k")
    for unit in memory.restorations(lambda _: True, lambda: now):
        ask(unit, at=now)
    restored: Any = client.get("k")
    for later in range(0, 3 * limit.per_us, limit.per_us // 5):
        left = []
        for state in (restored, lost):
            client.delete("k")
            if state is not None:
                client.set("k", state)
            left.append(ask(Unit([("k", limit, 1)], ["k"], Mode.PEEK), at=now + later)[0][1])
        assert left[0] <= left[1], later
    assert left == [limit.rate, limit.rate]  # and not for longer than twice the window
