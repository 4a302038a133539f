"""Closed months and the depreciation of an asset; pages and API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.cadastros import pickers
from sispat.depreciacao import actions, ledger_routes, rules
from sispat.depreciacao.documents import AnosDaConta, DepreciacaoDoBem, FechamentoGravado, Linha, Linhas, Pedido
from sispat.depreciacao.fields import LINHA, ListaDeLinhas, NovoFechamento, ReaberturaDeMes, Simulacao
from sispat.depreciacao.kinds import FECHAMENTOS
from sispat.depreciacao.rules import Component, EntryKind, TipoDeBem
from sispat.depreciacao.screens import Fechamento, Reabertura
from sispat.http.csv_export import CsvExport
from sispat.http.responses import json_response
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext
from sispat.http.xlsx_export import XlsxExport
from sispat.imoveis import actions as imoveis
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import Cell, labels_of, specs
from sispat.kernel.records import obter
from sispat.patrimonios import actions as patrimonios
from sispat.ui.fields import FormField
from sispat.ui.forms import form
from sispat.ui.pages import page
from sispat.ui.records import Reading, address, changed

__all__ = ["route"]

route = Routes()
_API = "/api/fechamentos"
_NO_STORE: dict[str, Any] = {"Cache-Control": "no-store"}
_YEARS = 10  # that are shown ahead of an asset
_READING = Reading(FECHAMENTOS, FechamentoGravado, pickers.with_choices)
_READING.add(route)
route.include(ledger_routes.route)


@route("POST", _API, tag="fechamentos", response=Pedido, status=202, summary="Fechar o mês", once=True)
async def fechar(ctx: RequestContext, dados: NovoFechamento) -> Response:
    """Fecha o mês seguinte ao último, sobre todos os bens, por uma tarefa: `/api/tarefas/{tarefa_id}` diz em que pé está."""
    return json_response({"tarefa_id": await actions.fechar(ctx, dados, ctx.today)}, 202, **_NO_STORE)


@route("POST", _API + "/{id_}/reabertura", tag="fechamentos", response=FechamentoGravado, summary="Reabrir", once=True)
async def reabrir(ctx: RequestContext, id_: UUID, dados: ReaberturaDeMes) -> Response:
    """Só o último mês fechado, por um administrador; o que foi fechado continua guardado."""
    return changed(await actions.reabrir(ctx, id_, dados))


@route("GET", _API + "/{id_}/bens", tag="fechamentos", response=Linhas, summary="Bens")
async def listar_bens(ctx: RequestContext, id_: UUID, pedido: ListaDeLinhas) -> Response:
    """O que o mês disse de cada bem, pelo número; páginas por chave (`next` vai em `cursor`)."""
    found, following = await actions.linhas(ctx, id_, pedido)
    return json_response({"items": found, "next": following, "previous": None}, **_NO_STORE)


@route("GET", _API + "/{id_}/bens.csv", tag="fechamentos", summary="Bens em CSV", response_class=Response)
async def exportar_bens(ctx: RequestContext, id_: UUID) -> Reply:
    """Todos os bens do mês, em CSV (UTF-8, ponto e vírgula)."""
    return await _exported(ctx, id_)


@route("GET", _API + "/{id_}/bens.xlsx", tag="fechamentos", summary="Bens em XLSX", response_class=Response)
async def exportar_bens_xlsx(ctx: RequestContext, id_: UUID) -> Reply:
    """O mesmo em XLSX, com valores e datas como tais; até 100.000 linhas."""
    return XlsxExport(await _exported(ctx, id_))


async def _exported(ctx: RequestContext, id_: UUID) -> CsvExport:
    month = await actions.exportar_linhas(ctx, id_)
    columns = list(LINHA.fields.values())

    async def lot(ctx: RequestContext, after: str | None) -> tuple[list[Sequence[Cell]], str | None]:
        found, following = await actions.linhas(ctx, id_, ListaDeLinhas(cursor=after or ""), 2000)
        return [[spec.cell(each[spec.name]) for spec in columns] for each in found], following

    return CsvExport(f"depreciacao-{month:%Y-%m}", list(LINHA.fields), lot)


@route("GET", "/api/patrimonios/{id_}/depreciacao", tag="patrimonios", response=DepreciacaoDoBem, summary="Depreciação")
async def depreciacao_do_bem(ctx: RequestContext, id_: UUID) -> Response:
    """Os meses fechados do bem, os lançamentos deles, e o que os próximos anos levam, se nada mudar."""
    return json_response(await _of_asset(ctx, id_), **_NO_STORE)


async def _of_asset(ctx: RequestContext, id_: UUID) -> dict[str, Any]:
    months, entries = await actions.do_bem(ctx, id_)
    asset, rule = await actions.fatos_do_bem(ctx, id_), await actions.regra_em_vigor(ctx)
    since = rules.month_of(months[0]["competencia"]) if months else rules.month_of(ctx.today) - 1
    plan = asset.plan(since, rule)
    ahead = [
        {"ano": year, "depreciacao": taken, "liquido": after.liquido}
        for year, taken, after in rules.years_ahead(asset, since, _YEARS, rule)
    ]
    return {
        "plano": {
            "deprecia": asset.depreciable and asset.ours,
            "valor": plan.start.liquido,
            "residual": plan.residual,
            "meses": plan.months,
            "desde": rules.first_day(plan.since),
        },
        "meses": months,
        "lancamentos": entries,
        "adiante": ahead if asset.in_books(since) or not months else [],
    }


@route("GET", "/api/imoveis/{id_}/depreciacao", tag="imoveis", response=list[Linha], summary="Depreciação")
async def depreciacao_do_imovel(ctx: RequestContext, id_: UUID) -> Response:
    """Os meses fechados do imóvel, do mais novo ao mais antigo: em cada um, o terreno e a edificação."""
    return json_response(await actions.do_imovel(ctx, id_), **_NO_STORE)


@route("GET", "/api/depreciacao/simulacao", tag="fechamentos", response=list[AnosDaConta], summary="Simular")
async def simular(ctx: RequestContext, pedido: Simulacao) -> Response:
    """O que cada conta deprecia em cada um dos próximos anos, se nada mudar; nada é gravado."""
    return json_response((await actions.simular(ctx, pedido, ctx.today))[1], **_NO_STORE)


@route("GET", "/depreciacao/simulacao")
async def simulation_page(ctx: RequestContext) -> Reply:
    """The same by account and year; what cannot be asked for is said beside the filters."""
    given = {name: text for name in Simulacao.model_fields if (text := ctx.request.query_params.get(name, "").strip())}
    errors, since, found = dict[str, str](), None, list[dict[str, Any]]()
    ctx.access.require(rules.VER)
    try:
        since, found = await actions.simular(ctx, Simulacao.parse(given), ctx.today)
    except InvalidData as error:
        errors = error.fields
    filters = []
    for spec in specs(Simulacao).values():
        field = FormField.of(spec)
        entity = spec.ui.refers_to
        filters.append(await pickers.with_choices(ctx, field, entity, ctx.request.query_params) if entity else field)
    contas: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        contas.setdefault(f"{row['nome']} ({row['conta']})", []).append(row)
    years = sorted({row["ano"] for row in found})
    total = {year: sum(row["depreciacao"] for row in found if row["ano"] == year) for year in years}
    return page(
        "depreciacao/simulacao.html", 422 if errors else 200, kind=FECHAMENTOS, since=since, contas=contas, years=years,
        total=total, filters=filters, given=given, errors=errors, field_labels=labels_of(Simulacao),
    )  # fmt: skip


form(route, "/fechamentos/novo", Fechamento)
form(route, "/fechamentos/{id_:uuid}/reabrir", Reabertura)


@route("GET", "/fechamentos/{id_:uuid}")
async def card(ctx: RequestContext, id_: UUID) -> Reply:
    """A closed month: its sums, account by account, and whether accounting has the same."""
    stored: dict[str, Any] = orjson.loads(await obter(ctx, FECHAMENTOS, id_))
    contas = await actions.contas(ctx, stored["numero"])
    reconciled = await actions.conciliacao(ctx, stored["numero"])
    return await _READING.card(ctx, id_, "depreciacao/fechamento.html", contas=contas, reconciled=reconciled)


@route("GET", "/fechamentos/{id_:uuid}/bens")
async def assets_page(ctx: RequestContext, id_: UUID) -> Reply:
    """The assets of a closed month, a page at a time."""
    stored: dict[str, Any] = orjson.loads(await obter(ctx, FECHAMENTOS, id_))
    found, following = await actions.linhas(ctx, id_, ListaDeLinhas(cursor=ctx.request.query_params.get("cursor", "")))
    return page(
        "depreciacao/bens.html", kind=FECHAMENTOS, stored=stored, linhas=found, columns=_SHOWN,
        following=address(ctx.request.url.path, {"cursor": following}) if following else "",
    )  # fmt: skip


_SHOWN = [
    spec
    for name, spec in LINHA.fields.items()
    if name not in ("competencia", "tipo", "numero", "descricao", "conta", "setor")
]


@route("GET", "/fechamentos/{id_:uuid}/bens.csv")
async def export_page(ctx: RequestContext, id_: UUID) -> Reply:
    """All of them."""
    return await _exported(ctx, id_)


@route("GET", "/fechamentos/{id_:uuid}/bens.xlsx")
async def export_xlsx_page(ctx: RequestContext, id_: UUID) -> Reply:
    """The same as a workbook."""
    return XlsxExport(await _exported(ctx, id_))


@route("GET", "/patrimonios/{id_:uuid}/depreciacao")
async def asset_page(ctx: RequestContext, id_: UUID) -> Reply:
    """What an asset was worth month by month, and what it will be."""
    bem = orjson.loads(await patrimonios.obter(ctx, id_))
    return page(
        "depreciacao/bem.html", bem=bem, depreciacao=await _of_asset(ctx, id_), especies=EntryKind.labels(),
        componentes=Component.labels(),
    )  # fmt: skip


@route("GET", "/imoveis/{id_:uuid}/depreciacao")
async def imovel_page(ctx: RequestContext, id_: UUID) -> Reply:
    """What the land and the building of an imóvel were worth month by month."""
    imovel = orjson.loads(await imoveis.ver(ctx, id_))
    meses = await actions.do_imovel(ctx, id_)
    return page("depreciacao/imovel.html", imovel=imovel, meses=meses, columns=_SHOWN, tipos=TipoDeBem.labels())
