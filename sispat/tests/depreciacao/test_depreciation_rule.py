"""The rule: straight-line by month, in cents, against a table worked by hand; and the same in SQL."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import pairwise

import pytest
from livro import book

from esteio.postgres import Dsn
from sispat.demo._vocabulary import CLASSES
from sispat.depreciacao.rules import (
    NOTHING,
    Asset,
    Balance,
    Regra,
    Revaluation,
    month_of,
    residual_of,
    state,
    value_before,
    years_ahead,
)

D = Decimal
JAN = dt.date(2020, 1, 15)

# Class, useful life, residual %, value; by hand: residual, the first three months, the first year, the last month, all months.
BY_HAND = [
    ("Equipamentos de processamento de dados", 60, "10", "4299.90", "429.99",
     ("64.50", "64.50", "64.50"), "773.98", "64.50", "3869.91"),
    ("Mobiliário em geral", 120, "10", "689.90", "68.99", ("5.17", "5.18", "5.17"), "62.09", "5.17", "620.91"),
    ("Aparelhos e utensílios domésticos", 120, "10", "1999.99", "200.00",
     ("15.00", "15.00", "15.00"), "180.00", "15.00", "1799.99"),
    ("Aparelhos e equipamentos médicos e odontológicos", 180, "20", "38750.45", "7750.09",
     ("172.22", "172.23", "172.22"), "2066.69", "172.22", "31000.36"),
    ("Aparelhos e equipamentos de comunicação", 120, "20", "349.07", "69.81",
     ("2.33", "2.32", "2.33"), "27.93", "2.33", "279.26"),
    ("Aparelhos de medição e orientação", 180, "10", "1234.56", "123.46",
     ("6.17", "6.18", "6.17"), "74.07", "6.17", "1111.10"),
    ("Máquinas e utensílios de escritório", 120, "10", "0.01", "0.00", ("0.00", "0.00", "0.00"), "0.00", "0.00", "0.01"),
    ("Equipamentos para áudio, vídeo e foto", 120, "10", "2750.33", "275.03",
     ("20.63", "20.63", "20.62"), "247.53", "20.63", "2475.30"),
    ("Veículos de tração mecânica", 180, "10", "98765.43", "9876.54",
     ("493.83", "493.82", "493.83"), "5925.93", "493.83", "88888.89"),
    ("Máquinas e equipamentos industriais", 240, "10", "15000.00", "1500.00",
     ("56.25", "56.25", "56.25"), "675.00", "56.25", "13500.00"),
    ("Máquinas, ferramentas e utensílios de oficina", 120, "10", "457.25", "45.73",
     ("3.43", "3.43", "3.43"), "41.15", "3.43", "411.52"),
    ("Máquinas e utensílios agropecuários", 120, "10", "7777.77", "777.78",
     ("58.33", "58.34", "58.33"), "700.00", "58.33", "6999.99"),
    ("Coleções e materiais bibliográficos", 120, "0", "45.90", "0.00", ("0.38", "0.39", "0.38"), "4.59", "0.38", "45.90"),
    ("Instrumentos musicais e artísticos", 240, "10", "3210.98", "321.10",
     ("12.04", "12.04", "12.04"), "144.49", "12.04", "2889.88"),
    ("Armamentos", 240, "15", "5432.10", "814.82", ("19.24", "19.24", "19.24"), "230.86", "19.24", "4617.28"),
    ("Obras de arte e peças para exposição", 1200, "0", "8000.00", "0.00", ("0.00", "0.00", "0.00"), "0.00", "0.00", "0.00"),
]  # fmt: skip


def test_the_table_is_of_every_class_as_the_city_has_it() -> None:
    assert {(name, months, D(percent)) for name, months, percent, *_ in BY_HAND} == {
        (each.nome, each.years * 12, D(each.residual)) for each in CLASSES
    }


def quotas(asset: Asset, months: int, rule: Regra = Regra.MES) -> list[Decimal]:
    first = month_of(asset.available) + rule.shift
    taken = [state(asset, month, rule).acumulada for month in range(first - 1, first + months)]
    return [after - before for before, after in pairwise(taken)]


@pytest.mark.parametrize(("name", "months", "percent", "value", "residual", "first", "year", "last", "whole"), BY_HAND)
@pytest.mark.parametrize("rule", Regra)
def test_each_class_depreciates_as_worked_by_hand(
    rule: Regra, name: str, months: int, percent: str, value: str, residual: str, first: tuple[str, ...], year: str,
    last: str, whole: str,
) -> None:  # fmt: skip
    depreciable = next(each.depreciavel for each in CLASSES if each.nome == name)
    asset = Asset(D(value), JAN, JAN, months, D(percent), depreciable)
    assert residual_of(D(value), D(percent)) == D(residual)
    all_of_them = quotas(asset, months + 12, rule)
    assert all_of_them[:3] == [D(each) for each in first]
    assert sum(all_of_them[:12]) == D(year)
    assert all_of_them[months - 1] == D(last)
    assert all_of_them[months:] == [D(0)] * 12, "never below the residual"
    assert sum(all_of_them) == D(whole) == (D(value) - D(residual) if depreciable else 0)


def test_the_first_month_and_the_last_are_those_of_the_rule() -> None:
    asset = Asset(D(120), JAN, dt.date(2020, 3, 31), 12, D(0), written_off=dt.date(2020, 6, 1))
    assert [state(asset, month_of(dt.date(2020, m, 1)), Regra.MES).acumulada for m in range(1, 7)] == [
        0,
        0,
        10,
        20,
        30,
        0,
    ]
    assert [state(asset, month_of(dt.date(2020, m, 1)), Regra.MES_SEGUINTE).acumulada for m in range(1, 7)] == [
        0, 0, 0, 10, 20, 0,
    ]  # fmt: skip
    assert state(asset, month_of(JAN) - 1, Regra.MES) == NOTHING, "not bought yet"
    assert state(asset, month_of(dt.date(2020, 6, 1)), Regra.MES) == NOTHING, "gone"


def test_a_revaluation_begins_a_new_plan_and_keeps_its_balances() -> None:
    new = Revaluation(dt.date(2021, 1, 10), Balance(D(500), D(0), D(0)), 50, D(50))
    asset = Asset(D(1200), JAN, JAN, 24, D(0), revaluations=(new,))
    assert value_before(asset, new.day, Regra.MES) == Balance(D(1200), D(600), D(0)), "twelve months before it"
    assert value_before(asset, new.day, Regra.MES_SEGUINTE).acumulada == D(600), "and twelve that began a month later"
    assert state(asset, month_of(new.day), Regra.MES) == Balance(D(500), D(9), D(0))
    assert state(asset, month_of(new.day), Regra.MES_SEGUINTE) == Balance(D(500), D(0), D(0))
    assert state(asset, month_of(new.day) + 90, Regra.MES).liquido == D(50)


def test_years_ahead_take_all_that_is_left() -> None:
    asset = Asset(D("1000.01"), JAN, JAN, 36, D(10))
    ahead = list(years_ahead(asset, month_of(dt.date(2020, 6, 1)), 5, Regra.MES))
    assert [year for year, _, _ in ahead] == [2020, 2021, 2022, 2023, 2024]
    assert sum(taken for _, taken, _ in ahead) + state(asset, month_of(dt.date(2020, 6, 1)), Regra.MES).acumulada == D(
        "900.01"
    )
    assert ahead[-1][2].liquido == D("100.00")


def test_the_function_of_the_database_says_the_same_to_the_cent(banco: Dsn) -> None:
    with book(banco) as it:
        for value, residual, months in (
            ("4299.90", "429.99", 60),
            ("0.01", "0.00", 7),
            ("999999999999.99", "0.01", 1200),
        ):
            asset = Asset(D(value), JAN, JAN, months, D(0), revaluations=(
                Revaluation(JAN, Balance(D(value), D(0), D(0)), months, D(residual)),))  # fmt: skip
            found = it.conn.execute(
                "select depreciada(%s, %s, %s, n) from generate_series(0, %s) n",
                [D(value), D(residual), months, months + 1],
            ).fetchall()
            assert [each for (each,) in found] == [
                state(asset, month_of(JAN) - 1 + n, Regra.MES).acumulada for n in range(months + 2)
            ]
