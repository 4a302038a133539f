"""A database and its documents come back together, or both stay as they are."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime
from pathlib import Path

import pytest
from documents_desk import tree
from trial_database import names, query, red

from esteio.backup import Backups, RestoreRefused, Retention, VerificationFailed
from esteio.backup.store import Stores, open_store
from esteio.clock import SystemClock
from esteio.postgres import Dsn
from esteio.testing.postgres import PostgresServer

COUNT = "select count(*) from conta"


class Later(SystemClock):
    """The machine's clock, some days from now."""

    days = 0.0

    def time(self) -> float:
        return super().time() + self.days * 86400


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    made = tmp_path / "documentos da cidade"
    made.mkdir()
    for number in range(10):
        (made / f"ação {number}.pdf").write_text(f"documento {number}")
    return made


@pytest.fixture
def clock() -> Later:
    return Later()


@pytest.fixture
def both(database: Dsn, tmp_path: Path, uploads: Path, clock: Later) -> Backups:
    """Backups of `database` and `uploads`."""
    stores = Stores([open_store(str(tmp_path / "cópias"))])
    return Backups(
        database, stores, documents=uploads, clock=clock, retention=Retention(days=1, verified=1), self_init=True
    )


def change(database: Dsn, uploads: Path) -> dict[str, tuple]:
    query(database, "delete from conta where id > 10")
    (uploads / "ação 0.pdf").unlink()
    (uploads / "depois.pdf").write_text("depois")
    return tree(uploads)


def test_a_run_tries_the_documents_too_and_drops_what_no_backup_needs(
    both: Backups, uploads: Path, clock: Later, tmp_path: Path
) -> None:
    both.run(verify=False)
    (uploads / "ação 0.pdf").unlink()
    clock.days = 3
    told: list[tuple[str, int, int]] = []
    done = both.run(lambda step, amount, total, _: told.append((step, amount, total)))
    assert done.verification is not None
    assert "documents" in done.verification.checked
    assert ("documents", 99, 99) in told
    assert {each.id: each.reason for each in done.decisions if not each.keep}["documents"] == (
        "1 documents that no backup needs any more"
    )
    [entry] = both.entries()
    assert entry.verified
    assert entry.manifest is not None
    assert {part.role for part in entry.manifest.parts} == {"globals", "database", "documents", "document names"}
    victim = next((tmp_path / "cópias" / "documents").rglob("*.zst"))
    victim.write_bytes(victim.read_bytes()[:-1])
    with pytest.raises(VerificationFailed, match=rf"{victim.name}: document 'ação \d\.pdf': it ends in the middle"):
        both.verify()
    assert "failed its verification" in red(both)


def test_documents_come_back_with_their_database_and_the_present_ones_are_kept(
    both: Backups, database: Dsn, uploads: Path
) -> None:
    past = tree(uploads)
    both.run(verify=False)
    present = change(database, uploads)
    done = both.restore_in_place(lambda _name: True)
    assert query(database, COUNT) == [(5000,)]
    assert tree(uploads) == past
    assert done.documents is not None
    assert (done.documents.files, done.documents.directory) == (10, uploads)
    assert done.documents.kept is not None
    assert done.documents.kept.name.startswith("documentos da cidade.before-")
    assert tree(done.documents.kept) == present


def test_an_interrupt_at_any_step_leaves_database_and_documents_as_they_were(
    both: Backups, database: Dsn, uploads: Path
) -> None:
    both.run(verify=False)
    present = change(database, uploads)
    before = names(database)
    for moment in (("check", 0), ("documents", 0), ("restore", 0), ("compare", 0), ("swap", 0)):

        def interrupt(step: str, done: int, total: int, unit: str, moment: tuple[str, int] = moment) -> None:
            if step == moment[0] and done >= moment[1]:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            both.restore_in_place(lambda _name: True, progress=interrupt)
        assert names(database) == before
        assert query(database, COUNT) == [(10,)]
        assert tree(uploads) == present
        assert [path.name for path in uploads.parent.glob("documentos*")] == [uploads.name]


