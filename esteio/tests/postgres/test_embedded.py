"""An embedded server starts from whatever the last run left behind, and says why where it cannot."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from esteio.postgres.embedded import (
    AccountError,
    BinariesMissing,
    DataDirectoryError,
    Embedded,
    EmbeddedError,
    MajorMismatch,
    SocketDirectoryError,
    StartFailed,
    _binaries,
    _data_dir,
    find_binaries,
)
from esteio.postgres.embedded._account import Account
from esteio.postgres.embedded._binaries import reachable_by
from esteio.postgres.embedded._process import read_postmaster_file
from esteio.postgres.embedded._settings import ident_file, server_settings
from esteio.postgres.embedded._socket import socket_directory
from esteio.serve import Service

_FAST = {"fsync": "off", "shared_buffers": "32MB"}

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run the server under another account")


def _has(major: int) -> bool:
    try:
        find_binaries(major)
    except BinariesMissing:
        return False
    return True


needs_15 = pytest.mark.skipif(
    not _has(15), reason="no PostgreSQL 15 is installed here (apt-get install postgresql-15 gives Debian's)"
)


@pytest.fixture(scope="module")
def made_before() -> Iterator[Path]:
    """A data directory that was started and stopped, to be copied: faster than making one for each test."""
    home = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    home.chmod(0o711)
    embedded = Embedded(home / "data", settings=_FAST)
    embedded.start()
    embedded.stop()
    yield home / "data"
    shutil.rmtree(home)


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory with a short name that the server's account can pass."""
    home = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    home.chmod(0o711)
    yield home
    shutil.rmtree(home)


