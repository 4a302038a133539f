"""From a subject - an agente, a transfer, a loan, a write-off - to what its termo says.

Promises: whoever cannot reach the subject is told that it is not there; a subject of which no termo can be made says why, by
the field that named it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sispat.kernel import formats, i18n
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData, NotFound
from sispat.kernel.i18n import _
from sispat.movimentacoes.rules import MotivoDaBaixa
from sispat.termos.content import Person, Source, detail_of, document_of
from sispat.termos.rules import MAIS_BENS, TipoDeTermo
from sispat.termos.sql import sources as sql

__all__ = ["source_of"]

_MOST_PEOPLE = 12  # who sign one termo as agentes of one side; of more, the first by name


async def source_of(ctx: Context, tipo: TipoDeTermo, id_: UUID) -> Source:
    """What the termo of this kind and subject says now; raises `NotFound`, `InvalidData`."""
    source = await _GATHER[tipo](ctx, id_)
    if len(source.bens) > MAIS_BENS:
        most = formats.decimal(MAIS_BENS)
        raise InvalidData({"assunto_id": _("São mais de %(most)s bens, o limite de um termo.", most=most)})
    return source


async def _of_custody(ctx: Context, id_: UUID) -> Source:
    agente = await sql.agente(ctx.conn, ctx.access.setores, id_)
    if agente is None:
        raise NotFound(_("O agente"), id_)
    bens = await sql.bens_da_carga(ctx.conn, id_, MAIS_BENS + 1)
    if not bens:
        raise InvalidData({"assunto_id": _("Esta pessoa não tem bens na sua carga.")})
    if any(not ctx.access.reaches(bem.setor_id) for bem in bens):
        raise InvalidData(
            {"assunto_id": _("Parte da carga desta pessoa está em outros setores: a gestão emite o termo.")}
        )
    with i18n.using("pt-BR"):
        facts = [
            (_("Responsável"), agente["nome"]),
            (_("Cargo e matrícula"), detail_of(agente)),
            (_("Setor"), agente["setor"]),
        ]
        people = [
            Person(_("Responsável pelos bens"), agente["nome"], detail_of(agente), agente_id=id_),
            await _issuer(ctx, _("Pelo setor de patrimônio")),
        ]
    return Source(TipoDeTermo.RESPONSABILIDADE, id_, agente["setor_id"], bens, facts, people, agente_id=id_)


async def _of_transfer(ctx: Context, id_: UUID) -> Source:
    agente = await sql.agente(ctx.conn, ctx.access.setores, id_)
    return await (_of_movement(ctx, id_) if agente is None else _of_leaving(ctx, agente))


async def _of_leaving(ctx: Context, agente: Mapping[str, Any]) -> Source:
    """Everything that an agente who leaves handed over at once: one termo, both names."""
    bens = await sql.bens_passados(ctx.conn, agente["id"])
    if not bens:
        raise InvalidData({"assunto_id": _("Esta pessoa não passou a sua carga a ninguém.")})
    if any(not ctx.access.reaches(bem.setor_id) for bem in bens):
        raise InvalidData(
            {"assunto_id": _("Parte da carga desta pessoa está em outros setores: a gestão emite o termo.")}
        )
    with i18n.using("pt-BR"):
        facts = [
            (_("Motivo"), await sql.motivo_da_saida(ctx.conn, agente["id"])),
            (_("Setor"), agente["setor"]),
        ]
        people = [
            Person(_("Entrega"), agente["nome"], detail_of(agente), agente_id=agente["id"]),
            *await _agentes(ctx, _("Recebe"), [bem.para_id for bem in bens]),
        ]
    return Source(
        TipoDeTermo.TRANSFERENCIA, agente["id"], agente["setor_id"], bens, facts, people, agente_id=bens[0].para_id
    )


async def _of_movement(ctx: Context, id_: UUID) -> Source:
    found = await _movement(ctx, "transferencia", _("A transferência"), id_)
    bens = await sql.bens_da_transferencia(ctx.conn, id_)
    if not bens:
        raise InvalidData(
            {"assunto_id": _("Nenhum bem desta transferência foi aceito: o termo é do que mudou de mãos.")}
        )
    with i18n.using("pt-BR"):
        facts = [
            (_("Transferência"), _("nº %(number)s", number=found["numero"])),
            (_("Origem"), await sql.nome_do_setor(ctx.conn, found["origem_id"])),
            (_("Destino"), await sql.nome_do_setor(ctx.conn, found["destino_id"])),
            (_("Motivo"), found["motivo"]),
        ]
        people = [
            *await _agentes(ctx, _("Entrega"), [bem.de_id for bem in bens]),
            *await _agentes(ctx, _("Recebe"), [bem.para_id for bem in bens]),
        ]
    receivers = {bem.para_id for bem in bens}
    return Source(
        TipoDeTermo.TRANSFERENCIA, id_, found["destino_id"], bens, facts, people, origem_id=found["origem_id"],
        agente_id=receivers.pop() if len(receivers) == 1 else None,
    )  # fmt: skip


async def _of_loan(ctx: Context, id_: UUID) -> Source:
    found = await _movement(ctx, "emprestimo", _("O empréstimo"), id_)
    bens = await sql.bens_do_emprestimo(ctx.conn, ctx.access.setores, id_)
    with i18n.using("pt-BR"):
        facts = [
            (_("Emprestado em"), formats.date(found["saida"])),
            (_("Devolver até"), formats.date(found["previsao"])),
            (_("Finalidade"), found["finalidade"]),
        ]
        if found["agente_id"] is None:
            outside = " · ".join(filter(None, [document_of(found["tomador_doc"]), found["contato"]]))
            receives = [Person(_("Recebe"), found["tomador"], outside)]
        else:
            receives = await _agentes(ctx, _("Recebe"), [found["agente_id"]])
        gives = Person(
            _("Entrega"), await sql.usuario(ctx.conn, found["registrado_por"]), usuario_id=found["registrado_por"]
        )
    return Source(
        TipoDeTermo.EMPRESTIMO, _first(bens), found["setor_id"], bens, facts, [gives, *receives],
        agente_id=found["agente_id"],
    )  # fmt: skip


async def _of_write_off(ctx: Context, id_: UUID) -> Source:
    found = await _movement(ctx, "baixa", _("A baixa"), id_)
    bens = await sql.bens_da_baixa(ctx.conn, ctx.access.setores, id_)
    if not bens:
        raise InvalidData({"assunto_id": _("Esta baixa foi desfeita: não há termo a emitir.")})
    with i18n.using("pt-BR"):
        facts = [(label, value) for label, value in _facts_of_write_off(found) if value]
        people = [
            Person(_("Pelo setor de patrimônio"), await sql.usuario(ctx.conn, found["registrada_por"]),
                   usuario_id=found["registrada_por"]),
            *(Person(_("Membro da comissão"), name) for name in map(str.strip, found["membros"].splitlines()) if name),
        ]  # fmt: skip
    return Source(TipoDeTermo.BAIXA, _first(bens), found["setor_id"], bens, facts, people)


def _facts_of_write_off(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    receiver = " · ".join(filter(None, [found["destinatario"], document_of(found["destinatario_doc"])]))
    happened = formats.date(found["data_ocorrencia"]) if found["data_ocorrencia"] else ""
    appraised = f"R$ {formats.money(found['valor_avaliado'])}" if found["valor_avaliado"] is not None else ""
    return [
        (_("Motivo"), MotivoDaBaixa(found["motivo"]).label),
        (_("Data da baixa"), formats.date(found["data"])),
        (_("Justificativa"), found["justificativa"]),
        (_("Processo administrativo"), found["processo"]),
        (_("Portaria da comissão"), found["portaria"]),
        (_("Valor da avaliação"), appraised),
        (_("Número do laudo"), found["laudo"]),
        (_("Quem recebe o bem"), receiver),
        (_("Boletim de ocorrência"), found["boletim"]),
        (_("Quando aconteceu"), happened),
    ]


_GATHER: Mapping[TipoDeTermo, Callable[[Context, UUID], Awaitable[Source]]] = {
    TipoDeTermo.RESPONSABILIDADE: _of_custody,
    TipoDeTermo.TRANSFERENCIA: _of_transfer,
    TipoDeTermo.EMPRESTIMO: _of_loan,
    TipoDeTermo.BAIXA: _of_write_off,
}


async def _movement(ctx: Context, table: str, what: str, id_: UUID) -> dict[str, Any]:
    found = await sql.movimento(ctx.conn, table, ctx.access.setores, id_)
    if found is None:
        raise NotFound(what, id_)
    return found


def _first(bens: Sequence[sql.Bem]) -> UUID:
    """What was lent or written off together has one termo: it is known by the movement of the lowest plate number."""
    movement = bens[0].movimento_id
    assert movement is not None
    return movement


async def _agentes(ctx: Context, papel: str, ids: Sequence[UUID | None]) -> list[Person]:
    known = [each for each in dict.fromkeys(ids) if each is not None]
    rows = await sql.agentes(ctx.conn, known)
    return [Person(papel, row["nome"], detail_of(row), agente_id=row["id"]) for row in rows[:_MOST_PEOPLE]]


async def _issuer(ctx: Context, papel: str) -> Person:
    return Person(papel, ctx.access.nome, usuario_id=ctx.actor)
