"""Accounts administered; pages and API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from sispat.http.responses import Document, json_response, page_of_documents, required_version
from sispat.http.route import Reply, Routes
from sispat.http.session import RequestContext, token_of
from sispat.http.submission import Submission
from sispat.kernel.errors import InvalidData
from sispat.kernel.fields import specs
from sispat.pessoas import accounts, keys
from sispat.pessoas.documents import PaginaDeUsuarios, SenhaProvisoria, Sessao, SessoesEncerradas, Usuario
from sispat.pessoas.fields import USUARIO, DadosDeUsuario, ListaDeChaves, ListaDeUsuarios, NovaChave, NovoUsuario
from sispat.pessoas.listing import AccountsPage
from sispat.pessoas.screens import Cadastro, EdicaoDeUsuario
from sispat.ui.fields import FormField
from sispat.ui.forms import Form, form
from sispat.ui.history import readable
from sispat.ui.pages import page, redirect

__all__ = ["card", "route"]

route = Routes()

_API = "/api/usuarios"
_ONE = _API + "/{id_}"
_NO_STORE: dict[str, Any] = {"Cache-Control": "no-store"}
_PAGE = "/usuarios/{id_:uuid}"
_KEY_FIELDS = [FormField.of(spec) for spec in specs(NovaChave).values()]


@route("GET", _API, tag="usuarios", response=PaginaDeUsuarios, summary="Listar")
async def listar_usuarios(ctx: RequestContext, pedido: ListaDeUsuarios) -> Response:
    """As contas, por nome."""
    found = await accounts.listar(ctx, pedido)
    documents = [orjson.dumps(row, default=str).decode() for row in found.rows]
    return Response(page_of_documents(documents, found.following, found.preceding), media_type="application/json")


@route("POST", _API, tag="usuarios", response=Usuario, status=201, summary="Criar", once=True)
async def criar_usuario(ctx: RequestContext, dados: NovoUsuario) -> Response:
    """Sem senha: ninguém entra com a conta antes de `senha-provisoria`; uma integração, só por `chaves`."""
    row = await accounts.criar(ctx, dados, ctx.service.settings.timezone)
    return json_response(row, 201, Location=f"{_API}/{row['id']}")


@route("GET", _ONE, tag="usuarios", response=Usuario, summary="Obter")
async def obter_usuario(ctx: RequestContext, id_: UUID) -> Reply:
    """Uma conta."""
    return Document.of(await accounts.obter(ctx, id_))


@route("PUT", _ONE, tag="usuarios", response=Usuario, summary="Editar", versioned=True)
async def editar_usuario(ctx: RequestContext, id_: UUID, dados: DadosDeUsuario) -> Reply:
    """O último administrador que pode entrar não deixa de sê-lo."""
    zone = ctx.service.settings.timezone
    return Document.of(await accounts.editar(ctx, id_, dados, required_version(ctx.request), zone))


@route("POST", _ONE + "/desativacao", tag="usuarios", response=Usuario, summary="Desativar")
async def desativar_usuario(ctx: RequestContext, id_: UUID) -> Reply:
    """A pessoa sai na hora e não entra mais."""
    return Document.of(await accounts.desativar(ctx, id_))


@route("POST", _ONE + "/reativacao", tag="usuarios", response=Usuario, summary="Reativar")
async def reativar_usuario(ctx: RequestContext, id_: UUID) -> Reply:
    """A pessoa volta a poder entrar, com a senha que tinha."""
    return Document.of(await accounts.reativar(ctx, id_))


@route("POST", _ONE + "/senha-provisoria", tag="usuarios", response=SenhaProvisoria, summary="Gerar senha provisória")
async def gerar_senha(ctx: RequestContext, id_: UUID) -> Response:
    """Toma o lugar da senha atual, encerra as sessões, e é dita só nesta resposta."""
    return json_response({"senha": await accounts.gerar_senha(ctx, id_)}, 200, **_NO_STORE)


@route("GET", _ONE + "/sessoes", tag="usuarios", response=list[Sessao], summary="Sessões abertas")
async def sessoes_de_usuario(ctx: RequestContext, id_: UUID) -> Response:
    """A usada por último primeiro."""
    await accounts.obter(ctx, id_)
    return json_response(await accounts.sessoes(ctx, id_, ctx.service.lifetime.idle, token_of(ctx.request)[0]))


@route("DELETE", _ONE + "/sessoes", tag="usuarios", response=SessoesEncerradas, summary="Encerrar todas as sessões")
async def encerrar_sessoes_de_usuario(ctx: RequestContext, id_: UUID) -> Response:
    """Na hora, em todos os processos."""
    await accounts.obter(ctx, id_)
    return json_response({"encerradas": await accounts.encerrar_sessoes(ctx, id_)})


@route("DELETE", _ONE + "/sessoes/{sessao_id}", tag="usuarios", status=204, summary="Encerrar uma sessão")
async def encerrar_sessao_de_usuario(ctx: RequestContext, id_: UUID, sessao_id: UUID) -> Response:
    """Na hora, em todos os processos."""
    await accounts.obter(ctx, id_)
    await accounts.encerrar_sessao(ctx, id_, sessao_id)
    return Response(status_code=204)


@route("GET", "/usuarios")
async def list_page(ctx: RequestContext) -> Reply:
    """A page of accounts, by name."""
    query = ctx.request.query_params
    typed = {name: query[name] for name in ("q", "ativos", "pagina") if query.get(name)}
    error, found = "", AccountsPage([])
    try:
        found = await accounts.listar(ctx, ListaDeUsuarios.parse(typed))
    except InvalidData as invalid:
        error = next(iter(invalid.fields.values()))
    return page(
        "pessoas/usuarios.html", 422 if error else 200,
        linhas=found.rows, proxima=found.following, anterior=found.preceding, erro=error,
        q=typed.get("q", ""), ativos=bool(typed.get("ativos")), papeis=USUARIO.fields["papel"].choices,
    )  # fmt: skip


form(route, "/usuarios/novo", Cadastro)
form(route, _PAGE + "/editar", EdicaoDeUsuario)


@route("GET", _PAGE)
async def detail_page(ctx: RequestContext, id_: UUID) -> Reply:
    """The card of one account."""
    return await card(ctx, id_)


async def card(
    ctx: RequestContext,
    id_: UUID,
    status: int = 200,
    *,
    senha: str = "",
    segredo: str = "",
    chave: Mapping[str, str] | None = None,
    erros: Mapping[str, str] | None = None,
) -> Reply:
    """The card of one account, once with a password or the secret of a key; `chave` was typed, and is wrong."""
    row = await accounts.obter(ctx, id_)
    entries = await readable(ctx, await accounts.historico(ctx, id_))
    opened = await accounts.sessoes(ctx, id_, ctx.service.lifetime.idle, token_of(ctx.request)[0])
    chaves = (await keys.listar(ctx, ListaDeChaves(integracao_id=id_, limit=200))).rows if row["integracao"] else []
    return page(
        "pessoas/usuario.html", status, linha=row, sessoes=opened, entries=entries, senha=senha, segredo=segredo,
        chaves=chaves, chave=Form([], dict(chave or {"dias": "365"}), "", errors=dict(erros or {})), campos=_KEY_FIELDS,
        papel=USUARIO.fields["papel"].shown(row["papel"]),
    )  # fmt: skip


@route("POST", _PAGE + "/desativar")
async def receive_desativar(ctx: RequestContext, id_: UUID, submission: Submission) -> Response:
    """Retire the person; then their card."""
    del submission  # it was read for its CSRF token
    await accounts.desativar(ctx, id_)
    return redirect(f"/usuarios/{id_}", feito="desativado")


@route("POST", _PAGE + "/reativar")
async def receive_reativar(ctx: RequestContext, id_: UUID, submission: Submission) -> Response:
    """Let the person in again; then their card."""
    del submission
    await accounts.reativar(ctx, id_)
    return redirect(f"/usuarios/{id_}", feito="reativado")


@route("POST", _PAGE + "/senha-provisoria")
async def receive_gerar_senha(ctx: RequestContext, id_: UUID, submission: Submission) -> Reply:
    """The card with the new password, which is in no address and in no stored answer."""
    del submission
    return await card(ctx, id_, senha=await accounts.gerar_senha(ctx, id_))


@route("POST", _PAGE + "/sessoes/encerrar")
async def receive_encerrar_sessoes(ctx: RequestContext, id_: UUID, submission: Submission) -> Response:
    """End all sessions of the person; then their card."""
    del submission
    await accounts.obter(ctx, id_)
    await accounts.encerrar_sessoes(ctx, id_)
    return redirect(f"/usuarios/{id_}", feito="sessoes_encerradas")


@route("POST", _PAGE + "/sessoes/{sessao_id:uuid}/encerrar")
async def receive_encerrar_sessao(ctx: RequestContext, id_: UUID, sessao_id: UUID, submission: Submission) -> Response:
    """End one session of the person; then their card."""
    del submission
    await accounts.obter(ctx, id_)
    await accounts.encerrar_sessao(ctx, id_, sessao_id)
    return redirect(f"/usuarios/{id_}", feito="sessao_encerrada")
