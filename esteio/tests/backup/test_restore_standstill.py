"""A restore to the last moment, of a server that people write to until it is closed: nothing acknowledged is missing in it."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from esteio.backup import Backups, RestoreRefused
from esteio.backup.archive import WalArchive
from esteio.backup.cluster import _standstill
from esteio.backup.packing import Packing
from esteio.backup.store import Stores, open_store
from esteio.backup.tools import Toolbox
from esteio.postgres.embedded import Embedded

pytestmark = pytest.mark.timeout(120)

_SETTINGS = {"fsync": "off", "shared_buffers": "32MB", "deadlock_timeout": "200ms"}


class City:
    """A server with a base backup and its archive, kept up by nobody; the table `saved` has the row `base`."""

    def __init__(self, home: Path) -> None:
        self.server = Embedded(home / "data", settings=_SETTINGS)
        self.server.start()
        stores = Stores([open_store(str(home / "disk"))])
        self.backups = Backups(self.server.dsn(), stores, self_init=True)
        self.new_archive = lambda: WalArchive(
            self.server.dsn, home / "disk", stores, Toolbox(18), lambda: Packing(level=1)
        )
        self.receive()
        with self.session() as conn:
            conn.execute("CREATE TABLE saved (what text PRIMARY KEY)")
            conn.execute("INSERT INTO saved VALUES ('base')")
        self.backups.run(kind="base", verify=False)

    def receive(self) -> None:
        self.archive = self.new_archive()
        self.archive.start()

    def session(self) -> psycopg.Connection[tuple[str, ...]]:
        return psycopg.connect(self.server.dsn().conninfo, autocommit=True)

    def restore(self, target: datetime | None = None, *, quiet: object = None, progress: object = None) -> set[str]:
        """What is saved after a restore to `target` (None: the last moment)."""
        ours = Embedded(self.server.data_dir, settings=_SETTINGS)
        look = progress or (lambda *_: None)
        _, kept = self.backups.recover_server(ours, lambda _: True, target, look, quiet=quiet)  # type: ignore[arg-type]
        assert kept is not None
        shutil.rmtree(kept)
        self.server.start()
        return self.saved()

    def saved(self) -> set[str]:
        with self.session() as conn:
            return {what for (what,) in conn.execute("SELECT what FROM saved")}

    def end(self) -> None:
        self.archive.stop(0.0)
        self.server.stop()


@pytest.fixture
def city() -> Iterator[City]:
    home = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    home.chmod(0o711)
    made = City(home)
    yield made
    made.end()
    shutil.rmtree(home)


def test_what_was_under_way_when_the_service_closed_is_restored(city: City) -> None:
    """Of a request that passed the switch: it commits, and is acknowledged, when the restore has begun."""
    late: list[threading.Thread] = []

    def commit(conn: psycopg.Connection[tuple[str, ...]]) -> None:
        time.sleep(0.7)
        conn.execute("COMMIT")
        conn.close()

    @contextmanager
    def quiet() -> Iterator[None]:
        conn = city.session()
        conn.execute("BEGIN")
        conn.execute("INSERT INTO saved VALUES ('late')")
        late.append(threading.Thread(target=commit, args=[conn]))
        late[0].start()
        yield

    assert city.restore(quiet=quiet()) == {"base", "late"}
    late[0].join()


def test_who_writes_while_it_is_restored_is_told_that_it_was_not_saved_and_reading_goes_on(city: City) -> None:
    told: list[Exception] = []
    read: list[set[str]] = []

    def write() -> None:
        try:
            with city.session() as conn:
                conn.execute("INSERT INTO saved VALUES ('never')")
        except psycopg.Error as error:
            told.append(error)

    writers: list[threading.Thread] = []

    def look(step: str, *_: object) -> None:
        if step == "restore" and not writers:
            writers.append(threading.Thread(target=write))
            writers[0].start()
        if step == "stop":
            read.append(city.saved())

    assert city.restore(progress=look) == {"base"}
    writers[0].join()
    assert [error.sqlstate for error in told] == ["57P01"], "it waited, and the server ended"
    assert read == [{"base"}]


def test_who_does_not_end_is_ended_and_was_never_told_that_it_was_saved(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_standstill, "_SETTINGS", "-c lock_timeout=300")
    forgotten = city.session()
    forgotten.execute("BEGIN")
    forgotten.execute("INSERT INTO saved VALUES ('forgotten')")
    assert city.restore() == {"base"}
    with pytest.raises(psycopg.OperationalError):
        forgotten.execute("COMMIT")


def test_what_is_only_prepared_refuses_the_restore(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows whether it is to be committed, and no session holds it that could be ended."""
    monkeypatch.setattr(_standstill, "_SETTINGS", "-c lock_timeout=300")
    monkeypatch.setitem(_SETTINGS, "max_prepared_transactions", "2")
    home = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    home.chmod(0o711)
    city = City(home)
    with city.session() as conn:
        conn.execute("BEGIN")
        conn.execute("INSERT INTO saved VALUES ('prepared')")
        conn.execute("PREPARE TRANSACTION 'half'")
        with pytest.raises(RestoreRefused, match="the tables of postgres cannot be locked against writing"):
            city.restore()
        conn.execute("COMMIT PREPARED 'half'")
    assert city.saved() == {"base", "prepared"}
    city.end()
    shutil.rmtree(home)


def test_more_tables_than_can_be_locked_refuse_the_restore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_SETTINGS, "max_locks_per_transaction", "10")
    monkeypatch.setitem(_SETTINGS, "max_connections", "10")
    home = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    home.chmod(0o711)
    city = City(home)
    with city.session() as conn:
        for number in range(3000):
            conn.execute(f"CREATE TABLE t{number} ()".encode())
    with pytest.raises(RestoreRefused, match="the tables of postgres cannot be locked against writing: out of shared"):
        city.restore()
    assert city.saved() == {"base"}
    city.end()
    shutil.rmtree(home)


def test_a_moment_that_the_archive_has_not_yet_is_waited_for_while_the_server_runs(city: City) -> None:
    city.archive.stop(1.0)  # its receiver is away for a moment
    with city.session() as conn:
        conn.execute("INSERT INTO saved VALUES ('before')")
        row = conn.execute("SELECT pg_catalog.clock_timestamp()").fetchone()
        assert row is not None
        moment = datetime.fromisoformat(str(row[0]))
        conn.execute("INSERT INTO saved VALUES ('mistake')")
    back = threading.Timer(1.0, city.receive)
    back.start()
    assert city.restore(moment) == {"base", "before"}
    back.join()


def test_a_moment_that_no_receiver_brings_is_refused_and_the_server_goes_on(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_standstill, "_ARRIVAL", 0.3)
    city.archive.stop(1.0)
    with city.session() as conn:
        conn.execute("INSERT INTO saved VALUES ('not received')")
    with pytest.raises(RestoreRefused, match="did not arrive"):
        city.restore(datetime.now(UTC))
    with pytest.raises(RestoreRefused, match="can't be reached"):
        city.restore(datetime.now(UTC) + timedelta(hours=1))
    assert city.saved() == {"base", "not received"}


def test_without_the_last_wal_the_server_goes_on_with_all_it_has(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_standstill, "_ARRIVAL", 0.3)
    city.archive.stop(1.0)
    with city.session() as conn:
        conn.execute("INSERT INTO saved VALUES ('not received')")
    with pytest.raises(RestoreRefused, match="with what was written last, did not arrive"):
        city.restore()
    with city.session() as conn:
        conn.execute("INSERT INTO saved VALUES ('afterwards')")
    assert city.saved() == {"base", "not received", "afterwards"}
