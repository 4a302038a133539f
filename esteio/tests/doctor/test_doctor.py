"""The doctor finds each planted fault, nothing on a good machine, and never waits for what hangs."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from esteio.backup import Backups
from esteio.backup.store import Stores, open_store
from esteio.cli import environment
from esteio.cli._doctor import KNOWN
from esteio.cli._main import _app
from esteio.doctor import (
    Examination,
    Finding,
    FindingCode,
    backups,
    drives,
    examine,
    exit_code,
    groups,
    machine,
    network,
    ports,
    settings,
)
from esteio.doctor.postgres import PostgresReading, judge_postgres, postgres, read_postgres
from esteio.doctor.redis import redis
from esteio.health import Status
from esteio.postgres import Dsn
from esteio.testing.postgres import PostgresServer
from esteio.testing.redis import RedisCluster, RedisServer, SentinelTrio
from esteio.testing.redis._sentinel import _sentinel as sentinel
from esteio.testing.redis._server import free_port, wait_until

_ROOT = Path(__file__).parents[3]


def codes(*examinations: Examination, limit: float = 30.0) -> list[str]:
    """What was found, without what passes."""
    return [each.code.name for each in examine(examinations, limit=limit) if each.status is not Status.PASS]


# Examining


def test_what_hangs_is_unknown_and_what_it_found_before_is_kept() -> None:
    def hanging() -> Iterator[Finding]:
        yield FindingCode.FSYNC_OFF.found()
        time.sleep(3600)

    began = time.monotonic()
    found = examine([Examination("a:hangs", hanging), Examination("b:raises", lambda: [1 / 0])], limit=0.1)  # type: ignore[list-item]
    assert [(each.code.name, each.examination) for each in found] == [
        ("FSYNC_OFF", "a:hangs"), ("NOT_ANSWERED", "a:hangs"), ("NOT_SEEN", "b:raises"),
    ]  # fmt: skip
    assert "division by zero" in found[2].evidence
    assert time.monotonic() - began < 60


def test_the_worst_comes_first_and_decides_the_exit_code_unless_it_is_accepted() -> None:
    kinds = [FindingCode.CLOCK_SYNCHRONISED, FindingCode.CLOCK_UNSEEN, FindingCode.ARCHIVE_NONE, FindingCode.FSYNC_OFF]
    found = [replace(kind.found(), examination=f"{kind.name}:x") for kind in kinds]
    assert list(groups(found)) == ["FSYNC_OFF", "ARCHIVE_NONE", "CLOCK_UNSEEN", "CLOCK_SYNCHRONISED"]
    assert [exit_code(found[:number]) for number in range(1, 5)] == [0, 1, 1, 2]
    assert exit_code(found, ["FSYNC_OFF"]) == 1
    assert exit_code(found, ["FSYNC_OFF", "ARCHIVE_NONE", "CLOCK_UNSEEN"]) == 0


def test_every_kind_of_finding_is_in_the_reference_and_what_is_bad_has_a_fix() -> None:
    page = (_ROOT / "docs/reference/doctor.md").read_text().partition("## Findings\n")[2].partition("SISPAT adds")[0]
    assert set(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE)) == {
        (code.name, code.status.value) for code in FindingCode
    }
    assert [code.name for code in FindingCode if bool(code.fix) == (code.status is Status.PASS)] == []
    assert len(FindingCode.__members__) == len(list(FindingCode))  # two with the same words would be one


# PostgreSQL


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A good one, with a role that only serves."""
    running = PostgresServer(settings={"fsync": "on", "full_page_writes": "on"})
    try:
        running.start()
        with psycopg.connect(running.dsn().conninfo, autocommit=True) as connection:
            connection.execute("select pg_create_physical_replication_slot('archive')")
            connection.execute("create role serving login")
            connection.execute("create role owning login")
            connection.execute("create table owned ()")
            connection.execute("alter table owned owner to owning")
        yield running
    finally:
        running.stop()


