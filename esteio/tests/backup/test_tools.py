"""PostgreSQL's programs: no shell, no exit code missed, no password shown, no process left."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from esteio.backup import BackupError, ToolFailed, ToolMissing
from esteio.backup.tools import Running, Toolbox, environment
from esteio.postgres import Dsn
from esteio.postgres.embedded import BinariesMissing, find_binaries

SECRET = "s3cr&t '\"$x"


@pytest.fixture(scope="module")
def toolbox() -> Toolbox:
    return Toolbox(18)


def python(script: str, **asked: bool) -> Running:
    return Running(Path(sys.executable), ["-c", script], os.environ, **asked)


def gone(pid: int, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_program_is_found_with_its_version(toolbox: Toolbox) -> None:
    assert toolbox.version("pg_dump").startswith("18.")
    assert toolbox.has("psql")
    assert not toolbox.has("pg_nothing")


def test_a_program_of_another_major_is_refused() -> None:
    wrong = Toolbox(14, find_binaries(18).directory)
    with pytest.raises(ToolMissing, match=r"pg_dump of PostgreSQL 14: the one in .* is 18\."):
        wrong.run("pg_dump")


def test_who_needs_tls_does_not_get_the_programs_of_the_wheel_which_know_none(toolbox: Toolbox) -> None:
    with pytest.raises(BinariesMissing) as missing:
        find_binaries(99, wheel=False)
    assert ("/usr/lib/postgresql/99/bin" in str(missing.value), "pixeltable" in str(missing.value)) == (True, False)
    plain, secured = (Dsn.parse(f"postgresql://h/d?sslmode={each}") for each in ("prefer", "verify-full"))
    assert toolbox._directory_for(plain) == toolbox.directory
    try:
        wanted = find_binaries(18, wheel=False).directory
    except BinariesMissing:  # then the wheel's say themselves that they know none
        wanted = toolbox.directory
    assert toolbox._directory_for(secured) == wanted


def test_a_missing_program_is_named_with_its_place(toolbox: Toolbox) -> None:
    with pytest.raises(ToolMissing, match=r"pg_nothing of PostgreSQL 18: does not run in /"):
        toolbox.run("pg_nothing")


def test_a_program_that_crashes_at_start_cannot_be_used(tmp_path: Path) -> None:
    """As pg_verifybackup of one wheel does."""
    crashing = tmp_path / "pg_verifybackup"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(0o700)
    toolbox = Toolbox(18, tmp_path)
    assert not toolbox.has("pg_verifybackup")
    with pytest.raises(ToolMissing, match="pg_verifybackup"):
        toolbox.run("pg_verifybackup")


def test_the_output_of_a_program_is_what_the_database_holds(toolbox: Toolbox, postgres_database: str) -> None:
    command = ["-XAtc", "select repeat('x', 3000000)"]
    with toolbox.start("psql", command, dsn=Dsn.parse(postgres_database), stdout=True) as running:
        assert b"".join(running.chunks()) == b"x" * 3_000_000 + b"\n"


def test_input_is_fed_and_its_errors_are_told(toolbox: Toolbox, postgres_database: str) -> None:
    dsn = Dsn.parse(postgres_database)
    toolbox.run("psql", ["-Xq", "-v", "ON_ERROR_STOP=1", "-f", "-"], dsn=dsn, given=b"create table t ();")
    with pytest.raises(ToolFailed, match=r'psql failed with exit code 3: .*relation "t" already exists') as caught:
        toolbox.run("psql", ["-Xq", "-v", "ON_ERROR_STOP=1", "-f", "-"], dsn=dsn, given=b"create table t ();")
    assert caught.value.code == 3


def test_a_program_that_fails_after_its_output_was_read_is_a_failure() -> None:
    pieces: list[bytes] = []
    with (
        pytest.raises(ToolFailed, match="exit code 1: no more"),
        python("print('half'); import sys; sys.exit('no more')", stdout=True) as running,
    ):
        pieces.extend(running.chunks())
    assert pieces == [b"half\n"]


def test_leaving_the_block_early_without_an_error_still_checks_the_exit_code() -> None:
    with pytest.raises(ToolFailed, match="exit code 7"), python("import sys; sys.exit(7)"):
        pass


def test_a_program_killed_from_outside_is_a_failure() -> None:
    with pytest.raises(ToolFailed, match="killed by signal 9"), python("import time; time.sleep(60)") as running:
        os.kill(running.pid, signal.SIGKILL)


def test_a_program_that_stops_reading_is_a_failure() -> None:
    script = "import sys; sys.stdin.read(1); sys.exit({})"
    for code, said in (("'full'", "full"), ("0", "before it had read everything")):
        with pytest.raises(ToolFailed, match=said), python(script.format(code), stdin=True) as running:
            running.feed(b"x" * 65536 for _ in range(100))


def test_an_exception_in_the_block_ends_the_program_and_goes_on() -> None:
    with pytest.raises(ZeroDivisionError), python("import time; time.sleep(60)", stdout=True) as running:
        raise ZeroDivisionError
    assert not psutil.pid_exists(running.pid)


def test_of_endless_complaints_only_the_end_is_kept() -> None:
    lines: list[str] = []
    script = "import sys\nfor n in range(20000): print('complaint', n, file=sys.stderr)"
    with Running(Path(sys.executable), ["-c", script], os.environ, on_line=lines.append) as running:
        pass
    assert len(lines) == 20000
    assert len(running.said) < 32 * 1024
    assert running.said.endswith("complaint 19999")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's leash is Linux's")
def test_a_program_does_not_outlive_us_when_we_are_killed() -> None:
    script = (
        "import os, sys, pathlib\nfrom esteio.backup.tools import Running\n"
        "r = Running(pathlib.Path(sys.executable), ['-c', 'import time; print(1, flush=True); time.sleep(60)'], "
        "os.environ, stdout=True)\n"
        "r.stdout.readline(); print(r.pid, flush=True); r.wait()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as caller:
        assert caller.stdout is not None
        pid = int(caller.stdout.readline())
        caller.kill()
    assert gone(pid)


def test_no_part_of_the_address_is_an_argument(toolbox: Toolbox, postgres_database: str) -> None:
    dsn = Dsn.parse(postgres_database).with_(password=SECRET)
    asleep = ["-Xc", "select pg_sleep(60)"]
    with suppress(ZeroDivisionError), toolbox.start("psql", asleep, dsn=dsn, stdout=True) as running:
        shown = " ".join(psutil.Process(running.pid).cmdline())
        assert "s3cr" not in shown
        assert str(dsn.database) not in shown
        raise ZeroDivisionError  # enough seen


def test_the_environment_says_all_of_the_address() -> None:
    url = "postgresql://dona:p%20w@h1:1,h2:2/cidade?sslmode=require&connect_timeout=7&keepalives=1"
    found = environment(Dsn.parse(url))
    assert found["PGHOST"] == "h1,h2"
    assert found["PGPORT"] == "1,2"
    assert (found["PGUSER"], found["PGPASSWORD"], found["PGDATABASE"]) == ("dona", "p w", "cidade")
    assert (found["PGSSLMODE"], found["PGCONNECT_TIMEOUT"], found["LC_ALL"]) == ("require", "7", "C")


def test_a_secret_that_has_no_variable_is_refused() -> None:
    with pytest.raises(BackupError, match="sslpassword cannot be handed"):
        environment(Dsn.parse("postgresql://h/d?sslpassword=geheim"))
