"""What a migration takes away from the release before is seen in its text."""

from __future__ import annotations

import pytest

from esteio.postgres.migrations import contractions


@pytest.mark.parametrize(
    "sql",
    [
        "alter table a drop column b",
        "alter table only public.a drop b, add c int",
        "alter table a rename column b to c",
        "alter table a rename to b",
        "alter table a alter column b set not null",
        "alter table a set schema other",
        "drop table a, b",
        "create table b (id int); drop table a",
    ],
)
def test_what_running_programs_may_still_use_is_missed(sql: str) -> None:
    assert contractions(sql), sql


@pytest.mark.parametrize(
    "sql",
    [
        "create table a (id int); alter table a add column b text; drop table a",
        "alter table a add column b int default 0",
        "alter table a drop constraint c",
        "alter table a add constraint c check (b > 0) not valid",
        "create index concurrently i on a (b)",
        "insert into a values ('drop table a')",
        "",
    ],
)
def test_what_only_adds_is_no_contraction(sql: str) -> None:
    assert contractions(sql) == []


def test_it_names_the_statement_and_how_it_is_done_over_two_releases() -> None:
    (found,) = contractions("create table x (id int);\nalter table a\n  drop column b;")
    assert (found.statement, found.relation) == ("alter table a drop column b", "a")
    assert "one release after" in found.advice