def test_nothing_is_found_on_a_good_server(server: PostgresServer) -> None:
    found = examine([postgres(server.dsn(user="serving"), processes=2)], limit=30.0)
    assert [each.code.name for each in found] == ["DATABASE_SOUND"]
    assert "20 of 97 connections" in found[0].evidence


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("fsync", "off", "FSYNC_OFF"),
        ("full_page_writes", "off", "FULL_PAGE_WRITES_OFF"),
        ("synchronous_commit", "off", "SYNCHRONOUS_COMMIT_OFF"),
        ("autovacuum", "off", "AUTOVACUUM_OFF"),
        ("track_counts", "off", "AUTOVACUUM_OFF"),
    ],
)
def test_a_setting_that_loses_data_or_time_is_found(server: PostgresServer, name: str, value: str, code: str) -> None:
    with psycopg.connect(server.dsn().conninfo, autocommit=True) as connection:
        connection.execute(sql.SQL("alter system set {} to {}").format(sql.Identifier(name), value))
        connection.execute("select pg_reload_conf()")
        try:
            _wait_for(server, name, value)
            assert codes(postgres(server.dsn(user="serving"), processes=2)) == [code]
        finally:
            connection.execute(sql.SQL("alter system reset {}").format(sql.Identifier(name)))
            connection.execute("select pg_reload_conf()")
            _wait_for(server, name, "on")


def _wait_for(server: PostgresServer, name: str, value: str) -> None:
    """The postmaster rereads its files a moment after it was asked to."""
    ends = time.monotonic() + 60
    while read_postgres(server.dsn(user="serving")).settings[name] != value:
        assert time.monotonic() < ends, name
        time.sleep(0.02)


def test_roles_that_may_more_than_serve_and_pools_that_do_not_fit_are_found(server: PostgresServer) -> None:
    assert codes(postgres(server.dsn(), processes=2)) == ["ROLE_SUPERUSER"]
    assert codes(postgres(server.dsn(user="owning"), processes=2)) == ["ROLE_OWNER"]
    serving = server.dsn(user="serving")
    assert codes(postgres(serving, processes=10)) == ["POOL_TOO_LARGE"]
    with psycopg.connect(server.dsn().conninfo, autocommit=True) as connection:
        connection.execute("alter role serving connection limit 15")
        (found,) = examine([postgres(serving, processes=2)], limit=30.0)
        connection.execute("alter role serving connection limit -1")
        assert found.fields == {"processes": 2, "each": 10, "wanted": 20, "admitted": 15, "fitting": 7}
        connection.execute("select pg_drop_replication_slot('archive')")
        assert codes(postgres(serving, processes=2)) == ["ARCHIVE_NONE"]
        connection.execute("select pg_create_physical_replication_slot('archive')")


@pytest.mark.parametrize(
    ("changed", "answers", "skew", "code"),
    [
        ({"data_checksums": "off"}, {}, 0.0, "CHECKSUMS_OFF"),
        ({"wal_level": "minimal"}, {}, 0.0, "WAL_LEVEL_MINIMAL"),
        ({"archive_mode": "on"}, {"archive_fails": True}, 0.0, "ARCHIVE_FAILS"),
        ({"listen_addresses": "localhost"}, {}, 0.0, "IDLE_IN_TRANSACTION_UNBOUNDED"),
        (
            {"listen_addresses": "*", "idle_in_transaction_session_timeout": "60000"}, {}, 0.0, "SERVER_WITHOUT_TLS",
        ),
        ({"server_version_num": "110022"}, {}, 0.0, "VERSION_ENDED"),
        ({"server_version_num": "140022"}, {}, 0.0, "VERSION_ENDS"),
        ({}, {}, -3.0, "CLOCKS_DIFFER"),
    ],
)  # fmt: skip
def test_what_takes_a_restart_to_plant_is_found_in_what_the_server_says(
    server: PostgresServer, changed: dict[str, str], answers: dict[str, Any], skew: float, code: str
) -> None:
    serving = server.dsn(user="serving")
    reading = read_postgres(serving)
    reading = PostgresReading({**reading.settings, **changed}, {**reading.answers, **answers}, skew)
    found = list(judge_postgres(reading, serving, processes=2, today=date(2026, 9, 1)))
    assert [each.code.name for each in found] == [code]
    assert found[0].evidence
    assert found[0].fix


def test_a_server_that_hangs_is_unknown_and_one_that_is_away_fails(server: PostgresServer) -> None:
    serving = server.dsn(user="serving")
    server.freeze()
    try:
        began = time.monotonic()
        assert codes(postgres(serving, processes=2), limit=0.5) == ["NOT_ANSWERED"]
        assert time.monotonic() - began < 60
    finally:
        server.thaw()
    assert codes(postgres(Dsn.parse("postgresql://x:secret-word@127.0.0.1:1/x"), processes=2)) == ["DATABASE_REFUSED"]


# Redis


