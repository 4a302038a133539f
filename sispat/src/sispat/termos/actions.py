"""Termos: issue, read, draw, sign, annul, confirm.

Promises: numbered within kind and year, without doubles; what a termo says is frozen when it is issued, and a PDF leaves only
after its sha256 was recorded, so that each paper the service ever gave out can be confirmed. One termo of a kind and subject
counts at a time: a new one replaces it or is refused. Only whom a termo names signs it, once, and what was read; an
integration signs nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection, errors

from sispat.kernel import audit
from sispat.kernel.constraints import explained
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.i18n import _, lazy
from sispat.kernel.pdf import Arms, PdfRenderer, engine, letterhead
from sispat.kernel.public_codes import new_code, normal_code
from sispat.termos import rules
from sispat.termos.content import Source, content, title_of
from sispat.termos.fields import AnulacaoDeTermo, AssinaturaDeTermo, ListaDeTermos, NovoTermo
from sispat.termos.gathering import source_of
from sispat.termos.listing import ListPage, cursor_at, place_of
from sispat.termos.rules import EstadoDoTermo, TipoDeTermo
from sispat.termos.sql import records as sql

__all__ = [
    "CONSTRAINTS", "City", "Drawn", "anular", "assinar", "confirmar", "desenhar", "emitir", "esperando", "exportar",
    "gravar_via", "historico", "listar", "lote_exportado", "nomes", "obter", "pagina_do_assunto", "para_imprimir", "partes",
]  # fmt: skip

CONSTRAINTS = {
    "termo_um_vigente": ("assunto_id", lazy("Já há um termo vigente disto, emitido neste instante. Abra-o.")),
    "termo_substituido_uma_vez": ("assunto_id", lazy("O termo já foi substituído, neste instante. Abra o novo.")),
}
_TEMPLATES = ("termos/termo.typ", "kernel/pdf/papel.typ")


class City(NamedTuple):
    """What the papers of a city have in common: its name, its arms, the public address of the service."""

    name: str
    arms: Arms | None
    base: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A PDF, and whether its sha256 is recorded already."""

    pdf: bytes
    known: bool

    @property
    def sha256(self) -> bytes:
        """What it is known by."""
        return hashlib.sha256(self.pdf).digest()


async def emitir(ctx: Context, new: NovoTermo, city: City, today: dt.date) -> str:
    """Issue a termo; its document (JSON)."""
    ctx.access.require(rules.EMITIR)
    async with ctx.conn.transaction():
        source = await source_of(ctx, new.tipo, new.assunto_id)
        before = await sql.travar_vigente(ctx.conn, new.tipo, source.assunto_id)
        if before is not None and not new.substitui:
            title = title_of(before.tipo, before.numero, before.exercicio)
            raise InvalidData(
                {
                    "assunto_id": _(
                        "Já há um termo vigente: %(title)s. Abra-o, ou emita outro que o substitua.", title=title
                    )
                }
            )
        try:
            id_ = await _insert(ctx, source, city, today, before)
        except errors.IntegrityError as error:
            raise explained(error, CONSTRAINTS) from error
        return await obter(ctx, id_)


async def _insert(ctx: Context, source: Source, city: City, today: dt.date, before: sql.Termo | None) -> UUID:
    replaces = None
    if before is not None:
        replaces = before.numero, before.exercicio
        await sql.substituir(ctx.conn, before.id)
        await _record(
            ctx, before.id, "substituir_termo", {"estado": before.estado}, {"estado": EstadoDoTermo.SUBSTITUIDO}
        )
    codigo = new_code()
    numero = await sql.proximo_numero(ctx.conn, source.tipo, today.year)
    said = content(source, numero, today, city=city.name, base=city.base, codigo=codigo, replaces=replaces)
    row = {
        "tipo": source.tipo, "exercicio": today.year, "numero": numero, "codigo": codigo, "assunto_id": source.assunto_id,
        "setor_id": source.setor_id, "origem_id": source.origem_id, "agente_id": source.agente_id, "bens": len(source.bens),
        "valor": source.total, "conteudo": said, "emitido_por": ctx.actor, "substitui_id": before.id if before else None,
    }  # fmt: skip
    people = [
        {"papel": p.papel, "nome": p.nome, "detalhe": p.detalhe, "agente_id": p.agente_id, "usuario_id": p.usuario_id}
        for p in source.partes
    ]
    id_ = await sql.inserir(ctx.conn, row, source.bens, people, city.arms)
    told = {
        "tipo": source.tipo,
        "numero": numero,
        "exercicio": today.year,
        "bens": len(source.bens),
        "assunto_id": source.assunto_id,
    }
    await _record(ctx, id_, "emitir_termo", None, told)
    return id_


