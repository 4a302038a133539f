"""What people type into searches and date fields, read without a database."""

import datetime as dt

import pytest

from sispat.kernel.dates import far_ahead, read_date
from sispat.kernel.words import joined, plate_typed, term, words_of

HOJE = dt.date(2026, 11, 29)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("20/11/26", "2026-11-20"), ("20112026", "2026-11-20"), ("201126", "2026-11-20"), ("1/2/2026", "2026-02-01"),
        ("20.11.2026", "2026-11-20"), ("20-11-26", "2026-11-20"), (" 20/11/2026 ", "2026-11-20"),
        ("20/11/46", "2046-11-20"), ("20/11/47", "1947-11-20"), ("20/11/99", "1999-11-20"),
        ("2026-11-20", "2026-11-20"), ("ontem", "ontem"), ("", ""), ("20/11", "20/11"), ("20/11/202", "20/11/202"),
        ("٢٠١١٢٠٢٦", "٢٠١١٢٠٢٦"),
    ],
)  # fmt: skip
def test_a_date_is_read_as_people_type_it(typed: str, read: str) -> None:
    assert read_date(typed, HOJE) == read


def test_a_date_far_ahead_begins_after_thirty_days() -> None:
    assert not far_ahead(HOJE + dt.timedelta(days=30), HOJE)
    assert far_ahead(HOJE + dt.timedelta(days=31), HOJE)


@pytest.mark.parametrize(
    ("typed", "number"),
    [("3120", 3120), ("003120", 3120), ("003.120", 3120), ("3 120", 3120), ("", None), ("3120a", None), ("3,120", None),
     ("9" * 19, None), ("²", None)],
)  # fmt: skip
def test_a_plate_number_is_digits_with_the_dots_people_write(typed: str, number: int | None) -> None:
    assert plate_typed(typed) == number


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("cadeiras", "cadeira"), ("televisoes", "televisao"), ("limoes", "limao"), ("papeis", "papel"), ("metais", "metal"),
        ("lencois", "lencol"), ("homens", "homem"), ("fuzis", "fuzil"), ("computadores", "computador"),
    ],
)  # fmt: skip
def test_a_plural_finds_its_singular_and_the_other_way_round(plural: str, singular: str) -> None:
    assert f"'{singular}'" in term(plural)
    assert f"'{plural}'" in term(singular) or plural.startswith(singular)  # else its beginning finds it


def test_words_are_letters_and_digits_only() -> None:
    assert words_of("Televisão 32'' (LED); drop\\table") == ["televisao", "32", "led", "drop", "table"]
    assert joined("11.222.333/0001-81") == "11222333000181"
    assert term("led") == "'led':*"
