"""Which archives a dump is made of, and what pg_dump is told for each.

Promises: pure. Together they hold everything once: a small database in one archive, a larger one in its schema and
its data, the tables spread over as many archives as are dumped at the same time. Each is read by pg_restore alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from esteio.backup.dump._digests import Table

__all__ = ["DATA", "SCHEMA", "SMALL", "WHOLE", "Archive", "archives"]

WHOLE, SCHEMA, DATA = "database", "schema", "data"
"""Roles of the files: everything; all but the rows; rows."""
SMALL = 32 * 1024 * 1024  # bytes of content below which one archive does
_LITTLE = 1024 * 1024  # bytes of a table that is not worth a name on a command line
_NAMES = 24_000  # characters of tables' names on one command line, which has 32 kB on Windows


@dataclass(frozen=True, slots=True)
class Archive:
    """One run of pg_dump: the file's name, its role, and what is asked for."""

    name: str
    role: str
    arguments: tuple[str, ...] = ()


def archives(tables: Sequence[Table], objects: int, jobs: int, major: int) -> list[Archive]:
    """Those of a database with `tables` and `objects` bytes of large objects, `jobs` of them with data."""
    # A restored database plans well at once; before 18 it has to be analysed.
    statistics = ("--statistics",) if major >= 18 else ()
    if objects + sum(table.size for table in tables) < SMALL:
        return [Archive("database.dump", WHOLE, statistics)]
    named = _spread(tables, objects, jobs)
    # The first has what no other names: small tables, sequences, large objects, what belongs to extensions.
    apart = [table for group in named for table in group]
    rest = [("--section=data", *statistics, *_each("--exclude-table-data", apart))]
    rest += [("--section=data", "--strict-names", *_each("--table", group)) for group in named]
    return [
        Archive("schema.dump", SCHEMA, ("--section=pre-data", "--section=post-data", *statistics)),
        *(Archive(f"data_{number}.dump", DATA, each) for number, each in enumerate(rest, 1)),
    ]


def _spread(tables: Sequence[Table], objects: int, jobs: int) -> list[list[Table]]:
    """The tables of every stream but the first: the largest is dealt first, always to who has least."""
    largest = _worth_naming(tables)
    groups: list[list[Table]] = [[] for _ in range(jobs)]
    loads = [objects + sum(table.size for table in tables) - sum(table.size for table in largest)] + [0] * (jobs - 1)
    for table in largest:
        least = loads.index(min(loads))
        loads[least] += table.size
        groups[least].append(table)
    return [group for group in groups[1:] if group]


def _worth_naming(tables: Sequence[Table]) -> list[Table]:
    """The largest first, as many as fit; not those that pg_dump might read as another name, or that are too small."""
    smallest = max(_LITTLE, sum(table.size for table in tables) // 2000)
    # It takes its arguments for the encoding of the database, which need not be that of ours.
    plain = [table for table in tables if table.size > smallest and (table.schema + table.relation).isascii()]
    largest = sorted(plain, key=lambda table: -table.size)
    lengths = accumulate(len(_quoted(table.relation)) + 1 for table in largest)
    return [table for table, length in zip(largest, lengths, strict=True) if length <= _NAMES]


def _each(option: str, tables: Sequence[Table]) -> list[str]:
    """`option` for all tables of a schema at once: for each pattern pg_dump asks the server anew."""
    schemas: dict[str, list[str]] = {}
    for table in tables:
        schemas.setdefault(table.schema, []).append(_quoted(table.relation))
    return [f"{option}={_quoted(schema)}.{'|'.join(names)}" for schema, names in schemas.items()]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