@pytest.fixture
def cluster(home: Path, made_before: Path) -> Path:
    """The data directory in `home`, already made."""
    data_dir = home / "data"
    shutil.copytree(made_before, data_dir)
    owner = made_before.stat()
    for path in (data_dir, *data_dir.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    return data_dir


Servers = Callable[..., Embedded]


@pytest.fixture
def server(home: Path) -> Iterator[Servers]:
    """Makes servers, by default on one directory, that are stopped after the test."""
    made: list[Embedded] = []

    def make(data_dir: Path = home / "data", **settings: Any) -> Embedded:
        made.append(Embedded(data_dir, settings={**_FAST, **settings.pop("settings", {})}, **settings))
        return made[-1]

    yield make
    for embedded in made:
        embedded.stop(timeout=5.0)
        if embedded.requested.is_symlink():
            shutil.rmtree(embedded.data_dir, ignore_errors=True)


def _ask(embedded: Embedded, query: str, database: str = "postgres", user: str = "postgres") -> Any:
    with psycopg.connect(embedded.dsn(database, user).conninfo, autocommit=True) as conn:
        cursor = conn.execute(query)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def _run(program: Path, *arguments: str, given: str = "") -> str:
    done = subprocess.run([program, *arguments], input=given, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout


def test_the_first_start_makes_a_durable_private_server(server: Servers) -> None:
    embedded = server()
    embedded.start()
    settings = {
        name: _ask(embedded, f"SHOW {name}")
        for name in ("data_checksums", "server_encoding", "listen_addresses", "autovacuum", "logging_collector")
    }
    assert settings == {
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "listen_addresses": "",
        "autovacuum": "on",
        "logging_collector": "on",
    }
    assert _ask(embedded, "SELECT datlocale FROM pg_database WHERE datname = 'postgres'") == "C.UTF-8"
    assert _ask(embedded, "SELECT upper('ação')") == "AÇÃO"
    assert embedded.pid is not None
    assert os.getsid(embedded.pid) != os.getsid(0), "an interrupt at the terminal would reach the server"
    socket = Path(str(embedded.dsn().hosts[0][0]))
    assert (socket.stat().st_mode & 0o077, socket.stat().st_uid) == (0, embedded.account.uid)
    assert (embedded.data_dir.stat().st_mode & 0o077, embedded.data_dir.stat().st_uid) == (0, embedded.account.uid)


def test_nobody_is_let_in_by_trust_or_password(server: Servers, cluster: Path) -> None:
    embedded = server()
    embedded.start()
    assert _ask(embedded, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'peer'") == 0


def test_data_is_there_after_a_restart_and_settings_are_renewed(server: Servers, cluster: Path) -> None:
    first = server()
    first.start()
    _ask(first, "CREATE TABLE kept AS SELECT 7 AS n")
    first.stop()
    assert not first.is_alive()
    second = server(settings={"work_mem": "3MB"})
    second.start()
    assert (_ask(second, "SELECT n FROM kept"), _ask(second, "SHOW work_mem"), second.adopted) == (7, "3MB", False)


def test_starting_twice_is_starting_once(server: Servers, cluster: Path) -> None:
    embedded = server()
    embedded.start()
    pid = embedded.pid
    embedded.start()
    assert embedded.pid == pid


def test_a_supervisor_can_keep_it_as_a_service(server: Servers, cluster: Path) -> None:
    service: Service = server()
    service.start()
    assert (service.name, service.is_alive()) == ("PostgreSQL", True)
    service.stop(5.0)
    assert not service.is_alive()


def test_a_database_and_its_owner_are_made_once(server: Servers, cluster: Path) -> None:
    embedded = server()
    embedded.start()
    for _ in range(2):
        embedded.ensure_database("app", 'the "owner"')
    assert _ask(embedded, "SELECT current_user", "app", 'the "owner"') == 'the "owner"'


@needs_15
def test_an_installed_older_major_works_too(server: Servers) -> None:
    embedded = server(major=15)
    embedded.start()
    embedded.ensure_database("app", "owner")
    assert _ask(embedded, "SHOW server_version_num", "app", "owner").startswith("15")
    assert _ask(embedded, "SHOW data_checksums") == "on"
    embedded.stop()
    embedded.start()
    assert _ask(embedded, "SELECT current_user", "app", "owner") == "owner"
    heir = server(major=15)
    heir.start()
    assert (heir.adopted, heir.pid) == (True, embedded.pid)


def test_data_of_another_major_is_refused_and_left_alone(server: Servers, cluster: Path) -> None:
    embedded = server()
    version = cluster / "PG_VERSION"
    version.write_text("17\n")
    before = sorted((path, path.stat().st_mtime_ns) for path in cluster.rglob("*"))
    with pytest.raises(MajorMismatch) as caught:
        embedded.start()
    assert (caught.value.found, caught.value.wanted, caught.value.data_dir) == ("17", 18, cluster)
    for told in (str(cluster), "made by PostgreSQL 17", "binaries are of PostgreSQL 18", "major=17", "pg_dumpall"):
        assert told in str(caught.value)
    assert sorted((path, path.stat().st_mtime_ns) for path in cluster.rglob("*")) == before
    version.write_text("18\n")
    embedded.start()
    assert _ask(embedded, "SELECT 1") == 1


@needs_15
def test_the_way_out_of_an_older_major_leads_to_the_newer_one(server: Servers, home: Path) -> None:
    older = server(major=15)
    older.start()
    older.ensure_database("app", "owner")
    _ask(older, "CREATE TABLE kept AS SELECT 'ação' AS word", "app", "owner")
    with pytest.raises(MajorMismatch, match="major=15"):
        server(major=18).start()
    programs = find_binaries(18)
    dump = _run(programs.program("pg_dumpall"), "--no-role-passwords", f"--dbname={older.dsn().conninfo}")
    older.stop()
    older.data_dir.rename(home / "data-15")
    newer = server(major=18, create=True)
    newer.start()
    _run(programs.program("psql"), "--no-psqlrc", f"--dbname={newer.dsn().conninfo}", given=dump)
    assert _ask(newer, "SELECT word FROM kept", "app", "owner") == "ação"


@pytest.mark.fault
@pytest.mark.untimed
def test_the_server_outlives_a_killed_supervisor_and_its_successor_takes_it_over(
    server: Servers, cluster: Path
) -> None:
    heir = server()
    supervisor = os.fork()
    if supervisor == 0:
        try:
            Embedded(cluster, settings=_FAST).start()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(supervisor, 0)
    running = read_postmaster_file(cluster)
    heir.start()
    assert running is not None
    assert (heir.adopted, heir.pid) == (True, running.pid)
    assert _ask(heir, "SELECT 1") == 1
    heir.stop()
    assert read_postmaster_file(cluster) is None


@pytest.mark.fault
@pytest.mark.untimed
def test_a_server_left_running_by_a_crashed_supervisor_is_adopted(server: Servers, cluster: Path) -> None:
    crashed = server()
    crashed.start()
    heir = server(port=6001)
    heir.start()
    assert (heir.adopted, heir.pid, heir.dsn()) == (True, crashed.pid, crashed.dsn())
    assert _ask(heir, "SELECT 1") == 1
    heir.stop()
    assert not crashed.is_alive()
    assert not heir.is_alive()


@root_only
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_a_server_is_recognised_without_the_right_to_trace_processes(server: Servers, cluster: Path) -> None:
    embedded = server()
    embedded.start()
    look = "import sys; from pathlib import Path; from esteio.postgres.embedded._process import _serves as s;"
    look += "print(s(int(sys.argv[1]), Path(sys.argv[2])), s(1, Path(sys.argv[2])))"
    said = subprocess.run(
        ["setpriv", "--bounding-set=-sys_ptrace", sys.executable, "-c", look, str(embedded.pid), str(cluster)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split() == ["True", "False"]


@pytest.mark.fault
@pytest.mark.untimed
def test_a_killed_server_starts_again_with_what_was_committed(server: Servers, cluster: Path) -> None:
    embedded = server()
    embedded.start()
    _ask(embedded, "CREATE TABLE kept AS SELECT 7 AS n")
    assert embedded.pid is not None
    os.kill(embedded.pid, signal.SIGKILL)
    os.waitid(os.P_PID, embedded.pid, os.WEXITED | os.WNOWAIT)
    assert not embedded.is_alive()
    assert (embedded.data_dir / "postmaster.pid").exists()
    embedded.start()
    assert _ask(embedded, "SELECT n FROM kept") == 7


@pytest.mark.fault
@pytest.mark.untimed
def test_a_pid_file_that_names_another_program_is_no_obstacle(server: Servers, cluster: Path) -> None:
    embedded = server()
    embedded.start()
    embedded.stop()
    other = subprocess.Popen(["sleep", "60"], cwd="/", **embedded.account.popen)
    try:
        pid_file = embedded.data_dir / "postmaster.pid"
        pid_file.write_text(f"{other.pid}\n{embedded.data_dir}\n1700000000\n5432\n/tmp\n\n  1 1\nready   \n")
        embedded.account.own(pid_file)
        embedded.start()
        assert _ask(embedded, "SELECT 1") == 1
        assert other.poll() is None, "the other program was signalled"
    finally:
        other.kill()
        other.wait()


@pytest.mark.fault
@pytest.mark.untimed
def test_an_interrupted_first_start_does_not_spoil_the_next(server: Servers, home: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    half = home / f".data.initdb-{ended.pid}.abc"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    embedded = server()
    embedded.start()
    assert _ask(embedded, "SELECT 1") == 1
    assert not half.exists()


def test_two_supervisors_that_start_at_once_end_with_one_server(server: Servers) -> None:
    both = [server(), server()]
    threads = [threading.Thread(target=embedded.start) for embedded in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert both[0].pid == both[1].pid
    assert sorted(embedded.adopted for embedded in both) == [False, True]


def test_a_server_that_only_begins_to_start_is_not_adopted(server: Servers, cluster: Path) -> None:
    """The pid file is written before it names the socket's directory."""
    embedded = server()
    embedded.start()
    pid_file = cluster / "postmaster.pid"
    whole = pid_file.read_text()
    lines = whole.splitlines(keepends=True)
    pid_file.write_text("".join([*lines[:4], "\n"]))
    assert not server().adopt()
    pid_file.write_text(whole)
    other = server()
    assert other.adopt()
    assert _ask(other, "SELECT 1") == 1


def test_stopping_cuts_off_who_is_connected(server: Servers, cluster: Path) -> None:
    embedded = server()
    embedded.start()
    with psycopg.connect(embedded.dsn().conninfo) as conn:
        conn.execute("SELECT 1")
        embedded.stop(timeout=10.0)
        with pytest.raises(psycopg.OperationalError):
            conn.execute("SELECT 1")
    assert (embedded.pid, embedded.is_alive()) == (None, False)


def test_a_long_path_is_no_obstacle(server: Servers, home: Path) -> None:
    embedded = server(home / ("d" * 120) / ("e" * 120))
    embedded.start()
    assert _ask(embedded, "SELECT 1") == 1


def test_a_start_that_fails_shows_the_servers_own_words(server: Servers, cluster: Path) -> None:
    embedded = server(settings={"shared_buffers": "plenty"})
    with pytest.raises(StartFailed, match=r'invalid value for parameter "shared_buffers": "plenty"'):
        embedded.start()
    assert not embedded.is_alive()


def test_missing_binaries_name_the_extra_to_install() -> None:
    with pytest.raises(BinariesMissing, match=r"esteio\[embedded\]"):
        Embedded("/nowhere", major=99)
    with pytest.raises(BinariesMissing, match="/nonexistent"):
        Embedded("/nowhere", binaries=Path("/nonexistent"))


def test_a_data_directory_that_cannot_be_used_is_named(server: Servers, home: Path) -> None:
    (home / "file").write_text("")
    (home / "link").symlink_to(home / "gone")
    (home / "full").mkdir(mode=0o700)
    (home / "full" / "letter.txt").write_text("")
    for data_dir, problem in (
        (home / "file", "a file is in the way"),
        (home / "file" / "data", "cannot be written"),
        (home / "link", "does not exist"),
        (Path("/proc/nowhere/data"), "cannot be written"),
    ):
        with pytest.raises(DataDirectoryError, match=problem) as caught:
            server(data_dir).start()
        assert str(data_dir.name) in str(caught.value)
    embedded = server(home / "full")
    embedded.account.own(home / "full")
    with pytest.raises(DataDirectoryError, match="neither empty nor"):
        embedded.start()
    assert (home / "full" / "letter.txt").exists()


def test_a_socket_directory_of_somebody_else_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    us = Account("us", os.geteuid(), os.getegid(), foreign=False)
    data_dir = home / "data"
    directory = socket_directory(data_dir, us)
    assert directory.parent == home
    assert socket_directory(data_dir, us) == directory
    directory.chmod(0o777)
    with pytest.raises(SocketDirectoryError, match="open to others"):
        socket_directory(data_dir, us)
    directory.rmdir()
    directory.symlink_to(home)
    with pytest.raises(SocketDirectoryError, match="no directory"):
        socket_directory(data_dir, us)
    directory.unlink()
    directory.mkdir(mode=0o700)
    somebody = Account("somebody", os.geteuid() + 1, os.getegid(), foreign=False)
    if os.geteuid() == 0:
        os.chown(directory, 2, 2)
    with pytest.raises(SocketDirectoryError, match="belongs to uid"):
        _verify_as(data_dir, somebody if os.geteuid() == 0 else us, directory)


def _verify_as(data_dir: Path, account: Account, directory: Path) -> None:
    if directory.stat().st_uid == os.geteuid():
        pytest.skip("only root can give a directory to somebody else")
    socket_directory(data_dir, account)


def test_older_servers_list_roles_because_they_know_no_all() -> None:
    assert ident_file(["ana", "ana"], ["postgres"], 16).splitlines()[1:] == ['esteio "ana" all']
    assert ident_file(["a", "b"], ["x"], 15).splitlines()[1:] == ['esteio "a" "x"', 'esteio "b" "x"']


def test_settings_follow_the_size_of_the_machine() -> None:
    small, large = server_settings(512 * 2**20), server_settings(64 * 2**30)
    assert (small["shared_buffers"], large["shared_buffers"]) == ("64MB", "4096MB")
    assert (small["effective_cache_size"], large["effective_cache_size"]) == ("256MB", "32768MB")


@root_only
def test_as_root_the_server_runs_under_an_unprivileged_account(server: Servers) -> None:
    for name in ("nobody", None):
        embedded = server(account=name, create=True)
        shutil.rmtree(embedded.requested, ignore_errors=True)
        embedded.start()
        assert Path(f"/proc/{embedded.pid}").stat().st_uid == embedded.account.uid != 0
        embedded.stop()


@root_only
def test_accounts_that_cannot_be_used_are_refused(home: Path) -> None:
    with pytest.raises(AccountError, match="is root"):
        Embedded(home / "data", account="root")
    with pytest.raises(AccountError, match="does not exist"):
        Embedded(home / "data", account="no-such-account")


@root_only
def test_data_in_a_private_directory_lies_elsewhere_and_is_linked(
    server: Servers, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    private = home / "private"
    private.mkdir(mode=0o700)
    elsewhere = home / "elsewhere"
    monkeypatch.setattr(_data_dir, "_FALLBACK", elsewhere)
    embedded = server(private / "data")
    for _ in range(2):
        embedded.start()
        assert _ask(embedded, "SELECT 1") == 1
        embedded.stop()
    assert embedded.data_dir.parent == elsewhere
    assert embedded.requested.resolve() == embedded.data_dir
    assert private.stat().st_mode & 0o777 == 0o700
    assert [record.message for record in caplog.records if "the data lies in" in record.message] == [
        f"account postgres cannot reach {private / 'data'}: the data lies in {embedded.data_dir}"
    ]


@root_only
def test_programs_in_a_private_directory_are_copied_once(
    server: Servers, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install = find_binaries(18).directory.parent
    private = home / "private"
    private.mkdir(mode=0o700)
    wheel = install.parent.name
    shutil.copytree(install, private / wheel / install.name, symlinks=True, ignore=shutil.ignore_patterns("*.a"))
    libraries = install.parent.with_name(wheel + ".libs")
    if libraries.exists():
        shutil.copytree(libraries, private / libraries.name)
    monkeypatch.setattr(_binaries, "_CACHE", home / "cache")
    for _ in range(2):
        embedded = server(binaries=private / wheel / install.name)
        embedded.start()
        embedded.stop()
    (copy,) = (home / "cache").iterdir()
    assert copy.name == f"postgresql-{embedded.binaries.version}"
    copy.chmod(0o777)
    with pytest.raises(EmbeddedError, match="writable by others"):
        embedded.start()


@root_only
def test_a_normal_user_needs_no_other_account(home: Path) -> None:
    as_nobody = Embedded(home / "data", account="nobody")
    nobody = as_nobody.account
    # A copy where only root can reach the programs themselves.
    programs = reachable_by(nobody, as_nobody.binaries).directory
    os.chown(home, nobody.uid, nobody.gid)
    said = home / "said"
    # A fork and not a new interpreter: the one that runs us may lie where only root can go.
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(nobody.gid)
        os.setuid(nobody.uid)
        try:
            said.write_text(_as_a_normal_user(home, programs))
        except BaseException:  # noqa: BLE001 - the parent shows it
            said.write_text(traceback.format_exc())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert said.read_text() == "all is well"


def _as_a_normal_user(home: Path, programs: Path) -> str:
    embedded = Embedded(home / "data", binaries=programs, settings=_FAST)
    embedded.start()
    try:
        embedded.ensure_database("app", "owner")
        assert _ask(embedded, "SELECT current_user", "app", "owner") == "owner"
        assert Path(f"/proc/{embedded.pid}").stat().st_uid == os.getuid() != 0
        assert embedded.data_dir == home / "data"
    finally:
        embedded.stop()
    with pytest.raises(DataDirectoryError, match="no permission to write"):
        Embedded("/usr/esteio-data", binaries=programs).start()
    with pytest.raises(AccountError, match="cannot be used by 'nobody'"):
        Embedded(home / "x", binaries=programs, account="root")
    return "all is well"
