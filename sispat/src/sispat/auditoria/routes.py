"""The newest records of all, or those sought, walked by key; page and API."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field
from starlette.responses import Response

from sispat.auditoria import actions
from sispat.http.documents import Evento
from sispat.http.responses import json_response
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.http.slices import site_of
from sispat.kernel.audit import Sought
from sispat.kernel.dates import read_date
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Ui, labels_of
from sispat.kernel.i18n import _
from sispat.kernel.inputs import BlankIsNone, Date, Input, Legible
from sispat.kernel.words import plate_typed
from sispat.ui.history import readable
from sispat.ui.pages import page

__all__ = ["ListaDeEventos", "route"]

route = Routes()
_PAGE = 100  # records


class ListaDeEventos(Input):
    """What the list may be asked for: it goes on below the record `antes_de`."""

    pessoa: Annotated[str, Field(max_length=120), Legible, Ui("Pessoa", "Parte do nome ou do e-mail.")] = ""
    acao: Annotated[str, Field(max_length=60), Legible, Ui("Ação")] = ""
    registro: Annotated[
        str, Field(max_length=40), Legible, Ui("Bem", "O número da plaqueta; ou o identificador de qualquer registro.")
    ] = ""
    desde: Annotated[Date | None, BlankIsNone, Ui("De", "Como 20/11/26.")] = None
    ate: Annotated[Date | None, BlankIsNone, Ui("Até", "Este dia incluído.")] = None
    antes_de: Annotated[int | None, Field(ge=1, le=2**63 - 1), BlankIsNone, Ui("Antes do registro")] = None

    def sought(self, zone: str) -> Sought:
        """The same for the audit; days are those of the clocks of `zone`."""
        midnight = dt.time.min.replace(tzinfo=ZoneInfo(zone))
        end = None if self.ate is None else self.ate + dt.timedelta(days=1)
        return Sought(
            pessoa=self.pessoa,
            acao=self.acao,
            registro=_record(self.registro),
            desde=None if self.desde is None else dt.datetime.combine(self.desde, midnight),
            antes=None if end is None else dt.datetime.combine(end, midnight),
        )


def _record(text: str) -> UUID | int | None:
    number = plate_typed(text)
    if number is not None or not text:
        return number
    try:
        return UUID(text)
    except ValueError:
        raise InvalidData(
            {"registro": _("Informe o número da plaqueta ou o identificador (UUID) do registro.")}
        ) from None


async def _found(ctx: RequestContext, asked: ListaDeEventos) -> list[dict[str, Any]]:
    return await actions.ultimos(ctx, asked.sought(ctx.service.settings.timezone), asked.antes_de)


@route("GET", "/api/auditoria", tag="auditoria", response=list[Evento], summary="Últimos registros")
async def ultimos(ctx: RequestContext, pedido: ListaDeEventos) -> Response:
    """Cem registros, do mais novo ao mais antigo, filtrados; `antes_de` continua a partir de um id."""
    return json_response(await _found(ctx, pedido))


@route("GET", "/auditoria")
async def list_page(ctx: RequestContext) -> Reply:
    """A hundred records below `antes_de`; what cannot be sought is said beside the form, which stays as it was."""
    given = {name: ctx.request.query_params.get(name, "") for name in ListaDeEventos.model_fields}
    errors: dict[str, str] = {}
    events: list[dict[str, Any]] = []
    try:
        events = await _found(ctx, ListaDeEventos.parse(_read(given)))
    except InvalidData as error:
        errors = error.fields
    return page(
        "auditoria/lista.html",
        422 if errors else 200,
        entries=await readable(ctx, events),
        errors=errors,
        given=given,
        seal=await actions.ultimo_selo(ctx),
        field_labels=labels_of(ListaDeEventos),
        verbs=_by_label(site_of(ctx.request).verbs),
        newest=_address({**given, "antes_de": ""}) if given["antes_de"] else "",
        older=_address({**given, "antes_de": str(events[-1]["id"])}) if len(events) == _PAGE else "",
    )


def _read(given: Mapping[str, str]) -> dict[str, str]:
    return {**given, **{name: read_date(given[name]) for name in ("desde", "ate")}}


def _by_label(verbs: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(verbs.items(), key=lambda verb: verb[1])


def _address(given: Mapping[str, str]) -> str:
    """The list with these filters; its newest page unless `antes_de` is among them."""
    kept = {name: value for name, value in given.items() if value.strip()}
    return f"/auditoria?{urlencode(kept)}" if kept else "/auditoria"
