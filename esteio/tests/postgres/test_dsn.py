"""A database URL says where the database is and how much of it one process may use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from esteio.postgres import Dsn, DsnError


@pytest.mark.parametrize(
    ("url", "conninfo"),
    [
        ("postgresql://", {}),
        ("postgres://db", {"host": "db"}),
        ("postgresql:///app", {"dbname": "app"}),
        (
            "postgresql://ana:s%40l@db:5433/app",
            {"user": "ana", "password": "s@l", "host": "db", "port": "5433", "dbname": "app"},
        ),
        ("postgresql://a:1,b,c:3/app", {"host": "a,b,c", "port": "1,,3", "dbname": "app"}),
        ("postgresql://[::1]:5432/app", {"host": "::1", "port": "5432", "dbname": "app"}),
        ("postgresql://%2Frun%2Fpg/app", {"host": "/run/pg", "dbname": "app"}),
        ("postgresql:///app?host=/run/pg&port=6000", {"host": "/run/pg", "port": "6000", "dbname": "app"}),
        ("postgresql:///app?host=a,b&port=6000", {"host": "a,b", "port": "6000,6000", "dbname": "app"}),
        (
            "postgresql://db/app?sslmode=require&target_session_attrs=read-write&connection_limit=3",
            {"host": "db", "dbname": "app", "sslmode": "require", "target_session_attrs": "read-write"},
        ),
        ("postgresql://ana:with@sign@db/app", {"user": "ana", "password": "with@sign", "host": "db", "dbname": "app"}),
        ("postgresql://db/app?options=-c%20geqo%3Doff", {"host": "db", "dbname": "app", "options": "-c geqo=off"}),
    ],
)
def test_what_libpq_understands_is_passed_on(url: str, conninfo: dict[str, str]) -> None:
    assert conninfo_to_dict(Dsn.parse(url).conninfo) == conninfo


def test_the_guides_parameters_have_defaults_and_are_taken_out() -> None:
    plain = Dsn.parse("postgresql://db/app")
    assert (plain.connection_limit, plain.pool_timeout, plain.statement_timeout) == (10, 20.0, 5000)
    given_ = Dsn.parse("postgresql://db/app?connection_limit=25&pool_timeout=2.5&statement_timeout=0")
    assert (given_.connection_limit, given_.pool_timeout, given_.statement_timeout) == (25, 2.5, 0)
    assert "limit" not in given_.conninfo
    assert "timeout" not in given_.conninfo


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("", "the scheme"),
        ("db/app", "the scheme"),
        ("mysql://db/app", "mysql"),
        ("postgresql://db:port/app", "'port'"),
        ("postgresql://db:0/app", "1 to 65535"),
        ("postgresql://db:65536/app", "65536"),
        ("postgresql://a:b:c/app", "the host"),
        ("postgresql://db/app?connection_limit=0", "1 to 1000"),
        ("postgresql://db/app?connection_limit=1001", "connection_limit"),
        ("postgresql://db/app?connection_limit=many", "many"),
        ("postgresql://db/app?connection_limit=", "connection_limit"),
        ("postgresql://db/app?pool_timeout=nan", "pool_timeout"),
        ("postgresql://db/app?statement_timeout=-1", "milliseconds"),
        ("postgresql://db/app?conection_limit=3", "connection_limit"),
        ("postgresql://db/app?sslmode", "sslmode=value"),
        ("postgresql://db/app?sslmode=a&sslmode=b", "once"),
        ("postgresql://db/app?host=/run", "not both"),
        ("postgresql:///app?host=a,b,c&port=1,2", "3 hosts"),
        ("postgresql://db/a%zzb", "%25"),
        ("postgresql://db/app%00", "zero byte"),
        ("postgresql://db/%FF", "UTF-8"),
    ],
)
def test_a_malformed_url_says_which_part_is_wrong(url: str, named: str) -> None:
    with pytest.raises(DsnError) as caught:
        Dsn.parse(url)
    assert named in str(caught.value)
    assert "Example: postgresql://" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ana:s3cret@db:port/app",
        "mysql://ana:s3cret@db/app",
        "ana:s3cret://db",
        "postgresql://ana:s3cret%zz@db/app",
        "postgresql://ana:s3cret%FF@db/app",
        "postgresql://db/app?password=s3cret%zz",
        "postgresql://ana:s3cret/with#hash@db/app",
        "postgresql://ana:s3cret/slash@db/app",
        "postgresql://ana:?s3cret@db/app",
    ],
)
def test_no_error_shows_the_password(url: str) -> None:
    with pytest.raises(DsnError) as caught:
        Dsn.parse(url)
    assert "s3cret" not in str(caught.value)


def test_the_password_is_masked_for_people() -> None:
    dsn = Dsn.parse("postgresql://ana:s3cret@db/app?connection_limit=3")
    assert dsn.masked == "postgresql://ana:***@db/app?connection_limit=3"
    assert "s3cret" not in repr(dsn)


def test_a_changed_copy_is_checked_too() -> None:
    dsn = Dsn.parse("postgresql://db/app")
    assert dsn.with_(database="other").conninfo == "host=db dbname=other"
    with pytest.raises(DsnError, match="1 to 1000"):
        dsn.with_(connection_limit=0)


_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
_names = st.from_regex(r"[a-z][a-z0-9-]{0,8}|/run/[a-z ]{1,8}|::1|10\.0\.0\.\d", fullmatch=True)
_host_lists = st.lists(st.tuples(_names, st.none() | st.integers(1, 65535)), max_size=3)


@given(
    hosts=_host_lists,
    database=st.none() | _text,
    user=st.none() | _text,
    password=st.none() | _text,
    options=st.none() | _text,
    limit=st.integers(1, 1000),
)
def test_a_url_is_read_back_as_it_was_written(
    hosts: list[tuple[str, int | None]],
    database: str | None,
    user: str | None,
    password: str | None,
    options: str | None,
    limit: int,
) -> None:
    dsn = Dsn(
        hosts=tuple(hosts),
        database=database,
        user=user,
        password=password,
        parameters=(("options", options),) if options else (),
        connection_limit=limit,
    )
    assert Dsn.parse(dsn.url) == dsn
    read = conninfo_to_dict(dsn.conninfo)
    assert (read.get("dbname"), read.get("user"), read.get("password")) == (database, user, password)


@given(st.text(max_size=60))
def test_any_text_is_a_dsn_or_a_dsn_error(text: str) -> None:
    for url in (text, "postgresql://" + text):
        try:
            dsn = Dsn.parse(url)
        except DsnError:
            continue
        assert Dsn.parse(dsn.url) == dsn


def test_the_key_files_password_is_masked_and_kept_out_of_repr() -> None:
    dsn = Dsn.parse("postgresql://u:geheim@h/d?sslpassword=geheim&sslmode=require")
    assert "geheim" not in dsn.masked
    assert "geheim" not in repr(dsn)
    assert "sslmode=require" in dsn.masked
    assert "geheim" in dsn.conninfo
