"""`esteio backup`: exit codes, one clear block on stderr, plain lines for programs, an interrupt that harms nothing."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import pytest
from trial_database import initialised, names, query

from esteio.backup import Backups, Retention, ToolFailed, default_packing
from esteio.backup.store import Stores, open_store
from esteio.cli._show import age_text, size_text
from esteio.cli._words import Words
from esteio.cli.environment import EnvironmentProblem, backups_of, decryption, encryption, jobs, packing
from esteio.postgres import Dsn

ROUNDS = int(os.environ.get("ESTEIO_BACKUP_INTERRUPTS", "4"))


@pytest.fixture
def env(database: Dsn, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": database.url,
        "BACKUP_DIR": initialised(tmp_path / "cópias"),
        "NO_COLOR": "1",
        "TMPDIR": str(short_directory(tmp_path)),
    }


def short_directory(tmp_path: Path) -> Path:
    """Where verifications are made; the server's account has to pass."""
    place = tmp_path / "t"
    place.mkdir(exist_ok=True)
    for each in (place, *list(place.parents)[:3]):
        if each != Path("/tmp"):
            each.chmod(0o711 | (each.stat().st_mode & 0o777))
    return place


def esteio(env: dict[str, str], *arguments: str, before: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [*(before or []), sys.executable, "-m", "esteio", "backup", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def inside(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """As `esteio`, in this process: a start of Python costs more than the command."""
    from esteio.cli import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    ends = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    with (
        mock.patch.dict(os.environ, env, clear=True),
        mock.patch.object(sys, "argv", ["esteio", "backup", *arguments]),
        mock.patch.object(sys, "stdin", io.StringIO()),
        mock.patch.object(tempfile, "tempdir", env["TMPDIR"]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            for number, handler in ends.items():
                signal.signal(number, handler)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def test_the_whole_way_from_run_to_restore(env, database: Dsn) -> None:
    done = esteio(env, "run")
    assert done.returncode == 0, done.stderr
    assert "Dumping the database ...\n" in done.stderr
    assert "Restored to verify it" in done.stdout
    listed = json.loads(inside(env, "list", "--json").stdout)
    assert [(each["verified"], each["kind"], each["stores"]) for each in listed] == [
        (True, "dump", [env["BACKUP_DIR"]])
    ]
    line = inside(env, "list").stdout.split("\t")
    assert line[0] == listed[0]["id"]
    assert line[5] == "verified"
    status = inside(env, "status")
    assert (status.returncode, status.stderr) == (0, "")
    assert json.loads(inside(env, "status", "--json").stdout)["ok"] is True
    assert inside(env, "prune", "--dry-run").stdout == f"keep\t{listed[0]['id']}\tyounger than 30 days\n"
    query(database, "delete from conta")
    restored = inside(env, "restore", "latest", "--in-place", "--yes")
    assert restored.returncode == 0, restored.stderr
    assert "The database of before is kept as" in restored.stdout
    assert query(database, "select count(*) from conta") == [(5000,)]


def test_what_went_wrong_is_one_line_and_exit_code_one(env, database: Dsn, tmp_path: Path) -> None:
    for changes, arguments, said in (
        ({"DATABASE_URL": ""}, ["run"], "Error: DATABASE_URL is not set; set it to postgresql://"),
        ({"BACKUP_DIR": ""}, ["list"], "Error: BACKUP_DIR is not set"),
        (
            {"BACKUP_KEEP": "daily=7 hourly=2"},
            ["run"],
            "Error: BACKUP_KEEP has 'hourly=2'; set it to daily=, weekly=, ",
        ),
        ({"BACKUP_KEEP": "verified=0"}, ["run"], "Error: BACKUP_KEEP has 'verified=0'; set it to "),
        ({"RETENTION_DAYS": "0"}, ["run"], "Error: RETENTION_DAYS is '0'; set it to a number from 1 to 3650"),
        ({"BACKUP_PREFIX": "../x"}, ["run"], "Error: BACKUP_PREFIX is '../x'"),
        ({"PG_BIN": str(tmp_path)}, ["run"], "Error: pg_dump of PostgreSQL 18: does not run in"),
        ({"DATABASE_URL": database.with_(database="nenhum").url}, ["run"], 'database "nenhum" does not exist'),
        ({}, ["restore", "backup_x", "--into", "y"], "Error: backup 'backup_x' is not in"),
    ):
        (tmp_path / "cópias").mkdir(exist_ok=True)
        done = inside({**env, **changes}, *arguments)
        assert done.returncode == 1, arguments
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert not list((tmp_path / "cópias").glob("backup_*"))


def test_a_status_without_a_verified_backup_is_red(env) -> None:
    done = inside(env, "status")
    assert (done.returncode, done.stdout, done.stderr) == (2, "PROBLEM - there is no backup\n", "")


def test_the_status_for_programs_has_the_documented_fields_and_codes(env, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/backup.md").read_text().split("| field of `status --json`")[1]
    rows = [line.split("|")[1] for line in page.split("\n\n")[0].splitlines()[2:]]
    shutil.rmtree(env["BACKUP_DIR"])
    done = inside(env, "status", "--json")
    found = json.loads(done.stdout)
    assert {field for row in rows for field in row.split("`")[1::2]} == found.keys()
    assert (done.returncode, found["ok"]) == (2, False)
    [problem] = found["problems"]
    assert problem["code"] == "STORE_SILENT"
    assert problem["store"] == env["BACKUP_DIR"]
    assert problem["text"].startswith(f"it is not known what is in {env['BACKUP_DIR']}: the directory does not exist")
    assert inside(env, "status").stdout == f"PROBLEM - {problem['text']}\n"
    partly = {**env, "BACKUP_STORES": str(tmp_path)}
    listed = inside(partly, "list", "--json")
    assert (listed.returncode, listed.stdout, listed.stderr) == (0, "[]\n", problem["text"] + "\n")
    for command in ("list", "verify", "copy"):
        assert inside({**env, "BACKUP_DIR": str(tmp_path / "no" / "disk")}, command).returncode == 1


@pytest.mark.parametrize("arguments", [[], ["--into", "x", "--in-place"]])
def test_a_restore_has_to_say_where(env, arguments) -> None:
    assert inside(env, "restore", *arguments).returncode == 2


def test_a_restore_in_place_without_a_terminal_needs_yes(env, database: Dsn) -> None:
    assert inside(env, "run", "--no-verify").returncode == 0
    done = inside(env, "restore", "--in-place")
    assert done.returncode == 1
    assert "nothing was changed; type its name, or pass --yes" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="ulimit is of POSIX shells")
def test_a_full_disk_leaves_no_half_file_and_removes_nothing(env, database: Dsn, tmp_path: Path) -> None:
    query(
        database, "create table grande as select md5(g::text) || md5((g + 7)::text) t from generate_series(1, 40000) g"
    )
    full = ["/bin/sh", "-c", 'ulimit -f 256; exec "$@"', "sh"]  # 128 kB, the most a file may have
    done = esteio(env, "run", before=full)
    assert done.returncode == 1
    assert "make room or prune; nothing that is complete was removed" in done.stderr
    files = [path for path in (tmp_path / "cópias").rglob("*") if path.is_file() and path.parent.name != "lock"]
    assert [path.name for path in files if not path.name.startswith(".lock")] == ["store.json"]


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.timeout(180)
def test_an_interrupt_at_any_moment_of_a_restore_leaves_the_old_database(env, database: Dsn) -> None:
    assert inside(env, "run", "--no-verify").returncode == 0
    query(database, "delete from conta where id > 10")
    before = names(database)
    command = [sys.executable, "-m", "esteio", "backup", "restore", "database", "--replace", "--yes"]
    ended = set()
    for number in range(ROUNDS):
        with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as restore:
            assert restore.stderr is not None
            assert restore.stderr.readline() == b"Reading every file ...\n"
            time.sleep(0.8 * number / ROUNDS)
            restore.send_signal(signal.SIGINT if number % 2 else signal.SIGTERM)
            ended.add(restore.wait())
        if names(database) == before:
            assert query(database, "select count(*) from conta") == [(10,)]
        else:  # it was done already; the old one is beside it
            [kept] = [name for name in names(database) if "_before_" in name]
            assert query(database.with_(database=kept), "select count(*) from conta") == [(10,)]
            break
    assert ended <= {0, 130, 143, -signal.SIGINT, -signal.SIGTERM}  # the last two: after all was done


# The environment


def test_keys_come_from_the_environment_and_open_what_they_lock(tmp_path: Path) -> None:
    import pyrage

    from esteio.backup.packing import Packing, WrongKey, unpack

    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "chave").write_text(f"{identity}\n")
    for variables in (
        {"BACKUP_RECIPIENTS": f" {identity.to_public()} ,", "BACKUP_IDENTITY": str(tmp_path / "chave")},
        {"BACKUP_PASSPHRASE": "correto cavalo"},
        {},
    ):
        locked = encryption(variables)()
        packed, opened = io.BytesIO(), io.BytesIO()
        Packing(encryption=locked).pack(io.BytesIO(b"dado"), packed)
        packed.seek(0)
        unpack(packed, opened, decryption(variables)(locked.key_file if locked else None))
        assert opened.getvalue() == b"dado"
        if locked is not None and locked.key_file is not None:  # the passphrase locks it, and it opens the rest
            with pytest.raises(WrongKey, match="passphrase"):
                decryption({"BACKUP_PASSPHRASE": "errado cavalo"})(locked.key_file)


def test_two_ways_to_lock_at_once_are_refused() -> None:
    with pytest.raises(EnvironmentProblem, match="BACKUP_PASSPHRASE is set together with BACKUP_RECIPIENTS"):
        encryption({"BACKUP_RECIPIENTS": "age1x", "BACKUP_PASSPHRASE": "correto cavalo"})


def test_level_and_threads_come_from_the_environment() -> None:
    found = packing({"BACKUP_LEVEL": "-5", "BACKUP_THREADS": "0"})()
    assert (found.level, found.threads) == (-5, 0)
    assert packing({})() == default_packing()
    with pytest.raises(
        EnvironmentProblem, match="BACKUP_LEVEL is '0'; set it to a number from 1 to 19, or from -1 to -20"
    ):
        packing({"BACKUP_LEVEL": "0"})
    with pytest.raises(EnvironmentProblem, match="BACKUP_THREADS is 'many'; set it to a number from 0 to 64"):
        packing({"BACKUP_THREADS": "many"})


def test_so_does_how_much_is_done_at_once() -> None:
    assert (jobs({"BACKUP_JOBS": "16"}), jobs({})) == (16, None)
    with pytest.raises(EnvironmentProblem, match="BACKUP_JOBS is '17'; set it to a number from 1 to 16"):
        jobs({"BACKUP_JOBS": "17"})
    with pytest.raises(ValueError, match="jobs is 0; allowed: 1 to 16"):
        Backups(Dsn(), Stores([open_store("/nowhere")]), jobs=0, self_init=True)


def test_several_stores_come_from_the_environment(tmp_path: Path) -> None:
    variables = {"BACKUP_DIR": str(tmp_path / "a"), "BACKUP_STORES": str(tmp_path / "b"), "RETENTION_DAYS": "7"}
    variables["BACKUP_KEEP"] = "daily=7 yearly=2  verified=3"
    with backups_of(variables, database=False) as backups:
        assert backups.catalogue.where == f"{tmp_path / 'a'}, {tmp_path / 'b'}"
        assert backups.retention == Retention(days=7, daily=7, yearly=2, verified=3)


# What is shown


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (10**15, "1000.0 TB")]
)
def test_sizes_are_short(size: int, text: str) -> None:
    assert size_text(size) == text


def test_ages_are_short() -> None:
    assert [age_text(seconds) for seconds in (30, 7200, 86400 * 12)] == ["0 min", "2.0 h", "12.0 d"]


def test_every_step_has_a_word() -> None:
    assert Words().step("restore") == "Restoring"
    for step in ("database", "check", "indexes", "compare", "amcheck", "swap"):
        assert Words().step(step) != step


def test_what_a_person_decides_of_one_backup(env) -> None:
    assert esteio(env, "run").returncode == 0
    name = json.loads(inside(env, "list", "--json").stdout)[0]["id"]
    shown = inside(env, "show").stdout
    assert shown.startswith(f"{name}: dump, begun ")
    assert "verified" in shown
    assert json.loads(inside(env, "show", name, "--json").stdout)["id"] == name
    assert inside(env, "keep", name).stdout == f"{name} is kept until `backup keep --undo {name}`.\n"
    refused = inside(env, "delete", name, "--yes")
    assert (refused.returncode, "somebody said that it is to be kept" in refused.stderr) == (1, True)
    assert inside(env, "annotate", name, "before the upgrade").returncode == 0
    assert "Note: before the upgrade" in inside(env, "show", name).stdout
    nothing = inside(env, "accept", name)
    assert (nothing.returncode, "nothing that a person can accept" in nothing.stderr) == (1, True)
    assert inside(env, "keep", "--undo", name).returncode == 0
    asked = inside(env, "delete", name)
    assert (asked.returncode, asked.stderr) == (1, "Nothing was done: say yes when asked, or pass --yes.\n")
    assert inside(env, "delete", name, "--yes").stdout == f"remove\t{name}\ta person said so\n"
    assert inside(env, "status").returncode == 2


def test_a_status_tells_what_can_be_mended_from_what_may_be_lost(env, tmp_path: Path) -> None:
    assert esteio(env, "run").returncode == 0
    assert inside(env, "status").returncode == 0
    second = env | {"BACKUP_STORES": str(tmp_path / "segundo")}
    (tmp_path / "segundo").mkdir()
    lacking = inside(second, "status")
    assert (lacking.returncode, "is not in" in lacking.stdout) == (1, True)
    assert inside(env, "status", "--max-age", "0.1").returncode == 0
    data = next(Path(env["BACKUP_DIR"]).glob("backup_*/database.dump.zst"))
    data.write_bytes(data.read_bytes()[:-1] + b"?")
    assert inside(env, "verify").returncode == 1
    assert inside(env, "status").returncode == 2


def test_the_servers_own_words_are_in_show_and_not_in_a_status(env, tmp_path: Path) -> None:
    assert esteio(env, "run").returncode == 0
    [folder] = Path(env["BACKUP_DIR"]).glob("backup_*")
    with (
        mock.patch("esteio.backup.verify._dump.load", side_effect=ToolFailed("pg_restore", 1, "error: out of memory")),
    ):
        assert inside(env, "verify").returncode == 1
    status = inside(env, "status")
    assert "failed its verification: pg_restore failed with exit code 1" in status.stdout
    assert "out of memory" not in status.stdout
    assert "error: out of memory" in inside(env, "show", folder.name).stdout


def test_a_directory_that_is_missing_or_closed_is_one_line(env, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere" / "below"
    for arguments in (
        ["schedule", "--for", "cron", "--write", str(missing)],
        ["restore", "documents", str(missing)],
        ["restore", "cluster", "--directory", str(missing)],
    ):
        done = inside(env, *arguments)
        assert done.returncode == 1, arguments
        assert done.stderr.startswith("Error: "), arguments
        assert "Traceback" not in done.stderr
