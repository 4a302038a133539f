"""What may be a secret of roles and settings stands in no manifest and in no plain backup; what is missing is named."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from trial_database import query

from esteio.backup import Backups, LeftOut, default_packing
from esteio.backup.dump import for_missing_roles
from esteio.backup.dump._globals import without_secrets, without_values
from esteio.backup.dump._toc import ArchiveUnknown, WithoutProperties
from esteio.backup.packing import Decryption, Encryption
from esteio.backup.store import Stores, open_store
from esteio.postgres import Dsn
from esteio.testing.postgres import PostgresServer

SECRET = "o segredo;\nalter role nobody set \"a.b\" to 'x'; ''"
GLOBALS = """\
--
-- PostgreSQL database cluster dump
--

\\restrict abc

CREATE ROLE "dona; ç";
ALTER ROLE "dona; ç" SET "app.key" TO 'linha 1;
ALTER ROLE x SET "y.z" TO ''w'';
linha 3';
ALTER ROLE "dona; ç" SET search_path TO 'a', 'b;c';
ALTER ROLE "dona; ç" IN DATABASE "x y" SET "App.Other" TO E'\\\\'';';
ALTER ROLE app SET "pg_trgm.similarity_threshold" TO '0.5';
\\unrestrict abc
"""


def test_settings_that_may_be_secrets_are_left_out_whole_and_named() -> None:
    kept, left = without_secrets(GLOBALS)
    assert left == (("dona; ç", "app.key"),)  # that of a database is named by the database's own list
    assert "linha" not in kept
    assert "Other" not in kept
    assert kept.startswith("--\n-- PostgreSQL")
    assert [line for line in kept.splitlines() if line and not line.startswith("--")] == [
        "\\restrict abc",
        'CREATE ROLE "dona; ç";',
        "ALTER ROLE \"dona; ç\" SET search_path TO 'a', 'b;c';",
        "ALTER ROLE app SET \"pg_trgm.similarity_threshold\" TO '0.5';",
        "\\unrestrict abc",
    ]
    assert for_missing_roles(GLOBALS, {"app"}).count("\n") == 5  # three statements, one of them with three lines
    with pytest.raises(ValueError, match="does not end"):
        without_secrets(GLOBALS + 'ALTER ROLE x SET "app.key" TO \'half')
    assert without_values([("", "work_mem=8MB"), ("", "app.key=x=y"), ("r", "plpgsql.extra_errors=all")]) == (
        (("", "work_mem=8MB"), ("r", "plpgsql.extra_errors=all")),
        (("", "app.key=x=y"),),
    )


@pytest.fixture
def city(database: Dsn) -> Iterator[Dsn]:
    """A database with a role of its own and every place in which a secret can stand."""
    name, value = database.database, SECRET.replace("'", "''")
    query(database, "create role clara login password 'a-senha-dela'; grant select on conta to clara")
    query(
        database, f"alter database \"{name}\" set app.key = '{value}'; alter database \"{name}\" set work_mem = '8MB'"
    )
    query(database, f"alter role clara set app.own = '{value}'")
    query(database, f"alter role clara in database \"{name}\" set app.pair = '{value}'")
    yield database
    query(database, "drop owned by clara; drop role clara")


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[PostgresServer]:
    other = PostgresServer()
    other.start()
    yield other
    other.stop()


def test_the_head_of_an_archive_is_read_or_refused(tmp_path: Path) -> None:
    """By any reading in pieces; what is no archive, a later version or cut short is not passed on."""
    head = b"PGDMP" + bytes([1, 17, 0, 4, 8, 1, 0])
    for wrong, reason in ((b"no archive", "it is none"), (head, "version 1.17"), (b"PGDMP\x01\x10\x00\x04", "not end")):
        with pytest.raises(ArchiveUnknown, match=reason):
            WithoutProperties(io.BytesIO(wrong)).read(1)


def read(path: Path) -> bytes:
    content = path.read_bytes()
    return zstandard.ZstdDecompressor().decompressobj().decompress(content) if path.suffix == ".zst" else content


def test_a_plain_backup_holds_no_secret_and_its_restore_says_what_is_missing(
    city: Dsn, tmp_path: Path, elsewhere: PostgresServer
) -> None:
    stores = Stores([open_store(str(tmp_path / "cópias"))])
    backups = Backups(city, stores, self_init=True)
    manifest = backups.run(verify=False).manifest
    for path in (tmp_path / "cópias").rglob("*"):
        if path.is_file() and path.suffix in (".zst", ".json"):
            assert b"o segredo" not in read(path), path.name
            assert b"SCRAM-SHA" not in read(path), path.name
    there = Backups(elsewhere.dsn("outra"), stores, self_init=True)
    done = there.restore_into("outra")
    assert done.left_out is not None
    assert "clara" in done.left_out.passwords  # the roles of the whole server: other tests may have left some, too
    assert done.left_out.settings == (("", "app.key"), ("clara", "app.pair"), ("clara", "app.own"))
    assert ("clara",) in query(elsewhere.dsn(), "select rolname from pg_roles")
    assert there.restore_into("mais uma").left_out == LeftOut((), (("", "app.key"), ("clara", "app.pair")))
    # In its own place what the backup does not hold is taken over from the database that it replaces.
    done = backups.restore_in_place(lambda name: True)
    assert done.left_out is None
    with_values = (
        "select array_agg(each order by each) from pg_db_role_setting, unnest(setconfig) each where setdatabase = (%s)"
    )
    oid = "select oid from pg_database where datname = current_database()"
    expected = sorted([f"app.key={SECRET}", f"app.pair={SECRET}", "work_mem=8MB"])
    assert query(city, with_values.replace("%s", oid)) == [(expected,)]
    assert manifest.database is not None
    assert manifest.database.settings == (("", "work_mem=8MB"),)
    query(city.with_(database="postgres"), f'drop database "{done.kept}"')
    for name in ("outra", "mais uma"):
        elsewhere.drop_database(name)
    query(elsewhere.dsn(), "drop role clara")


def test_an_encrypted_backup_keeps_them_apart_from_its_manifest_and_brings_them_back(
    city: Dsn, tmp_path: Path, elsewhere: PostgresServer
) -> None:
    encryption = Encryption.passphrase("correct horse")
    backups = Backups(
        city,
        Stores([open_store(str(tmp_path))]),
        packing=lambda: replace(default_packing(), encryption=encryption),
        key=lambda file: Decryption.passphrase("correct horse", file or b""),
        self_init=True,
    )
    done = backups.run()
    assert done.verification is not None
    assert done.verification.ok
    assert not (tmp_path / done.manifest.id / "settings.json.zst").exists()
    assert b"o segredo" not in (tmp_path / done.manifest.id / "manifest.json").read_bytes()
    assert "PASSWORD 'SCRAM-SHA-256$" in backups.reader().text("globals")
    name = f"cifrada {os.getpid()}"
    target = Backups(
        elsewhere.dsn(name), Stores([open_store(str(tmp_path))]), key=backups.database._key, self_init=True
    )
    assert target.restore_into(name).left_out is None
    assert query(elsewhere.dsn(name), "select current_setting('app.key')") == [(SECRET,)]