async def obter(ctx: Context, id_: UUID) -> str:
    """The document (JSON) of one termo within reach."""
    ctx.access.require(rules.VER)
    document = await sql.ler(ctx.conn, ctx.access, id_)
    if document is None:
        raise NotFound(_("O termo"), id_)
    return document


async def pagina_do_assunto(ctx: Context, stored: Mapping[str, Any]) -> str:
    """Where the agente or movement that a termo was made of is shown."""
    tipo, id_ = TipoDeTermo(stored["tipo"]), stored["assunto_id"]
    of_agente = tipo is TipoDeTermo.RESPONSABILIDADE or await sql.de_agente(ctx.conn, UUID(id_))
    return f"/{'agentes' if of_agente else _PAGES[tipo]}/{id_}"


_PAGES = {
    TipoDeTermo.TRANSFERENCIA: "transferencias",
    TipoDeTermo.EMPRESTIMO: "emprestimos",
    TipoDeTermo.BAIXA: "baixas",
}


async def partes(ctx: Context, id_: UUID) -> list[sql.Parte]:
    """Who signs a termo within reach, and what they signed."""
    await obter(ctx, id_)
    return await sql.partes(ctx.conn, id_, ctx.actor)


async def listar(ctx: Context, asked: ListaDeTermos) -> ListPage:
    """One page, newest first, walked by key."""
    ctx.access.require(rules.VER)
    rows = await sql.listar(ctx.conn, ctx.access.setores, _conditions(asked), place_of(asked.cursor), asked.limit + 1)
    shown = rows[: asked.limit]
    return ListPage([row[0] for row in shown], cursor_at(shown[-1][1]) if len(rows) > asked.limit else None)


async def exportar(ctx: Context, asked: ListaDeTermos) -> None:
    """Note in the audit that this person takes what `asked` finds out of the service, before the first line leaves."""
    ctx.access.require(rules.VER)
    await audit.record_export(ctx.conn, ctx.author, "exportar_termos", asked)


async def lote_exportado(
    ctx: Context, asked: ListaDeTermos, after: int | None, size: int = 2000
) -> tuple[list[dict[str, Any]], int | None]:
    """The next termos of an export, and the place to go on from; None: these are the last."""
    ctx.access.require(rules.VER)
    below = place_of(asked.cursor) if after is None else after
    rows = await sql.listar(ctx.conn, ctx.access.setores, _conditions(asked), below, size)
    return [json.loads(row[0]) for row in rows], rows[-1][1] if len(rows) == size else None


def _conditions(asked: ListaDeTermos) -> list[tuple[str, Any]]:
    conditions: list[tuple[str, Any]] = [
        (f"t.{column} = %s", value)
        for column, value in (("tipo", asked.tipo), ("estado", asked.estado), ("agente_id", asked.agente))
        if value is not None
    ]
    if asked.bem is not None:
        conditions.append((_OF_ASSET, asked.bem))
    if asked.movimento is not None:
        conditions.append((_OF_MOVEMENT, asked.movimento))
    return conditions


_OF_ASSET = """t.id in (select b.termo_id from termo_bem b
                        where b.patrimonio_id = (select id from patrimonio where numero = %s))"""
_OF_MOVEMENT = "t.id in (select b.termo_id from termo_bem b where b.movimento_id = %s)"


async def historico(ctx: Context, id_: UUID) -> list[dict[str, Any]]:
    """What happened to one termo within reach, newest first."""
    await obter(ctx, id_)
    return await audit.history(ctx.conn, id_)


async def nomes(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, str]:
    """What the termos among `ids` are called."""
    ctx.access.require(rules.VER)
    return {id_: title_of(*named) for id_, named in (await sql.nomes(ctx.conn, ids)).items()}


async def para_imprimir(ctx: Context, id_: UUID) -> sql.Impresso:
    """What the PDF of one termo within reach is made of."""
    ctx.access.require(rules.VER)
    found = await sql.para_imprimir(ctx.conn, ctx.access, id_)
    if found is None:
        raise NotFound(_("O termo"), id_)
    return found


async def desenhar(renderer: PdfRenderer, paper: sql.Impresso) -> Drawn:
    """The PDF of a termo; needs no connection. The same each time, as long as what draws it is the same."""
    arms = None if paper.brasao is None else Arms(*paper.brasao)  # type: ignore[arg-type]
    said = {**paper.conteudo, "cidade": letterhead(paper.conteudo["cidade"]["nome"], arms)}
    pdf = await renderer.render(_TEMPLATES[0], said, paper.emitido_em, rows=paper.bens)
    return Drawn(pdf, hashlib.sha256(pdf).digest() in {sha256 for _engine, sha256 in paper.vias})


