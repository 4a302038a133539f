"""Accounts administered: made, corrected, retired and restored, given a provisional password, their sessions ended.

Promises: an account is never removed, so that the audit keeps naming it; at least one administrator stays active, whoever
changes accounts at the same time. Retiring somebody, or giving them a password, ends their sessions at once. A password
given by somebody else is provisional: it has to be changed before anything else. An integration has no password, and
is no administrator. An access with a last day ends with it, on the city's clocks: from then on sessions and keys open nothing,
and the audit says so once (`terminar_acessos`). All of it is audited, never with a password in it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection, errors

from sispat.kernel import audit, tokens
from sispat.kernel.brazil import mask_cpf
from sispat.kernel.constraints import explained
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound, VersionConflict
from sispat.kernel.i18n import _, lazy
from sispat.pessoas import passwords, rules
from sispat.pessoas.fields import DadosDeUsuario, ListaDeUsuarios, NovoUsuario
from sispat.pessoas.listing import AccountsPage, opened, walked
from sispat.pessoas.operator import actor_of
from sispat.pessoas.sql import accounts, sessions, users
from sispat.pessoas.sql.accounts import ACCESS_ENDED

__all__ = [
    "CONSTRAINTS", "criar", "definir_senha", "desativar", "editar", "encerrar_sessao", "encerrar_sessoes", "gerar_senha",
    "historico", "listar", "nomes", "obter", "por_email", "reativar", "sessoes", "terminar_acessos",
]  # fmt: skip

CONSTRAINTS = {
    "usuario_email_unico": ("email", lazy("Já existe um usuário com este e-mail.")),
    "usuario_cpf_unico": ("cpf", lazy("Já existe um usuário com este CPF.")),
    "usuario_resta_administrador": (
        "papel",
        lazy(
            "É o último administrador que pode entrar: o SISPAT ficaria sem quem o administre. "
            "Dê antes o papel a outra pessoa."
        ),
    ),
    "usuario_auditor_tem_fim": (
        "acesso_ate",
        lazy("O acesso de um auditor tem um último dia. Informe-o; depois ele pode ser prolongado."),
    ),
    "usuario_administrador_nao_tem_fim": (
        "acesso_ate",
        lazy(
            "O acesso de um administrador não termina sozinho: o SISPAT ficaria sem quem o administre. Deixe em branco."
        ),
    ),
    "usuario_integracao_nao_administra": (
        "papel",
        lazy(
            "Uma integração não pode ser administradora: uma chave que vaze não pode dar acesso a outros. "
            "Escolha outro papel."
        ),
    ),
}

# Read aloud and typed once: no letters or digits that are taken for each other.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP = 4, 4  # 79 bits
_NO_PASSWORD = ""  # no hash of any password


async def listar(ctx: Context, asked: ListaDeUsuarios) -> AccountsPage:
    """A page of accounts, by name."""
    ctx.access.require(rules.USUARIO_VER)
    after, backwards = opened(asked.cursor)
    rows = await accounts.walk(
        ctx.conn, q=asked.q, active=asked.ativos, after=after, backwards=backwards, limit=asked.limit + 1
    )
    return walked(asked, rows)


async def obter(ctx: Context, id_: UUID) -> dict[str, Any]:
    """One account; raises `NotFound`."""
    ctx.access.require(rules.USUARIO_VER)
    row = await accounts.get(ctx.conn, id_)
    if row is None:
        raise NotFound(_("A pessoa"), id_)
    return row


async def por_email(ctx: Context, email: str) -> UUID:
    """The id of the account with this e-mail; raises `NotFound`."""
    ctx.access.require(rules.USUARIO_VER)
    credential = await users.credential(ctx.conn, email.lower())
    if credential is None:
        raise NotFound(_("A pessoa"), email)
    return credential.usuario_id


async def historico(ctx: Context, id_: UUID) -> list[dict[str, Any]]:
    """What happened to one account, newest first."""
    await obter(ctx, id_)
    return await audit.history(ctx.conn, id_)


async def nomes(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, str]:
    """What these people are called."""
    return await accounts.names(ctx.conn, ids) if ids else {}


async def criar(
    ctx: Context, data: NovoUsuario, zone: str, password: str | None = None, *, provisional: bool = True
) -> dict[str, Any]:
    """Add an account; as stored. Without `password` nobody can sign in before `gerar_senha`. `zone`: the city's clocks."""
    ctx.access.require(rules.USUARIO_EDITAR)
    if password is not None:
        _refuse_of_integration(data.integracao)
        passwords.check(password, data.email, data.nome)
    hashed = _NO_PASSWORD if data.integracao else await passwords.hash_aside(password or tokens.new_token())
    async with ctx.conn.transaction():
        setores = await _setores(ctx, data.setores)
        try:
            async with ctx.conn.transaction():
                id_ = await accounts.insert(ctx.conn, data.model_dump() | _end(data, zone), hashed, provisional)
        except errors.IntegrityError as error:
            raise _refused(error, data.email) from error
        await accounts.set_setores(ctx.conn, id_, setores)
        await _record(ctx, id_, "criar", after=_audited(data.model_dump()))
        return await obter(ctx, id_)


