"""Months closed by SQL against a model that walks month by month: acquisitions, transfers, revaluations, impairments,
write-offs, corrections, of assets and of imóveis, in any order, some of them known late. SISPAT_DEPRECIATION_EXAMPLES sets how
many cities (`make rounds`: 1,000).
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from livro import Book, Classe, Thing, book, cents, known, walk

from esteio.postgres import Dsn
from sispat.depreciacao.rules import Balance, Regra, Revaluation, first_day, month_of, state, value_before

EXAMPLES = int(os.environ.get("SISPAT_DEPRECIATION_EXAMPLES", "12"))
START = month_of(dt.date(2024, 11, 1))


D0 = Decimal(0)


def amounts(row: Mapping[str, Any], of: str) -> tuple[int, ...]:
    """The three components, in cents."""
    return tuple(cents(row[f"{of}{part}"] or D0) for part in ("bruto", "acumulada", "perda"))


class City:
    """What happens in a city, told to the database and to the model alike."""

    def __init__(self, it: Book, rnd: Random, rule: Regra) -> None:
        self.it, self.rnd, self.rule = it, rnd, rule
        self.classes = [it.classe(rnd.choice([1, 7, 36, 60]), rnd.choice(["0", "10", "12.5"])) for _ in range(2)]
        self.classes.append(it.classe(60, depreciable=False))
        self.things: list[Thing] = []
        self.lives: dict[str, tuple[str, int, Decimal]] = {}  # by which each was closed last: account, life, residual
        self.worth: dict[str, tuple[int, int, int]] = {}  # how each was closed last
        for _ in range(3):
            self.acquire(START)
        self.acquire_imovel(START)

    def of(self, thing: Thing) -> Classe:
        return next(each for each in self.classes if each.conta == thing.classe)

    def day(self, month: int) -> dt.date:
        return first_day(month) + dt.timedelta(days=self.rnd.randrange(28))

    def life(self, thing: Thing) -> tuple[int, Decimal]:
        classe = self.of(thing)
        stored = self.lives.get(thing.id)
        months, percent = stored[1:] if stored and stored[0] == classe.conta else (classe.months, classe.percent)
        return thing.months or months, percent if thing.percent is None else thing.percent

    def acquire(self, month: int) -> None:
        acquired = self.day(month - self.rnd.choice([0, 0, 1, 5, 30]))
        available = acquired + dt.timedelta(days=self.rnd.choice([0, 0, 20, 70]))
        more = {"months": self.rnd.choice([None, None, 13])}
        value = f"{self.rnd.randrange(1, 3_000_000) / 100:.2f}"
        self.things.append(self.it.asset(self.rnd.choice(self.classes), value, acquired, available, **more))

    def acquire_imovel(self, month: int) -> None:
        acquired = self.day(month - self.rnd.choice([0, 1, 40]))
        available = acquired + dt.timedelta(days=self.rnd.choice([0, 0, 45]))
        land, building = (f"{self.rnd.randrange(1, 90_000_000) / 100:.2f}" for _ in range(2))
        more = {"months": self.rnd.choice([None, 9, 300]), "percent": self.rnd.choice([None, Decimal(20)])}
        classes = self.rnd.choice(self.classes), self.rnd.choice(self.classes)
        self.things += self.it.imovel(*classes, (land, building), acquired, available, **more)

    def happens(self, month: int) -> None:
        thing = self.rnd.choice(self.things)
        if thing.gone is not None:
            what = self.rnd.choice([self.take_back, self.acquires])
        else:
            what = self.rnd.choice([
                self.acquires, self.write_off, self.write_off, self.revalue, self.revalue, self.correct, self.transfer,
                self.reclassify, self.own, self.estimate, self.postpone,
            ])  # fmt: skip
        what(thing, month)

    def acquires(self, _thing: Thing, month: int) -> None:
        self.rnd.choice([self.acquire, self.acquire, self.acquire_imovel])(month)

    def write_off(self, thing: Thing, month: int) -> None:
        self.it.write_off(thing, max(self.day(month - self.rnd.choice([0, 0, 1, 3])), thing.acquired))

    def take_back(self, thing: Thing, month: int) -> None:
        self.it.take_back(thing)

    def revalue(self, thing: Thing, month: int) -> None:
        day = max(self.day(month), thing.acquired)
        if thing.imovel:  # reports value assets alone
            return
        if any(month_of(each.day) >= month_of(day) for each in thing.revaluations) or month_of(day) != month:
            return
        before = value_before(known(thing, self.of(thing), *self.life(thing)), day, self.rule)
        kind = self.rnd.choice(["reavaliacao", "reducao", "revisao"])
        if kind == "reavaliacao":
            new = Decimal(self.rnd.randrange(1, 2_000_000)) / 100
            after = Balance(new, Decimal(0), Decimal(0))
        elif kind == "reducao":
            new = (before.liquido * self.rnd.randrange(0, 100) / 100).quantize(Decimal("0.01"))
            after = before._replace(perda=before.perda + before.liquido - new)
        else:
            new, after = before.liquido, before
        residual = (new * self.rnd.choice([0, 5, 100]) / 100).quantize(Decimal("0.01"))
        self.it.revalue(thing, before, Revaluation(day, after, self.rnd.choice([1, 5, 48]), residual), kind)

    def correct(self, thing: Thing, month: int) -> None:
        thing.value += Decimal(self.rnd.randrange(1, 10_000)) / 100
        self.it.change(thing, valor=thing.value)

    def transfer(self, thing: Thing, month: int) -> None:
        self.it.transfer(thing)

    def reclassify(self, thing: Thing, month: int) -> None:
        classe = self.rnd.choice(self.classes)
        thing.classe = classe.conta
        if thing.imovel:
            thing.ours = True
        self.it.change(thing, classe_id=classe.id)

    def own(self, thing: Thing, month: int) -> None:
        thing.ours = not thing.ours
        if thing.imovel:  # what has no class is in no account
            self.it.change(thing, classe_id=self.of(thing).id if thing.ours else None)
        else:
            self.it.change(thing, posse="proprio" if thing.ours else "cessao")

    def estimate(self, thing: Thing, month: int) -> None:
        classe = self.of(thing)
        classe.months = self.rnd.choice([12, 24, 90])
        self.it.conn.execute("update classe set vida_util_meses = %s where id = %s", [classe.months, classe.id])

    def postpone(self, thing: Thing, month: int) -> None:
        if thing.part == "terreno":
            return
        thing.available += dt.timedelta(days=31)
        self.it.change(thing, data_disponivel=thing.available)

    def close(self, month: int) -> None:
        """And compare with what the model says of each asset."""
        lives = {thing.id: self.life(thing) for thing in self.things}
        rows = self.it.rows(self.it.close(month, self.rule))
        for thing in self.things:
            months, percent = lives[thing.id]
            way = walk(thing, self.of(thing), months, percent, month, self.rule)
            here = way is not None and (thing.gone is None or month_of(thing.gone) > month)
            worth = (0, 0, 0) if way is None else (way.gross, way.taken, way.loss)
            standing = worth if here else (0, 0, 0)
            row = rows.get(thing.id)
            past = walk(thing, self.of(thing), months, percent, month - 1, self.rule)
            was = self.worth.pop(thing.id, None)
            assert (row is not None) is (here or was is not None or (way is not None and month_of(thing.gone) == month))
            asset = known(thing, self.of(thing), months, percent)
            assert tuple(cents(each) for each in state(asset, month, self.rule)) == standing, "the pure rule"
            assert (row is not None and not row["saiu"]) is here
            self.lives.pop(thing.id, None)
            if row is None:
                continue
            assert amounts(row, "") == standing
            # What is known now of the months before, less what was closed then, is the adjustment; the rest is of this month.
            before = (past.gross, past.taken, past.loss) if past else (0, 0, 0)
            if was is None:
                before = before if past else (cents(thing.value), 0, 0)
                assert cents(row["entrada"] or D0) == before[0]
                assert amounts(row, "ajuste_") == (0, *before[1:])
            else:
                assert row["entrada"] is None
                assert amounts(row, "ajuste_") == tuple(a - b for a, b in zip(before, was, strict=True))
            late = thing.gone is not None and month_of(thing.gone) < month
            quota = way.quota if way is not None and not late else 0
            assert cents(row["depreciacao"] or D0) == quota, "what happened in the month, not before"
            if way is not None:
                assert amounts(row, "baixa_") == ((0, 0, 0) if here else tuple(-each for each in worth)), (
                    "as it was then"
                )
                moved = (worth[0] - before[0], worth[1] - before[1] - quota, worth[2] - before[2])
                assert amounts(row, "evento_") == moved
            if here:
                self.lives[thing.id], self.worth[thing.id] = (self.of(thing).conta, months, percent), worth
        self.sums(month, rows)

    def sums(self, month: int, rows: dict[str, dict[str, Any]]) -> None:
        """The movements of all months are the balances, by asset and account; and the totals are those of the lines."""
        entries = self.it.entries()
        for thing in self.things:
            row = rows.get(thing.id)
            for part in ("bruto", "acumulada", "perda"):
                of = {
                    conta: amount for (id_, conta, which), amount in entries.items() if (id_, which) == (thing.id, part)
                }
                here = row is not None and not row["saiu"]
                assert sum(of.values()) == (row[part] if here and row else 0)
                assert all(not amount for conta, amount in of.items() if not (here and conta == self.of(thing).conta))
        apart, summed = (
            self.it.conn.execute(
                f"select competencia, setor_id, conta, especie, componente, sum(valor) from {view} group by 1, 2, 3, 4, 5"
                " having sum(valor) <> 0 order by 1, 2, 3, 4, 5"
            ).fetchall()
            for view in ("lancamento", "lancamento_conta")
        )
        assert summed == apart, "summed before it is taken apart, or after"
        total = self.it.conn.execute(
            "select bens, bruto, acumulada, perda from fechamento where competencia = %s", [first_day(month)]
        ).fetchone()
        alive = [row for row in rows.values() if not row["saiu"]]
        assert total == (len(alive), *(sum(row[part] for row in alive) for part in ("bruto", "acumulada", "perda")))


@pytest.mark.timeout(max(900, 4 * EXAMPLES))  # on a busy machine an example takes seconds
@settings(
    max_examples=EXAMPLES, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(rnd=st.randoms(use_true_random=False), rule=st.sampled_from(list(Regra)))
def test_every_month_is_closed_as_the_model_walks(banco: Dsn, rnd: Random, rule: Regra) -> None:
    with book(banco) as it:
        city = City(it, rnd, rule)
        for month in range(START, START + 8):
            for _ in range(rnd.randrange(6)):
                city.happens(month)
            city.close(month)


def test_the_database_refuses_to_change_what_was_closed(banco: Dsn) -> None:
    with book(banco) as it:
        thing = it.asset(it.classe(60), "600.00", dt.date(2024, 1, 5))
        number = it.close(START)
        for sql in (
            f"update depreciacao set depreciacao = 0 where fechamento = {number}",
            "delete from depreciacao",
            "truncate depreciacao",
            f"insert into depreciacao select {number}, gen_random_uuid(), setor_id, 1, 0, 0, 0, 0, 0, conta, null, null,"
            " 0, 0, 0,"
            " 0, null, 0, 0, 0, 0, 0, 0, false from depreciacao",
            "update fechamento_conta set depreciacao = 0",
            "delete from fechamento",
        ):
            with_savepoint(it, sql)
        # The rest in a transaction that did not close the month itself: test_fechamento.py.
        assert it.rows(number)[thing.id]["depreciacao"] == Decimal("9.00")


def with_savepoint(it: Book, sql: str) -> None:
    try:
        with it.conn.transaction():
            it.conn.execute(sql)
    except psycopg.errors.InsufficientPrivilege:
        return
    raise AssertionError(f"not refused: {sql}")
