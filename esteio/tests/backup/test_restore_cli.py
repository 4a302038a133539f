"""The command a tired person types: the plan first, old words still understood, nothing done unasked."""

import json
from pathlib import Path

import pytest
from test_backup_cli import env as env
from test_backup_cli import esteio, inside
from trial_database import names, query

from esteio.postgres import Dsn


def test_a_restore_prints_its_plan_and_a_dry_run_does_nothing_else(env, database: Dsn, tmp_path: Path) -> None:
    assert esteio(env, "run").returncode == 0
    [made] = json.loads(inside(env, "list", "--json").stdout)
    before = names(database)
    for arguments, said in (
        (["database", "--as", "nova"], "It becomes nova, which is new; nothing is overwritten."),
        (["database", "--replace"], f"It takes the place of {database.database}, which is kept beside"),
        (["documents", str(tmp_path / "x")], f"It becomes {tmp_path / 'x'}, which is new"),
    ):
        shown = inside(env, "restore", *arguments, "--dry-run")
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.startswith(f"Plan: {made['id']} (dump, begun {made['began'][:10]} ")
        assert "as its last verification did" in shown.stdout
        assert "What was written in the last 0 min is not in it." in shown.stdout
        assert said in shown.stdout
        assert shown.stdout.endswith("Nothing was done (--dry-run).\n")
    assert names(database) == before
    assert not (tmp_path / "x").exists()


def test_a_database_is_replaced_or_made_anew(env, database: Dsn) -> None:
    assert esteio(env, "run", "--no-verify").returncode == 0
    query(database, "delete from conta")
    beside = inside(env, "restore", "database", "--as", f"{database.database} outra")
    assert beside.returncode == 0, beside.stderr
    assert beside.stdout.startswith("Plan: ")
    assert "How long it takes is not known" in beside.stdout
    unasked = inside(env, "restore", "database", "--replace")
    assert (unasked.returncode, "was not confirmed, nothing was changed" in unasked.stderr) == (1, True)
    assert query(database, "select count(*) from conta") == [(0,)]
    done = inside(env, "restore", "database", "latest", "--replace", "--yes")
    assert done.returncode == 0, done.stderr
    assert query(database, "select count(*) from conta") == [(5000,)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["database"],
        ["database", "--as", "x", "--replace"],
        ["database", "--as", "x", "--no-documents"],
        ["database", "--replace", "--documents", "x"],
        ["cluster"],
        ["cluster", "--replace"],
        ["cluster", "--directory", "x", "--replace", "--data-dir", "y"],
        ["cluster", "--data-dir", "y", "--directory", "x"],
        ["cluster", "--directory", "x", "--target-time", "yesterday"],
    ],
)
def test_words_that_do_not_go_together_are_refused(env, arguments) -> None:
    assert inside(env, "restore", *arguments).returncode == 2


def test_the_old_words_still_work_and_say_the_new_ones(env, database: Dsn, tmp_path: Path) -> None:
    assert esteio(env, "run", "--no-verify").returncode == 0
    for arguments, now in (
        (["restore", "--into", f"{database.database} outra"], "restore database"),
        (["restore", "latest", "--in-place", "--yes"], "restore database"),
        (["copy"], "sync"),
        (["verify", "--everywhere"], "check --read-data"),
    ):
        done = inside(env, *arguments)
        assert done.returncode == 0, done.stderr
        assert f"This command is called `backup {now}` now" in done.stderr
    for old in ("copy", "archive", "operate"):
        assert f"│ {old} " not in inside(env, "--help").stdout


def test_a_check_reads_the_data_only_when_told_to(env) -> None:
    assert esteio(env, "run", "--no-verify").returncode == 0
    data = next(Path(env["BACKUP_DIR"]).glob("backup_*/database.dump.zst"))
    content = data.read_bytes()
    data.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert inside(env, "check").returncode == 0
    read = inside(env, "check", "--read-data")
    assert (read.returncode, "is not as it was written" in read.stderr) == (1, True)
    data.write_bytes(content[:-1])
    assert inside(env, "check").returncode == 1


def test_a_prune_shows_and_removes_nothing_unasked(env) -> None:
    assert esteio(env, "run").returncode == 0
    unasked = inside(env, "prune")
    assert unasked.returncode == 1
    assert unasked.stdout.startswith("keep\t")
    assert unasked.stderr == "Nothing was done: say yes when asked, or pass --yes.\n"
    assert inside(env, "prune", "--yes").returncode == 0
    assert inside(env, "prune", "--dry-run").returncode == 0


def test_the_slot_is_dropped_when_asked(env, database: Dsn) -> None:
    assert inside(env, "receive-wal", "--drop-slot").stdout == "There was no slot.\n"
    query(database, "select pg_create_physical_replication_slot('esteio_wal')")
    assert inside(env, "receive-wal", "--drop-slot").stdout == "The slot is removed.\n"
    assert query(database, "select count(*) from pg_replication_slots where slot_name = 'esteio_wal'") == [(0,)]


def test_the_version_is_told(env) -> None:
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-m", "esteio", "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("esteio ")
