"""Movements, as the application sees them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.context import Context
from sispat.kernel.fields import labels_of
from sispat.kernel.files import Attachable
from sispat.kernel.i18n import lazy
from sispat.kernel.records import Kind, numbers_of, obter
from sispat.movimentacoes import rules
from sispat.movimentacoes.actions import baixas, emprestimos, manutencoes, regularizacoes, transferencias
from sispat.movimentacoes.fields import (
    AceiteDeTransferencia,
    ConclusaoDeManutencao,
    DevolucaoDeEmprestimo,
    EstornoDeBaixa,
    NovaTransferencia,
    ProrrogacaoDeEmprestimo,
    RecusaDeTransferencia,
    SaidaDeAgente,
)
from sispat.movimentacoes.found import BensEncontrados, NovaRegularizacao
from sispat.movimentacoes.kinds import KINDS
from sispat.movimentacoes.listing import ListaDeTransferencias
from sispat.movimentacoes.routes import route
from sispat.ui.records import exports_of

__all__ = ["SLICE"]

_TYPED = (
    NovaTransferencia, AceiteDeTransferencia, RecusaDeTransferencia, DevolucaoDeEmprestimo, ConclusaoDeManutencao,
    EstornoDeBaixa, SaidaDeAgente, ListaDeTransferencias, ProrrogacaoDeEmprestimo, BensEncontrados, NovaRegularizacao,
)  # fmt: skip


def _attachable(kind: Kind) -> Attachable:
    async def see(ctx: Context, id_: UUID) -> str:
        return await obter(ctx, kind, id_)

    return Attachable(entity=kind.entity, see=see, action=kind.action)


async def _numbers(ctx: Context, ids: Sequence[UUID]) -> dict[UUID, str]:
    return await numbers_of(ctx, KINDS, ids)


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
        **regularizacoes.CONSTRAINTS,
    },
    entities=[kind.entity for kind in KINDS],
    labels=labels_of(*_TYPED)
    | {
        "decididos": lazy("Bens decididos"),
        "lista": lazy("Lista"),
        "sucessor": lazy("Quem recebe tudo"),
        "imoveis": lazy("Imóveis"),
    },
    verbs={
        "pedir_transferencia": lazy("Pediu a transferência"),
        "aceitar_transferencia": lazy("Aceitou a transferência"),
        "recusar_transferencia": lazy("Recusou a transferência"),
        "cancelar_transferencia": lazy("Cancelou a transferência"),
        "emprestar": lazy("Emprestou"),
        "devolver_emprestimo": lazy("Registrou a devolução"),
        "prorrogar_emprestimo": lazy("Prorrogou o empréstimo"),
        "notar_falta": lazy("Registrou que falta"),
        "encontrar": lazy("Registrou que foi encontrado"),
        "regularizar": lazy("Regularizou"),
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
        "prorrogado": lazy("Empréstimo prorrogado."),
        "falta-notada": lazy("Registrado: o bem não foi localizado."),
        "encontrado": lazy("Registrado: o bem foi encontrado e está em uso."),
        "regularizado": lazy("Bem regularizado: este é o número dele."),
        "enviado": lazy("Envio para manutenção registrado."),
        "concluido": lazy("Manutenção concluída: o bem está em uso."),
        "baixado": lazy("Baixa registrada."),
        "carga-passada": lazy("Carga passada: a pessoa não tem mais bens."),
        "estornado": lazy("Baixa desfeita: o bem voltou ao patrimônio."),
    },
    attachables=[_attachable(kind) for kind in KINDS],
    names=_numbers,
    reports=exports_of(*KINDS),
)
