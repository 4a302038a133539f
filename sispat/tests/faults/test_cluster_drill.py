"""Three machines: switchover, dead server, lost machine, dead Redis, new certificates. No acknowledged write is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from esteio.backup import Backups, ProblemCode
from esteio.cluster import DEFAULT
from esteio.cluster.certificates import shown
from esteio.cluster.operate import ClusterRefused, reinitialize, restart, switch_over
from esteio.doctor import redis as doctor
from esteio.drill import Invalid, Run, Timing, drill
from esteio.postgres.embedded import Embedded
from esteio.testing.cluster import Machine, answered_strangers, missing, remove_stale
from sispat.cli._backups import open_backups
from sispat.drill.cluster import ClusterCity, ClusterService
from sispat.drill.faults.cluster import CLUSTER, SHORT_CLUSTER
from sispat.settings import load_settings

pytestmark = [pytest.mark.fault, pytest.mark.timeout(800)]

BUSY = {Invalid.STALLED, Invalid.NOT_OFFERED, Invalid.UNWELL_BEFORE}
"""For which the machine may be to blame; all others are the service's or the drill's."""
SLOW = 20.0
"""Seconds that three machines on two cores that do other things, too, may take on top."""


@pytest.fixture(autouse=True)
def possible() -> None:
    reason = missing()
    if reason is not None and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason is not None:
        pytest.skip(reason)


async def test_reads_go_on_and_no_acknowledged_write_is_lost_whatever_happens_to_one_machine(tmp_path: Path) -> None:
    by_name = {fault.name: fault for fault in CLUSTER}
    timing = Timing(calm=2.0, longest_calm=20.0, phase=0.5, proof=60.0, second=0.5)
    runs: dict[str, Run] = {}
    async with ClusterService(size=300, archive=True) as service, ClusterCity(service, load=20) as city:
        chosen = [by_name[name] for name in SHORT_CLUSTER]
        async for run in drill(city, chosen, rounds=1, timing=timing, between=city.whole):
            runs[run.fault] = run
            print(told(run))
        strangers = await asyncio.to_thread(answered_strangers, city.trio.plan, tmp_path / "stranger")
        refused = [await asyncio.to_thread(connected_from_node, city, tls) for tls in ("disable", "require")]
        await asyncio.to_thread(a_node_whose_certificate_has_ended_is_refused_until_it_is_renewed, service)
        status = await asyncio.to_thread(city.trio.status)
        await _what_patroni_promises_holds(city)
        await asyncio.to_thread(backups_outlive_a_switchover, service)
    for run in runs.values():
        assert not {*run.invalid} - BUSY, told(run)
        assert run.ledger.holds, told(run)
    assert strangers == []
    assert ["no encryption" in refused[0], "valid client certificate" in refused[1]] == [True, True], refused
    assert status.whole, "the machine that vanished is a standby again"
    vanished = runs["primary-vanished"].measured
    assert vanished is not None
    assert max(vanished.longest_gap["list"], vanished.longest_gap["card"]) < vanished.longest_gap["create"]
    assert vanished.longest_gap["create"] < DEFAULT.writes_away + SLOW
    killed = runs["primary-killed"].measured
    assert killed is not None
    assert killed.longest_gap["create"] < DEFAULT.server_away + 7, "nobody waits for a lease, nor for a recovery"


def connected_from_node(city: ClusterCity, sslmode: str) -> str:
    """What PostgreSQL says to who connects from another node with the right password, and no certificate."""
    trio = city.trio
    leader = trio.leader()
    assert leader is not None
    other = next(each for each in trio.machines.values() if each is not leader)
    words = f"host={leader.address} user=postgres dbname=postgres sslmode={sslmode} sslcert=/none sslkey=/none"
    command = ["nsenter", f"--net=/run/netns/{other.space}", "--", sys.executable, "-c",
               "import psycopg, sys; psycopg.connect(sys.argv[1], connect_timeout=10)", words]  # fmt: skip
    environment = {"PATH": "/usr/bin:/bin", "PGPASSWORD": trio.plan.secrets.superuser}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.stderr if done.returncode else "connected"


def a_node_whose_certificate_has_ended_is_refused_until_it_is_renewed(service: ClusterService) -> None:
    """By the other nodes and by who asks it; then three orders bring it back, and its server is not restarted."""
    trio = service.trio
    leader = trio.leader()
    assert leader is not None
    machine = next(each for each in trio.machines.values() if each is not leader)
    server = trio.postmaster(machine)
    environment = (leader.home / "service.env").read_text().splitlines()
    redis = next(line.partition("=")[2] for line in environment if line.startswith("REDIS_URL="))

    def ended() -> dict[str, str]:
        found = [each for each in shown(trio.plan) if each.problem]
        return {f"{each.program} of {each.node.name}": each.problem for each in found}

    trio.expire_certificates(machine)
    programs = ("etcd", "etcd peer", "sentinel", "patroni", "postgres", "redis", "service")
    refused = {f"{each} of {machine.name}": "certificate has expired" for each in programs}
    trio.until(lambda: ended() == refused, 90.0)
    codes = [each.code for each in doctor.certificates(redis).look()]
    assert sorted(each.name for each in codes) == ["TLS_REFUSED", "TLS_VALID", "TLS_VALID"], codes
    # It follows as long as its connection lives, and finds nobody who takes another one.
    ends = "select pg_terminate_backend(pid)::text from pg_stat_replication where application_name = %s"
    asked(service, ends, machine.name)
    trio.until(lambda: not trio.status().whole, 90.0)
    trio.until(service.answers, 60.0)
    trio.renew_certificates()
    trio.until(lambda: not ended() and service.serves(machine) and trio.status().whole, 120.0)
    assert trio.postmaster(machine) == server


def backups_outlive_a_switchover(service: ClusterService) -> None:
    """One of three operators makes them, by a role that only they have, and the log goes on behind a switchover."""
    trio, place = service.trio, service.trio.network.home / "copies"
    settings = {"BACKUP_DIR": str(place), "SISPAT_BACKUP": "sim", "SISPAT_BACKUP_DUMP": "não"}
    place.mkdir(mode=0o700)
    trio.account.own(place)
    backups = open_backups(load_settings(settings | {"DATABASE_URL": service.owner().url}), service.owner())
    backups.init()
    for machine in trio.machines.values():
        data = {"SISPAT_DATA_DIR": str(machine.home / "data/sispat")}
        trio.serve(machine, [sys.executable, "-m", "sispat", "operator"], settings | data, name="operator")
    trio.until(lambda: backups.status().ok, 180.0)
    (base,) = (entry.manifest for entry in backups.entries())
    assert base is not None
    assert (base.kind, base.details["standby"]) == ("base", True)
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects connection"):
        psycopg.connect(service.owner().with_(user="backup", password=trio.plan.secrets.backup).conninfo)
    asked(service, "create table seen (n int)")
    asked(service, "insert into seen values (1)")
    former = trio.leader()
    switch_over(trio.plan)
    trio.until(lambda: trio.status().whole and trio.leader() is not former, 120.0)
    asked(service, "insert into seen values (2)")
    (system,) = asked(service, "select system_identifier::text from pg_control_system()")
    (segment,) = asked(service, "select pg_walfile_name(pg_create_restore_point('seen'))")
    asked(service, "select pg_switch_wal()")
    trio.until(lambda: backups.cluster.has_segment(str(system), str(segment)), 240.0)
    for machine in trio.machines.values():
        machine.end("operator", signal.SIGTERM)
    # A new leader leads to a base within minutes. Without it, the way leads from the first one along the log of both leaders.
    for each in backups.entries():
        if each.id != base.id:
            backups.delete(each.id)
    assert ProblemCode.LOG_OTHER_TIMELINE not in {each.code for each in backups.status().problems}
    counted = "select count(*) from patrimonio"
    assert restored(backups, trio.network.home / "restored", counted) == asked(service, counted)


def asked(service: ClusterService, statement: str, *values: str) -> list[object]:
    """The first column, of whoever leads."""
    with psycopg.connect(service.owner().conninfo, autocommit=True) as conn:
        cursor = conn.execute(statement, values)
        return [row[0] for row in cursor] if cursor.description else []


def restored(backups: Backups, directory: Path, statement: str) -> list[object]:
    """What a server of its own answers that has all that the backups have."""
    backups.recover(directory)
    (directory / "postgresql.conf").write_text("")  # Patroni's are of its machine, and want passwords
    (directory / "pg_hba.conf").write_text("local all all trust\n")
    major = int((directory / "PG_VERSION").read_text())
    server = Embedded(directory, major=major, settings={"shared_buffers": "32MB"})
    server.start()
    try:
        with psycopg.connect(server.dsn("sispat").conninfo) as conn:
            assert [row[0] for row in conn.execute("select n from seen order by n")] == [1, 2]
            return [row[0] for row in conn.execute(statement)]
    finally:
        server.stop()


async def _what_patroni_promises_holds(city: ClusterCity) -> None:
    """Scenarios of Patroni's own feature tests, on our files: docs/reference/cluster.md lists which hold by which test."""
    trio, plan = city.trio, city.trio.plan
    await city.machines.until_ready()
    leader = trio.leader()
    assert leader is not None
    standby, other = (each for each in trio.machines.values() if each is not leader)
    # A COMMIT waits for any one of the standbys: with one that neither confirms nor answers it goes on.
    confirms = _said(city, "show synchronous_standby_names").removeprefix("ANY 1 (").removesuffix(")")
    assert set(confirms.replace('"', "").split(",")) == {standby.name, other.name}
    frozen = [psutil.Process(trio.postmaster(standby)), *psutil.Process(trio.postmaster(standby)).children()]
    try:
        for each in frozen:
            each.suspend()
        _said(city, "select pg_current_xact_id()::text")  # a COMMIT that is written
    finally:
        for each in frozen:
            each.resume()
    # Who leads neither throws its data away, nor is restarted, nor hands over to itself; a standby is restarted, here with
    # other programs.
    with pytest.raises(ClusterRefused, match="its data is the cluster's"):
        reinitialize(plan, leader.name)
    with pytest.raises(ClusterRefused, match="Switch over first"):
        restart(plan, leader.name)
    with pytest.raises(ClusterRefused, match="switchover"):
        switch_over(plan, leader.name)
    await city.machines.until_ready()
    trio.renew_postgres(standby)
    assert not trio.renewed(standby)
    await asyncio.to_thread(restart, plan, standby.name)
    assert trio.renewed(standby)
    # Two nodes of one name: the second one does not start.
    assert "there is already a node named" in _second_of_the_same_name(standby, other)
    # A standby that throws its data away copies the leader's, and confirms again.
    await city.machines.until_ready()
    before = _made(standby)
    await asyncio.to_thread(reinitialize, plan, standby.name)
    await asyncio.to_thread(trio.until, lambda: _made(standby) not in (before, 0) and trio.status().whole, 90.0)


