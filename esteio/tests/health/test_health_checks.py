"""A check answers in time, is asked once for many, and never turns "no answer" into a number."""

import asyncio

import pytest

from esteio.health import Check, Monitor, Status
from esteio.testing import ManualClock


def check(probe, **options) -> Check:
    return Check("thing:responseTime", probe, clock=ManualClock(), **options)


async def test_before_the_first_answer_the_status_is_unknown() -> None:
    async def probe() -> float:
        return 1.0

    last = check(probe).last
    assert (last.status, last.observed) == (Status.UNKNOWN, None)


async def test_many_at_once_share_one_probe_and_its_answer_is_kept_for_the_cache_time() -> None:
    calls = 0

    async def probe() -> float:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        return 2.5

    c = check(probe, cache=1.0)
    results = await asyncio.gather(*(c.ask() for _ in range(20)))
    assert {r.observed for r in results} == {2.5}
    await c.ask()
    assert calls == 1
    c.clock.advance(1.01)
    await c.ask()
    assert calls == 2


async def test_a_probe_that_hangs_is_a_failure_without_a_number() -> None:
    async def probe() -> float:
        await asyncio.Event().wait()
        return 0.0

    result = await check(probe, timeout=0.01).ask()
    assert (result.status, result.observed) == (Status.FAIL, None)
    assert "0.01 s" in result.reason


async def test_a_probe_that_raises_is_an_answer_that_names_the_kind_and_no_secret(caplog) -> None:
    async def probe() -> float:
        raise ConnectionError("no route to db-1.internal as user sispat")

    result = await check(probe).ask()
    assert (result.status, result.reason) == (Status.FAIL, "ConnectionError")
    assert "db-1.internal" in caplog.text


async def test_above_its_bound_a_check_warns() -> None:
    async def probe() -> float:
        return 1500.0

    assert (await check(probe, warn_above=1000.0).ask()).status is Status.WARN


async def test_a_caller_that_gives_up_does_not_take_the_answer_from_the_others() -> None:
    release = asyncio.Event()

    async def probe() -> float:
        await release.wait()
        return 1.0

    c = check(probe)
    impatient, patient = asyncio.create_task(c.ask()), asyncio.create_task(c.ask())
    await asyncio.sleep(0)
    impatient.cancel()
    release.set()
    assert (await patient).status is Status.PASS
    with pytest.raises(asyncio.CancelledError):
        await impatient


@pytest.mark.parametrize(
    ("essential", "overall"), [(True, Status.FAIL), (False, Status.WARN)], ids=["essential", "not essential"]
)
async def test_only_an_essential_failure_is_the_services_own(essential: bool, overall: Status) -> None:
    async def well() -> float:
        return 1.0

    async def ill() -> float:
        raise OSError

    monitor = Monitor([Check("a:x", well), Check("b:x", ill, essential=essential)])
    report = await monitor.report()
    assert report.status is overall
    assert report.results["a:x"].status is Status.PASS


def test_two_checks_of_one_name_are_refused() -> None:
    async def probe() -> float:
        return 1.0

    with pytest.raises(ValueError, match="a:x"):
        Monitor([Check("a:x", probe), Check("a:x", probe)])


async def test_the_limit_of_a_check_holds_while_its_probe_is_slow_to_be_cancelled_and_no_second_one_is_begun() -> None:
    begun, release = 0, asyncio.Event()

    async def probe() -> float:
        nonlocal begun
        begun += 1
        try:
            await asyncio.Event().wait()
        finally:
            await release.wait()  # as a driver does that tells a frozen server to stop
        return 1.0

    c = check(probe, timeout=0.01, cache=0.0)
    async with asyncio.timeout(30):
        results = [await c.ask(), await c.ask()]
    assert [r.status for r in results] == [Status.FAIL] * 2
    assert begun == 1
    release.set()
    await c.ask()
    assert begun == 2, "the one that was given up has ended"


async def test_the_whole_is_unknown_while_an_essential_check_has_never_answered() -> None:
    async def well() -> float:
        return 1.0

    async def slow() -> float:
        await asyncio.Event().wait()
        return 1.0

    def monitor(essential: bool) -> Monitor:
        return Monitor([Check("a:x", well), Check("b:x", slow, timeout=60, essential=essential)], patience=0.01)

    report = await monitor(essential=True).report()
    assert (report.status, report.causes) == (Status.UNKNOWN, ("b:x",))
    assert report.results["b:x"].reason == "no answer yet"
    assert (await monitor(essential=False).report()).status is Status.WARN