def test_each_fault_of_redis_is_found_and_none_in_a_good_one() -> None:
    with RedisServer(settings={"save": "3600 1"}) as server, server.client() as client:

        def planted(**changed: str) -> list[str]:
            names = {name.replace("_", "-"): value for name, value in changed.items()}
            before = {name: client.config_get(name)[name] for name in names}
            for name, value in names.items():
                client.config_set(name, value)
            found = codes(redis(server.url))
            for name, value in before.items():
                client.config_set(name, value)
            return found

        assert codes(redis(server.url)) == []
        assert codes(redis(server.unix_url)) == []
        assert planted(maxmemory="50mb", maxmemory_policy="volatile-lru") == ["REDIS_EVICTS"]
        assert planted(maxmemory="50mb") == []
        assert planted(save="") == ["REDIS_NOT_KEPT"]
        assert planted(bind="0.0.0.0", protected_mode="no") == ["REDIS_OPEN"]
        client.execute_command("ACL SETUSER weak on >secret ~* +ping +hello")
        weak = f"redis://weak:secret@127.0.0.1:{server.port}/0"
        assert codes(redis(weak)) == ["REDIS_HIDDEN"]
        assert codes(redis(weak, "wrong")) == ["REDIS_REFUSED"]
        server.pause()
        try:
            assert codes(redis(server.url), limit=0.5) == ["NOT_ANSWERED"]
        finally:
            server.resume()
    assert codes(redis(server.url)) == ["REDIS_REFUSED"]
    assert codes(redis("redis+cluster://127.0.0.1:1")) == ["REDIS_REFUSED"]
    assert codes(redis("redis+sentinel://127.0.0.1:1/x")) == ["REDIS_NODE_AWAY", "REDIS_REFUSED"]
    assert codes(redis("http://127.0.0.1:1")) == ["ADDRESS_INVALID"]


def test_what_the_loss_of_a_server_behind_sentinels_would_mean_is_found() -> None:
    with SentinelTrio() as trio:
        first = trio.primary
        second = next(server for server in trio.servers if server is not first)
        for server in trio.servers:
            with server.client() as client:
                client.config_set("save", "3600 1")
        assert codes(redis(trio.url)) == []
        with second.client() as client:
            client.config_set("save", "")
            assert codes(redis(trio.url)) == ["REDIS_NOT_KEPT"], "the replica may be the next primary"
            client.config_set("save", "3600 1")
        two = trio.url.replace(f"127.0.0.1:{trio.sentinels[0]}", f"127.0.0.1:{free_port()}")
        assert codes(redis(two)) == ["REDIS_NODE_AWAY"]
        with sentinel(trio.sentinels[0]) as client:
            client.sentinel_set(trio.service, "quorum", 9)
            assert codes(redis(trio.url)) == ["REDIS_NO_QUORUM"]
            client.sentinel_set(trio.service, "quorum", 2)
        second.stop()
        wait_until(lambda: "REDIS_NO_REPLICA" in codes(redis(trio.url)), "the Sentinels' word of the replica", 30)
        with sentinel(trio.sentinels[0]) as client:
            client.sentinel_remove(trio.service)
            client.sentinel_monitor(trio.service, "127.0.0.1", first.port, 1)
            only = f"redis+sentinel://127.0.0.1:{trio.sentinels[0]}/{trio.service}"
            assert "REDIS_FEW_SENTINELS" in codes(redis(only))


def test_what_a_cluster_lacks_is_found() -> None:
    with RedisCluster() as cluster:
        for server in cluster.servers:
            with server.client() as client:
                client.config_set("save", "3600 1")
        assert codes(redis(cluster.url)) == ["REDIS_NO_REPLICA"] * 3, "nothing else"
        with cluster.servers[1].client() as client:
            client.config_set("save", "")
        assert codes(redis(cluster.url)).count("REDIS_NOT_KEPT") == 1
        cluster.servers[2].stop()
        assert "REDIS_NODE_AWAY" in codes(redis(cluster.url))
        wait_until(lambda: "REDIS_CLUSTER_DOWN" in codes(redis(cluster.url)), "the cluster's word of its slots", 30)


# Backups


def test_what_is_wrong_with_backups_is_found(tmp_path: Path) -> None:
    store = tmp_path / "copies"
    described = Backups(Dsn(), Stores((open_store(str(store)),)), prefix="city")

    def opened() -> AbstractContextManager[Backups]:
        return nullcontext(described)

    assert codes(backups.backups(opened)) == ["BACKUP_AT_RISK"]
    described.init()
    (found,) = examine([backups.backups(opened)], limit=30.0)
    assert found.code is FindingCode.BACKUP_AT_RISK
    assert found.plain()["about"]["problem"]["code"] == "NO_BACKUP"


