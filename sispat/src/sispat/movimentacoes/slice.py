"""Movements, as the application sees them."""

from __future__ import annotations

from uuid import UUID

from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.context import Context
from sispat.kernel.fields import labels_of
from sispat.kernel.files import Attachable
from sispat.kernel.i18n import lazy
from sispat.movimentacoes import rules
from sispat.movimentacoes.actions import baixas, emprestimos, manutencoes, reading, transferencias
from sispat.movimentacoes.fields import (
    AceiteDeTransferencia,
    ConclusaoDeManutencao,
    DevolucaoDeEmprestimo,
    EstornoDeBaixa,
    NovaTransferencia,
    RecusaDeTransferencia,
    SaidaDeAgente,
)
from sispat.movimentacoes.kinds import KINDS, Kind
from sispat.movimentacoes.listing import ListaDeTransferencias
from sispat.movimentacoes.routes import route

__all__ = ["SLICE"]

_TYPED = (
    NovaTransferencia, AceiteDeTransferencia, RecusaDeTransferencia, DevolucaoDeEmprestimo, ConclusaoDeManutencao,
    EstornoDeBaixa, SaidaDeAgente, ListaDeTransferencias,
)  # fmt: skip


def _attachable(kind: Kind) -> Attachable:
    async def see(ctx: Context, id_: UUID) -> str:
        return await reading.obter(ctx, kind, id_)

    return Attachable(entity=kind.entity, see=see, action=kind.action)


SLICE = Slice(
    name="movimentacoes",
    routes=route,
    menu=[MenuEntry(15, "/transferencias", lazy("Movimentações"))],
    actions=rules.ACTIONS,
    constraints={
        **transferencias.CONSTRAINTS,
        **emprestimos.CONSTRAINTS,
        **manutencoes.CONSTRAINTS,
        **baixas.CONSTRAINTS,
    },
    entities=[kind.entity for kind in KINDS],
    labels=labels_of(*_TYPED)
    | {"decididos": lazy("Bens decididos"), "lista": lazy("Lista"), "sucessor": lazy("Quem recebe tudo")},
    verbs={
        "pedir_transferencia": lazy("Pediu a transferência"),
        "aceitar_transferencia": lazy("Aceitou a transferência"),
        "recusar_transferencia": lazy("Recusou a transferência"),
        "cancelar_transferencia": lazy("Cancelou a transferência"),
        "emprestar": lazy("Emprestou"),
        "devolver_emprestimo": lazy("Registrou a devolução"),
        "enviar_para_manutencao": lazy("Enviou para manutenção"),
        "concluir_manutencao": lazy("Concluiu a manutenção"),
        "baixar": lazy("Deu baixa"),
        "estornar_baixa": lazy("Desfez a baixa"),
        "passar_carga": lazy("Passou toda a carga"),
        "exportar_movimentacoes": lazy("Exportou movimentações"),
    },
    notices={
        "transferencia-pedida": lazy("Transferência pedida. Falta que o setor de destino a aceite."),
        "transferencias-pedidas": lazy("Transferências pedidas, uma para cada setor em que os bens estavam."),
        "transferencia-aceita": lazy("Transferência aceita: os bens mudaram de carga."),
        "transferencia-recusada": lazy("Transferência recusada: os bens ficam onde estavam."),
        "transferencia-cancelada": lazy("Transferência cancelada: os bens ficam onde estavam."),
        "emprestado": lazy("Empréstimo registrado."),
        "devolvido": lazy("Devolução registrada: o bem está em uso."),
        "enviado": lazy("Envio para manutenção registrado."),
        "concluido": lazy("Manutenção concluída: o bem está em uso."),
        "baixado": lazy("Baixa registrada."),
        "carga-passada": lazy("Carga passada: a pessoa não tem mais bens."),
        "estornado": lazy("Baixa desfeita: o bem voltou ao patrimônio."),
    },
    attachables=[_attachable(kind) for kind in KINDS],
    names=reading.nomes,
    reports=[f"{api}{kind.path}.csv" for api in ("", "/api") for kind in KINDS],
)
