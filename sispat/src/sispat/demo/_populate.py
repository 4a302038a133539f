"""Fill an empty, migrated database with the demo city.

Promises: all or nothing, in one transaction; a database that holds anything else is refused untouched
(`DatabaseNotEmpty`); a database that already holds this demo is left as it is, within milliseconds. Two that start at
once: one fills, the other waits and finds it done. Runs as the owner of the tables.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg

from esteio.postgres import Dsn
from sispat.demo._city import COLUMNS, City
from sispat.demo._imoveis import CLASSES, IMOVEIS, insert_imoveis
from sispat.demo._movements import MOVEMENTS, insert_movements
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _
from sispat.pessoas.passwords import hash_password

__all__ = ["LOGINS", "DatabaseNotEmpty", "DemoSummary", "populate"]

LOGINS = (
    ("admin@demo.local", "demo", "administrador"),
    ("gestor@demo.local", "demo", "gestor"),
    ("responsavel@demo.local", "demo", "responsavel"),
    ("consulta@demo.local", "demo", "consulta"),
)
"""E-mail, password and role of the demo's users, for the start message."""

_MARKER = UUID("de300000-0000-4000-8000-000000000001")  # the audit record that says which demo this is
_LOCK = 0x515_DE30  # advisory lock key
_BATCH = 10_000  # assets between two calls of `progress`
_MANY = 20_000  # from here on building the indexes at the end is faster than keeping them up
_MOST = 10_000_000


