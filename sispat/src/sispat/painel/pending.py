"""What waits for a person: the first page shows it, and the mails of `avisos` tell of it.

Promises: only what they can do something about, within reach, as the use cases of each slice have it. Counted up to
`CEILING`, so that it costs the same in a city of a million.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from textwrap import shorten
from typing import Any, NamedTuple

from sispat.inventario import rules as counting
from sispat.inventario.kinds import INVENTARIOS
from sispat.kernel import formats
from sispat.kernel.context import Context
from sispat.kernel.i18n import _, ngettext
from sispat.movimentacoes.actions.pending import CEILING, MOVEMENTS, Sought, Waiting, waiting
from sispat.patrimonios import actions as patrimonios
from sispat.termos import actions as termos

__all__ = ["WARRANTY_ENDS_SOON", "Group", "Line", "pending"]

WARRANTY_ENDS_SOON = dt.timedelta(days=30)
_LONGEST = 60  # letters of a motive
_COUNTS = (
    Sought(counting.CONTAR, INVENTARIOS, counting.EstadoDoInventario.CONTANDO),
    Sought(counting.DECIDIR, INVENTARIOS, counting.EstadoDoInventario.DECIDINDO),
)


class Line(NamedTuple):
    """One thing that waits: what it is called, and two ways to say more of it: on its page, and in a mail.

    A mail leaves the house: it has numbers, names of setores and days, nothing that somebody typed of an asset.
    """

    id: str
    path: str
    name: str
    detail: str
    mailed: str


class Group(NamedTuple):
    """What waits of one kind: how many, in words, where all of it is (or nowhere), and the first of it.

    `to_decide`: it waits for an answer, an acceptance or a signature; `plates`: its lines are named by plate numbers.
    `lasting`: it stays as it is for weeks, whatever anybody does.
    """

    title: str
    path: str
    lines: list[Line]
    to_decide: bool = False
    plates: bool = False
    lasting: bool = False


async def pending(ctx: Context, today: dt.date, *, click_signing: bool, shown: int = 5) -> list[Group]:
    """All groups of which something waits, at most `shown` lines of each."""
    moves = await waiting(ctx, today, MOVEMENTS, shown)
    counts = await waiting(ctx, today, _COUNTS, shown)
    to_sign = await termos.esperando(ctx, CEILING) if click_signing else []
    ending = await patrimonios.garantias(ctx, today, today + WARRANTY_ENDS_SOON, CEILING)
    return [*_of_moves(moves), *_of_counts(counts), *_of_termos(to_sign, shown), *_of_warranties(ending, shown)]


def _counted(number: int) -> str:
    return f"{formats.decimal(number)}{'+' if number == CEILING else ''}"


def _of_moves(moves: Iterable[Waiting]) -> Iterator[Group]:
    for each in moves:
        path, told = each.kind.path, _MOVES[each.estado]
        yield Group(
            told.title(each.number, _counted(each.number)),
            f"{path}?estado={each.estado}",
            [
                Line(row["id"], f"{path}/{row['id']}", _("Nº %(number)s", number=row["numero"]), *told.line(row))
                for row in each.newest
            ],
            to_decide=each.estado == "pendente",
        )


def _of_counts(counts: Iterable[Waiting]) -> Iterator[Group]:
    """Counts in which something is to be read, or to be decided: all of the city, a setor, or something in one."""
    for each in counts:
        under_way, shown = each.estado == counting.EstadoDoInventario.CONTANDO, _counted(each.number)
        lines = []
        for row in each.newest:
            scope = counting.EscopoDoInventario(row["escopo"]).label
            told = f"{scope}: {row['setor']['nome']}" if row["setor"] else scope
            path = f"{INVENTARIOS.path}/{row['id']}{'/contar' if under_way else ''}"
            lines.append(Line(row["id"], path, _("Nº %(number)s", number=row["numero"]), told, told))
        yield Group(
            ngettext("%(num)s inventário em contagem", "%(num)s inventários em contagem", each.number, num=shown)
            if under_way
            else ngettext("%(num)s inventário a decidir", "%(num)s inventários a decidir", each.number, num=shown),
            f"{INVENTARIOS.path}?estado={each.estado}",
            lines,
            to_decide=not under_way,
            lasting=under_way,
        )


def _of_termos(to_sign: list[termos.Waiting], shown: int) -> Iterator[Group]:
    if to_sign:
        lines = []
        for each in to_sign[:shown]:
            assets = ngettext("%(num)s bem", "%(num)s bens", each.bens, num=formats.decimal(each.bens))
            lines.append(Line(str(each.id), f"/termos/{each.id}", each.title, assets, assets))
        number = len(to_sign)
        title = ngettext("%(num)s termo a assinar", "%(num)s termos a assinar", number, num=_counted(number))
        yield Group(title, "", lines, to_decide=True)


def _of_warranties(ending: list[dict[str, Any]], shown: int) -> Iterator[Group]:
    if ending:
        lines = []
        for each in ending[:shown]:
            until = _("até %(date)s", date=formats.date(each["garantia_ate"]))
            plate = formats.plate_number(each["numero"])
            lines.append(
                Line(str(each["id"]), f"/patrimonios/{each['id']}", plate, f"{each['descricao']}, {until}", until)
            )
        number = len(ending)
        title = ngettext(
            "%(num)s garantia termina em 30 dias", "%(num)s garantias terminam em 30 dias", number, num=_counted(number)
        )
        yield Group(title, "", lines, plates=True, lasting=True)


class _Told(NamedTuple):
    """How movements in a state are told of: all of them, and one."""

    title: Callable[[int, str], str]
    line: Callable[[dict[str, Any]], tuple[str, str]]


def _transfer(row: dict[str, Any]) -> tuple[str, str]:
    way = f"{row['origem']['nome']} → {row['destino']['nome']}"
    assets = ngettext("%(num)s bem", "%(num)s bens", row["bens"], num=formats.decimal(row["bens"]))
    return f"{way}, {assets}: {shorten(row['motivo'], _LONGEST, placeholder='…')}", way


def _late(row: dict[str, Any]) -> tuple[str, str]:
    until, asset = _("até %(date)s", date=formats.date(row["previsao"])), row["patrimonio"]
    plate = _("bem %(number)s", number=formats.plate_number(asset["numero"]))
    return f"{asset['nome']}, {until}", f"{plate}, {until}"


_MOVES = {
    "pendente": _Told(
        lambda number, shown: ngettext(
            "%(num)s transferência a aceitar ou recusar",
            "%(num)s transferências a aceitar ou recusar",
            number,
            num=shown,
        ),
        _transfer,
    ),
    "atrasado": _Told(
        lambda number, shown: ngettext(
            "%(num)s empréstimo atrasado", "%(num)s empréstimos atrasados", number, num=shown
        ),
        _late,
    ),
    "atrasada": _Told(
        lambda number, shown: ngettext(
            "%(num)s manutenção atrasada", "%(num)s manutenções atrasadas", number, num=shown
        ),
        _late,
    ),
}