async def gravar_via(conn: AsyncConnection[Any], author: audit.Author, id_: UUID, drawn: Drawn) -> None:
    """Record the sha256 of a PDF before it leaves."""
    made_by = engine(*_TEMPLATES)
    if await sql.gravar_via(conn, id_, drawn.sha256, made_by):
        await audit.record(
            conn, actor=author.actor, key_id=author.key_id, request_id=author.request_id, entidade="termo", entidade_id=id_,
            acao="imprimir_termo", depois={"sha256": drawn.sha256.hex(), "motor": made_by},
        )  # fmt: skip


async def assinar(ctx: Context, id_: UUID, signed: AssinaturaDeTermo, address: str, *, switched_on: bool) -> str:
    """Sign, as whom the termo names, the PDF of this sha256; its document (JSON)."""
    ctx.access.require(rules.ASSINAR)
    async with ctx.conn.transaction():
        found = await _locked(ctx, id_)
        if not switched_on:
            raise InvalidData({"sha256": _("Nesta cidade os termos são assinados no papel, e não por aqui.")})
        _require_counting(found)
        sha256 = bytes.fromhex(signed.sha256)
        if sha256 not in await sql.vias(ctx.conn, id_):
            raise InvalidData({"sha256": _("Este não é o PDF deste termo. Abra o PDF e assine o que leu.")})
        own = [parte for parte in await sql.partes(ctx.conn, id_, ctx.actor) if parte.minha]
        if not own:
            raise InvalidData({"sha256": _("Este termo não espera a sua assinatura.")})
        if not await sql.assinar(ctx.conn, [each.id for each in own], sha256, ctx.actor, address):
            raise InvalidData({"sha256": _("Você já assinou este termo.")})
        papeis = ", ".join(each.papel for each in own)
        told = {"sha256": signed.sha256.lower(), "papel": papeis, "endereco": address}
        await _record(ctx, id_, "assinar_termo", None, told)
        return await obter(ctx, id_)


async def anular(ctx: Context, id_: UUID, annulled: AnulacaoDeTermo) -> str:
    """Declare that a termo does not count; its document (JSON)."""
    ctx.access.require(rules.ANULAR)
    async with ctx.conn.transaction():
        found = await _locked(ctx, id_)
        _require_counting(found)
        await sql.anular(ctx.conn, id_, annulled.anulacao, ctx.actor)
        after = {"estado": EstadoDoTermo.ANULADO, "anulacao": annulled.anulacao}
        await _record(ctx, id_, "anular_termo", {"estado": found.estado}, after)
        return await obter(ctx, id_)


class Waiting(NamedTuple):
    """A termo that waits for a signature."""

    id: UUID
    title: str
    bens: int


async def esperando(ctx: Context, limit: int) -> list[Waiting]:
    """What this person is to sign, newest first."""
    if not ctx.access.may(rules.ASSINAR):
        return []
    rows = await sql.esperando(ctx.conn, ctx.actor, limit)
    return [Waiting(row["id"], title_of(row["tipo"], row["numero"], row["exercicio"]), row["bens"]) for row in rows]


async def confirmar(conn: AsyncConnection[Any], *, codigo: str = "", sha256: str = "") -> dict[str, Any] | None:
    """What anybody may know of the termo with this code, or of whose PDF this is the sha256; None: there is none.

    The only one that asks for no permission: who has the paper has its code. Nothing about persons.
    """
    if sha256:
        return await sql.confirmar(conn, sha256=bytes.fromhex(sha256))
    code = normal_code(codigo)
    return await sql.confirmar(conn, codigo=code) if len(code) == 16 else None


async def _locked(ctx: Context, id_: UUID) -> sql.Termo:
    found = await sql.travar(ctx.conn, ctx.access, id_)
    if found is None:
        raise NotFound(_("O termo"), id_)
    return found


def _require_counting(found: sql.Termo) -> None:
    if found.estado != EstadoDoTermo.VIGENTE:
        raise InvalidData(
            {"estado": _("Este termo não vale mais: “%(state)s”.", state=EstadoDoTermo(found.estado).label)}
        )


async def _record(ctx: Context, id_: UUID, action: str, before: dict[str, Any] | None, after: dict[str, Any]) -> None:
    await audit.record(
        ctx.conn, actor=ctx.actor, key_id=ctx.key_id, request_id=ctx.request_id, entidade="termo", entidade_id=id_,
        acao=action, antes=before, depois=after,
    )  # fmt: skip
