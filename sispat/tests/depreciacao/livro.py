"""A city of a few assets in a transaction that is undone, months closed in it, and a model that walks month by month."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

import psycopg

from esteio.postgres import Dsn
from sispat.depreciacao.rules import Asset, Balance, Regra, Revaluation, first_day, month_of

_numbers = itertools.count(1)


def cents(amount: Fraction | Decimal) -> int:
    """Rounded half up."""
    return math.floor(Fraction(amount) * 100 + Fraction(1, 2))


@dataclass
class Thing:
    """An asset as somebody would describe it to an accountant."""

    id: str
    classe: str
    value: Decimal
    acquired: dt.date
    available: dt.date
    months: int | None = None
    percent: Decimal | None = None
    ours: bool = True
    gone: dt.date | None = None
    revaluations: list[Revaluation] = field(default_factory=list)
    part: str = ""
    """Of an imóvel: `terreno` or `edificacao`."""
    imovel: str = ""
    parts: list[Thing] = field(default_factory=list)
    """All of that imóvel."""

    def depreciates(self, classe: Classe) -> bool:
        """Land never does, whatever its class says."""
        return classe.depreciable and self.part != "terreno"


@dataclass
class Classe:
    id: str
    conta: str
    months: int
    percent: Decimal
    depreciable: bool


@dataclass
class Walk:
    """An asset on its way through the months, in cents."""

    gross: int
    taken: int = 0
    loss: int = 0
    base: int = 0
    residual: int = 0
    months: int = 1
    counted: int = 0
    paid: int = 0
    quota: int = 0

    def revalue(self, by: Revaluation) -> None:
        self.gross, self.taken, self.loss = (cents(each) for each in by.after)
        self.base, self.residual, self.months = cents(by.after.liquido), cents(by.residual), by.months
        self.counted = self.paid = 0

    def month(self) -> None:
        whole = max(self.base - self.residual, 0)
        self.counted += 1
        due = whole if self.counted >= self.months else cents(Fraction(whole * self.counted, self.months * 100))
        self.quota += due - self.paid
        self.taken, self.paid = self.taken + due - self.paid, due


def walk(thing: Thing, classe: Classe, months: int, percent: Decimal, until: int, rule: Regra) -> Walk | None:
    """The asset at the end of month `until`, as if it stayed; None: it is not ours, or not there yet. Month by month."""
    if not thing.ours or month_of(thing.acquired) > until:
        return None
    way = Walk(cents(thing.value), base=cents(thing.value), months=months)
    way.residual = cents(Fraction(thing.value) * Fraction(percent) / 100)
    for month in range(month_of(thing.acquired), until + 1):
        way.quota = 0
        today = [
            each
            for each in thing.revaluations
            if month_of(each.day) == month and (thing.gone is None or each.day <= thing.gone)
        ]
        since = [each for each in thing.revaluations if month_of(each.day) < month] or [None]
        if rule is Regra.MES:
            for each in today:
                way.revalue(each)
            counts = month_of(thing.available) <= month or bool(today) or since != [None]
            leaves = thing.gone is not None and month_of(thing.gone) <= month
        else:
            counts = month_of(thing.available) < month or since != [None]
            leaves = thing.gone is not None and month_of(thing.gone) < month
        if counts and not leaves and thing.depreciates(classe):
            way.month()
        if rule is Regra.MES_SEGUINTE:
            for each in today:
                way.revalue(each)
    return way


class Book:
    """The database: assets go in, months are closed."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn
        self.who = self._one(
            "insert into usuario (email, nome, papel, senha_hash) values ('g@x.y', 'G', 'gestor', '-') returning id"
        )
        self.setores = [
            self._one("insert into setor (codigo, nome) values (%s, %s) returning id", f"S{n}", f"S{n}") for n in (1, 2)
        ]
        self.places = [
            (
                setor,
                self._one("insert into local (setor_id, nome) values (%s, 'Sala') returning id", setor),
                self._one(
                    "insert into agente (nome, matricula, setor_id) values ('A', %s, %s) returning id",
                    f"M{next(_numbers)}", setor,
                ),
            )
            for setor in self.setores
        ]  # fmt: skip
        self.reports = 0

    def _one(self, sql: str, *values: Any) -> Any:
        row: Any = self.conn.execute(sql, list(values)).fetchone()
        return row[0]

    def classe(self, months: int, percent: str = "10", *, depreciable: bool = True) -> Classe:
        conta = f"1.{next(_numbers)}".replace(".0", ".1")
        conta = f"1.2.{int(conta[2:]) // 999}.{int(conta[2:]) % 999}"
        id_ = self._one(
            "insert into classe (conta, nome, vida_util_meses, residual_pct, depreciavel) values (%s, 'C', %s, %s, %s)"
            " returning id",
            conta, months, percent, depreciable,
        )  # fmt: skip
        return Classe(id_, conta, months, Decimal(percent), depreciable)

    def asset(
        self, classe: Classe, value: str, acquired: dt.date, available: dt.date | None = None, **more: Any
    ) -> Thing:
        setor, local, agente = self.places[0]
        id_ = self._one(
            """insert into patrimonio (numero, descricao, classe_id, valor, data_aquisicao, data_disponivel, conservacao,
                   setor_id, local_id, agente_id, vida_util_meses, residual_pct)
               values (%s, 'Bem', %s, %s, %s, %s, 'bom', %s, %s, %s, %s, %s) returning id""",
            next(_numbers), classe.id, value, acquired, available or acquired, setor, local, agente, more.get("months"),
            more.get("percent"),
        )  # fmt: skip
        return Thing(str(id_), classe.conta, Decimal(value), acquired, available or acquired, **more)

    def imovel(
        self,
        land: Classe,
        building: Classe,
        values: tuple[str, str],
        acquired: dt.date,
        available: dt.date,
        **more: Any,
    ) -> list[Thing]:
        """Land and building of an imóvel."""
        setor, _, agente = self.places[0]
        row = self.conn.execute(
            """insert into imovel (numero, nome, tipo, destinacao, valor_terreno, valor_edificacao, forma_aquisicao,
                   data_aquisicao, data_disponivel, classe_terreno_id, classe_edificacao_id, setor_id, agente_id, conservacao,
                   vida_util_meses, residual_pct)
               values (%s, 'Escola', 'predial', 'uso_especial', %s, %s, 'compra', %s, %s, %s, %s, %s, %s, 'bom', %s, %s)
               returning terreno_de(id)::text, id::text""",
            [next(_numbers), *values, acquired, available, land.id, building.id, setor, agente, more.get("months"),
             more.get("percent")],
        ).fetchone()  # fmt: skip
        assert row is not None
        parts = [
            Thing(row[0], land.conta, Decimal(values[0]), acquired, acquired, part="terreno"),
            Thing(row[1], building.conta, Decimal(values[1]), acquired, available, part="edificacao", **more),
        ]
        for each in parts:
            each.imovel, each.parts = row[1], parts
        return parts

    def change(self, thing: Thing, **columns: Any) -> None:
        table, id_ = ("imovel", thing.imovel) if thing.imovel else ("patrimonio", thing.id)
        if thing.imovel:
            own = {"valor": f"valor_{thing.part}", "classe_id": f"classe_{thing.part}_id"}
            columns = {own.get(name, name): value for name, value in columns.items() if name != "local_id"}
        names = ", ".join(f"{name} = %s" for name in columns)
        self.conn.execute(f"update {table} set {names} where id = %s", [*columns.values(), id_])

    def transfer(self, thing: Thing) -> None:
        setor, local, agente = self.places[1]
        self.change(thing, setor_id=setor, local_id=local, agente_id=agente)

    def write_off(self, thing: Thing, day: dt.date) -> None:
        if thing.imovel:
            self.conn.execute(
                """insert into imovel_baixa (imovel_id, setor_id, motivo, data, justificativa, destinacao, posse,
                       valor_terreno, valor_edificacao, registrada_por)
                   values (%s, %s, 'erro_cadastro', %s, 'Cadastrado duas vezes', 'uso_especial', 'proprio', 0, 0, %s)""",
                [thing.imovel, self.setores[0], day, self.who],
            )
            for each in thing.parts:
                each.gone = day
            return
        self.conn.execute(
            """insert into baixa (patrimonio_id, setor_id, motivo, data, justificativa, valor, situacao_anterior,
                   registrada_por)
               values (%s, %s, 'erro_cadastro', %s, 'Cadastrado duas vezes', 0, 'em_uso', %s)""",
            [thing.id, self.setores[0], day, self.who],
        )
        thing.gone = day

    def take_back(self, thing: Thing) -> None:
        table, of = ("imovel_baixa", "imovel_id") if thing.imovel else ("baixa", "patrimonio_id")
        self.conn.execute(
            f"""update {table} set estornada_em = now(), estornada_por = %s, estorno = 'Não era este bem'
                where {of} = %s and estornada_em is null""",
            [self.who, thing.imovel or thing.id],
        )
        for each in thing.parts or [thing]:
            each.gone = None

    def revalue(self, thing: Thing, before: Balance, by: Revaluation, kind: str = "reavaliacao") -> None:
        self.reports += 1
        commission = self._one(
            "insert into comissao (portaria, finalidade, inicio, registrada_por) values (%s, 'geral', '2000-01-01', %s)"
            " returning id",
            f"{self.reports}/2000", self.who,
        )  # fmt: skip
        report = self._one(
            """insert into reavaliacao (tipo, data, laudo, justificativa, comissao_id, portaria, membros, bens, valor_antes,
                   valor_depois, registrada_por)
               values (%s, %s, 'L', 'Laudo da comissão', %s, '1', 'A', 1, 0, 0, %s) returning id""",
            kind, by.day, commission, self.who,
        )  # fmt: skip
        self.conn.execute(
            """insert into reavaliacao_item (reavaliacao_id, patrimonio_id, tipo, data, bruto_antes, acumulada_antes,
                   perda_antes, bruto, acumulada, perda, vida_util_meses, residual)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [report, thing.id, kind, by.day, *before, *by.after, by.months, by.residual],
        )
        thing.revaluations = sorted([*thing.revaluations, by], key=lambda each: each.day)

    def close(self, month: int, rule: Regra = Regra.MES) -> int:
        return int(self._one("select fechar_mes(%s, %s, %s)", first_day(month), rule.value, self.who))

    def rows(self, number: int) -> dict[str, dict[str, Any]]:
        """The lines of a closing, by asset."""
        with self.conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            cursor.execute("select * from depreciacao where fechamento = %s", [number])
            return {str(row["patrimonio_id"]): row for row in cursor.fetchall()}

    def entries(self) -> dict[tuple[str, str, str], Decimal]:
        """All movements of the months that are closed, summed: by asset, account, component."""
        found = self.conn.execute(
            "select patrimonio_id::text, conta, componente, sum(valor) from lancamento group by 1, 2, 3"
        )
        return {(asset, conta, part): amount for asset, conta, part, amount in found.fetchall()}


def known(thing: Thing, classe: Classe, months: int, percent: Decimal) -> Asset:
    """The same for `rules`."""
    return Asset(
        thing.value, thing.acquired, thing.available, months, percent, thing.depreciates(classe), tuple(thing.revaluations),
        thing.gone, thing.ours,
    )  # fmt: skip


@contextmanager
def book(dsn: Dsn) -> Iterator[Book]:
    """An empty book; nothing of it remains."""
    with psycopg.connect(dsn.conninfo) as conn, conn.transaction(force_rollback=True):
        yield Book(conn)
