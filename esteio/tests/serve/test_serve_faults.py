"""What is lost when parts of a served application die, hang, or are replaced: counted on real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from house import Load, ask, connect, get, gone

pytestmark = pytest.mark.fault


async def test_a_killed_worker_takes_only_its_own_requests_along_and_is_replaced(build, figure):
    house = build()
    first = {r["pid"] for r in await house.until("WorkerReady", 2)}
    slow = [asyncio.create_task(get(house.port, "/slow?1")) for _ in range(8)]
    async with Load(house.port, keep_alive=False) as load:
        await asyncio.sleep(0.5)
        killed_at = time.monotonic()
        os.kill(min(first), signal.SIGKILL)
        died = (await house.until("WorkerDied"))[0]
        ready = (await house.until("WorkerReady", 3))[-1]
        await asyncio.sleep(0.3)
    answers = await asyncio.gather(*slow, return_exceptions=True)
    survivors = {int(answer[2].split()[0]) for answer in answers if isinstance(answer, tuple)}
    figure(
        f"kill -9 of 1 of 2 workers under 100/s: lost {len(load.lost)} of {load.sent}, "
        f"and {sum(isinstance(a, Exception) for a in answers)} of 8 slow ones in flight; seen after "
        f"{(died['at'] - killed_at) * 1000:.0f} ms, whole again after {ready['at'] - killed_at:.2f} s"
    )
    assert died["pid"] == min(first)
    assert died["exitcode"] == -signal.SIGKILL
    assert died["at"] - killed_at < 0.5
    assert all(sent_at <= killed_at + 0.05 for sent_at, _ in load.lost), load.lost
    assert len(load.lost) <= 10
    assert survivors <= first - {min(first)}
    assert all(isinstance(answer, (tuple, OSError, EOFError)) for answer in answers)
    assert ready["pid"] not in first


@pytest.mark.untimed
@pytest.mark.parametrize("http", ["httptools", "h11"])
async def test_a_roll_loses_no_request(build, figure, http):
    house = build(options={"http": http})
    first = {r["pid"] for r in await house.until("WorkerReady", 2)}
    async with Load(house.port, keep_alive=True) as kept, Load(house.port, keep_alive=False) as fresh:
        await asyncio.sleep(0.3)
        asked_at = house.signal(signal.SIGHUP)
        done = (await house.until("RollFinished"))[0]
        await asyncio.sleep(0.3)
    figure(
        f"roll of 2 workers ({http}) under 2 x 100/s: lost {len(kept.lost)} of {kept.sent} keep-alive, "
        f"{len(fresh.lost)} of {fresh.sent} fresh; took {done['at'] - asked_at:.2f} s"
    )
    assert kept.lost == []
    assert fresh.lost == []
    assert len(house.seen("WorkerReplaced")) == 2
    assert first & kept.pids
    assert kept.pids - first
    await gone(first)


@pytest.mark.untimed
async def test_a_worker_that_leaks_is_replaced_before_its_memory_is_the_machines(build):
    house = build(memory_limit=160 * 2**20)
    first = {ready["pid"] for ready in await house.until("WorkerReady", 2)}
    async with asyncio.timeout(60), Load(house.port, keep_alive=True) as kept:
        # Far enough for the supervisor to see, and not so far that it would kill.
        while max(psutil.Process(pid).memory_info().rss for pid in first) < 190 * 2**20:
            await get(house.port, "/leak?5")
        replaced = (await house.until("WorkerReplaced"))[0]
        await gone([replaced["old_pid"]])
        # Those that are kept may all be the other worker's: who comes anew finds it.
        async with Load(house.port, keep_alive=False) as anew:
            while replaced["pid"] not in anew.pids:  # noqa: ASYNC110 - its requests come in their time
                await asyncio.sleep(0.05)
    assert replaced["old_pid"] in first
    assert kept.lost == anew.lost == []
    assert house.seen("WorkerDied") == []


@pytest.mark.parametrize("http", ["httptools", "h11"])
async def test_in_a_drain_a_connection_ends_only_after_a_response_that_says_so(build, http):
    house = build(workers=1, options={"http": http})
    await house.until("WorkerReady")
    begun, waiting, idle = [await connect(house.port) for _ in range(3)]
    await ask(idle)
    streaming = asyncio.create_task(ask(begun, "/stream?2"))
    slow = asyncio.create_task(ask(waiting, "/slow?2"))
    await asyncio.sleep(0.1)
    house.signal(signal.SIGHUP)
    await house.until("WorkerReplaced")
    await asyncio.sleep(0.3)
    answers = [await ask(idle), await slow]
    assert (await streaming)[2] == "az"  # its head was sent before the drain: it could not say "close"
    answers.append(await ask(begun))
    for status, headers, body in answers:
        assert (status, headers["connection"]) == (200, "close")
        assert body.split()[2] == "True"  # all by the worker that drains
    for connection in (begun, waiting, idle):
        assert await connection.reader.read() == b""
        await connection.close()


async def test_a_blocked_loop_is_seen_and_the_worker_replaced(build, figure):
    house = build(timeouts={"healthcheck": 1.0})
    await house.until("WorkerReady", 2)
    blocked_at = time.monotonic()
    request = asyncio.create_task(get(house.port, "/block"))
    hung = (await house.until("WorkerHung"))[0]
    ready = (await house.until("WorkerReady", 3))[-1]
    with pytest.raises((OSError, EOFError)):
        await request
    assert (await get(house.port))[0] == 200
    figure(
        f"blocked loop, limit 1 s: killed after {hung['at'] - blocked_at:.2f} s, "
        f"whole again after {ready['at'] - blocked_at:.2f} s"
    )
    assert 0.9 <= hung["at"] - blocked_at < 3.0


@pytest.mark.untimed
async def test_a_stopped_process_counts_as_hung(build):
    house = build(timeouts={"healthcheck": 1.0})
    pid = (await house.until("WorkerReady", 2))[0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    assert (await house.until("WorkerHung"))[0]["pid"] == pid
    assert (await house.until("WorkerDied"))[0]["exitcode"] == -signal.SIGKILL
    await house.until("WorkerReady", 3)


async def test_a_crash_loop_backs_off_costs_little_and_heals_when_repaired(build, figure):
    house = build(workers=1, backoff={"cap": 1.0})
    await house.until("WorkerReady")
    house.switch("crash")
    os.kill(house.seen("WorkerReady")[0]["pid"], signal.SIGKILL)
    died = await house.until("WorkerDied", 5)
    cpu = psutil.Process(house.process.pid).cpu_times()
    seconds = died[4]["at"] - died[0]["at"]
    figure(f"crash loop: {len(died)} deaths in {seconds:.1f} s, supervisor used {cpu.user + cpu.system:.2f} s CPU")
    whole = [0.0, 0.5, 1.0, 1.0, 1.0]  # of which chance takes up to a fifth away
    assert all(0.8 * most <= d["restart_in"] <= most for d, most in zip(died, whole, strict=False))
    assert died[1]["exitcode"] == 7
    assert cpu.user + cpu.system < 0.3 + 0.2 * seconds
    house.switch("crash", on=False)
    await house.until("WorkerReady", 2)
    assert (await get(house.port))[0] == 200


@pytest.mark.untimed
async def test_a_start_up_failure_leaves_the_supervisor_alive_until_it_is_repaired(build, figure, tmp_path):
    (tmp_path / "fail").touch()
    house = build(backoff={"cap": 0.5})
    died = await house.until("WorkerDied", 4)
    assert {d["exitcode"] for d in died} == {3}
    assert "no worker has been ready yet" in house.log()
    assert not house.seen("on_ready")
    request = asyncio.create_task(get(house.port))  # waits in the backlog instead of being refused
    repaired_at = time.monotonic()
    house.switch("fail", on=False)
    assert (await request)[0] == 200
    figure(f"start-up failure repaired: answered {time.monotonic() - repaired_at:.2f} s later")
    await house.until("on_ready")


@pytest.mark.untimed
@pytest.mark.parametrize(
    ("app", "problem"),
    [
        ("nowhere.at_all:app", "there is no module 'nowhere'"),
        ("served_app:ap", "'served_app' has no 'ap'; did you mean app?"),
        ("served_app:SWITCHES", "can't be called"),
        ("served_app:app", "importing it raised RuntimeError: the switch says so ("),
    ],
)
async def test_an_application_that_cannot_be_imported_ends_the_supervisor_with_the_reason(
    build, tmp_path, app, problem
):
    if app == "served_app:app":
        (tmp_path / "broken").touch()
    house = build(app=app, services=["below"])
    assert await asyncio.to_thread(house.end) == 1
    assert problem in house.seen("unusable")[0]["problem"]
    assert (house.switches / "order").read_text().split() == ["below"]  # it ended in order
    await gone([r["pid"] for r in house.records if "pid" in r])


@pytest.mark.untimed
async def test_an_application_that_was_up_once_is_tried_until_it_can_be_imported_again(build):
    house = build(workers=1, backoff={"cap": 0.5})
    pid = (await house.until("WorkerReady"))[0]["pid"]
    house.switch("broken")
    os.kill(pid, signal.SIGKILL)
    died = await house.until("WorkerDied", 3)
    assert [each["exitcode"] for each in died[1:3]] == [4, 4]
    house.switch("broken", on=False)
    await house.until("WorkerReady", 2)
    assert (await get(house.port))[0] == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_to_the_whole_group_ends_requests_then_workers_then_services_in_reverse(build, figure, number):
    house = build(services=["below", "above"])
    await house.until("WorkerReady", 2)
    order = [r["name"] for r in house.records if r["event"] in ("ServiceStarted", "WorkerStarted")]
    assert order[:2] == ["below", "above"]
    family = [p.pid for p in house.family()]
    slow = asyncio.create_task(get(house.port, "/slow?1.5"))
    await asyncio.sleep(0.3)
    asked_at = house.signal_group(number)
    status, headers, _ = await slow
    assert (status, headers["connection"]) == (200, "close")
    assert await asyncio.to_thread(house.end) == 0
    seconds = time.monotonic() - asked_at
    figure(f"{signal.Signals(number).name} to all with a request of 1.5 s in flight: ended after {seconds:.2f} s")
    assert (house.switches / "order").read_text().split() == ["app", "app", "above", "below"]
    await gone(family)


async def test_a_second_ctrl_c_ends_at_once(build):
    house = build()
    await house.until("WorkerReady", 2)
    family = [p.pid for p in house.family()]
    slow = asyncio.create_task(get(house.port, "/slow?30"))
    await asyncio.sleep(0.2)
    house.signal_group(signal.SIGINT)
    await asyncio.sleep(0.7)
    asked_at = house.signal_group(signal.SIGINT)
    assert await asyncio.to_thread(house.end) == 1
    assert time.monotonic() - asked_at < 2.0
    with pytest.raises((OSError, EOFError)):
        await slow
    await gone(family)


async def test_a_dead_service_is_seen_at_once_and_restarted_while_workers_go_on(build, figure):
    house = build(workers=1, services=["below"])
    await house.until("WorkerReady")
    pid = house.seen("pid")[0]["pid"]
    killed_at = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    died = (await house.until("ServiceDied"))[0]
    up = (await house.until("ServiceRestarted"))[0]
    figure(f"service killed: seen after {(died['at'] - killed_at) * 1000:.0f} ms, up after {up['seconds']:.2f} s")
    assert died["at"] - killed_at < 0.3
    assert house.seen("pid")[-1]["pid"] != pid
    assert house.seen("WorkerDied") == []


@pytest.mark.untimed
async def test_workers_wait_for_a_service_that_does_not_start(build, tmp_path):
    (tmp_path / "below-broken").touch()
    house = build(workers=1, services=["below"], backoff={"cap": 0.5})
    await house.until("ServiceFailed", 2)
    assert house.seen("WorkerStarted") == []
    house.switch("below-broken", on=False)
    await house.until("WorkerReady")
    house.signal(signal.SIGTERM)
    assert await asyncio.to_thread(house.end) == 0


async def test_workers_end_when_the_supervisor_is_killed(build, figure):
    house = build()
    workers = [r["pid"] for r in await house.until("WorkerReady", 2)]
    family = [p.pid for p in house.family()]
    slow = asyncio.create_task(get(house.port, "/slow?0.8"))
    await asyncio.sleep(0.2)
    killed_at = house.signal(signal.SIGKILL)
    assert (await slow)[0] == 200
    await gone(workers)
    figure(f"kill -9 of the supervisor: workers ended in order after {time.monotonic() - killed_at:.2f} s")
    await gone(family)


async def test_a_roll_to_code_that_never_gets_ready_is_aborted_and_term_during_a_roll_is_prompt(build, figure):
    house = build(timeouts={"ready": 2.0, "healthcheck": 5.0})
    first = {r["pid"] for r in await house.until("WorkerReady", 2)}
    house.switch("unready")
    house.signal(signal.SIGHUP)
    aborted = (await house.until("RollAborted"))[0]
    assert "was not ready within 2 s" in aborted["reason"]
    assert house.seen("WorkerReplaced") == []
    assert int((await get(house.port))[2].split()[0]) in first
    await gone([aborted["pid"]])
    at = house.signal(signal.SIGHUP)
    candidate = (await house.until("WorkerStarted", since=at))[0]["pid"]
    asked_at = house.signal(signal.SIGTERM)
    assert await asyncio.to_thread(house.end) == 0
    figure(f"SIGTERM in the middle of a roll: ended after {time.monotonic() - asked_at:.2f} s")
    assert time.monotonic() - asked_at < 4.0
    await gone([*first, candidate])


@pytest.mark.untimed
async def test_ttin_and_ttou_change_the_number_of_workers(build):
    house = build(workers=1)
    await house.until("WorkerReady")
    house.signal(signal.SIGTTIN)
    second = (await house.until("WorkerReady", 2))[1]
    assert second["name"] == "worker 1"
    house.signal(signal.SIGTTOU)
    assert (await house.until("WorkerStopped"))[0]["exitcode"] == 0
    house.signal(signal.SIGTTOU)
    assert (await get(house.port))[0] == 200
    house.signal(signal.SIGTERM)
    assert await asyncio.to_thread(house.end) == 0
    assert len(house.seen("WorkerDied")) == 0


@pytest.mark.untimed
async def test_a_worker_that_is_sent_sigterm_is_replaced_without_loss(build):
    house = build()
    pid = (await house.until("WorkerReady", 2))[0]["pid"]
    async with Load(house.port, keep_alive=True) as load:
        await asyncio.sleep(0.2)
        os.kill(pid, signal.SIGTERM)
        await house.until("WorkerReady", 3)
        await house.until("WorkerStopped")
    assert load.lost == []
    assert house.seen("WorkerDied") == []


@pytest.mark.untimed
async def test_workers_that_reach_their_limit_of_requests_are_replaced_without_loss(build):
    house = build(options={"limit_max_requests": 60})
    await house.until("WorkerReady", 2)
    async with Load(house.port, keep_alive=True) as kept, Load(house.port, keep_alive=False) as fresh:
        await house.until("WorkerStopped", 2)
    assert kept.lost == fresh.lost == []
    assert house.seen("WorkerDied") == []


@pytest.mark.untimed
async def test_a_worker_that_hangs_when_the_supervisor_is_gone_ends_itself(build):
    house = build(workers=1, timeouts={"graceful_shutdown": 0.5, "lifespan_shutdown": 0.5})
    pid = (await house.until("WorkerReady"))[0]["pid"]
    request = asyncio.create_task(get(house.port, "/block"))
    await asyncio.sleep(0.2)
    house.signal(signal.SIGKILL)
    await gone([pid])
    with pytest.raises((OSError, EOFError)):
        await request


async def test_behind_a_load_balancer_accepting_goes_on_for_the_drain_delay(build):
    house = build(workers=1, timeouts={"drain_delay": 1.0})
    await house.until("WorkerReady")
    asked_at = house.signal(signal.SIGTERM)
    await asyncio.sleep(0.5)
    assert (await get(house.port))[2].split()[2] == "True"  # answered, while readiness says no
    assert await asyncio.to_thread(house.end) == 0
    assert 1.0 <= time.monotonic() - asked_at < 4.0


@pytest.mark.untimed
async def test_a_supervisor_that_fails_once_goes_on(build):
    house = build(defect="once")
    first = {r["pid"] for r in await house.until("WorkerReady", 2)}
    os.kill(min(first), signal.SIGKILL)
    await house.until("WorkerReady", 3)
    assert "a turn of the supervisor failed; it goes on" in house.log()
    assert (await get(house.port))[0] == 200


@pytest.mark.untimed
async def test_systemd_gets_the_signs_of_life_it_asked_for(build, manager, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    house = build(workers=1, manager=manager)
    await house.until("WorkerReady")
    async with asyncio.timeout(60):
        while (told := manager.told).count("WATCHDOG=1") < 3 or "READY=1" not in told:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
    assert set(told) == {"READY=1", "WATCHDOG=1"}
    assert "nothing starts it again" in house.log()


@pytest.mark.untimed
async def test_a_supervisor_that_fails_itself_leaves_nothing_running(build):
    house = build(services=["below"], defect=True)
    assert await asyncio.to_thread(house.end) == 1
    assert "on_ready failed" in house.log()
    assert "RuntimeError: a defect" in house.log()
    await gone([r["pid"] for r in house.records if "pid" in r])


@pytest.mark.untimed
def test_the_supervisor_does_without_uvicorn():
    code = "import sys, esteio.serve; sys.exit('uvicorn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": os.pathsep.join(sys.path)}).returncode == 0
