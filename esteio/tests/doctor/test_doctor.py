"""The doctor finds each planted fault, nothing on a good machine, and never waits for what hangs."""

from __future__ import annotations

import json
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
    examine,
    exit_code,
    groups,
    machine,
    network,
    settings,
)
from esteio.doctor.postgres import PostgresReading, judge_postgres, postgres, read_postgres
from esteio.doctor.redis import redis
from esteio.health import Status
from esteio.postgres import Dsn
from esteio.testing.postgres import PostgresServer
from esteio.testing.redis import RedisServer

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
    ends = time.monotonic() + 30
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
    assert codes(redis("redis+cluster://127.0.0.1:1")) == ["REDIS_KIND"]
    assert codes(redis("http://127.0.0.1:1")) == ["ADDRESS_INVALID"]


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
