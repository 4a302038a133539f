"""The form that hands many assets over at once.

Promises: it works without JavaScript. What is chosen travels in the address and then in the form: the plate numbers that were
ticked, or the search all of whose assets are meant; in either case with how many they are, which is what is confirmed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import QueryParams
from starlette.responses import Response

from sispat.cadastros.pickers import fields_of
from sispat.http.session import RequestContext
from sispat.http.submission import Submission
from sispat.kernel.errors import InvalidData
from sispat.kernel.formats import decimal, plate_number
from sispat.kernel.i18n import _, lazy, ngettext
from sispat.patrimonios import rules
from sispat.patrimonios.custody import MAIS_DE_UMA_VEZ, CargaDeMuitos, Escolha, contar_escolha, trocar_cargas
from sispat.patrimonios.listing import ListaDePatrimonios
from sispat.patrimonios.screens import sections_of, without_setor
from sispat.patrimonios.search import Search
from sispat.ui.fields import Section, typed
from sispat.ui.forms import Screen
from sispat.ui.pages import redirect

__all__ = ["CargaDeVarios", "handed_over"]

_LISTED = 10  # numbers that the page tells


def handed_over(text: str) -> str:
    """How many assets were handed over, as the address of a page tells it, in a sentence."""
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return ""
    return ngettext("Carga trocada de %(num)s bem.", "Carga trocada de %(num)s bens.", int(text), num=decimal(text))


class CargaDeVarios(Screen):
    """Hand over the assets that were chosen in the list."""

    title = lazy("Trocar a carga de vários bens")
    submit = lazy("Trocar a carga de todos")
    back = "/patrimonios"
    breadcrumbs = (("/patrimonios", lazy("Bens")),)

    async def load(self, ctx: RequestContext) -> None:
        """For those who may."""
        ctx.access.require(rules.TROCAR_CARGA)

    async def initial(self, ctx: RequestContext) -> dict[str, str]:
        """What was chosen in the list."""
        return _chosen_in_list(ctx.request.query_params)

    async def sections(self, ctx: RequestContext, values: dict[str, str]) -> Sequence[Section]:
        """Place and custody; the choice is counted anew each time the form is shown, so that what is confirmed is seen."""
        chosen = _chosen(values)
        number = await contar_escolha(ctx, chosen)
        self.hidden = {name: values.get(name, "") for name in ("bens", "filtro")} | {"quantos": str(number)}
        self.subtitle = _told(chosen, number)
        return await sections_of(ctx, CargaDeMuitos, values)

    async def save(self, ctx: RequestContext, submission: Submission) -> Response:
        """Hand over; then the list as it was."""
        chosen = _chosen(submission.values)
        confirmed = submission.values.get("quantos", "")
        troca = CargaDeMuitos.parse(typed(fields_of(CargaDeMuitos), submission.values))
        try:
            changed = await trocar_cargas(ctx, chosen, troca, int(confirmed) if _is_number(confirmed) else -1)
        except InvalidData as error:
            raise without_setor(error) from error
        receiver = {"para": str(troca.agente_id)} if troca.agente_id else {}
        return redirect("/patrimonios", **_parameters(submission.values), trocados=str(changed), **receiver)


def _chosen_in_list(parameters: QueryParams) -> dict[str, str]:
    if "todos_da_busca" in parameters:
        asked = Search(parameters).asked
        return {"filtro": urlencode({name: value for name, value in asked.items() if name not in ("sort", "pagina")})}
    return {"bens": ",".join(number for number in parameters.getlist("bem") if _is_number(number))}


def _chosen(values: dict[str, str]) -> Escolha:
    if values.get("bens"):
        return Escolha(tuple(int(number) for number in values["bens"].split(",") if _is_number(number)))
    if "filtro" in values:
        return Escolha(asked=ListaDePatrimonios.parse(_parameters(values)))
    return Escolha()


def _parameters(values: dict[str, str]) -> dict[str, str]:
    return dict(parse_qsl(values.get("filtro", "")))


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[1-9]\d{0,17}", text, re.ASCII) is not None


def _told(chosen: Escolha, number: int) -> str:
    if not number:
        return _("Nenhum bem escolhido. Volte à lista e marque os bens.")
    if number > MAIS_DE_UMA_VEZ:
        most = decimal(MAIS_DE_UMA_VEZ)
        return _("A busca acha mais de %(most)s bens, o limite de cada vez. Volte e estreite a busca.", most=most)
    many = ngettext("%(num)s bem", "%(num)s bens", number, num=decimal(number))
    if chosen.asked is not None:
        return _("%(assets)s: todos os que a busca acha.", assets=many)
    numbers = sorted(set(chosen.numeros))
    shown = ", ".join(map(plate_number, numbers[:_LISTED]))
    if len(numbers) > _LISTED:
        shown = _("%(numbers)s e mais %(more)s", numbers=shown, more=decimal(len(numbers) - _LISTED))
    return f"{many}: {shown}."
