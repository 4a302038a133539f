"""`sispat auditoria verificar`: whether the audit is what was sealed.

Promises: reads only; exits with 1 when something does not fit, and says which records.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from sispat.cli._users import as_operator
from sispat.kernel.i18n import _, ngettext

if TYPE_CHECKING:
    from sispat.auditoria.seals import Finding, Verified
    from sispat.kernel.context import Context

__all__ = ["app"]

app = typer.Typer(help=_("Auditoria: o que foi feito, e se está como foi selado."), no_args_is_help=True)

_NOTED = re.compile(r"(\d+):([0-9a-fA-F]{8,64})")


@app.command(
    "verificar",
    help=_(
        "Confere todos os selos da auditoria: nenhum registro selado foi alterado, apagado ou acrescentado depois. "
        "Sai com 1 quando algo não confere."
    ),
)
def verificar(
    selo: Annotated[
        str | None,
        typer.Option(
            "--selo", metavar="NÚMERO:HASH", help=_("Um selo anotado antes, para saber se a corrente toda foi refeita.")
        ),
    ] = None,
) -> None:
    """Compare every seal with the records."""
    from sispat.auditoria import seals

    noted = _noted(selo) if selo else None
    done: list[Verified] = []

    async def read(ctx: Context) -> None:
        done.append(await seals.verify(ctx.conn, noted))

    as_operator(read)
    for line in _lines(done[0]):
        typer.echo(line)
    if done[0].findings:
        raise typer.Exit(1)


def _noted(text: str) -> tuple[int, str]:
    match = _NOTED.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(
            _(
                "--selo quer o número e o começo do hash, como 12:9f3a60c1 (8 a 64 algarismos hexadecimais), não %(given)s",
                given=repr(text),
            )
        )
    return int(match[1]), match[2]


def _lines(done: Verified) -> list[str]:
    lines = [_said(each) for each in done.findings]
    if not lines and done.seals:  # without seals nothing was compared
        lines.append(
            ngettext(
                "Confere: %(num)s registro em %(seals)s selos.",
                "Conferem: %(num)s registros em %(seals)s selos.",
                done.records,
                num=done.records,
                seals=done.seals,
            )
        )
    if done.last is not None:
        lines.append(
            _("Último selo, para anotar: %(number)s:%(hash)s", number=done.last.number, hash=done.last.hash.hex())
        )
    else:
        lines.append(_("Ainda não há selos: o serviço sela o que tem algumas horas."))
    lines.append(
        ngettext(
            "%(num)s registro ainda não selado.",
            "%(num)s registros ainda não selados.",
            done.unsealed,
            num=done.unsealed,
        )
    )
    return lines


def _said(each: Finding) -> str:
    if each.kind == "missing":
        return _("Faltam %(count)s selos a partir do %(number)s.", count=each.sealed, number=each.number)
    if each.kind == "noted":
        return _("O selo %(number)s não é o que foi anotado.", number=each.number)
    return _(
        "O selo %(number)s não confere: os registros de %(first)s a %(last)s foram alterados, apagados ou acrescentados "
        "(selados %(sealed)s, encontrados %(found)s).",
        number=each.number,
        first=each.first_id,
        last=each.last_id,
        sealed=each.sealed,
        found=each.found,
    )