class DatabaseNotEmpty(SispatError):
    """The database holds what this demo did not make: `found` counts it by table."""

    code = "banco-nao-vazio"

    def __init__(self, found: dict[str, int], demo: tuple[int, int] | None = None) -> None:
        self.found, self.demo = dict(found), demo
        what = ", ".join(_("%(number)s em “%(table)s”", number=count, table=table) for table, count in found.items())
        if demo is not None:
            what = _("outra demonstração (tamanho %(size)s, semente %(seed)s)", size=demo[0], seed=demo[1])
        super().__init__(
            _(
                "O banco não está vazio: há %(found)s. A demonstração não se mistura com outros dados e nada foi gravado. "
                "Aponte DATABASE_URL para um banco vazio, ou inicie sem a demonstração.",
                found=what,
            )
        )


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What the demo holds; `created` is False where it was there already."""

    created: bool
    size: int
    seed: int
    setores: int
    locais: int
    agentes: int
    classes: int
    patrimonios: int


def populate(
    dsn: Dsn | str,
    *,
    size: int = 5000,
    seed: int = 2026,
    progress: Callable[[int, int], None] | None = None,
) -> DemoSummary:
    """Make the demo city with `size` assets (1 to 10,000,000); `progress(done, total)` is called on the way.

    Raises `DatabaseNotEmpty`, or psycopg's errors where the database cannot be reached or is not migrated.
    """
    if not 1 <= size <= _MOST:
        raise ValueError(f"size is {size}; allowed: 1 to {_MOST} assets")
    with psycopg.connect(dsn.conninfo if isinstance(dsn, Dsn) else dsn) as conn:
        existing = _existing(conn)
        if existing is None:
            conn.execute("set local statement_timeout = 0")
            conn.execute("set local lock_timeout = 0")
            conn.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
            existing = _existing(conn)
        if existing is None:
            _refuse_foreign_data(conn)
            return _create(conn, City(size, seed), seed, progress or _silent)
        if (existing.size, existing.seed) != (size, seed):
            raise DatabaseNotEmpty({}, (existing.size, existing.seed))
        return existing


def _silent(_done: int, _total: int) -> None:
    """Nobody is looking."""


def _existing(conn: psycopg.Connection[Any]) -> DemoSummary | None:
    row = conn.execute(
        """select e.depois from evento e join usuario u on u.id = e.ator_id
           where e.entidade_id = %s and e.entidade = 'demo' and u.email = %s""",
        [_MARKER, LOGINS[0][0]],
    ).fetchone()
    return None if row is None else _summary(row[0], created=False)


def _summary(noted: dict[str, int], *, created: bool) -> DemoSummary:
    """From what the audit record of the demo says, whose words are kept in databases."""
    registers = {name: noted[name] for name in ("setores", "locais", "agentes", "classes", "patrimonios")}
    return DemoSummary(created, noted["tamanho"], noted["semente"], **registers)


def _refuse_foreign_data(conn: psycopg.Connection[Any]) -> None:
    found = {}
    for table in ("usuario", "setor", "local", "agente", "classe", "patrimonio", "evento"):
        row = conn.execute(f"select count(*) from (select from {table} limit 1000000) t").fetchone()  # noqa: S608
        if row and row[0]:
            found[table] = int(row[0])
    if found:
        raise DatabaseNotEmpty(found)


def _create(conn: psycopg.Connection[Any], city: City, seed: int, progress: Callable[[int, int], None]) -> DemoSummary:
    progress(0, city.size)
    _registers(conn, city)
    indexes = _drop_indexes(conn) if city.size >= _MANY else []
    admin = city.usuarios[0][0]
    rows, done = city.patrimonios(), 0
    while batch := list(islice(rows, _BATCH)):
        _copy(conn, "patrimonio", COLUMNS, batch)
        _copy(conn, "evento", _EVENT_COLUMNS, _events(batch, admin))
        done += len(batch)
        progress(done, city.size)
    conn.execute("update numeracao set ultimo = %s where escopo = 'patrimonio' and exercicio = 0", [done])
    for index in indexes:
        conn.execute(index)
    insert_imoveis(conn, city, seed, admin)
    insert_movements(conn, admin)
    noted = {
        "tamanho": city.size, "semente": seed, "setores": len(city.setores), "locais": len(city.locais),
        "agentes": len(city.agentes), "classes": len(city.classes) + len(CLASSES), "patrimonios": done,
    }  # fmt: skip
    _copy(conn, "evento", _EVENT_COLUMNS, [(admin, "demo", "demo", str(_MARKER), "criar", json.dumps(noted))])
    for table in (
        "usuario",
        "setor",
        "local",
        "agente",
        "classe",
        "numeracao",
        "patrimonio",
        "evento",
        *IMOVEIS,
        *MOVEMENTS,
    ):
        conn.execute(f"analyze {table}")
    return _summary(noted, created=True)


def _registers(conn: psycopg.Connection[Any], city: City) -> None:
    senha_hash = hash_password(LOGINS[0][1])  # one hash for all: the password is printed at every start
    usuarios = [(*usuario, senha_hash) for usuario in city.usuarios]
    _copy(conn, "usuario", ("id", "email", "nome", "papel", "senha_hash"), usuarios)
    _copy(conn, "setor", ("id", "codigo", "nome", "pai_id"), city.setores)
    _copy(conn, "usuario_setor", ("usuario_id", "setor_id"), city.setores_do_responsavel)
    _copy(conn, "local", ("id", "setor_id", "nome"), city.locais)
    _copy(conn, "agente", ("id", "nome", "matricula", "cargo", "setor_id", "cpf"), city.agentes)
    columns = ("id", "conta", "nome", "vida_util_meses", "residual_pct", "depreciavel")
    _copy(conn, "classe", columns, [*city.classes, *CLASSES])


_EVENT_COLUMNS = ("ator_id", "requisicao", "entidade", "entidade_id", "acao", "depois")


def _events(batch: Iterable[tuple[Any, ...]], admin: str) -> Iterator[tuple[Any, ...]]:
    for id_, numero, descricao, *_rest in batch:
        depois = f'{{"numero": {numero}, "descricao": "{descricao}"}}'
        yield admin, "demo", "patrimonio", id_, "criar", depois


def _copy(conn: psycopg.Connection[Any], table: str, columns: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """COPY as text, joined here: the demo's words need no escaping, and psycopg's row by row costs twice the time."""
    text = "".join(["\t".join(["\\N" if valor is None else str(valor) for valor in row]) + "\n" for row in rows])
    with conn.cursor().copy(f"copy {table} ({', '.join(columns)}) from stdin") as copy:
        copy.write(text)


def _drop_indexes(conn: psycopg.Connection[Any]) -> list[str]:
    """Drop the indexes of the big tables that carry no constraint; the statements that make them again."""
    found = conn.execute(
        """select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) from pg_index i
           where i.indrelid in ('patrimonio'::regclass, 'evento'::regclass) and not i.indisunique
           order by i.indexrelid""",
    ).fetchall()
    for name, _definition in found:
        conn.execute(f"drop index {name}")
    return [definition for _name, definition in found]
