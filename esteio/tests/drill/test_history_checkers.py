"""Each forged history is found out, each true one passes, and the search agrees with trying every order."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esteio.drill.history import History, Known, Operation, Outcome, check_bank, check_register, check_set

OK, FAILED, UNKNOWN = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN


def op(what: str, value: Any, called: float, returned: float, answer: Any = None, outcome: Outcome = OK) -> Operation:
    return Operation(what, value, called, returned, outcome, answer)


def write(value: Any, called: float, returned: float, outcome: Outcome = OK) -> Operation:
    return op("write", value, called, returned, outcome=outcome)


def read(answer: Any, called: float, returned: float) -> Operation:
    return op("read", None, called, returned, answer)


def cas(old: Any, new: Any, called: float, returned: float, outcome: Outcome = OK) -> Operation:
    return op("cas", (old, new), called, returned, outcome=outcome)


@pytest.mark.parametrize(
    ("valid", "history"),
    [
        pytest.param(True, [write(1, 0, 1), read(1, 2, 3)], id="what was written is read"),
        pytest.param(False, [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)], id="a stale read"),
        pytest.param(False, [write(1, 0, 1), read(None, 2, 3)], id="an acknowledged write is lost"),
        pytest.param(False, [read(7, 0, 1)], id="a value nobody wrote"),
        pytest.param(True, [write(1, 0, 9), read(1, 1, 2), read(1, 3, 4)], id="seen before its acknowledgement"),
        pytest.param(False, [write(1, 0, 9), read(1, 1, 2), read(None, 3, 4)], id="seen, then gone"),
        pytest.param(True, [write(1, 0, 1, UNKNOWN), read(None, 2, 3), read(1, 4, 5)], id="unanswered, done later"),
        pytest.param(True, [write(1, 0, 1, UNKNOWN), read(None, 2, 3), read(None, 4, 5)], id="unanswered, never done"),
        pytest.param(
            False, [write(1, 0, 1, UNKNOWN), read(1, 2, 3), write(2, 4, 5), read(1, 6, 7)], id="unanswered, done twice"
        ),
        pytest.param(False, [write(1, 0, 1, FAILED), read(1, 2, 3)], id="refused, and done all the same"),
        pytest.param(False, [write(1, 0, 1), cas(1, 2, 2, 5), cas(1, 3, 3, 6)], id="a lost update"),
        pytest.param(True, [write(1, 0, 1), cas(1, 2, 2, 5), cas(1, 3, 3, 6, FAILED), read(2, 7, 8)], id="one of two"),
        pytest.param(
            False,
            [write(1, 0, 1), write(2, 2, 9), write(3, 2, 9), read(2, 3, 4), read(3, 5, 6), read(2, 7, 8)],
            id="two readers see another order",
        ),
    ],
)
def test_a_register_is_judged(valid: bool, history: list[Operation]) -> None:
    verdict = check_register(history)
    assert verdict.valid is valid, verdict
    assert bool(verdict.problems) is not valid


def _explained(order: tuple[Operation, ...], initial: Any) -> bool:
    value = initial
    for place, each in enumerate(order):
        if any(later.returned < each.called for later in order[place + 1 :] if later.outcome is OK):
            return False
        if each.what == "read":
            if each.answer != value:
                return False
        else:
            if each.what == "cas" and each.value[0] != value:
                return False
            value = each.value[1] if each.what == "cas" else each.value
    return True


def _brute_force(history: list[Operation]) -> bool:
    surely = [each for each in history if each.outcome is OK]
    maybe = [each for each in history if each.outcome is UNKNOWN and each.what != "read"]
    return any(
        _explained(order, 0)
        for count in range(len(maybe) + 1)
        for some in itertools.combinations(maybe, count)
        for order in itertools.permutations([*surely, *some])
    )


_VALUES = st.integers(0, 2)


@st.composite
def _operations(draw: st.DrawFn) -> Operation:
    called = draw(st.integers(0, 8))
    times = (float(called), called + draw(st.integers(1, 4)) - 0.5)
    outcome = draw(st.sampled_from([OK, OK, UNKNOWN, FAILED]))
    match draw(st.sampled_from(["read", "write", "cas"])):
        case "read":
            return op("read", None, *times, draw(_VALUES), outcome)
        case "write":
            return op("write", draw(_VALUES), *times, outcome=outcome)
        case _:
            return op("cas", (draw(_VALUES), draw(_VALUES)), *times, outcome=outcome)


@settings(max_examples=300, deadline=None)
@given(st.lists(_operations(), max_size=5))
def test_the_search_finds_what_trying_every_order_finds(history: list[Operation]) -> None:
    assert check_register(history, 0).valid is _brute_force(history)


def _true_register(rng: random.Random, clients: int, each: int) -> list[Operation]:
    """A register that does each operation at a moment between call and return; one in ten answers is lost."""
    todo, value, history = [rng.random() for _ in range(clients)], 0, []
    steps = []
    for client in range(clients):
        now = todo[client]
        for number in range(each):
            called, done, returned = now, now + rng.random(), 0.0
            returned = done + rng.random()
            steps.append((done, called, returned, client, client * each + number + 1))
            now = returned + rng.random() / 10
    for _done, called, returned, client, new in sorted(steps):
        lost = rng.random() < 0.1
        if rng.random() < 0.5:
            history.append(Operation("read", None, called, returned, UNKNOWN if lost else OK, value, client))
        else:
            happened = not lost or rng.random() < 0.5
            history.append(Operation("write", new, called, returned, UNKNOWN if lost else OK, None, client))
            value = new if happened else value
    return history


def test_long_histories_of_a_true_register_pass_and_one_changed_answer_is_found() -> None:
    rng, found = random.Random(11), 0
    for _ in range(20):
        history = _true_register(rng, clients=6, each=25)
        assert check_register(history, 0).valid is True
        place = rng.choice([n for n, each in enumerate(history) if each.what == "read" and each.outcome is OK])
        before = history[place]
        later = [each.value for each in history if each.what == "write" and each.called > before.returned]
        history[place] = Operation(
            "read", None, before.called, before.returned, OK, max(later, default=-1), before.client
        )
        found += check_register(history, 0).valid is False
    assert found == 20, "a value from the future is no answer"


def test_a_search_beyond_its_bound_is_no_pass_and_a_foreign_operation_is_refused() -> None:
    history = [write(n, 0, 9) for n in range(12)] + [read(3, 1, 2), read(5, 3, 4), read(3, 5, 6)]
    assert check_register(history, most_states=50).valid is None
    with pytest.raises(ValueError, match="allowed: read, write, cas"):
        check_register([op("append", 1, 0, 1)])


@pytest.mark.parametrize(
    ("valid", "history"),
    [
        (True, [op("add", 1, 0, 1), op("add", 2, 0, 1, None, UNKNOWN), op("read", None, 2, 3, [1, 2])]),
        (True, [op("add", 1, 0, 1), op("add", 2, 0, 1, None, UNKNOWN), op("read", None, 2, 3, [1])]),
        (False, [op("add", 1, 0, 1), op("read", None, 2, 3, [])]),
        (False, [op("add", 1, 0, 1), op("read", None, 2, 3, [1, 1])]),
        (False, [op("add", 1, 0, 1, None, UNKNOWN), op("read", None, 2, 3, [1, 1])]),
        (False, [op("add", 1, 0, 1, None, FAILED), op("read", None, 2, 3, [1])]),
        (False, [op("read", None, 2, 3, [7])]),
        (False, [op("add", 1, 0, 9, None, UNKNOWN), op("read", None, 1, 2, [1]), op("read", None, 10, 11, [])]),
        (None, [op("read", None, 0, 1, []), op("add", 1, 2, 3)]),
        (None, [op("add", 1, 0, 1)]),
        (True, [op("add", 1, 0, 1, None, UNKNOWN), op("add", 1, 2, 3), op("read", None, 4, 5, [1])]),
    ],
    ids=[
        "there", "unanswered", "lost", "doubled", "doubled unanswered", "refused and there", "invented", "seen and gone",
        "no last read", "no read", "repeated",
    ],
)  # fmt: skip
def test_a_set_is_judged(valid: bool | None, history: list[Operation]) -> None:
    verdict = check_set(history)
    assert verdict.valid is valid, verdict


@pytest.mark.parametrize(
    ("valid", "answer"),
    [
        (True, {"a": 3, "b": 7}),
        (False, {"a": 2, "b": 7}),
        (False, {"a": 11, "b": -1}),
        (False, {"a": 10}),
        (False, {"a": 3, "b": 6, "c": 1}),
    ],
    ids=["kept", "sum lost", "below 0", "account gone", "account new"],
)
def test_a_bank_is_judged(valid: bool, answer: dict[str, int]) -> None:
    assert check_bank([op("read", None, 0, 1, answer)], {"a", "b"}, 10).valid is valid


def test_a_bank_that_nobody_could_read_is_no_pass() -> None:
    assert check_bank([op("read", None, 0, 1, None, UNKNOWN)], {"a"}, 10).valid is None


async def test_what_clients_see_is_noted_with_what_they_know() -> None:
    history = History()

    async def answered() -> int:
        return 7

    async def refused() -> None:
        raise Known("409")

    async def cut() -> None:
        raise ConnectionResetError

    async def endless() -> None:
        await asyncio.sleep(60)

    assert await history.note("read", None, answered) is OK
    assert await history.note("write", 1, refused) is FAILED
    assert await history.note("write", 2, cut, client=3) is UNKNOWN
    task = asyncio.create_task(history.note("write", 3, endless))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(each.outcome, each.client) for each in history.operations] == [
        (OK, 0),
        (FAILED, 0),
        (UNKNOWN, 3),
        (UNKNOWN, 0),
    ]
    assert history.operations[0].answer == 7
    assert all(each.called <= each.returned for each in history.operations)
