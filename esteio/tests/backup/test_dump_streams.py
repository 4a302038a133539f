"""A dump in several streams is one moment too: everything is in it once, and it comes back as it was."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from trial_database import FullFrom, names, query

from esteio.backup import Backups, ToolFailed
from esteio.backup.dump import _take
from esteio.backup.dump._introspect import Table
from esteio.backup.dump._parallel import Halt, run_parallel
from esteio.backup.dump._take import SMALL, archives
from esteio.backup.store import Stores, open_store
from esteio.backup.tools import Toolbox, environment
from esteio.postgres import Dsn

MB = 1024 * 1024
# Whatever depends on the order in which it comes back, or does not belong to one table.
CONTENT = """
create table "Grande ""um"".x" (id int generated always as identity primary key, t text not null, n int);
insert into "Grande ""um"".x" (t, n) select repeat(md5(g::text), 30), g % 7 from generate_series(1, 12000) g;
create table outra (id serial primary key, um int references "Grande ""um"".x", t text);
insert into outra (um, t) select g, repeat(md5(g::text), 30) from generate_series(1, 12000) g;
create table "município" (id int primary key, t text);
insert into "município" select g, repeat(md5(g::text), 30) from generate_series(1, 6000) g;
create table parte (id int, t text, primary key (id)) partition by hash (id);
create table parte_0 partition of parte for values with (modulus 2, remainder 0);
create table parte_1 partition of parte for values with (modulus 2, remainder 1);
insert into parte select g, repeat(md5(g::text), 30) from generate_series(1, 8000) g;
create table pai (id int primary key, t text);
create table filho () inherits (pai);
insert into pai values (1, 'pai');
insert into filho values (2, 'filho');
create unlogged table solta as select 1 as a;
create materialized view resumo as select n, count(*) as quantos from "Grande ""um"".x" group by n;
create unique index on resumo (n);
create function nada_entra() returns trigger language plpgsql as $$ begin raise 'fechado'; end $$;
create trigger fechada before insert on outra for each row execute function nada_entra();
create sequence avulsa start 41;
select nextval('avulsa');
select lo_from_bytea(0, decode(repeat('00ff', 100000), 'hex'));
analyze;
"""
ROWS = 12000 + 12000 + 6000 + 8000 + 2 + 1 + 1  # the last is the large object
FILES = ["data_1.dump.zst", "data_2.dump.zst", "data_3.dump.zst", "globals.sql.zst", "manifest.json", "schema.dump.zst"]
DOCS = Path(__file__).parents[3] / "docs" / "how-to"


@pytest.fixture(scope="module")
def large(postgres_server) -> Iterator[Dsn]:
    """A database of some 40 MB, which no test here changes."""
    name = f"cidade grande {os.getpid()}"
    dsn = postgres_server.create_database(name)
    query(dsn, CONTENT)
    yield dsn
    for found in names(postgres_server.dsn(), name):
        postgres_server.drop_database(found)


@pytest.fixture
def backups(large: Dsn, tmp_path: Path) -> Backups:
    """Backups of `large`, three streams at the same time."""
    return Backups(large, Stores([open_store(str(tmp_path / "cópias"))]), jobs=3, self_init=True)


@pytest.fixture(scope="module")
def made(large: Dsn, tmp_path_factory) -> Backups:
    """One backup of `large`, during which something was written; no test here changes it."""
    root = tmp_path_factory.mktemp("feita") / "cópias"
    written = threading.Event()

    def progress(step: str, done: int, total: int, unit: str) -> None:
        if not written.is_set():
            written.set()
            query(large, "insert into parte select g, 'nova' from generate_series(10001, 10100) g")

    done = Backups(large, Stores([open_store(str(root))]), jobs=3, self_init=True)
    done.run(progress, verify=False)
    query(large, "delete from parte where id > 10000")
    return done


def folder(backups: Backups) -> Path:
    return Path(backups.catalogue.where) / backups.entries()[0].id


def files(backups: Backups) -> list[str]:
    return sorted(path.name for path in folder(backups).iterdir())


def test_a_large_database_is_in_as_many_archives_as_are_dumped_at_once(made: Backups) -> None:
    assert files(made) == FILES
    manifest = made.entries()[0].manifest
    assert manifest is not None
    assert [part.role for part in manifest.parts] == ["data", "data", "data", "globals", "schema"]
    assert min(part.size for part in manifest.parts if part.role == "data") > 8 * MB


def test_everything_comes_back_as_it_was_at_one_moment(made: Backups, large: Dsn) -> None:
    back = large.with_(database=f"{large.database} de volta")
    assert made.restore_into(back.database or "").rows == ROWS
    for question in (
        "select * from resumo order by n",
        "select last_value, is_called from avulsa",
        "select last_value, is_called from outra_id_seq",
        'select last_value, is_called from "Grande ""um"".x_id_seq"',
        "select tableoid::regclass::text, id from pai order by id",
        "select relname, relpersistence, reltuples, relhastriggers from pg_class"
        " where relnamespace = 'public'::regnamespace order by 1",
        "select starelid::regclass::text, staattnum, stainherit, stawidth, stadistinct from pg_statistic"
        " where starelid >= 16384 order by 1, 2, 3",
        "select conrelid::regclass::text, conname, convalidated from pg_constraint where conrelid > 16384 order by 1, 2",
        "select count(*), sum(length(lo_get(oid))) from pg_largeobject_metadata",
    ):
        assert query(back, question) == query(large, question), question


def test_dumps_made_before_there_were_streams_are_restored(backups: Backups, large: Dsn, monkeypatch) -> None:
    monkeypatch.setattr(_take, "SMALL", 1 << 60)
    backups.run(verify=False)
    assert files(backups) == ["database.dump.zst", "globals.sql.zst", "manifest.json"]
    assert backups.restore_into(f"{large.database} de antes").rows == ROWS


@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
def test_the_restore_without_our_software_works_as_documented(made: Backups, large: Dsn) -> None:
    page, other = (
        re.search(r"### A larger database\n.*?```sh[^\n]*\n(.*?)```", (DOCS / name).read_text(), re.S)
        for name in ("backup.md", "restore-without-us.md")
    )
    assert page is not None
    assert other is not None
    assert other[1].replace("$DATABASE", "$NAME").endswith(page[1].partition("\n")[2])
    name = f"{large.database} à mão"
    given = environment(large.with_(database="postgres")) | {"BACKUP": str(folder(made)), "DATABASE": name}
    given["PATH"] = f"{Toolbox(18).directory}{os.pathsep}{os.environ['PATH']}"
    shell = ["bash", "-euo", "pipefail", "-c", other[1]]
    done = subprocess.run(shell, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    back = large.with_(database=name)
    assert query(back, "select count(*) from outra join parte using (id)") == [(8000,)]
    assert query(back, "select sum(quantos)::int from resumo") == [(12000,)]
    assert query(back, "select count(*) from pg_constraint where conname = 'outra_um_fkey'") == [(1,)]


# What must not be there afterwards


def quiet(large: Dsn) -> bool:
    """Whether nobody of us is connected to `large`, or soon nobody will be."""
    busy = "select count(*) from pg_stat_activity where application_name = 'esteio backup' and datname = current_database()"
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if query(large, busy) == [(0,)]:
            return True
        time.sleep(0.05)
    return False


def left(tmp_path: Path) -> list[str]:
    root = tmp_path / "cópias"
    return sorted(path.name for path in root.rglob("*") if "lock" not in path.relative_to(root).parts)


def test_one_stream_cut_off_ends_the_others_and_leaves_nothing(backups: Backups, large: Dsn, tmp_path: Path) -> None:
    cut = (
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
        "and query like 'COPY public.outra%'"
    )

    def progress(step: str, done: int, total: int, unit: str) -> None:
        if step == "database":
            query(large, cut)

    with pytest.raises(ToolFailed, match=r"(?s)pg_dump failed with exit code 1: .*terminat"):
        backups.run(progress, verify=False)
    assert backups.entries() == []
    assert left(tmp_path) == [".lock", "store.json"]
    assert quiet(large)


def test_an_interrupt_ends_all_streams_and_leaves_nothing(backups: Backups, large: Dsn, tmp_path: Path) -> None:
    pressed = threading.Event()

    def progress(step: str, done: int, total: int, unit: str) -> None:
        if step == "database" and not pressed.is_set():
            pressed.set()
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        backups.run(progress, verify=False)
    assert backups.entries() == []
    assert left(tmp_path) == [".lock", "store.json"]
    assert quiet(large)


def test_a_store_that_fails_in_one_stream_has_no_manifest(large: Dsn, tmp_path: Path) -> None:
    good, bad = open_store(str(tmp_path / "cópias")), open_store(str(tmp_path / "outra"))

    done = Backups(large, Stores([good, FullFrom(bad, "data_2")]), jobs=3, self_init=True).run(verify=False)
    assert done.stores == (good.name,)
    assert len(done.manifest.parts) == 5
    assert not list((tmp_path / "outra").rglob("manifest.json"))


@pytest.mark.parametrize("step", ["restore", "indexes"])
def test_an_interrupted_restore_leaves_nothing(
    made: Backups, large: Dsn, step: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = names(large)

    def interrupt(now: str, done: int, total: int, unit: str) -> None:
        if now == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.restore_into(f"{large.database} interrompida", progress=interrupt)
    assert names(large) == before
    assert list(tmp_path.iterdir()) == []


# Which archives


def table(name: str, size: int, schema: str = "public") -> Table:
    return Table(f"{schema}.{name}", schema, name, 1, size, ("id",))


def test_a_small_database_is_one_archive() -> None:
    [only] = archives([table("a", SMALL - 1)], 0, 4, 18)
    assert (only.name, only.role, only.arguments) == ("database.dump", "database", ("--statistics",))
    assert archives([table("a", SMALL - 1)], 0, 4, 17)[0].arguments == ()
    assert len(archives([table("a", SMALL - 1)], 1, 4, 18)) > 1


def test_each_table_is_in_exactly_one_archive_and_all_have_about_as_much() -> None:
    tables = [table(f"t{number}", number * 2 * MB, f"s{number % 2}") for number in range(1, 21)]
    schema, first, *others = archives(tables, 0, 3, 18)
    assert schema.arguments == ("--section=pre-data", "--section=post-data", "--statistics")
    assert first.arguments[:2] == ("--section=data", "--statistics")
    assert all(each.arguments[:2] == ("--section=data", "--strict-names") for each in others)
    assert [each.name for each in (first, *others)] == ["data_1.dump", "data_2.dump", "data_3.dump"]

    def tables_of(arguments: tuple[str, ...], option: str) -> set[int]:
        found = [re.fullmatch(rf'{option}="(s[01])"\.("t\d+"(?:\|"t\d+")*)', argument) for argument in arguments]
        numbers = [(match[1], int(name[2:-1])) for match in found if match for name in match[2].split("|")]
        assert all(schema == f"s{number % 2}" for schema, number in numbers)
        return {number for _, number in numbers}

    second, third = (tables_of(each.arguments[2:], "--table") for each in others)
    assert not second & third
    assert tables_of(first.arguments[2:], "--exclude-table-data") == second | third
    rest = set(range(1, 21)) - second - third
    assert [sum(each) for each in (rest, second, third)] == pytest.approx([70, 70, 70], abs=5)


def test_one_job_is_one_archive_of_rows() -> None:
    found = archives([table("a", SMALL), table("b", SMALL)], 0, 1, 18)
    assert [each.name for each in found] == ["schema.dump", "data_1.dump"]


def test_a_name_is_given_as_it_is_or_not_at_all() -> None:
    strange = [table('A "b".*c?', 2 * SMALL, "x y"), table("b", 2 * SMALL), table("maçã", 9 * SMALL)]
    [_, first, second] = archives(strange, 0, 2, 18)
    assert '--table="x y"."A ""b"".*c?"' in second.arguments
    assert '--table="public"."b"' in second.arguments
    assert not any("maçã" in argument for argument in (*first.arguments, *second.arguments))


def test_a_command_line_names_no_more_than_fits_and_nothing_little() -> None:
    many = [table(f"{number:050}", 2 * MB) for number in range(1900)]
    for each in archives(many, 0, 4, 18):
        assert sum(len(argument) + 1 for argument in each.arguments) < 30_000
    _, first, second = archives([table("a", SMALL), table("b", SMALL), table("c", MB)], 0, 2, 18)
    assert not any('"c"' in argument for argument in (*first.arguments, *second.arguments))


# Together


def test_the_first_error_ends_the_others_and_is_raised() -> None:
    ended = threading.Event()

    def patient(halt: Halt) -> None:
        with halt.ends(ended.set):
            assert ended.wait(20)
            raise ToolFailed("the other", -15, "")

    def hasty(halt: Halt) -> None:
        raise ToolFailed("the first", 1, "")

    with pytest.raises(ToolFailed, match="the first"):
        run_parallel([patient, hasty])
    assert ended.is_set()


def test_what_begins_after_the_end_is_ended_at_once_and_what_waits_never_begins() -> None:
    begun, late = threading.Event(), []

    def failing(halt: Halt) -> None:
        begun.wait(20)
        raise ToolFailed("it", 1, "")

    def slow(halt: Halt) -> None:
        begun.set()
        while halt.first is None:
            threading.Event().wait(0.01)
        with halt.ends(lambda: late.append("ended")):
            pass

    with pytest.raises(ToolFailed):
        run_parallel([failing, slow, lambda _halt: late.append("begun")], 2)
    assert late == ["ended"]
