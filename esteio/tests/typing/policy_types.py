"""Read by type checkers only: guarded functions keep their types, and misuse is seen before it runs."""

from collections.abc import Callable, Coroutine
from typing import Any, assert_type

from esteio import Bulkhead, CircuitBreaker, CircuitState, Deadline, Outcome, Pipeline, Retry, Timeout

pipe = Pipeline("p", Deadline(5), Retry(3, idempotent=True), CircuitBreaker(), Bulkhead(), Timeout(1))


@pipe
def plain(number: int, *, text: str = "") -> list[str]:
    return [text] * number


@pipe
async def coroutine(number: int, *, text: str = "") -> list[str]:
    return [text] * number


@Retry(3, idempotent=True)
async def single(number: int) -> int:
    return number


class Client:
    @pipe
    async def get(self, path: str) -> bytes:
        return path.encode()


def use_plain() -> None:
    assert_type(plain(1, text="a"), list[str])
    assert_type(pipe.call(plain, 1, text="a"), list[str])
    assert_type(pipe.outcome(plain, 1), Outcome[list[str]])
    assert_type(pipe.outcome(plain, 1).value, list[str])
    assert_type(pipe.circuit.state, CircuitState)
    for attempt in pipe.attempts():
        with attempt as current:
            assert_type(current.number, int)


async def use_coroutine() -> None:
    assert_type(await coroutine(1, text="a"), list[str])
    assert_type(await single(1), int)
    assert_type(await Client().get("/"), bytes)
    assert_type(await pipe.call(coroutine, 1), list[str])
    assert_type(await pipe.acall(lambda: coroutine(1)), list[str])
    assert_type(await pipe.outcome(coroutine, 1), Outcome[list[str]])
    async for attempt in pipe.attempts():
        async with attempt:
            pass


def misuse() -> None:
    plain("1")  # type: ignore[arg-type]
    plain(1, txt="a")  # type: ignore[call-arg]
    pipe.call(plain, "1")  # type: ignore[arg-type]
    Retry(3)  # type: ignore[call-arg]
    Pipeline("p", Retry)  # type: ignore[arg-type]
    Pipeline("p", 3)  # type: ignore[arg-type]


kept: Callable[[int], Coroutine[Any, Any, int]] = single
