"""What a database tells of itself: numbers, statements, and names of its sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import FrozenInstanceError, fields

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from psycopg import IsolationLevel

from esteio.metrics import of_family, of_group
from esteio.postgres import Database, DatabaseStats, Dsn, PoolExhausted, tagged
from esteio.postgres.prometheus import export_database

_NAME = "SELECT current_setting('application_name')"


@pytest.fixture
async def database(postgres_database: str) -> AsyncIterator[Database]:
    dsn = Dsn.parse(postgres_database).with_(connection_limit=2, pool_timeout=5.0)
    async with Database(dsn, application_name="sispat w1") as database:
        yield database


async def test_waits_for_a_connection_are_counted_by_their_length(database: Database) -> None:
    await database.fetch_value("SELECT 1")
    before = database.stats().waits
    await asyncio.gather(*(database.fetch_value("SELECT 1 FROM pg_sleep(0.05)") for _ in range(6)))
    after = database.stats().waits
    assert after.count == before.count + 6
    assert after.longest >= 0.05
    assert after.quantile(1.0) == after.longest
    assert after.seconds == pytest.approx(database.stats().wait_seconds)


async def test_a_wait_in_vain_counts_too(postgres_database: str) -> None:
    dsn = Dsn.parse(postgres_database).with_(connection_limit=1, pool_timeout=0.1)
    async with Database(dsn) as database, database.connection():
        with pytest.raises(PoolExhausted):
            await database.fetch_value("SELECT 1")
        assert database.stats().waits.longest >= 0.1


async def test_statements_of_blocks_runs_and_single_calls_are_counted_together(database: Database) -> None:
    async def read(conn: psycopg.AsyncConnection[object]) -> None:
        await conn.execute("SELECT %s::int", [3])

    await database.fetch_value("SELECT %s::int", [1])
    async with database.transaction() as conn:
        await conn.execute("SELECT %s::int", [2])
    await database.run(read)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await database.execute("SELECT 1/0")
    found = {statement.text: (statement.times.count, statement.errors) for statement in database.statements()}
    assert found == {"SELECT ?::int": (3, 0), "SELECT ?/?": (1, 1)}


async def test_the_numbers_are_a_frozen_record(database: Database) -> None:
    stats = database.stats()
    assert (stats.failovers, stats.retried, stats.resolved_committed, stats.resolved_aborted, stats.unknown) == (0,) * 5
    with pytest.raises(FrozenInstanceError):
        stats.retried = 1  # type: ignore[misc]


async def test_a_transaction_names_its_route_to_the_server_and_takes_the_name_back(database: Database) -> None:
    async def name(conn: psycopg.AsyncConnection[tuple[str]]) -> str:
        row = await (await conn.execute(_NAME)).fetchone()
        assert row is not None
        return row[0]

    with tagged("GET /bens"):
        assert await database.run(name) == "sispat w1 GET /bens"
        assert await database.run(name, read_only=True) == "sispat w1 GET /bens"
        async with database.transaction(isolation=IsolationLevel.SERIALIZABLE) as conn:
            assert await name(conn) == "sispat w1 GET /bens"
            row = await (await conn.execute("SHOW transaction_isolation")).fetchone()
            assert row == ("serializable",)
        with pytest.raises(KeyError):
            async with database.transaction():
                raise KeyError
        assert await database.fetch_value(_NAME) == "sispat w1"
    async with database.transaction() as conn:
        assert await name(conn) == "sispat w1"


@pytest.mark.parametrize("route", ["it's; DROP TABLE item", "C:\\bens'", "açúcar\n", "x" * 200])
async def test_no_route_breaks_the_name(database: Database, route: str) -> None:
    with tagged(route):
        async with database.transaction() as conn:
            row = await (await conn.execute(_NAME)).fetchone()
    assert row is not None
    assert row[0].startswith("sispat w1 ")
    assert len(row[0]) <= 63
    assert "'" in row[0] or "'" not in route


async def test_the_name_of_the_url_is_kept_with_a_route(postgres_database: str) -> None:
    dsn = Dsn.parse(postgres_database)
    named = dsn.with_(parameters=(*dsn.parameters, ("application_name", "mine")))
    async with Database(named, application_name="ours") as database:
        with tagged("/x"):
            async with database.transaction() as conn:
                assert await (await conn.execute(_NAME)).fetchone() == ("mine /x",)
        assert await database.fetch_value(_NAME) == "mine"


async def test_the_numbers_are_metrics_when_scraped(database: Database) -> None:
    registry = CollectorRegistry()
    end = export_database(database, registry)
    await database.fetch_value("SELECT 1")
    (statement,) = database.statements()
    text = generate_latest(registry).decode()
    assert 'esteio_postgres_up{database="main"} 1.0' in text
    assert 'esteio_postgres_wait_seconds_bucket{database="main",le="+Inf"}' in text
    assert (
        f'esteio_postgres_statement_seconds_count{{database="main",fingerprint="{statement.fingerprint}"}} 1.0' in text
    )
    assert 'esteio_postgres_acquired_total{database="main"}' in text
    assert "SELECT" not in text
    end()
    assert "esteio_postgres" not in generate_latest(registry).decode()


async def test_every_number_is_a_metric_and_every_metric_is_defined(database: Database) -> None:
    registry = CollectorRegistry()
    export_database(database, registry)
    families = list(registry.collect())
    exported = {family.name.removeprefix("esteio_postgres_") for family in families}
    assert exported == set(of_group("esteio_postgres_"))
    words = {"name", "last_error", "down_for", "waits", "wait_seconds"}
    assert {field.name for field in fields(DatabaseStats)} - words <= exported
    for family in families:
        definition = of_family(family.name)
        assert definition is not None
        assert (family.type, family.documentation) == (definition.kind, definition.help)


async def test_a_statement_that_was_exported_stays_when_others_become_more_expensive(database: Database) -> None:
    registry = CollectorRegistry()
    export_database(database, registry, statements=1)

    def exported() -> set[str]:
        return {
            sample.labels["fingerprint"]
            for family in registry.collect()
            for sample in family.samples
            if sample.name == "esteio_postgres_statement_seconds_count"
        }

    await database.fetch_value("SELECT 1")
    first = exported()
    await database.fetch_value("SELECT pg_sleep(0.05), 1")
    second = exported()
    await database.fetch_value("SELECT pg_sleep(0.1), 2, 3")
    assert first < second
    assert exported() == second, "there is room for twice as many"
