"""The registers: setores, locais, agentes, classes. Created, corrected, retired, removed while unused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import errors

from sispat.cadastros import sql
from sispat.cadastros.fields import ENTITIES, ListaDeCadastro
from sispat.cadastros.paging import RegisterPage, cursor_at, place_of
from sispat.cadastros.rules import VER, editing
from sispat.kernel import audit
from sispat.kernel.brazil import mask_cpf
from sispat.kernel.constraints import explained
from sispat.kernel.context import Context
from sispat.kernel.errors import InUse, InvalidData, NotFound, VersionConflict
from sispat.kernel.i18n import _, lazy
from sispat.kernel.inputs import Input
from sispat.kernel.patches import Patch
from sispat.kernel.words import term, words_of

__all__ = [
    "CHOICES", "CONSTRAINTS", "agentes_chamados", "corrigir", "criar", "editar", "escolha", "excluir", "historico", "listar",
    "nomes", "obter", "opcoes",
]  # fmt: skip

CHOICES = 20  # offered at once: more is not read, but narrowed by typing
_MOST_WORDS, _LONGEST_WORD = 8, 60  # of a search for a choice
MEANT_AT_MOST = 100  # agentes that a search may mean

NOMES = {"setor": lazy("O setor"), "local": lazy("O local"), "agente": lazy("O agente"), "classe": lazy("A classe")}

CONSTRAINTS = {
    "setor_codigo_unico": ("codigo", lazy("Já existe um setor com este código.")),
    "setor_pai_id_fkey": ("pai_id", lazy("O setor superior escolhido não existe.")),
    "setor_sem_ciclo": ("pai_id", lazy("O setor escolhido faz parte deste, direta ou indiretamente. Escolha outro.")),
    "setor_pai_em_uso": ("pai_id", lazy("O setor escolhido não está mais em uso. Escolha outro.")),
    "setor_vazio_ao_sair": ("ativo", lazy("O setor ainda tem bens. Troque a carga deles e tente de novo.")),
    "local_setor_em_uso": ("setor_id", lazy("O setor escolhido não está mais em uso. Escolha outro.")),
    "agente_setor_em_uso": ("setor_id", lazy("O setor escolhido não está mais em uso. Escolha outro.")),
    "setor_check": ("pai_id", lazy("Um setor não pode ser superior a si mesmo.")),
    "local_nome_unico": ("nome", lazy("Este setor já tem um local com este nome.")),
    "local_setor_id_fkey": ("setor_id", lazy("O setor escolhido não existe.")),
    "agente_matricula_unica": ("matricula", lazy("Já existe um agente com esta matrícula.")),
    "agente_cpf_unico": ("cpf", lazy("Já existe um agente com este CPF.")),
    "agente_email_unico": ("email", lazy("Já existe um agente com este e-mail.")),
    "agente_setor_id_fkey": ("setor_id", lazy("O setor escolhido não existe.")),
    "agente_sem_bens_ao_sair": ("ativo", lazy("A pessoa ainda tem bens. Passe a carga dela a outra e tente de novo.")),
    "agente_sem_emprestimos_ao_sair": (
        "ativo",
        lazy("A pessoa tem bens emprestados. Registre a devolução e tente de novo."),
    ),
    "setor_sem_imoveis_ao_sair": ("ativo", lazy("O setor ainda tem imóveis. Passe-os a outro e tente de novo.")),
    "agente_sem_imoveis_ao_sair": (
        "ativo",
        lazy("A pessoa ainda tem imóveis. Passe a carga dela a outra e tente de novo."),
    ),
    "classe_conta_unica": ("conta", lazy("Já existe uma classe com esta conta.")),
}


async def listar(ctx: Context, kind: str, asked: ListaDeCadastro) -> RegisterPage:
    """One page of a register within reach, in order, walked by key."""
    ctx.access.require(VER)
    table = sql.TABLES[kind]
    rows, total = await sql.listar(
        ctx.conn,
        table,
        setores=ctx.access.setores,
        setor_id=asked.setor,
        q=asked.q,
        active=asked.ativos,
        after=place_of(kind, asked.cursor),
        limit=asked.limit + 1,
    )
    shown = rows[: asked.limit]
    following = cursor_at(kind, shown[-1][table.sort], shown[-1]["id"]) if len(rows) > asked.limit else None
    return RegisterPage([_shown(row) for row in shown], total, following)


async def opcoes(
    ctx: Context, kind: str, typed: str = "", setor_id: UUID | None = None, *, whole_city: bool = False
) -> tuple[list[sql.Option], bool]:
    """What may be chosen within reach: `CHOICES` that have words beginning as typed, and whether there are more.

    First those that begin with what was typed.

    `whole_city` is of setores alone: who hands something over names the unit that receives it.
    """
    ctx.access.require(VER)
    setores = _reach(ctx, kind, whole_city)
    words = [word[:_LONGEST_WORD] for word in words_of(typed)[:_MOST_WORDS]]
    if typed.strip() and not words:
        return [], False
    found = await sql.opcoes(
        ctx.conn, sql.TABLES[kind], setores=setores, words=words, setor_id=setor_id, limit=CHOICES + 1
    )
    return found[:CHOICES], len(found) > CHOICES


async def escolha(ctx: Context, kind: str, id_: UUID, *, whole_city: bool = False) -> sql.Option | None:
    """A row within reach as it appears among choices, in use or not; None where there is none."""
    ctx.access.require(VER)
    found = await sql.opcoes(ctx.conn, sql.TABLES[kind], setores=_reach(ctx, kind, whole_city), id_=id_, limit=1)
    return found[0] if found else None


def _reach(ctx: Context, kind: str, whole_city: bool) -> tuple[UUID, ...] | None:
    return None if whole_city and kind == "setor" else ctx.access.setores


async def obter(ctx: Context, kind: str, id_: UUID) -> dict[str, Any]:
    """One row within reach."""
    ctx.access.require(VER)
    row = await sql.obter(ctx.conn, sql.TABLES[kind], id_, setores=ctx.access.setores)
    if row is None:
        raise NotFound(NOMES[kind], id_)
    return _shown(row)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """What leaves: a CPF only masked (LGPD: as little as serves)."""
    return {**row, "cpf": mask_cpf(row["cpf"])} if row.get("cpf") else dict(row)


async def criar(ctx: Context, kind: str, data: Input) -> dict[str, Any]:
    """Add a row; as stored."""
    ctx.access.require(editing(kind))
    values = data.model_dump()
    _refuse_mask(values)
    async with ctx.conn.transaction():
        try:
            id_ = await sql.inserir(ctx.conn, sql.TABLES[kind], values)
        except errors.IntegrityError as error:
            raise explained(error, CONSTRAINTS) from error
        await _record(ctx, kind, id_, "criar", after=values)
        return await obter(ctx, kind, id_)


async def editar(ctx: Context, kind: str, id_: UUID, data: Input, version: int) -> dict[str, Any]:
    """Correct a row; as stored. Raises `VersionConflict` when somebody was faster."""
    ctx.access.require(editing(kind))
    table, fields = sql.TABLES[kind], ENTITIES[kind].fields
    async with ctx.conn.transaction():
        before = await _locked(ctx, kind, id_, version, data)
        changes = {c: v for c, v in data.model_dump().items() if not fields[c].ui.fixed and before[c] != v}
        if "cpf" in changes and changes["cpf"] == mask_cpf(before["cpf"]):
            del changes["cpf"]  # the form sent back what it was shown
        _refuse_mask(changes)
        if changes:
            try:
                await sql.atualizar(ctx.conn, table, id_, changes)
            except errors.IntegrityError as error:
                raise explained(error, CONSTRAINTS) from error
            await _record(ctx, kind, id_, "editar", before={c: before[c] for c in changes}, after=changes)
        return await obter(ctx, kind, id_)


async def corrigir(ctx: Context, kind: str, id_: UUID, patch: Patch, version: int) -> dict[str, Any]:
    """Correct some fields of a row, as `editar` does."""
    ctx.access.require(editing(kind))
    async with ctx.conn.transaction():
        stored = await _locked(ctx, kind, id_, version, patch)
        return await editar(ctx, kind, id_, patch.applied(ENTITIES[kind].typed[0], _shown(stored)), version)


async def excluir(ctx: Context, kind: str, id_: UUID, version: int) -> None:
    """Remove a row nothing refers to; raises `InUse` otherwise."""
    ctx.access.require(editing(kind))
    async with ctx.conn.transaction():
        before = await _locked(ctx, kind, id_, version, None)
        try:
            await sql.excluir(ctx.conn, sql.TABLES[kind], id_)
        except errors.ForeignKeyViolation as error:
            raise InUse(NOMES[kind], before["nome"]) from error
        await _record(ctx, kind, id_, "excluir", before=before)


async def historico(ctx: Context, kind: str, id_: UUID) -> list[dict[str, Any]]:
    """What happened to one row within reach, newest first."""
    await obter(ctx, kind, id_)
    return await audit.history(ctx.conn, id_)


async def agentes_chamados(ctx: Context, text: str) -> tuple[UUID, ...]:
    """The agentes whose name or matrícula has all the words of `text`; none where they are too many to be meant."""
    ctx.access.require(VER)
    words = words_of(text)
    if not words:
        return ()
    return tuple(await sql.agentes_chamados(ctx.conn, " & ".join(f"({term(word)})" for word in words), MEANT_AT_MOST))


async def nomes(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, str]:
    """What the rows that somebody's history refers to are called; also those now out of reach."""
    ctx.access.require(VER)
    return await sql.nomes(ctx.conn, ids) if ids else {}


async def _locked(ctx: Context, kind: str, id_: UUID, version: int, data: Input | None) -> dict[str, Any]:
    before = await sql.obter(ctx.conn, sql.TABLES[kind], id_, setores=ctx.access.setores, lock=True)
    if before is None:
        raise NotFound(NOMES[kind], id_)
    if before["versao"] != version:
        sent = {} if data is None else data.model_dump(exclude_unset=isinstance(data, Patch))
        raise VersionConflict(NOMES[kind], before["nome"], current=_shown(before), sent=sent)
    return before


def _refuse_mask(values: Mapping[str, Any]) -> None:
    if "*" in (values.get("cpf") or ""):
        raise InvalidData({"cpf": _("Digite o CPF inteiro, com 11 algarismos, ou deixe em branco.")})


async def _record(
    ctx: Context,
    kind: str,
    id_: UUID,
    action: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    await audit.record(
        ctx.conn,
        actor=ctx.actor,
        key_id=ctx.key_id,
        request_id=ctx.request_id,
        entidade=kind,
        entidade_id=id_,
        acao=action,
        antes=before and _shown(before),
        depois=after and _shown(after),
    )
