"""Statements without their values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esteio.postgres._fingerprint import fingerprint, normalised


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT  *\n FROM t1 -- all\nWHERE a = 'it''s'", "SELECT * FROM t1 WHERE a = ?"),
        ("SELECT E'a\\'b', U&'x', B'01', x'ff', date'2020-01-01'", "SELECT ?, ..., date?"),
        ("SELECT $$it's$$ || $a$it's $$ too$a$ || $1", "SELECT ? || ? || ?"),
        ("SELECT /* c'est */ \"it's\".b1 FROM x", 'SELECT "it\'s".b1 FROM x'),
        ("WHERE a = 12.5e-3 AND b = -5 AND c = 0x1F AND d = .5", "WHERE a = ? AND b = -? AND c = ? AND d = ?"),
        ("WHERE id IN (%s, %s, %s)", "WHERE id IN (?, ...)"),
        ("WHERE id IN (7)", "WHERE id IN (?, ...)"),
        ("INSERT INTO t VALUES (%s,%s), (%s,%s), (1, 'a')", "INSERT INTO t VALUES (?, ...), ..."),
        ("WHERE n = %(name)s AND m ilike '%%x%%'", "WHERE n = ? AND m ilike ?"),
        ("SELECT a1$b, t.x2 FROM t", "SELECT a1$b, t.x2 FROM t"),
        ("SELECT 'never closed", "SELECT ?"),
        ("SELECT $x$ never closed", "SELECT ?"),
        ("SELECT 1 /* never closed", "SELECT ?"),
        ("SELECT a /* of /* 'it' */ 'them' */ FROM t", "SELECT a FROM t"),
        ("SELECT \"never closed 'secret'", "SELECT ?"),
        ("", ""),
    ],
)
def test_literals_placeholders_comments_and_lengths_of_lists_do_not_count(sql: str, text: str) -> None:
    assert normalised(sql) == text


@given(st.text(alphabet='abçé0123456789 $%()-.,\\"\n', max_size=40))
def test_nothing_of_a_quoted_value_is_left(value: str) -> None:
    secret = "zecret" + value
    assert "zecret" not in normalised("SELECT * FROM t WHERE a = '" + secret.replace("'", "''") + "' AND b = 1")
    assert "zecret" not in normalised("SELECT * FROM t WHERE a = '" + secret)


@given(st.text(max_size=200))
def test_any_text_has_a_fingerprint_and_normalising_it_again_changes_little(sql: str) -> None:
    text = normalised(sql)
    assert len(text) <= 500
    assert len(fingerprint(text)) == 16


def test_a_huge_statement_costs_no_more_than_its_beginning() -> None:
    rows = ", ".join("(1, 'x')" for _ in range(100_000))
    assert len(normalised(f"INSERT INTO t VALUES {rows}")) <= 500