async def editar(ctx: Context, id_: UUID, data: DadosDeUsuario, version: int, zone: str) -> dict[str, Any]:
    """Correct an account; as stored. Raises `VersionConflict` when somebody was faster. `zone`: the city's clocks."""
    ctx.access.require(rules.USUARIO_EDITAR)
    async with ctx.conn.transaction():
        before = await _locked(ctx, id_)
        if before["versao"] != version:
            raise VersionConflict(_("A conta de"), before["nome"], current=before, sent=data.model_dump())
        typed = {**data.model_dump(), "setores": sorted(set(data.setores))}
        changes = {name: value for name, value in typed.items() if before[name] != value}
        if not changes:
            return before
        setores = await _setores(ctx, data.setores)
        columns = {name: value for name, value in changes.items() if name != "setores"}
        await _update(ctx, id_, columns | _end(data, zone), data.email)
        await accounts.set_setores(ctx.conn, id_, setores)
        await _record(ctx, id_, "editar", {name: before[name] for name in changes}, changes)
        return await obter(ctx, id_)


def _end(data: DadosDeUsuario, zone: str) -> dict[str, Any]:
    """The moment after the last day, as a column."""
    last = data.acesso_ate
    if last is None:
        return {"acesso_fim": None}
    return {"acesso_fim": datetime.combine(last + timedelta(days=1), time(), ZoneInfo(zone))}


async def terminar_acessos(conn: AsyncConnection[Any]) -> None:
    """Remove the sessions of accounts whose access has ended, and write that end into the audit, once."""
    async with conn.transaction():
        for id_, last in await accounts.ended(conn):
            await sessions.end_all(conn, id_)
            await audit.record(
                conn, actor=None, request_id=audit.SYSTEM, entidade="usuario", entidade_id=id_, acao=ACCESS_ENDED,
                depois={"acesso_ate": last},
            )  # fmt: skip


async def desativar(ctx: Context, id_: UUID) -> dict[str, Any]:
    """Retire a person: their sessions end at once and they cannot sign in; as stored. Done already is no error."""
    return await _set_active(ctx, id_, active=False)


async def reativar(ctx: Context, id_: UUID) -> dict[str, Any]:
    """Let a retired person in again, with the password they had; as stored. Done already is no error."""
    return await _set_active(ctx, id_, active=True)


async def _set_active(ctx: Context, id_: UUID, *, active: bool) -> dict[str, Any]:
    ctx.access.require(rules.USUARIO_EDITAR)
    async with ctx.conn.transaction():
        before = await _locked(ctx, id_)
        if before["ativo"] == active:
            return before
        await _update(ctx, id_, {"ativo": active}, before["email"])
        if not active:
            await sessions.end_all(ctx.conn, id_)
        await _record(ctx, id_, "reativar" if active else "desativar", {"ativo": not active}, {"ativo": active})
        return await obter(ctx, id_)


async def gerar_senha(ctx: Context, id_: UUID) -> str:
    """A new provisional password, said here once; it replaces the present one and ends the person's sessions."""
    ctx.access.require(rules.USUARIO_EDITAR)
    _refuse_of_integration((await obter(ctx, id_))["integracao"])
    password = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
    await _give(ctx, id_, password, "gerar_senha", provisional=True)
    return password