def test_a_database_whose_place_cannot_be_taken_leaves_the_documents_where_they_are(
    both: Backups, database: Dsn, uploads: Path, postgres_server
) -> None:
    both.run(verify=False)
    present = change(database, uploads)

    def rename_away(step: str, done: int, total: int, unit: str) -> None:
        if step == "swap":  # somebody else's hands: the swap finds no database of that name
            assert tree(uploads) != present
            admin = database.with_(database="postgres")
            query(
                admin, f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database.database}'"
            )
            query(admin, f'alter database "{database.database}" rename to "{database.database} fora"')

    with pytest.raises(Exception, match="does not exist"):
        both.restore_in_place(lambda _name: True, progress=rename_away)
    assert tree(uploads) == present
    assert not [name for name in names(database.with_(database="postgres")) if "_restoring_" in name]


def test_beside_the_present_documents_come_only_into_a_directory_that_is_named(
    both: Backups, database: Dsn, uploads: Path, tmp_path: Path
) -> None:
    past = tree(uploads)
    both.run(verify=False)
    present = change(database, uploads)
    assert both.restore_into(f"{database.database} a").documents is None
    done = both.restore_into(f"{database.database} b", documents=tmp_path / "conferir")
    assert done.documents is not None
    assert tree(tmp_path / "conferir") == past
    with pytest.raises(RestoreRefused, match="it exists"):
        both.restore_into(f"{database.database} c", documents=tmp_path / "conferir")
    assert f"{database.database} c" not in names(database)
    assert both.restore_in_place(lambda _name: True, documents=False).documents is None
    assert tree(uploads) == present


def test_documents_without_a_place_are_not_forgotten_in_silence(both: Backups, database: Dsn) -> None:
    both.run(verify=False)
    without = Backups(database, both.catalogue._stores, self_init=True)
    with pytest.raises(RestoreRefused, match="10 documents, and nobody said where they belong; set BACKUP_DOCUMENTS"):
        without.restore_in_place(lambda _name: pytest.fail("asked although it will not be done"))
    assert without.restore_in_place(lambda _name: True, documents=False).rows == 5105


@pytest.mark.timeout(180)
def test_the_documents_of_a_moment_come_back_with_the_cluster() -> None:
    home = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    home.chmod(0o711)
    server = PostgresServer()
    server.start()
    try:
        run_to_a_moment(server, home)
    finally:
        server.stop()
        shutil.rmtree(home)


def run_to_a_moment(server: PostgresServer, home: Path) -> None:
    uploads, clock = home / "uploads", Later()
    uploads.mkdir()
    (uploads / "before").write_text("before")
    backups = Backups(
        server.dsn(),
        Stores([open_store(str(home / "disk"))]),
        documents=uploads,
        scratch=home,
        clock=clock,
        self_init=True,
    )
    full = backups.run(kind="base", verify=False).manifest
    (uploads / "before").unlink()
    (uploads / "after").write_text("after")
    clock.days = 0.1
    backups.run(kind="dump", verify=False)
    (uploads / "after").unlink()
    (uploads / "now").write_text("now")
    ended = datetime.fromisoformat(full.details["ended"])
    data = home / "cluster"
    done = backups.recover(data, ended, documents=home / "there")
    assert done.documents is not None
    assert sorted(tree(home / "there")) == ["after", "before"]

    def interrupt(step: str, done: int, total: int, unit: str) -> None:
        if step == "swap":
            assert sorted(tree(uploads)) == ["after"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backups.recover_in_place(data, lambda _name: True, progress=interrupt)
    assert sorted(tree(uploads)) == ["now"]
    assert not list(home.glob("*.restoring-*"))
    with backups.documents.as_of(None) as beside:  # as the last lines of the same do, had they not been interrupted
        beside.fetch(lambda *_: None)
        beside.swap()
        beside.settle()
    assert sorted(tree(uploads)) == ["after"]
    assert beside.returned is not None
    assert beside.returned.kept is not None
    assert sorted(tree(beside.returned.kept)) == ["now"]
