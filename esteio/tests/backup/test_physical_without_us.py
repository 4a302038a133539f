"""The page "restore without our software", run as it stands, by an account that has nothing of ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pyrage
import pytest

from esteio.backup import Backups
from esteio.backup._files import BackupWriter
from esteio.backup.archive import WalArchive
from esteio.backup.base import take_base
from esteio.backup.packing import Encryption, Packing
from esteio.backup.store import Stores, open_store
from esteio.backup.tools import Toolbox
from esteio.postgres.embedded import find_binaries
from esteio.postgres.embedded._binaries import reachable_by
from esteio.testing.postgres import PostgresServer

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("zstd") is None, reason="the zstd program is not installed (apt install zstd)"),
]

PAGE = Path(__file__).parents[3] / "docs/how-to/restore-without-us.md"
BLOCKS = dict(re.findall(r"^```sh (\w+)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def home(server: PostgresServer) -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    yield made
    shutil.rmtree(made)


class Shell:
    """Runs blocks of the page as the server's account."""

    def __init__(self, server: PostgresServer, home: Path) -> None:
        self._account = server.embedded.account
        self._home = home
        self.programs = reachable_by(self._account, find_binaries(18)).directory
        for path in (home, *home.rglob("*")):
            self._account.own(path)

    def run(self, *names: str, **variables: object) -> str:
        script = "set -eu\n" + "\n".join(BLOCKS[name] for name in names)
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", script],
            env={"PATH": path, "LC_ALL": "C.UTF-8", **{name: str(value) for name, value in variables.items()}},
            cwd=self._home,
            capture_output=True,
            text=True,
            **self._account.popen,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout


def test_a_dump_is_restored_with_zstd_psql_and_pg_restore(server: PostgresServer, home: Path) -> None:
    source = server.create_database("patrimônio da cidade")
    with psycopg.connect(source.conninfo) as conn:
        conn.execute("CREATE TABLE bens AS SELECT n, 'bem ' || n AS nome FROM generate_series(1, 1000) n")
    made = Backups(source, Stores([open_store(str(home / "disk"))]), self_init=True).run(verify=False).manifest
    shell = Shell(server, home)
    folder = home / "disk" / made.id
    assert shell.run("check", BACKUP=folder).splitlines() == [f"{part.name}: OK" for part in made.parts]
    ((host, port),) = server.dsn().hosts
    shell.run("dump", BACKUP=folder, PGHOST=host, PGPORT=port, PGUSER="postgres", DATABASE="de volta")
    with psycopg.connect(server.dsn("de volta").conninfo) as conn:
        assert conn.execute("SELECT count(*), max(nome) FROM bens").fetchone() == (1000, "bem 999")


def test_a_cluster_is_restored_to_a_moment_with_zstd_tar_and_postgres(server: PostgresServer, home: Path) -> None:
    stores, toolbox, packing = Stores([open_store(str(home / "disk"))]), Toolbox(18), Packing(level=1)
    archive = WalArchive(server.dsn, home / "disk", stores, toolbox, lambda: packing, heartbeat=0.2, ship_every=0.1)
    archive.start()
    try:
        draft = BackupWriter(stores, "base", packing)
        draft.finish(take_base(draft, toolbox, server.dsn()))
        with psycopg.connect(server.dsn().conninfo, autocommit=True) as conn:
            conn.execute("CREATE TABLE bens ()")
            conn.execute("SELECT pg_switch_wal()")
            row = conn.execute("SELECT clock_timestamp()").fetchone()
            conn.execute("DROP TABLE bens")  # the accident
        dropped = time.time()
        while (archive.status().received_at or 0) < dropped + 0.5:
            time.sleep(0.05)
        system = archive.directory.name
    finally:
        archive.stop(10.0)
    assert row is not None
    shell = Shell(server, home)
    new, sockets = home / "new", home / "sockets"
    sockets.mkdir()
    server.embedded.account.own(sockets)
    given = {"BACKUP": home / "disk" / "base", "BACKUP_DIR": home / "disk", "NEW": new, "SOCKETS": sockets}
    given["SYSTEM"] = system
    shell.run("cluster", "moment", "start", MOMENT=row[0].isoformat(" "), **given)
    try:
        with psycopg.connect(host=str(sockets), user="postgres", dbname="postgres") as conn:
            assert conn.execute("SELECT to_regclass('bens')::text").fetchone() == ("bens",)
    finally:
        stop = [shell.programs / "pg_ctl", "-D", new, "-m", "immediate", "-w", "stop"]
        subprocess.run(stop, check=True, stdout=subprocess.DEVNULL, cwd="/", **server.embedded.account.popen)


def test_an_encrypted_base_is_opened_with_age(server: PostgresServer, home: Path) -> None:
    if shutil.which("age") is None:
        pytest.skip("the age program is not installed (apt install age)")
    identity = pyrage.x25519.Identity.generate()
    (home / "key").write_text(str(identity))
    stores = Stores([open_store(str(home / "disk"))])
    draft = BackupWriter(stores, "base", Packing(level=1, encryption=Encryption.to([str(identity.to_public())])))
    draft.finish(take_base(draft, Toolbox(18), server.dsn()))
    Shell(server, home).run("encrypted", BACKUP=home / "disk" / "base", KEY=home / "key", LIST=home / "list")
    assert "PG_VERSION" in (home / "list").read_text().splitlines()
