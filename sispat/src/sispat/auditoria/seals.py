"""Seals over the audit: who changes, removes or slips in a record afterwards, even as the database's owner, is found out.

Promises: each seal is the sha256 of the one before it and of the records since, at most `_MOST` of them, so a difference is
found within as many. A record is sealed some hours after it was written, once no transaction is left that could write one
before it. Who could rewrite all seals too is found out by a seal noted elsewhere: `verify` compares it.

What a seal covers is in migration 0031 (`hash_do_evento`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from sispat.auditoria import sql

__all__ = ["Finding", "Seal", "Verified", "last_seal", "seal", "verify"]

_MOST = 1000
_AT_ONCE = 100  # seals of one call, so of one transaction
_LOCK = 7_236_028  # of the advisory lock: one process seals at a time


@dataclass(frozen=True, slots=True)
class Seal:
    """Of the records up to `last_id`, that is of `count` since the one before."""

    number: int
    last_id: int
    count: int
    at: dt.datetime
    hash: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """What doesn't fit: `kind` is records, missing (seals) or noted (a seal that somebody wrote down)."""

    kind: str
    number: int
    first_id: int = 0
    last_id: int = 0
    sealed: int = 0
    found: int = 0


@dataclass(frozen=True, slots=True)
class Verified:
    """What `verify` read, and what it found."""

    seals: int
    records: int
    unsealed: int
    last: Seal | None
    findings: tuple[Finding, ...]


async def seal(conn: AsyncConnection[Any]) -> int:
    """Seal what can be sealed now; how many seals were made. Another process at it: none."""
    made = 0
    async with conn.transaction():
        if not await _one(conn, "select pg_try_advisory_xact_lock(%s)", [_LOCK]):
            return 0
        await conn.execute(sql.STALE)
        await conn.execute(sql.BEGUN)
        until = await _one(conn, sql.SETTLED)
        if until is not None:
            made = await _seal_until(conn, until)
        if made < _AT_ONCE and (until is not None or not await _one(conn, "select true from auditoria_corte")):
            await conn.execute(sql.CUT)
    return made


async def _seal_until(conn: AsyncConnection[Any], until: int) -> int:
    last = await last_seal(conn)
    number, after, before = (last.number, last.last_id, last.hash) if last else (0, 0, b"")
    for made in range(_AT_ONCE):
        row = await (await conn.execute(sql.HASH, [before, after, until, _MOST])).fetchone()
        if row is None or not row[0]:
            return made
        number, after, before = number + 1, row[1], row[2]
        await conn.execute(
            "insert into auditoria_selo (numero, ate_id, quantos, hash) values (%s, %s, %s, %s)",
            [number, after, row[0], before],
        )
    return _AT_ONCE


async def last_seal(conn: AsyncConnection[Any]) -> Seal | None:
    """The newest one."""
    cursor = await conn.execute(f"{_SEALS} order by numero desc limit 1")
    row = await cursor.fetchone()
    return Seal(*row) if row else None


async def verify(conn: AsyncConnection[Any], noted: tuple[int, str] | None = None) -> Verified:
    """Compute all seals anew, and compare; `noted` is the number of one and the beginning of its hash, hexadecimal.

    After a seal that does not fit the next is compared on its own, so each difference is told once.
    """
    findings: list[Finding] = []
    seals, records, last = 0, 0, None
    async for each in _seals(conn):
        after, before = (last.last_id, last.hash) if last else (0, b"")
        expected = last.number + 1 if last else 1
        if each.number != expected:
            findings.append(Finding("missing", expected, sealed=each.number - expected))
        everything = each.last_id - after  # more records than that cannot be in between
        row = await (await conn.execute(sql.HASH, [before, after, each.last_id, everything])).fetchone()
        found, hashed = (row[0], row[2]) if row else (0, None)
        if each.number == expected and (hashed != each.hash or found != each.count):
            findings.append(Finding("records", each.number, after + 1, each.last_id, each.count, found))
        if noted and noted[0] == each.number and not each.hash.hex().startswith(noted[1].lower()):
            findings.append(Finding("noted", each.number))
        seals, records, last = seals + 1, records + found, each
    if noted and (last is None or noted[0] > last.number):
        findings.append(Finding("noted", noted[0]))
    unsealed = await _one(conn, "select count(*) from evento where id > %s", [last.last_id if last else 0])
    return Verified(seals, records, unsealed, last, tuple(findings))


_SEALS = "select numero, ate_id, quantos, em, hash from auditoria_selo"


async def _seals(conn: AsyncConnection[Any]) -> AsyncIterator[Seal]:
    after = 0
    while rows := await (
        await conn.execute(f"{_SEALS} where numero > %s order by numero limit 1000", [after])
    ).fetchall():
        for row in rows:
            yield Seal(*row)
        after = rows[-1][0]


async def _one(conn: AsyncConnection[Any], statement: str, values: list[Any] | None = None) -> Any:
    row = await (await conn.execute(statement, values)).fetchone()
    return row[0] if row else None
