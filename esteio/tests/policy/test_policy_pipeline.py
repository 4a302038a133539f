"""Pipeline and Registry: what is refused, what can be seen, what can be changed."""

import asyncio
import gc
import threading
import urllib.error
from email.message import Message
from functools import partial
from typing import Any

import pytest

from esteio import (
    Bulkhead,
    CircuitBreaker,
    CircuitOpen,
    Deadline,
    DeadlineExceeded,
    Fallback,
    Hedge,
    Pipeline,
    Policy,
    Registry,
    Retry,
    RetryBudget,
    Timeout,
    TimeoutExceeded,
)
from esteio.policy import Recovered, attempts_of, deadline, presets, registry
from esteio.testing import ManualClock, VirtualClock, flaky, no_waits, recorded_events, run_virtual

SAFE = Retry(3, 1.0, idempotent=True, jitter="none")


@pytest.mark.parametrize(
    ("policies", "reason"),
    [
        ([], "no policies"),
        ([Retry(None, idempotent=True)], "would never end"),
        ([Retry(None, idempotent=True), Timeout(1)], "would never end"),
        ([Deadline(1), Timeout(2)], "would never be reached"),
        ([SAFE, Deadline(1)], "limits each attempt only"),
        ([SAFE, SAFE], "multiply each other"),
        ([CircuitBreaker(), CircuitBreaker()], "name= of its own"),
        ([Retry(3, idempotent=False), Hedge(1, idempotent=True)], "only one of them can be right"),
        ([SAFE, Hedge(1, idempotent=True, budget=None)], "one budget"),
    ],
)
def test_a_pipeline_that_cannot_work_is_refused_when_built(policies: list[Policy], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Pipeline("p", *policies, registry=None)


def test_what_is_no_policy_and_what_has_no_name_is_refused() -> None:
    with pytest.raises(TypeError, match="is not a policy"):
        Pipeline("p", Retry)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pass a name"):
        Pipeline("", SAFE)


def test_two_breakers_of_different_names_are_fine() -> None:
    Pipeline("p", CircuitBreaker(name="host"), CircuitBreaker(name="path"), registry=None)


def test_unbounded_attempts_end_at_the_deadline() -> None:
    clock = ManualClock()
    dep = flaky(OSError)
    with pytest.raises(OSError):  # noqa: PT011
        Pipeline(
            "p",
            Deadline(10),
            Retry(None, 1.0, idempotent=True, jitter="none", budget=None),
            clock=clock,
            registry=None,
        ).call(dep)
    assert dep.calls == 10


def test_functions_keep_their_name_kind_and_signature() -> None:
    import inspect

    pipe = Pipeline("p", Deadline(5), SAFE, CircuitBreaker(), registry=None)

    @pipe
    async def fetch(cep: str, *, fresh: bool = False) -> str:
        """Look it up."""
        return cep

    @pipe
    def load(path: str) -> str:
        return path

    assert inspect.iscoroutinefunction(fetch)
    assert not inspect.iscoroutinefunction(load)
    assert (fetch.__name__, fetch.__doc__, list(inspect.signature(fetch).parameters)) == (
        "fetch",
        "Look it up.",
        ["cep", "fresh"],
    )
    assert asyncio.run(fetch("01001000", fresh=True)) == "01001000"


def test_methods_partials_and_callable_objects_are_seen_for_what_they_are() -> None:
    pipe = Pipeline("p", SAFE, registry=None, clock=ManualClock())

    class Client:
        @pipe
        async def get(self, value: int) -> int:
            return value

        async def __call__(self, value: int) -> int:
            return value + 1

    async def main() -> list[int]:
        client = Client()
        return [
            await client.get(1),
            await pipe.call(client, 1),
            await pipe.call(partial(client.get, 3)),
            await pipe.acall(lambda: client.get(4)),
        ]

    assert asyncio.run(main()) == [1, 2, 3, 4]


def test_a_plain_function_that_hands_out_a_coroutine_is_refused_instead_of_left_unguarded() -> None:
    async def get() -> int:
        return 1

    clock = ManualClock()
    pipe = Pipeline("p", Fallback(1), SAFE, CircuitBreaker(failures=1), clock=clock, registry=None)
    with pytest.raises(TypeError, match="use acall"):
        pipe.call(lambda: get())
    with pytest.raises(TypeError, match="use call"):
        asyncio.run(pipe.acall(lambda: 1))  # type: ignore[arg-type, return-value]
    assert (clock.slept, pipe.circuit.state) == (
        [],
        "closed",
    )  # a mistake, not a failure


def test_generators_are_refused() -> None:
    def numbers() -> Any:
        yield 1

    async def stream() -> Any:
        yield 1

    for function in (numbers, stream):
        with pytest.raises(TypeError, match="its body runs after"):
            Pipeline("p", SAFE, registry=None)(function)


def test_one_policy_is_a_decorator_by_itself() -> None:
    calls = []

    @Retry(3, 0.0, idempotent=True)
    def work() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise OSError
        return "ok"

    assert work() == "ok"
    assert work.__qualname__ not in registry.names()
    with pytest.raises(ValueError, match="would never end"):
        Retry(None, idempotent=True)(work)


async def test_one_policy_keeps_an_async_def_what_it_is() -> None:
    @Timeout(5)
    async def work() -> str:
        return "ok"

    assert await work() == "ok"


# -- outcome


def test_an_outcome_is_a_value_with_attempts_and_time() -> None:
    clock = ManualClock()
    pipe = Pipeline("p", SAFE, clock=clock, registry=None)
    good = pipe.outcome(flaky(OSError, "ok"))
    assert (good.ok, good.value, good.attempts, good.elapsed) == (True, "ok", 2, 1.0)
    bad = pipe.outcome(flaky(OSError("down")))
    assert (bad.ok, bad.attempts) == (False, 3)
    with pytest.raises(OSError, match="down"):
        _ = bad.value
    with pytest.raises(KeyboardInterrupt):
        pipe.outcome(flaky(KeyboardInterrupt))


async def test_outcomes_of_coroutines() -> None:
    async def fail() -> str:
        raise ValueError("no")

    outcome = await Pipeline("p", CircuitBreaker(), registry=None).outcome(fail)
    assert isinstance(outcome.error, ValueError)
    assert outcome.attempts == 1


# -- blocks


def test_blocks_are_retried_in_async_code_under_all_policies() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("p", Deadline(30), SAFE, CircuitBreaker(), Bulkhead(1), Timeout(2), clock=clock, registry=None)
        numbers = []
        with recorded_events() as seen:
            async for attempt in pipe.attempts():
                async with attempt:
                    numbers.append(attempt.number)
                    assert deadline.remaining() is not None
                    if attempt.number == 1:
                        await asyncio.sleep(10)
                    if attempt.number == 2:
                        raise OSError
        assert numbers == [1, 2, 3]
        assert clock.monotonic() == pytest.approx(4)
        assert isinstance(seen[-1], Recovered)
        values = {policy.kind: policy.values for policy in pipe.snapshot().policies}
        assert (values["breaker"]["passed"], values["breaker"]["failed"]) == (1, 2)
        assert values["bulkhead"]["taken"] == values["timeout"]["running"] == 0
        assert deadline.remaining() is None

    run_virtual(main)


def test_blocks_of_plain_code() -> None:
    clock = ManualClock()
    pipe = Pipeline("p", SAFE, CircuitBreaker(), clock=clock, registry=None)
    dep = flaky(OSError, OSError, "ok")
    for attempt in pipe.attempts():
        with attempt:
            answer = dep()
    assert (answer, clock.slept) == ("ok", [1, 1])

    def always_fails() -> None:
        for attempt in pipe.attempts():
            with attempt:
                raise OSError("down")

    with pytest.raises(OSError, match="down") as caught:
        always_fails()
    noted = attempts_of(caught.value)
    assert noted is not None
    assert noted.count == 3


def test_a_block_waits_for_no_attempt_that_the_deadline_forbids() -> None:
    clock = ManualClock()
    pipe = Pipeline("p", Deadline(5), Retry(3, 10.0, idempotent=True, jitter="none"), clock=clock, registry=None)

    def block() -> None:
        for attempt in pipe.attempts():
            with attempt:
                raise OSError("down")

    with pytest.raises(OSError, match="down"):
        block()
    assert clock.monotonic() == 0


def test_a_circuit_that_opens_over_the_failures_does_not_hide_them() -> None:
    for way in ("call", "attempts"):
        pipe = Pipeline("p", SAFE, CircuitBreaker(failures=1), clock=ManualClock(), registry=None)

        def blocks(pipe: Pipeline = pipe) -> None:
            for attempt in pipe.attempts():
                with attempt:
                    raise OSError("the reason")

        with pytest.raises(OSError, match="the reason"):
            blocks() if way == "attempts" else pipe.call(flaky(OSError("the reason")))
        with pytest.raises(CircuitOpen):
            pipe.call(flaky("never"))


def test_a_block_is_left_by_break_and_cancellation_without_a_trace() -> None:
    async def main(clock: VirtualClock) -> None:
        pipe = Pipeline("p", Deadline(30), SAFE, CircuitBreaker(), Bulkhead(1), Timeout(20), clock=clock, registry=None)

        async def block() -> None:
            async for attempt in pipe.attempts():
                async with attempt:
                    await asyncio.sleep(100)

        task = asyncio.create_task(block())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async for attempt in pipe.attempts():
            async with attempt:
                break
        values = {policy.kind: policy.values for policy in pipe.snapshot().policies}
        assert values["bulkhead"]["taken"] == values["timeout"]["running"] == 0
        assert values["breaker"]["ignored"] == 1
        with pytest.raises((TimeoutExceeded, DeadlineExceeded)):
            await asyncio.create_task(block())
        assert clock.monotonic() == pytest.approx(31)

    run_virtual(main)


def test_blocks_end_at_an_open_circuit_and_need_the_usual_order() -> None:
    pipe = Pipeline("p", SAFE, CircuitBreaker(), registry=None, clock=ManualClock())
    pipe.circuit.isolate()

    def block() -> None:
        for attempt in pipe.attempts():
            with attempt:
                pytest.fail("must not be reached")

    with pytest.raises(CircuitOpen):
        block()
    with pytest.raises(TypeError, match="in this order"):
        Pipeline("p", Fallback("x"), SAFE, registry=None).attempts()


# -- explain


def test_explain_shows_order_worst_case_and_what_to_think_about() -> None:
    pipe = Pipeline("viacep", Deadline(30), SAFE, CircuitBreaker(), Timeout(2), registry=None)
    assert pipe.explain().splitlines() == [
        "viacep, outermost first:",
        "  1. Deadline(seconds=30)",
        "  2. Retry(backoff=Constant(wait=1.0), idempotent=True, jitter='none')",
        "  3. CircuitBreaker()",
        "  4. Timeout(seconds=2)",
        "worst case: calls of the function: 3; time: 30 s",
    ]
    assert (
        Pipeline("x", Retry(3, 1.0, idempotent=True, jitter="none", retry_after_max=0), Timeout(2), registry=None)
        .worst_case()
        .seconds
        == 8
    )
    notes = Pipeline("x", Bulkhead(), CircuitBreaker(), SAFE, registry=None).explain()
    assert "sees whole retried calls" in notes
    assert "a slot is held while a retry waits" in notes
    assert "time: without bound" in notes


# -- registry


def test_a_registry_knows_names_states_and_changes_them_live() -> None:
    books = Registry()
    pipe = Pipeline("b", CircuitBreaker(failures=1), registry=books)
    other = Pipeline("a", SAFE, registry=books)
    assert books.names() == ["a", "b"]
    assert books.get("a") is other
    books.reconfigure("b", CircuitBreaker(failures=9))
    assert pipe.policies == (CircuitBreaker(failures=9),)
    assert [(p.name, p.policies[0].kind) for p in books.snapshot()] == [("a", "retry"), ("b", "breaker")]
    with pytest.raises(LookupError, match="there are: a, b"):
        books.get("c")
    with pytest.raises(ValueError, match="can't become"):
        books.reconfigure("b", SAFE)
    with pytest.raises(ValueError, match="retry with a budget"):
        books.reconfigure("a", Retry(idempotent=True, budget=None))
    del other
    gc.collect()
    assert books.names() == ["b"]


def test_a_guarded_function_keeps_its_pipeline_on_the_books() -> None:
    books = Registry()

    @Pipeline("anonymous", CircuitBreaker(), registry=books)
    def work() -> None:
        return

    gc.collect()
    assert books.names() == ["anonymous"]
    assert work.pipeline is books.get("anonymous")  # type: ignore[attr-defined]


def test_policies_of_one_name_are_one_state_and_must_agree() -> None:
    books = Registry()
    breaker = CircuitBreaker(failures=1, name="viacep")
    one = Pipeline("read", breaker, registry=books)
    two = Pipeline("write", breaker, registry=books)
    one.circuit.isolate()
    with pytest.raises(CircuitOpen):
        two.call(lambda: 1)
    with pytest.raises(ValueError, match="exists as"):
        Pipeline("third", CircuitBreaker(failures=2, name="viacep"), registry=books)


def test_budgets_of_one_name_are_one() -> None:
    books = Registry()
    budget = RetryBudget(0.01, 0.1, 10, name="all")
    retry = Retry(2, 0.0, idempotent=True, budget=budget)
    clock = ManualClock()
    pipes = [Pipeline(name, retry, registry=books, clock=clock) for name in "ab"]
    calls = []
    for pipe in pipes:
        dep = flaky(OSError)
        with pytest.raises(OSError):  # noqa: PT011
            pipe.call(dep)
        calls.append(dep.calls)
    assert calls == [2, 1]
    with pytest.raises(ValueError, match="retry budget 'all' exists"):
        Pipeline("c", Retry(2, idempotent=True, budget=RetryBudget(0.5, name="all")), registry=books)


def test_a_second_pipeline_of_the_same_name_takes_the_place_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    books = Registry()
    first = Pipeline("x", SAFE, registry=books)
    second = Pipeline("x", CircuitBreaker(), registry=books)
    assert books.get("x") is second
    assert first.policies == (SAFE,)
    assert "built a second time" in caplog.text


def test_a_pipeline_without_a_breaker_says_so() -> None:
    with pytest.raises(LookupError, match="has no CircuitBreaker"):
        _ = Pipeline("x", SAFE, registry=None).circuit


# -- presets


def http_errors(status: int) -> list[Exception]:
    """What clients raise for an answer of this status; skips the test where they are not installed, as with the core alone."""
    httpx2, requests = pytest.importorskip("httpx2"), pytest.importorskip("requests")
    asked = httpx2.Request("GET", "http://x/")
    theirs = requests.Response()
    theirs.status_code = status
    as_aiohttp = OSError()
    as_aiohttp.status = status  # type: ignore[attr-defined]
    return [
        httpx2.HTTPStatusError("", request=asked, response=httpx2.Response(status, request=asked)),
        requests.HTTPError(response=theirs),
        urllib.error.HTTPError("http://x/", status, "", Message(), None),
        as_aiohttp,
    ]


@pytest.mark.parametrize(
    ("status", "transient"),
    [(399, True), (400, False), (404, False), (408, True), (429, True), (499, False), (500, True)],
)
def test_an_answer_that_says_that_the_request_is_wrong_is_not_asked_for_again(status: int, transient: bool) -> None:
    for error in http_errors(status):
        assert presets.transient_http_error(error) is transient, error
    assert presets.transient_http_error(ConnectionRefusedError())


def test_the_preset_for_http_neither_repeats_nor_counts_a_404() -> None:
    pipe = presets.external_api("api", idempotent=True, clock=ManualClock(), registry=None)
    for error in http_errors(404):
        dep = flaky(error)
        with pytest.raises(type(error)):
            pipe.call(dep)
        assert dep.calls == 1
    assert pipe.circuit.state == "closed"


@pytest.mark.parametrize(
    ("preset", "attempts", "waits", "failures", "open_for", "seconds"),
    [
        (presets.database, 5, [2, 4, 8, 16], 5, 30, 5),
        (presets.external_api, 3, [1, 2], 3, 60, 10),
        (presets.filesystem, 4, [0.5, 0.75, 1.125], 4, 20, 5),
    ],
)
def test_presets_have_the_guides_numbers(
    preset: Any, attempts: int, waits: list[float], failures: int, open_for: float, seconds: float
) -> None:
    retry, breaker, timeout = preset("p", idempotent=True, registry=None).policies
    assert retry.attempts == attempts
    assert [wait for wait, _ in zip(retry.backoff, waits, strict=False)] == waits
    assert (breaker.failures, breaker.open_for, timeout.seconds) == (failures, open_for, seconds)


@pytest.mark.parametrize(
    ("convenience", "calls"),
    [
        (presets.retry_operation, 3),
        (presets.retry_database, 5),
        (presets.retry_external_api, 3),
        (presets.retry_filesystem, 4),
    ],
)
async def test_the_guides_one_call_conveniences(convenience: Any, calls: int) -> None:
    with no_waits():
        dep = flaky(OSError)
        with pytest.raises(OSError):  # noqa: PT011
            convenience(dep, idempotent=True)
        assert dep.calls == calls
        dep = flaky(OSError, "ok")
        assert await convenience(dep.asynchronous, idempotent=True) == "ok"


def test_a_block_left_by_break_leaves_nothing_for_the_collector() -> None:
    pipe = Pipeline("dep", Retry(3, 0.0, idempotent=True), registry=None)

    async def main() -> None:
        async for attempt in pipe.attempts():
            async with attempt:
                break
        assert len(asyncio.all_tasks()) == 1
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_a_block_that_waited_beyond_the_deadline_shows_why_it_failed() -> None:
    class Slow(ManualClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds + 10)

    pipe = Pipeline("dep", Deadline(5), Retry(3, 1.0, idempotent=True), clock=Slow(), registry=None)
    with pytest.raises(OSError, match="why"):  # noqa: PT012
        for attempt in pipe.attempts():
            with attempt:
                raise OSError("why")


def test_a_registry_can_be_read_while_other_threads_make_pipelines() -> None:
    books, end, errors = Registry(), threading.Event(), []
    kept = []

    def make() -> None:
        number = 0
        while not end.is_set():
            kept.append(Pipeline(f"p{number}", Retry(idempotent=True), registry=books))
            number += 1
            if number % 50 == 0:
                kept.clear()

    thread = threading.Thread(target=make)
    thread.start()
    try:
        for _ in range(300):
            books.names()
            books.snapshot()
    except RuntimeError as error:
        errors.append(error)
    finally:
        end.set()
        thread.join()
    assert errors == []
