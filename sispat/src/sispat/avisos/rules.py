"""When a person is told, and when a mail is worth sending. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sispat.kernel.i18n import gettext_noop
from sispat.kernel.labelled import Labelled
from sispat.kernel.permissions import EVERYBODY, Action

__all__ = ["ACTIONS", "BETWEEN", "PROPRIOS", "Quando", "Subject", "asked_again_after", "due", "worth_a_mail"]

PROPRIOS = Action("aviso.proprio", gettext_noop("escolher os próprios avisos"), EVERYBODY, in_person=True)
ACTIONS = (PROPRIOS,)

BETWEEN = 600.0
"""Seconds between two mails to the same person: what comes meanwhile is told together."""
_FIRST, _LONGEST = 60.0, 900.0


class Quando(Labelled):
    """When a person is told by mail."""

    NUNCA = "nunca", "Nunca"
    DIARIO = "diario", "Uma vez por dia, o que estiver esperando"
    NA_HORA = "na_hora", "Na hora, o que precisar da minha resposta; e o resumo do dia"


def due(quando: str, done: float, slot: float | None, last: float | None, now: float) -> bool | None:
    """Whether the digest of `slot` is due (True), or only what is new (False); None: nothing. Seconds since the epoch.

    `done` is the last slot that is done with, `last` when a mail was taken. However many slots were missed, one digest is due.
    """
    if quando == Quando.NUNCA:
        return None
    if slot is not None and done < slot:
        return True
    return False if quando == Quando.NA_HORA and (last is None or now - last >= BETWEEN) else None


@dataclass(frozen=True, slots=True)
class Subject:
    """The records of a group of what waits; `to_decide` and `lasting` as `painel.pending` has them."""

    ids: Sequence[str]
    to_decide: bool
    lasting: bool


def worth_a_mail(groups: Iterable[Subject], told: Collection[str], *, digest: bool) -> bool:
    """Whether to write: a digest where anything waits that somebody can end, or what lasts and was not told yet; at once
    only where a new record waits for an answer.
    """
    for group in groups:
        fresh = any(each not in told for each in group.ids)
        if (fresh or not group.lasting) if digest else (fresh and group.to_decide):
            return True
    return False


def asked_again_after(failures: int) -> float:
    """Seconds until a mail that was refused `failures` times in a row is tried again."""
    return float(min(_FIRST * 2 ** min(failures - 1, 10), _LONGEST))
