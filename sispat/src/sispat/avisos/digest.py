"""What a mail says. Pure.

Promises: numbers, names of setores and days, nothing that was typed of an asset; short enough for the channel, with the way
to end it always in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sispat.kernel.i18n import _
from sispat.painel.pending import Group

__all__ = ["Mail", "compose"]

_MOST_LINES = 3  # of a group
_LONGEST_LINE = 100
_LONGEST = 1700  # characters; `esteio.alert.Notice` cuts at 1,790


class Mail(NamedTuple):
    """Subject and text."""

    subject: str
    text: str


def compose(groups: Sequence[Group], *, name: str, city: str, base: str) -> Mail:
    """The mail about `groups` to `name`, with links below `base`; without one, it has none."""
    subject = _("SISPAT: %(what)s", what=", ".join(group.title for group in groups))
    for lines in range(_MOST_LINES, -1, -1):
        text = _text(groups, lines, name, city, base)
        if len(text) <= _LONGEST:
            break
    return Mail(subject, text)


def _text(groups: Sequence[Group], most: int, name: str, city: str, base: str) -> str:
    parts = [_("Olá, %(name)s.", name=name.split(" ")[0]), _("Esperam por você no SISPAT (%(city)s):", city=city)]
    parts += ["\n".join(_group(group, most, base)) for group in groups]
    if base:
        parts.append(_("O que espera por você: %(link)s", link=f"{base}/"))
        parts.append(_("Mudar ou parar estes avisos: %(link)s", link=f"{base}/meus-avisos"))
    else:
        parts.append(_("Para mudar ou parar estes avisos, entre no SISPAT e abra Minha conta, Avisos por e-mail."))
    return "\n\n".join(parts)


def _group(group: Group, most: int, base: str) -> list[str]:
    shown = group.lines[:most]
    lines = [f"{group.title}:" if shown else group.title]
    for line in shown:
        text = f"- {line.name}: {line.mailed}"
        lines.append(text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 1]}…")
    left = len(group.lines) - len(shown)
    if shown and left:
        lines.append(_("- e mais %(number)s", number=left))
    if base and group.path:
        lines.append(f"  {base}{group.path}")
    return lines