async def definir_senha(ctx: Context, id_: UUID, password: str, *, provisional: bool = True) -> None:
    """Give the person this password, and end their sessions. Raises `InvalidData` for one easily guessed."""
    ctx.access.require(rules.USUARIO_EDITAR)
    person = await obter(ctx, id_)
    _refuse_of_integration(person["integracao"])
    passwords.check(password, person["email"], person["nome"])
    await _give(ctx, id_, password, "trocar_senha", provisional)


def _refuse_of_integration(integration: bool) -> None:
    if integration:
        raise InvalidData({"senha": _("É uma integração: entra por chaves da API, nunca com senha.")})


async def _give(ctx: Context, id_: UUID, password: str, action: str, provisional: bool) -> None:
    hashed = await passwords.hash_aside(password)
    async with ctx.conn.transaction():
        await accounts.set_password(ctx.conn, id_, hashed, provisional=provisional)
        await sessions.end_all(ctx.conn, id_)
        await _record(ctx, id_, action, after={"senha_provisoria": provisional})


async def sessoes(ctx: Context, id_: UUID, idle: timedelta, token: str | None = None) -> list[dict[str, Any]]:
    """The open sessions of a person; `token` is the one of who asks, to be marked. Of others: administrators only."""
    _require_own_or(ctx, id_)
    return await sessions.opened(ctx.conn, id_, idle, tokens.token_hash(token) if token else None)


async def encerrar_sessao(ctx: Context, id_: UUID, sessao_id: UUID) -> None:
    """End one session of a person at once; raises `NotFound`. Of others: administrators only."""
    _require_own_or(ctx, id_)
    async with ctx.conn.transaction():
        ended = await sessions.end(ctx.conn, id_, sessao_id)
        if ended is None:
            raise NotFound(_("A sessão"), sessao_id)
        await _record(ctx, id_, "encerrar_sessao", before=ended)


async def encerrar_sessoes(ctx: Context, id_: UUID, keep: str | None = None) -> int:
    """End all sessions of a person at once, but the one of the token `keep`; how many. Of others: administrators only."""
    _require_own_or(ctx, id_)
    async with ctx.conn.transaction():
        ended = await sessions.end_all(ctx.conn, id_, but=tokens.token_hash(keep) if keep else None)
        if ended:
            await _record(ctx, id_, "encerrar_sessoes", after={"sessoes": ended})
    return ended


def _require_own_or(ctx: Context, id_: UUID) -> None:
    ctx.access.require(rules.CONTA_PROPRIA if id_ == ctx.access.usuario_id else rules.USUARIO_EDITAR)


async def _locked(ctx: Context, id_: UUID) -> dict[str, Any]:
    row = await accounts.get(ctx.conn, id_, lock=True)
    if row is None:
        raise NotFound(_("A pessoa"), id_)
    return row


async def _update(ctx: Context, id_: UUID, changes: Mapping[str, Any], email: str) -> None:
    try:
        async with ctx.conn.transaction():
            await accounts.update(ctx.conn, id_, changes)
    except errors.IntegrityError as error:
        raise _refused(error, email) from error


def _refused(error: errors.IntegrityError, email: str) -> Exception:
    if error.diag.constraint_name == "usuario_email_unico":
        return InvalidData({"email": _("Já existe uma pessoa com “%(email)s”; use outro e-mail.", email=email)})
    return explained(error, CONSTRAINTS)


async def _setores(ctx: Context, codes: Sequence[str]) -> list[UUID]:
    found = await users.setores_by_code(ctx.conn, codes)
    missing = [code for code in codes if code not in found]
    if missing:
        raise InvalidData({"setores": _("Não existe setor com o código %(code)s.", code=", ".join(missing))})
    return list(found.values())


def _audited(values: Mapping[str, Any]) -> dict[str, Any]:
    """For people to read: lists joined, blanks as nothing, a CPF in part."""
    joined = {n: ", ".join(v) if isinstance(v, list | tuple) else v for n, v in values.items()}
    if joined.get("cpf"):
        joined["cpf"] = mask_cpf(joined["cpf"])
    return {name: None if value == "" else value for name, value in joined.items()}


async def _record(
    ctx: Context,
    id_: UUID,
    action: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    await audit.record(
        ctx.conn, actor=actor_of(ctx), request_id=ctx.request_id, entidade="usuario", entidade_id=id_, acao=action,
        antes=None if before is None else _audited(before), depois=None if after is None else _audited(after),
    )  # fmt: skip