def _said(city: ClusterCity, sql: str) -> str:
    """What the primary says, committed."""
    with psycopg.connect(city.machines.owner().conninfo, options="-c statement_timeout=60s") as conn:
        ((value,),) = conn.execute(sql).fetchall()
    return str(value)


def _second_of_the_same_name(first: Machine, machine: Machine) -> str:
    """The words of a Patroni that is started on `machine` with the file of `first`, once it has ended."""
    machine.start("second", [sys.executable, "-m", "patroni", str(first.home / "patroni.yml")])
    end = time.monotonic() + 60
    while machine.runs("second"):
        assert time.monotonic() < end, machine.log("second")
        time.sleep(0.1)
    return machine.log("second")


def _made(machine: Machine) -> int:
    """When the directory of its database was made; 0 without one."""
    try:
        return (machine.home / "data/postgres/PG_VERSION").stat().st_ctime_ns
    except OSError:
        return 0


def told(run: Run) -> str:
    if run.measured is None:
        return f"{run.fault}: {run.invalid} {run.why}"
    gaps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in run.measured.longest_gap.items())
    return (
        f"{run.fault}: {run.measured.lost} of {run.measured.offered} lost ({run.measured.unknown} unknown), gaps {gaps}, "
        f"MTTR {run.measured.mttr:.1f} s; {run.invalid} {run.why} {run.errors} {run.ledger}"
    )


@pytest.mark.untimed
def test_a_killed_test_leaves_machines_that_the_next_one_removes() -> None:
    code = """
import time
from esteio.testing.cluster import Network
network = Network()
network.start()
space = network.plug("a", 1)
import subprocess
subprocess.Popen(["nsenter", f"--net=/run/netns/{space}", "sleep", "1000"], start_new_session=True)
print(network.token, flush=True)
time.sleep(1000)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            token = process.stdout.readline().strip()
            assert token
            remove_stale()
            assert token in spaces(), "it still runs"
        finally:
            process.send_signal(signal.SIGKILL)
    assert token in spaces()
    assert remove_stale() >= 1
    assert token not in spaces()
    assert token not in subprocess.check_output(["ip", "-o", "link"], text=True)


def spaces() -> str:
    return subprocess.check_output(["ip", "netns", "list"], text=True)
