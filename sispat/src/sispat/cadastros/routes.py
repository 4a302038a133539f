"""The four registers, all of one shape, and addresses by CEP; pages and API."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from sispat.cadastros import actions, choosing
from sispat.cadastros.cep import CepLookup, CepUnknown
from sispat.cadastros.documents import LISTED, STORED, EnderecoDoCep
from sispat.cadastros.fields import ENTITIES, ListaDeCadastro
from sispat.cadastros.paging import RegisterPage
from sispat.cadastros.registers import REGISTERS, Register
from sispat.cadastros.screens import Edicao, Exclusao, Novo
from sispat.http.responses import Document, json_response, required_version
from sispat.http.route import Reply, Routes
from sispat.http.service import service_of
from sispat.http.session import RequestContext
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData
from sispat.kernel.inputs import Input
from sispat.kernel.patches import Patch, patch_of
from sispat.ui.forms import form
from sispat.ui.history import readable
from sispat.ui.pages import page

__all__ = ["route"]

SHOWN = 100  # rows on one page

route = Routes()


def _api(register: Register, input_: type[Input]) -> None:
    kind, plural, path = register.kind, register.plural, f"/api/{register.plural}"
    stored, listed = STORED[kind], list[LISTED[kind]]  # type: ignore[valid-type]  # made from the table of fields

    @route("GET", path, tag=plural, response=listed, summary="Listar", name=f"listar_{plural}")
    async def listar(ctx: RequestContext, pedido: ListaDeCadastro) -> Response:
        found = await actions.listar(ctx, kind, pedido)
        return json_response(found.rows, 200, **_links(ctx.request, found.following))

    @route("GET", path + "/{id_}", tag=plural, response=stored, summary="Obter", name=f"obter_{kind}")
    async def obter(ctx: RequestContext, id_: UUID) -> Reply:
        return Document.of(await actions.obter(ctx, kind, id_))

    async def criar(ctx: RequestContext, dados: Input) -> Response:
        row = await actions.criar(ctx, kind, dados)
        return json_response(row, 201, Location=f"{path}/{row['id']}")

    async def editar(ctx: RequestContext, id_: UUID, dados: Input) -> Reply:
        return Document.of(await actions.editar(ctx, kind, id_, dados, required_version(ctx.request)))

    async def corrigir(ctx: RequestContext, id_: UUID, dados: Patch) -> Reply:
        """Só os campos enviados mudam (JSON Merge Patch, RFC 7396)."""
        return Document.of(await actions.corrigir(ctx, kind, id_, dados, required_version(ctx.request)))

    patch = patch_of(f"Correcao{input_.__name__}", input_, nome="Outro nome")
    for handler, own in ((criar, input_), (editar, input_), (corrigir, patch)):  # each register's own input
        handler.__annotations__ = {**handler.__annotations__, "dados": own}
    route("POST", path, tag=plural, response=stored, status=201, summary="Criar", name=f"criar_{kind}", once=True)(
        criar
    )
    route("PUT", path + "/{id_}", tag=plural, response=stored, summary="Editar", name=f"editar_{kind}", versioned=True)(
        editar
    )

    described = {"tag": plural, "response": stored, "summary": "Corrigir", "name": f"corrigir_{kind}"}
    route("PATCH", path + "/{id_}", versioned=True, **described)(corrigir)

    @route("DELETE", path + "/{id_}", tag=plural, status=204, summary="Excluir", name=f"excluir_{kind}", versioned=True)
    async def excluir(ctx: RequestContext, id_: UUID) -> Response:
        await actions.excluir(ctx, kind, id_, required_version(ctx.request))
        return Response(status_code=204)


def _pages(register: Register) -> None:
    @route("GET", register.path)
    async def list_page(ctx: RequestContext) -> Reply:
        return await _list_page(ctx, register)

    form(route, f"{register.path}/novo", partial(Novo, register))
    form(route, register.path + "/{id_:uuid}/editar", partial(Edicao, register))
    form(route, register.path + "/{id_:uuid}/excluir", partial(Exclusao, register))

    @route("GET", register.path + "/{id_:uuid}")
    async def detail_page(ctx: RequestContext, id_: UUID) -> Reply:
        return await _detail_page(ctx, register, id_)


for _register in REGISTERS:
    _api(_register, ENTITIES[_register.kind].typed[0])
for _register in REGISTERS:
    _pages(_register)


choosing.add(route)


async def _list_page(ctx: RequestContext, register: Register) -> Reply:
    q = ctx.request.query_params.get("q", "")
    pagina = ctx.request.query_params.get("pagina", "")
    found = RegisterPage([], 0, None)
    error = ""
    try:
        asked = ListaDeCadastro.parse({"q": q, "pagina": pagina, "limit": SHOWN})
        found = await actions.listar(ctx, register.kind, asked)
    except InvalidData as invalid:
        error = next(iter(invalid.fields.values()))
    return page(
        "cadastros/lista.html", 422 if error else 200,
        cadastro=register, linhas=found.rows, total=found.total, q=q, erro=error, nomes=await _names(ctx, found.rows),
        proxima=_address(register.path, q=q, pagina=found.following) if found.following else "",
        primeira=_address(register.path, q=q) if pagina else "",
    )  # fmt: skip


def _address(path: str, **parameters: str) -> str:
    given = {name: value for name, value in parameters.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def _links(request: Request, following: str | None) -> dict[str, str]:
    """The next page as RFC 8288 says it, in a header, because the body is the rows alone."""
    if following is None:
        return {}
    given = {**request.query_params, "cursor": following}
    return {"Link": f'<{request.url.path}?{urlencode(given)}>; rel="next"'}


async def _detail_page(ctx: RequestContext, register: Register, id_: UUID) -> Reply:
    row = await actions.obter(ctx, register.kind, id_)
    entries = await readable(ctx, await actions.historico(ctx, register.kind, id_))
    table = ENTITIES[register.kind]
    specs = [table.fields[column] for column in table.columns]
    return page(
        "cadastros/detalhe.html",
        cadastro=register, linha=row, nomes=await _names(ctx, [row]), entries=entries,
        specs=[spec for spec in specs if not spec.ui.section or row[spec.name]],
    )  # fmt: skip


async def _names(ctx: Context, rows: list[dict[str, Any]]) -> dict[UUID, str]:
    ids = {row[c] for row in rows for c in ("setor_id", "pai_id") if row.get(c)}
    return await actions.nomes(ctx, list(ids))


@route("GET", "/api/cep/{cep}", tag="cep", response=EnderecoDoCep, summary="Consultar CEP")
async def consultar(request: Request, cep: str) -> Response:
    """O endereço de um CEP, em até um segundo; 503 quando ninguém sabe dizer: o endereço pode ser digitado à mão."""
    address = await service_of(request).resource(CepLookup).find(cep)
    if address is None:
        raise CepUnknown(cep)
    return json_response(asdict(address))
