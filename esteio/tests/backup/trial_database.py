"""A database with everything that gets lost easily, and questions to a server."""

from __future__ import annotations

from pathlib import Path

import psycopg

from esteio.backup import Backups
from esteio.backup._marker import MARKER, Markers
from esteio.backup.store import Store, StoreFull, Stores, Upload, open_store
from esteio.postgres import Dsn

CONTENT = """
create table conta (
    id int primary key, nome text not null, quando timestamptz default '2026-01-02 03:04:05+00', x float8);
insert into conta (id, nome, x) select g, 'São João ' || g, g / 3.0 from generate_series(1, 5000) g;
create table "sem chave" ("o nome" text, dado bytea, lista int[], j jsonb);
insert into "sem chave" values ('ç', '\\x00ff', '{1,null}', '{"a": [1]}'), (null, null, null, null);
insert into "sem chave" select * from "sem chave";
create schema "Outro Esquema";
create table "Outro Esquema".vazia (a int, b int, c int, primary key (c, a));
create table dividida (id int, primary key (id)) partition by hash (id);
create table dividida_0 partition of dividida for values with (modulus 2, remainder 0);
create table dividida_1 partition of dividida for values with (modulus 2, remainder 1);
insert into dividida select generate_series(1, 100);
create view vista as select count(*) from conta;
create sequence seq start 7;
select nextval('seq');
select lo_from_bytea(0, decode(repeat('00ff', 100000), 'hex'));
"""


def query(dsn: Dsn, statement: str) -> list[tuple]:
    """All rows of a statement, committed."""
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        cursor = conn.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def initialised(root: Path) -> str:
    """`root` as a store for backups, made as `backup init` makes it."""
    Markers(Stores([open_store(str(root))]), "backup").init(encrypted=False, system=None)
    return str(root)


def same_set(model: Path, root: Path) -> None:
    """Make `root` a store of the set that the backup `model` belongs to."""
    root.mkdir(parents=True, exist_ok=True)
    (root / MARKER).write_bytes((model.parent / MARKER).read_bytes())


def red(backups: Backups) -> str:
    """The problems of a status, in words."""
    return "; ".join(map(str, backups.status().problems))


def names(dsn: Dsn, beginning: str = "") -> list[str]:
    """Databases on the server whose name begins so."""
    return sorted(name for (name,) in query(dsn, "select datname from pg_database") if name.startswith(beginning))


class FullFrom:
    """The store `inner`, named half, whose disk is full when a file with `word` in its name comes."""

    name = "half"

    def __init__(self, inner: Store, word: str) -> None:
        self._inner = inner
        self._word = word

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def open(self, key: str) -> Upload:
        """Refuses that file."""
        if self._word in key:
            raise StoreFull(self.name, key, "no space left")
        return self._inner.open(key)