def test_where_backups_are_is_judged_by_disk_and_machine(tmp_path: Path) -> None:
    here, elsewhere = str(tmp_path / "copies"), "s3://bucket"
    share = f"x {tmp_path} nfs4 rw 0 0\n"

    def judged(stores: str, mounts: str = "", **more: str) -> list[str]:
        variables = {"BACKUP_STORES": stores, **more}
        return codes(backups.stores(variables, tmp_path, lambda: f"/dev/x / ext4 rw 0 0\n{mounts}"))

    assert judged("") == ["BACKUP_NOT_SET"]
    assert judged(here) == ["BACKUP_ON_ONE_DISK"]
    assert judged("s3://bucket?endpoint=http://127.0.0.1:9000") == ["BACKUP_ON_ONE_MACHINE"]
    assert judged(f"{here} {elsewhere}") == ["BACKUP_READABLE_ELSEWHERE"]
    assert judged(f"{here} {elsewhere}", BACKUP_PASSPHRASE="long enough") == []
    assert judged(here, share, BACKUP_RECIPIENTS="age1") == []


def test_whether_somebody_makes_them_and_somebody_is_told(tmp_path: Path) -> None:
    state = tmp_path / "operator.json"
    assert codes(backups.agent(state)) == ["BACKUP_SCHEDULE_UNSEEN"]
    for age, found in ((10.0, []), (900.0, ["BACKUP_SCHEDULE_SILENT"])):
        written = {"at": time.time() - age, "pid": 1, "active": True, "found": [], "amiss": []}
        state.write_text(json.dumps(written))
        assert codes(backups.agent(state)) == found
    assert codes(backups.notices(0)) == ["NOBODY_TOLD"]
    assert codes(backups.notices(1)) == []


# Network, files, machine


def test_the_days_of_a_certificate_are_counted(tmp_path: Path) -> None:
    for days, found in ((90, []), (10, ["TLS_ENDS"]), (1, ["TLS_ENDED"]), (91, ["TLS_REFUSED"])):
        key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-keyout", str(key), "-out", str(certificate), "-days", str(days), "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=DNS:localhost"]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        served.load_cert_chain(certificate, key)
        trusting = ssl.create_default_context(cafile=str(certificate))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=_shake_hands, args=(listening, served), daemon=True)
            thread.start()
            url = f"https://localhost:{listening.getsockname()[1]}"
            known = None if found == ["TLS_REFUSED"] else trusting  # the usual authorities did not sign it
            assert codes(network.certificate(url, known)) == found
            thread.join(30)


