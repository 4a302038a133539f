"""SQLSTATEs and libpq's words become errors that say what to do, against PostgreSQL's own list and a real server."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from esteio import EsteioError, Pipeline, Retry
from esteio.postgres import (
    AuthenticationFailed,
    Category,
    CommitUnknown,
    Database,
    DatabaseMissing,
    DatabaseUnavailable,
    Dsn,
    LockTimeout,
    OutOfResources,
    PoolExhausted,
    ReadOnlyServer,
    SerializationConflict,
    StatementTimeout,
    TlsUnavailable,
    TransactionTimeout,
    is_callers_fault,
    is_failover,
    is_retryable,
)
from esteio.postgres._errors import category, category_of, is_connection_loss, translate
from esteio.postgres._errors._sqlstate import CLASSES, CODES
from esteio.postgres.embedded import Embedded, find_binaries
from esteio.testing import ManualClock

_KNOWN = {
    code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, psycopg.Error) and (code := getattr(kind, "sqlstate", None))
}


def _server_list() -> set[str]:
    """The list the server itself was built from."""
    text = next(find_binaries(18).directory.parent.glob("share/**/errcodes.txt")).read_text()
    return set(re.findall(r"^([0-9A-Z]{5})\s+[EWS]\s", text, re.MULTILINE))


def test_every_sqlstate_of_postgresql_has_a_row() -> None:
    listed = _server_list()
    assert len(listed) > 250
    assert len(_KNOWN) > 250
    missing = {code for code in listed | set(_KNOWN) if code[:2] not in CLASSES}
    assert not missing
    assert set(CODES) <= listed | set(_KNOWN), "the table must not invent codes"
    assert {code[:2] for code in listed | set(_KNOWN)} == set(CLASSES)
    assert all(CODES[code] is not CLASSES[code[:2]][1] for code in CODES), "a row that says nothing new"


@pytest.mark.parametrize(
    ("wanted", "codes"),
    [
        (Category.CONFLICT, "40001 40P01 72000"),
        (Category.FAILOVER, "08000 08001 08003 08004 08006 08007 08P01 25006 57P01 57P02 57P03 57P05 40003"),
        (Category.CONFIGURATION, "28000 28P01 3D000 57P04 F0000"),
        (Category.RESOURCES, "53000 53100 53200 53300 53400"),
        (Category.TIMEOUT, "25P03 25P04 55P03"),
        (Category.CANCELLED, "57014 57000"),
        (Category.CALLER, "22012 23505 23503 42601 42P01 42501 0A000 25001 25P02 40002 P0001 54001 55006 U0001"),
        (Category.INTERNAL, "XX000 XX001 58030 58P01 HV000"),
        (Category.NOTICE, "00000 01000 02000"),
    ],
)
def test_a_code_means_what_can_be_done_about_it(wanted: Category, codes: str) -> None:
    assert {code: category_of(code) for code in codes.split()} == dict.fromkeys(codes.split(), wanted)


def test_the_driver_and_the_translation_are_classified_alike() -> None:
    for code, kind in _KNOWN.items():
        error = kind("it happened")
        ours = translate(error, "main", 1000)
        if ours is None:
            assert category(error) not in {Category.CONFLICT, Category.FAILOVER, Category.TIMEOUT, Category.RESOURCES}
        elif code != "53300":  # without a connection the database is unavailable, whatever the cause
            assert category(ours) is category(error), code
            assert is_retryable(ours) == is_retryable(error)
            assert is_failover(ours) == is_failover(error)


def test_a_mistake_of_the_caller_passes_unchanged() -> None:
    for code, kind in _KNOWN.items():
        if category_of(code) is Category.CALLER:
            assert translate(kind("a mistake"), "main", 0) is None
            assert is_callers_fault(kind("a mistake"))
            assert not is_connection_loss(kind("a mistake"))


def test_a_connection_that_the_server_ended_is_lost_and_one_that_is_read_only_is_not() -> None:
    lost = {code for code, kind in _KNOWN.items() if is_connection_loss(kind("x"))}
    assert {"08006", "57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04", "53300"} <= lost
    assert not lost & {"25006", "40001", "40P01", "57014", "55P03", "53200"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('FATAL:  password authentication failed for user "u"', AuthenticationFailed),
        ('FATAL:  autenticação do tipo senha falhou para usuário "u"', AuthenticationFailed),
        ("fe_sendauth: no password supplied", AuthenticationFailed),
        ('FATAL:  no pg_hba.conf entry for host "::1", user "u", database "d", no encryption', AuthenticationFailed),
        ('FATAL:  role "u" does not exist', AuthenticationFailed),
        ('FATAL:  database "d" does not exist', DatabaseMissing),
        ('FATAL:  banco de dados "d" não existe', DatabaseMissing),
        ("server does not support SSL, but SSL was required", TlsUnavailable),
        ("SSL error: certificate verify failed", TlsUnavailable),
        ("session is read-only", ReadOnlyServer),
        ("FATAL:  the database system is starting up", DatabaseUnavailable),
        ("FATAL:  sorry, too many clients already", DatabaseUnavailable),
        ("SSL error: unexpected eof while reading", DatabaseUnavailable),
        ("server closed the connection unexpectedly", DatabaseUnavailable),
        ("failed to resolve host 'db': Temporary failure in name resolution", DatabaseUnavailable),
    ],
)
def test_what_libpq_says_without_a_code_is_told_apart(text: str, kind: type[EsteioError]) -> None:
    ours = translate(psycopg.OperationalError(f"connection failed: {text}"), "main", 0)
    assert type(ours) is kind


def test_one_refusal_among_several_hosts_is_not_the_last_word() -> None:
    refused = 'FATAL:  password authentication failed for user "u"'
    several = "{0}\nMultiple connection attempts failed. All failures were:\n- host: 'a': {0}\n- host: 'b': {1}"
    one = psycopg.OperationalError(several.format(refused, "Connection refused"))
    both = psycopg.OperationalError(several.format(refused, refused))
    assert type(translate(one, "main", 0)) is DatabaseUnavailable
    assert type(translate(both, "main", 0)) is AuthenticationFailed


def test_a_timeout_is_told_from_a_cancel_by_somebody() -> None:
    ran_too_long = errors.QueryCanceled("canceling statement due to statement timeout")
    cancelled = errors.QueryCanceled("canceling statement due to user request")
    assert isinstance(translate(ran_too_long, "main", 50), StatementTimeout)
    assert translate(cancelled, "main", 50) is None
    assert (category(ran_too_long), category(cancelled)) == (Category.TIMEOUT, Category.CANCELLED)


def test_every_error_says_what_happened_and_what_to_do() -> None:
    assert "free some" in str(OutOfResources("main", "disk full", sqlstate="53100"))
    assert "before it begins" in str(TransactionTimeout("main", "idle", sqlstate="25P03"))
    assert "pg_xact_status('77')" in str(CommitUnknown("main", 77, "the server is away"))
    assert "look at the data" in str(CommitUnknown("main", None, "the server is away"))
    assert CommitUnknown("main", 77, "away").xid == 77
    assert not is_retryable(CommitUnknown("main", 77, "away"))


def test_what_has_nothing_to_do_with_a_database_has_no_category() -> None:
    assert category(KeyError()) is None
    assert category(EsteioError()) is None
    assert translate(KeyError(), "main", 0) is None


async def test_a_retry_takes_what_was_not_sent_and_what_was_rolled_back_but_nothing_else() -> None:
    async def fails(error: Exception) -> int:
        calls.append(error)
        raise error

    def full() -> PoolExhausted:
        return PoolExhausted("main", waited=1, in_use=1, size=1, max_size=1, waiting=0, max_waiting=1)

    safe = Pipeline(
        "safe", Retry(2, 0.0, idempotent=False, unsent=(SerializationConflict,)), clock=ManualClock(), registry=None
    )
    chosen = Pipeline("chosen", Retry(2, 0.0, idempotent=True, when=is_retryable), clock=ManualClock(), registry=None)
    for pipe, error, attempts in (
        (safe, full(), 2),
        (safe, DatabaseUnavailable("main", "its pool is full", not_sent=True), 2),
        (safe, SerializationConflict("main", "deadlock", sqlstate="40P01"), 2),
        (safe, DatabaseUnavailable("main", "cut"), 1),
        (chosen, errors.DeadlockDetected("deadlock"), 2),
        (chosen, errors.UniqueViolation("twice"), 1),
    ):
        calls: list[Exception] = []
        with pytest.raises(type(error)):
            await pipe.acall(fails, error)
        assert len(calls) == attempts, error


@pytest.fixture
async def database(postgres_database: str) -> AsyncIterator[Database]:
    async with Database(Dsn.parse(postgres_database).with_(connection_limit=3)) as database:
        yield database


async def test_a_lock_that_somebody_holds_is_a_lock_timeout(database: Database) -> None:
    await database.execute("CREATE TABLE item (id int PRIMARY KEY)")
    await database.execute("INSERT INTO item VALUES (1)")
    async with database.transaction() as holder:
        await holder.execute("SELECT * FROM item FOR UPDATE")
        with pytest.raises(LockTimeout, match="could not obtain lock"):
            await database.execute("SELECT * FROM item FOR UPDATE NOWAIT")
        with pytest.raises(LockTimeout, match="lock timeout"):  # noqa: PT012
            async with database.transaction() as conn:
                await conn.execute("SET LOCAL lock_timeout = 50")
                await conn.execute("SELECT * FROM item FOR UPDATE")


async def test_a_transaction_that_idles_too_long_is_a_transaction_timeout(database: Database) -> None:
    with pytest.raises(TransactionTimeout) as caught:  # noqa: PT012
        async with database.transaction() as conn:
            await conn.execute("SET LOCAL idle_in_transaction_session_timeout = 50")
            await asyncio.sleep(0.5)
            await conn.execute("SELECT 1")
    assert caught.value.sqlstate == "25P03"
    assert await database.fetch_value("SELECT 1") == 1


async def test_a_write_on_a_read_only_server_is_told_from_one_in_a_transaction_that_only_reads(
    database: Database, postgres_database: str
) -> None:
    async with Database(postgres_database, settings={"default_transaction_read_only": "on"}) as demoted:
        with pytest.raises(ReadOnlyServer) as caught:
            await demoted.execute("CREATE TABLE item (id int)")
    assert (caught.value.sqlstate, is_failover(caught.value)) == ("25006", True)
    with pytest.raises(errors.ReadOnlySqlTransaction):
        async with database.transaction(read_only=True) as conn:
            await conn.execute("CREATE TABLE item (id int)")


async def test_a_schema_that_changes_under_prepared_statements_costs_no_request(postgres_database: str) -> None:
    dsn = Dsn.parse(postgres_database).with_(connection_limit=3)

    async def rows(conn: psycopg.AsyncConnection[tuple[object, ...]]) -> list[tuple[object, ...]]:
        return await (await conn.execute("SELECT * FROM item")).fetchall()

    async with Database(dsn, min_size=3) as database:

        async def alter(change: str) -> None:
            """Change the table while each connection has a plan for it."""
            async with database.connection() as one, database.connection() as two, database.connection() as three:
                for conn in (one, two, three):
                    await rows(conn)
            async with await psycopg.AsyncConnection.connect(dsn.conninfo, autocommit=True) as other:
                await other.execute(f"ALTER TABLE item {change}")

        await database.execute("CREATE TABLE item (id int)")
        await database.execute("INSERT INTO item VALUES (1)")
        await alter("ADD COLUMN a int")
        assert await database.fetch_all("SELECT * FROM item") == [(1, None)]
        await alter("ADD COLUMN b int")
        assert await database.run(rows) == [(1, None, None)]
        await alter("DROP COLUMN b")
        with pytest.raises(SerializationConflict) as caught:
            async with database.transaction() as conn:
                await rows(conn)
        assert caught.value.sqlstate == "0A000"
        assert await database.fetch_all("SELECT * FROM item") == [(1, None)]


# Refusals of a real server over TCP


@pytest.fixture(scope="module")
def guarded() -> Iterator[Dsn]:
    """A server that asks for passwords and speaks no TLS; the address of a user who has one."""
    home = Path(tempfile.mkdtemp(prefix="esteio-test-"))
    home.chmod(0o711)  # as root, the server's account has to pass
    rules = home / "hba.conf"
    rules.write_text("local all all peer map=esteio\nhost all all 127.0.0.1/32 scram-sha-256\n")
    rules.chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = Embedded(
        home / "data", port=port, settings={"fsync": "off", "listen_addresses": "127.0.0.1", "hba_file": str(rules)}
    )
    server.start()
    try:
        with psycopg.connect(server.dsn().conninfo, autocommit=True) as admin:
            admin.execute("CREATE ROLE clerk LOGIN PASSWORD 'right'")
        yield Dsn(hosts=(("127.0.0.1", port),), database="postgres", user="clerk", password="right")
    finally:
        server.stop(5.0)
        shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"password": "wrong"}, AuthenticationFailed),
        ({"user": "nobody_known"}, AuthenticationFailed),
        ({"database": "nowhere"}, DatabaseMissing),
        ({"parameters": (("sslmode", "require"),)}, TlsUnavailable),
    ],
)
async def test_a_refusal_of_a_real_server_is_named(
    guarded: Dsn, change: dict[str, object], kind: type[EsteioError]
) -> None:
    with pytest.raises(psycopg.OperationalError) as caught:
        await psycopg.AsyncConnection.connect(guarded.with_(**change).conninfo)
    ours = translate(caught.value, "main", 0)
    assert type(ours) is kind
    assert ours.retry_after is None
    async with await psycopg.AsyncConnection.connect(guarded.conninfo) as conn:
        await conn.execute("SELECT 1")
