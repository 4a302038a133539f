"""Imports: receive a spreadsheet, say how it is read, save it, take it back.

Promises: receiving and each step are audited; what takes long is a job, of which an import has one at a time; saving does
what was checked last, as who saves has seen it (`versao`), or nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from sispat.importacao import rules, sql
from sispat.importacao.fields import DEFAULTS, Conferencia, ListaDeErros, ListaDeImportacoes
from sispat.importacao.reading import CellError
from sispat.importacao.work import CONFERIR, DESFAZER, GRAVAR
from sispat.kernel import audit
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound, VersionConflict
from sispat.kernel.fields import plain_heading
from sispat.kernel.i18n import _
from sispat.kernel.jobs import queue
from sispat.kernel.jobs.work import Job, ask_for

__all__ = ["conferir", "desfazer", "erros", "gravar", "historico", "intacta", "listar", "nomes", "obter", "receber"]

Row = dict[str, Any]


async def receber(ctx: Context, name: str, size: int, content: AsyncIterator[bytes]) -> UUID:
    """Keep a spreadsheet and have it checked, its columns guessed; the id of the import."""
    ctx.access.require(rules.IMPORTAR)
    if not size:
        raise InvalidData({"arquivo": _("O arquivo está vazio.")})
    id_ = await sql.insert(ctx.conn, name[:200] or "planilha", size, ctx.actor)
    part = 0
    async for piece in content:
        await sql.add_part(ctx.conn, id_, part, piece)
        part += 1
    await _record(ctx, id_, "receber_importacao", {"arquivo": name, "tamanho": size})
    await _begin(ctx, id_, CONFERIR)
    return id_


async def listar(ctx: Context, asked: ListaDeImportacoes) -> tuple[list[Row], str | None]:
    """A page, newest first, and where the next one begins."""
    ctx.access.require(rules.IMPORTAR)
    rows = await sql.page(ctx.conn, asked.number, asked.limit + 1)
    shown = rows[: asked.limit]
    return shown, str(shown[-1]["numero"]) if len(rows) > asked.limit else None


async def obter(ctx: Context, id_: UUID) -> Row:
    """One import."""
    ctx.access.require(rules.IMPORTAR)
    row = await sql.one(ctx.conn, id_)
    if row is None:
        raise NotFound(_("A importação"), id_)
    return row


async def erros(ctx: Context, id_: UUID, asked: ListaDeErros) -> tuple[list[CellError], str | None]:
    """A page of what the last check found, in the order of rows."""
    await obter(ctx, id_)
    found = await sql.errors_of(ctx.conn, id_, -1 if asked.number is None else asked.number, asked.limit + 1)
    shown = found[: asked.limit]
    return [error for _place, error in shown], str(shown[-1][0]) if len(found) > asked.limit else None


async def historico(ctx: Context, id_: UUID) -> list[Row]:
    """What happened to an import, newest first."""
    await obter(ctx, id_)
    return await audit.history(ctx.conn, id_)


async def nomes(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The files of the imports among `ids`, for whoever may see them."""
    if not ctx.access.may(rules.IMPORTAR):
        return {}
    return await sql.names(ctx.conn, list(ids))


async def intacta(ctx: Context, id_: UUID) -> tuple[int, int]:
    """How many assets an import made or changed, and how many nobody has touched since."""
    ctx.access.require(rules.IMPORTAR)
    return await sql.items(ctx.conn, id_)


async def conferir(ctx: Context, id_: UUID, wanted: Conferencia) -> Row:
    """Check it again, read as `wanted`; what was chosen for a heading is remembered for this person."""
    row = await _locked(ctx, id_, "recebida", "conferida")
    headings = [column["titulo"] for column in row["colunas"]]
    wanted.require_known(len(headings))
    columns = [{"titulo": heading, "campo": name} for heading, name in zip(headings, wanted.colunas, strict=False)]
    options = wanted.model_dump(mode="json", include={"existentes", *DEFAULTS}, exclude_none=True)
    await sql.set_options(ctx.conn, id_, columns or row["colunas"], options)
    chosen = {plain_heading(column["titulo"])[:200]: column["campo"] for column in columns}
    await sql.remember(ctx.conn, ctx.actor, {heading: name for heading, name in chosen.items() if heading})
    await _begin(ctx, id_, CONFERIR)
    return await obter(ctx, id_)


async def gravar(ctx: Context, id_: UUID, versao: int) -> Row:
    """Save what was checked: all or nothing, by a job."""
    row = await _locked(ctx, id_, "conferida")
    if row["versao"] != versao:
        raise VersionConflict(_("A importação"), row["arquivo"], current={"versao": row["versao"]}, sent={})
    if row["erros"]:
        raise InvalidData({"erros": _("A planilha tem erros; corrija-os e envie-a de novo. Nada foi gravado.")})
    if not (row["resumo"].get("novos") or row["resumo"].get("alterados")):
        raise InvalidData({"linhas": _("Não há o que gravar: nenhum bem é novo nem muda.")})
    await _record(ctx, id_, "gravar_importacao", {"arquivo": row["arquivo"], "linhas": row["linhas"]})
    await _begin(ctx, id_, GRAVAR)
    return await obter(ctx, id_)


async def desfazer(ctx: Context, id_: UUID) -> Row:
    """Take back all that it did, by a job; refused where anything of it was touched since."""
    row = await _locked(ctx, id_, "gravada")
    await _record(ctx, id_, "pedir_desfazer_importacao", {"arquivo": row["arquivo"]})
    await _begin(ctx, id_, DESFAZER)
    return await obter(ctx, id_)


async def _locked(ctx: Context, id_: UUID, *states: str) -> Row:
    ctx.access.require(rules.IMPORTAR)
    row = await sql.lock(ctx.conn, id_)
    if row is None:
        raise NotFound(_("A importação"), id_)
    job = await queue.one(ctx.conn, row["tarefa_id"]) if row["tarefa_id"] else None
    if job is not None and job["terminada_em"] is None:
        raise InvalidData({"tarefa_id": _("Uma tarefa desta importação está em andamento. Espere, ou cancele-a.")})
    if row["estado"] not in states:
        label = rules.EstadoDaImportacao(row["estado"]).label
        raise InvalidData({"estado": _("A importação está “%(state)s”: isso não é mais possível.", state=label)})
    return row


async def _begin(ctx: Context, id_: UUID, job: Job) -> None:
    await sql.waits_for(ctx.conn, id_, await ask_for(ctx, job, {"importacao": str(id_)}))


async def _record(ctx: Context, id_: UUID, verb: str, what: Row) -> None:
    await audit.record(ctx.conn, **ctx.author._asdict(), entidade="importacao", entidade_id=id_, acao=verb, depois=what)
