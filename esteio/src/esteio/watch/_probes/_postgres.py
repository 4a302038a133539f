"""A probe of PostgreSQL: a real query over a new connection."""

from __future__ import annotations

import time

from esteio.extras import needs
from esteio.health import Status, Unwell
from esteio.watch._config import PostgresProbe

with needs("postgres"):
    import psycopg

__all__ = ["ask_postgres"]


async def ask_postgres(probe: PostgresProbe) -> float:
    """Milliseconds for the connection and the query."""
    milliseconds = int(probe.timeout * 1000)
    began = time.perf_counter()
    try:
        # The server ends by itself what we no longer wait for.
        connection = await psycopg.AsyncConnection.connect(
            probe.url, autocommit=True, application_name="esteio watch",
            options=f"-c statement_timeout={milliseconds} -c default_transaction_read_only=on",
        )  # fmt: skip
        async with connection:
            role = await (await connection.execute("select pg_is_in_recovery()")).fetchone()
            row = await (await connection.execute(probe.query.encode())).fetchone()
    except psycopg.OperationalError as error:
        raise Unwell(_reason(error)) from error
    except psycopg.Error as error:
        raise Unwell(f"the query failed: {type(error).__name__}") from error
    taken = (time.perf_counter() - began) * 1000
    found = "standby" if role is not None and role[0] else "primary"
    if probe.role not in ("any", found):
        raise Unwell(f"it is a {found}, not a {probe.role}", observed=taken)
    if row is None or (probe.expect and str(row[0]) != probe.expect):
        raise Unwell(
            "the query found something else than expected" if row else "the query found no row", observed=taken
        )
    if taken > probe.slow * 1000:
        raise Unwell(f"took more than {probe.slow:g} s", observed=taken, status=Status.WARN)
    return taken


def _reason(error: psycopg.OperationalError) -> str:
    """Without the server's own words, which name addresses and users."""
    if error.sqlstate is not None:
        return f"refused with SQLSTATE {error.sqlstate} ({type(error).__name__})"
    return "no connection"
