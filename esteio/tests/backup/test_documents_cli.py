"""`esteio backup` with documents: what is said, and where they go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from documents_desk import tree
from test_backup_cli import esteio
from trial_database import initialised
from typer.testing import CliRunner

from esteio.cli import backup_commands
from esteio.cli._show import documents_taken
from esteio.cli._words import ENGLISH
from esteio.postgres import Dsn


def test_documents_go_the_whole_way_from_run_to_restore(database: Dsn, tmp_path: Path) -> None:
    uploads = tmp_path / "enviados"
    uploads.mkdir()
    (uploads / "a.pdf").write_text("antes")
    past = tree(uploads)
    env = {**os.environ, "DATABASE_URL": database.url, "BACKUP_DIR": initialised(tmp_path / "cópias"), "NO_COLOR": "1"}
    env["BACKUP_DOCUMENTS"] = str(uploads)
    made = esteio(env, "run", "--no-verify")
    assert made.returncode == 0, made.stderr
    assert "With it 1 documents, 5 B; 1 of them were new, 5 B.\n" in made.stdout
    assert "Going through the documents ...\n" in made.stderr
    (uploads / "a.pdf").write_text("agora")
    beside = esteio(env, "restore", "--documents", str(tmp_path / "conferir"))
    assert beside.stdout == f"Restored 1 documents, 5 B, as they should be, into {tmp_path / 'conferir'}.\n"
    assert tree(tmp_path / "conferir") == past
    restored = esteio(env, "restore", "--in-place", "--yes")
    assert restored.returncode == 0, restored.stderr
    assert f"Restored 1 documents, 5 B, as they should be, into {uploads}.\n" in restored.stdout
    assert f"The documents of before are kept in {uploads}.before-" in restored.stdout
    assert tree(uploads) == past


def test_options_for_documents_that_do_not_fit_are_refused() -> None:
    commands = backup_commands(lambda _database: pytest.fail("opened although the options do not fit"))
    for options in ("--in-place --documents x", "--into x --no-documents", "--to last --directory x --no-documents"):
        refused = CliRunner(env={"COLUMNS": "200"}).invoke(commands, ["restore", *options.split()])
        assert refused.exit_code == 2
        assert "--documents DIR goes alone or with --into" in refused.output


def test_what_is_odd_is_said_and_what_is_not_there_is_not() -> None:
    about = {
        "files": 3,
        "size": 2000,
        "new": 1,
        "new_size": 10,
        "vanished": 0,
        "changed": 1,
        "unreadable": 0,
        "special": 2,
    }
    assert documents_taken({}, ENGLISH) == []
    [made, odd] = documents_taken(about, ENGLISH)
    assert made == "With it 3 documents, 2.0 kB; 1 of them were new, 10 B."
    assert "1 were being written to" in odd
    assert "2 links and devices were passed over" in odd