def _shake_hands(listening: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listening.accept()
    with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
        secured.recv(1)


def test_the_certificate_and_the_address_are_judged() -> None:
    assert codes(network.certificate(None)) == ["TLS_NOT_ASKED"]
    assert codes(network.certificate("http://city.example")) == ["TLS_ABSENT"]
    assert codes(network.certificate("https://127.0.0.1:1")) == ["TLS_UNREACHABLE"]
    assert codes(network.binding("0.0.0.0")) == ["BOUND_TO_NETWORK"]
    assert [each.code.name for each in network.binding("0.0.0.0", tls=True).look()] == ["BOUND_WITH_TLS"]
    assert [codes(network.binding(host)) for host in ("127.0.0.1", "::1", "localhost")] == [[], [], []]
    assert codes(network.watcher()) == ["OUTSIDE_UNSEEN"]


def test_files_that_others_can_reach_are_found() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # pytest's own is closed to others, and so all below it
        open_to_all = Path(name)
        open_to_all.chmod(0o711)
        secret, shut, data = open_to_all / "secret", open_to_all / "shut", open_to_all / "data"
        shut.mkdir(mode=0o700)
        data.mkdir()
        data.chmod(0o755)
        for file in (secret, shut / "inside"):
            file.write_text("x")
            file.chmod(0o644)
        (found,) = examine([machine.files([secret, shut / "inside", open_to_all / "absent"])], limit=30.0)
        assert found.fields == {"path": str(secret), "mode": "644"}
        secret.chmod(0o600)
        assert codes(machine.files([secret, shut / "inside"])) == []
        assert codes(machine.files([data])) == []
        (data / "dump").write_text("x")
        (data / "dump").chmod(0o644)
        assert codes(machine.files([data])) == ["FILE_READABLE"]
        data.chmod(0o750)
        assert codes(machine.files([data])) == []


def test_the_machine_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.follows_time_server() in (True, False, None)
    assert [codes(machine.clock(lambda said=said: said)) for said in (True, False, None)] == [  # type: ignore[misc]
        [], ["CLOCK_FREE"], ["CLOCK_UNSEEN"],
    ]  # fmt: skip
    assert [codes(machine.power(ups)) for ups in (True, False, None)] == [[], ["UPS_ABSENT"], ["UPS_NOT_ANSWERED"]]
    for python, found in (((3, 11), ["PYTHON_ENDED"]), ((3, 12), ["PYTHON_ENDS"]), ((3, 13), [])):
        assert codes(machine.versions(today=date(2028, 9, 1), python=python)) == found
    usage = machine.shutil.disk_usage(tmp_path)
    for percent, found in ((1, ["DISK_FULL"]), (5, ["DISK_LOW"]), (50, [])):
        free = usage._replace(free=usage.total * percent // 100)
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path, free=free: free)
        assert codes(machine.disks([tmp_path / "later", tmp_path])) == found


def smartctl(directory: Path, **drives: dict[str, Any]) -> str:
    """A program that answers as smartctl does, for drives that no test machine has."""
    program = directory / "smartctl"
    lines = ["#!/bin/sh", 'for last; do :; done; case "$last" in']
    for name, answer in ({"--scan": {"devices": [{"name": name} for name in drives]}} | drives).items():
        lines.append(f"{name}) echo '{json.dumps(answer)}' ;;")
    program.write_text("\n".join([*lines, "esac", ""]))
    program.chmod(0o755)
    return str(program)


def drive(*, passed: bool = True, hours: int = 9_000, status: int = 0, **more: Any) -> dict[str, Any]:
    said = {"smartctl": {"exit_status": status}, "model_name": "X", "smart_status": {"passed": passed}}
    return {**said, "power_on_time": {"hours": hours}, **more}


def attributes(**values: tuple[int, int]) -> dict[str, Any]:
    table = [{"id": int(name[1:]), "value": value, "raw": {"value": raw}} for name, (value, raw) in values.items()]
    return {"ata_smart_attributes": {"table": table}}


def test_drives_that_fail_are_damaged_worn_or_old_are_found_and_none_that_is_sound(tmp_path: Path) -> None:
    def found(**drives_: dict[str, Any]) -> list[str]:
        return codes(drives.drives(smartctl(tmp_path, **drives_)))

    worn = {"nvme_smart_health_information_log": {"percentage_used": 90, "media_errors": 0}}
    assert found(a=drive(), b=drive(**attributes(i5=(100, 0), i231=(95, 0)))) == []
    assert found(a=drive(passed=False)) == ["DRIVE_FAILING"]
    assert found(a=drive(**attributes(i5=(100, 8)))) == ["DRIVE_DAMAGED"]
    assert found(a=drive(**attributes(i197=(100, 1))), b=drive(**worn)) == ["DRIVE_DAMAGED", "DRIVE_WORN"]
    assert found(a=drive(**attributes(i177=(10, 0)))) == ["DRIVE_WORN"]
    assert found(a=drive(rotation_rate=7200, **attributes(i231=(10, 0)))) == [], (
        "of a spinning one it is the temperature"
    )
    assert found(a=drive(hours=50_000)) == ["DRIVE_OLD"]
    assert found(a=drive(status=2), b=drive()) == ["DRIVES_UNSEEN"]
    assert found(a={}) == ["DRIVES_UNSEEN"]
    assert found() == ["DRIVES_UNSEEN"], "a virtual machine"
    assert codes(drives.drives(str(tmp_path / "absent"))) == ["DRIVES_UNSEEN"]
    assert "NOT_SEEN" not in codes(drives.drives()), "whatever this machine has"


def test_a_port_that_others_reach_is_found_with_its_process_and_none_of_loopback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as inside, socket.create_server(("0.0.0.0", 0)) as outside:
        number = outside.getsockname()[1]
        by_port = {each.fields["port"]: each for each in examine([ports.ports()], limit=30.0) if "port" in each.fields}
        assert inside.getsockname()[1] not in by_port
        assert by_port[number].code is FindingCode.PORT_OPEN
        assert by_port[number].fields["addresses"] == "0.0.0.0"
        assert f"({os.getpid()})" in by_port[number].fields["process"]
        assert number not in {each.fields.get("port") for each in examine([ports.ports({number})], limit=30.0)}


def test_addresses_of_both_families_are_read_as_the_kernel_shows_them(tmp_path: Path) -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    (tmp_path / "net").mkdir()

    def listening(name: str, *addresses: str) -> None:
        rows = [f" 0: {each} 0:0 0A 0:0 00:0 0 0 0 {at}\n" for at, each in enumerate(addresses)]
        (tmp_path / "net" / name).write_text(head + "".join(rows))

    loopback6, mapped = "0" * 24 + "01000000", "0" * 16 + "FFFF0000" + "0100007F"
    listening("tcp", "0100007F:1F90", "00000000:0016")
    listening("tcp6", f"{loopback6}:1F90", f"{mapped}:1F90", f"{'0' * 32}:01BB")
    (found,) = examine([ports.ports(proc=tmp_path)], limit=30.0)
    assert (found.code, found.fields) == (FindingCode.PORTS_EXPECTED, {"ports": "22, 443"})
    listening("tcp6", f"{'0' * 32}:1538")
    (found,) = examine([ports.ports(proc=tmp_path)], limit=30.0)
    assert found.fields == {"port": 5432, "addresses": "::", "process": "?"}
    assert codes(ports.ports(proc=tmp_path / "other-system")) == ["NOT_SEEN"]


# Settings


def test_names_that_nobody_reads_are_found() -> None:
    def found(**variables: str) -> list[str]:
        return codes(settings.names(variables, KNOWN, ("BACKUP_",)))

    assert found(BACKUP_DIR="x", PATH="x", DATABASE_REPLICA_URL="x") == []
    assert found(REDIS_URI="x", BACKUP_DIRECTORY_OF_OLD="x") == ["SETTING_UNREAD", "SETTING_MISSPELT"]
    (near,) = examine([settings.names({"RETENTION_DAY": "3"}, KNOWN, ())], limit=30.0)
    assert near.fields == {"name": "RETENTION_DAY", "near": "RETENTION_DAYS"}


def test_every_variable_that_the_environment_describes_is_known() -> None:
    table = re.findall(r"^\| ([A-Z_, 0-9]+) \|", environment.__doc__ or "", re.MULTILINE)
    assert {name for row in table for name in row.split(", ")} <= KNOWN


def test_passwords_that_are_tried_first_are_found_and_never_shown() -> None:
    bad = settings.passwords({"DATABASE_URL": "postgresql://a:postgres@h/d", "REDIS_PASSWORD": "kq8Ww0e1"})
    (found,) = examine([bad], limit=30.0)
    assert found.fields == {"name": "DATABASE_URL"}
    assert codes(settings.passwords({"REDIS_URL": "redis://same:same@h"})) == ["PASSWORD_COMMON"]
    assert codes(settings.passwords({"DATABASE_URL": "postgresql:///d?host=/run"})) == []


# The command


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "BACKUP_STORES"])
def test_an_address_that_cannot_be_read_is_a_finding_and_the_others_are_made(name: str) -> None:
    variables = dict.fromkeys(KNOWN) | {name: "ftp://x"}
    done = CliRunner().invoke(_app, ["doctor", "--json", "--limit", "30"], env=variables)  # type: ignore[arg-type]
    found = {each["code"]: each["about"] for each in json.loads(done.output)["findings"]}
    assert done.exit_code == 2
    assert name in found["ADDRESS_INVALID"]["name"]
    assert found["ADDRESS_INVALID"]["allowed"]
    assert "VERSIONS" in found


def test_the_command_says_the_worst_first_with_its_fix(server: PostgresServer, tmp_path: Path) -> None:
    url = server.dsn().url
    variables = dict.fromkeys(KNOWN) | {"DATABASE_URL": url, "HAS_UPS": "maybe", "BACKUP_DIR": str(tmp_path)}

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(_app, ["doctor", "--limit", "30", *arguments], env=variables)  # type: ignore[arg-type]
        return done.exit_code, done.output

    code, said = run()
    assert code == 2
    assert "fail         HAS_UPS: is 'maybe' [SETTING_INVALID]\n               -> set it to yes or no\n" in said
    assert "superuser" in said
    assert "[VERSIONS]" not in said
    assert "[VERSIONS]" in run("--verbose")[1]
    code, said = run("--json", "--accept", "ROLE_SUPERUSER")
    told = json.loads(said)
    assert told["exit_code"] == code == 2
    (role,) = (each for each in told["findings"] if each["code"] == "ROLE_SUPERUSER")
    assert role["status"] == "fail"
    assert role["accepted"]
    assert role["about"] == {"role": "postgres"}
    code, said = run("--accept", "NOTHING")
    assert code == 2
    assert "NOTHING" in said
