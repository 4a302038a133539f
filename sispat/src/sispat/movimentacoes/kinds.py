"""The kinds of movements, as lists, cards and exports see them."""

from __future__ import annotations

from sispat.kernel.i18n import lazy
from sispat.kernel.record_sql import Table
from sispat.kernel.records import Due, Kind
from sispat.movimentacoes import rules
from sispat.movimentacoes.fields import BAIXA, EMPRESTIMO, MANUTENCAO, TRANSFERENCIA
from sispat.movimentacoes.found import LOCALIZACAO, REGULARIZACAO
from sispat.movimentacoes.listing import (
    ListaDeBaixas,
    ListaDeEmprestimos,
    ListaDeLocalizacoes,
    ListaDeManutencoes,
    ListaDeRegularizacoes,
    ListaDeTransferencias,
)

__all__ = ["BAIXAS", "EMPRESTIMOS", "KINDS", "LOCALIZACOES", "MANUTENCOES", "REGULARIZACOES", "TRANSFERENCIAS"]

_EXPORTED = "exportar_movimentacoes"
TRANSFERENCIAS = Kind(
    table=Table(TRANSFERENCIA, reach=("origem_id", "destino_id")),
    plural="transferencias",
    title=lazy("Transferências"),
    help=lazy("Bens que vão de um setor ou responsável a outro. Quem recebe aceita ou recusa."),
    new=lazy("Pedir transferência"),
    action=rules.PEDIR_TRANSFERENCIA,
    view=rules.VER,
    exported=_EXPORTED,
    estados=rules.EstadoDaTransferencia,
    asked=ListaDeTransferencias,
    columns=("origem_id", "destino_id", "bens", "motivo", "pedida_por", "criado_em"),
)
EMPRESTIMOS = Kind(
    table=Table(EMPRESTIMO),
    plural="emprestimos",
    title=lazy("Empréstimos"),
    help=lazy("Bens que saem por um tempo, dentro ou fora da prefeitura, e voltam."),
    new=lazy("Emprestar"),
    action=rules.EMPRESTAR,
    view=rules.VER,
    exported=_EXPORTED,
    estados=rules.EstadoDoEmprestimo,
    asked=ListaDeEmprestimos,
    columns=("patrimonio_id", "agente_id", "tomador", "saida", "previsao"),
    due=Due(rules.EstadoDoEmprestimo.ABERTO, rules.EstadoDoEmprestimo.ATRASADO, "devolvido_em"),
    acts=(
        (rules.EstadoDoEmprestimo.ABERTO, "devolver", lazy("Registrar a devolução"), rules.DEVOLVER),
        (rules.EstadoDoEmprestimo.ABERTO, "prorrogar", lazy("Prorrogar"), rules.PRORROGAR),
    ),
    made_at="novo",
)
MANUTENCOES = Kind(
    table=Table(MANUTENCAO),
    plural="manutencoes",
    title=lazy("Manutenções"),
    help=lazy("Bens em conserto ou revisão, com o que foi feito, o custo e a garantia."),
    new=lazy("Enviar para manutenção"),
    action=rules.ENVIAR_PARA_MANUTENCAO,
    view=rules.VER,
    exported=_EXPORTED,
    estados=rules.EstadoDaManutencao,
    asked=ListaDeManutencoes,
    columns=("patrimonio_id", "problema", "fornecedor", "enviado_em", "previsao", "custo"),
    due=Due(rules.EstadoDaManutencao.ABERTA, rules.EstadoDaManutencao.ATRASADA, "concluido_em"),
    acts=((rules.EstadoDaManutencao.ABERTA, "concluir", lazy("Concluir a manutenção"), rules.CONCLUIR_MANUTENCAO),),
)
BAIXAS = Kind(
    table=Table(BAIXA),
    plural="baixas",
    title=lazy("Baixas"),
    help=lazy("Bens que saíram do patrimônio, por que e com que papéis."),
    new=lazy("Dar baixa"),
    action=rules.BAIXAR,
    view=rules.VER,
    exported=_EXPORTED,
    estados=rules.EstadoDaBaixa,
    asked=ListaDeBaixas,
    columns=("patrimonio_id", "motivo", "data", "valor", "registrada_por"),
    acts=((rules.EstadoDaBaixa.EFETIVA, "estornar", lazy("Desfazer a baixa"), rules.ESTORNAR_BAIXA),),
)
LOCALIZACOES = Kind(
    table=Table(LOCALIZACAO),
    plural="localizacoes",
    title=lazy("Localizações"),
    help=lazy("Bens que ninguém achou onde deviam estar, e os que foram encontrados de novo."),
    new=lazy("Registrar bem encontrado"),
    action=rules.LOCALIZAR,
    view=rules.VER,
    exported=_EXPORTED,
    estados=rules.EstadoDaLocalizacao,
    asked=ListaDeLocalizacoes,
    columns=("patrimonio_id", "data", "circunstancia", "registrada_por"),
    made_at="encontrados",
)
REGULARIZACOES = Kind(
    table=Table(REGULARIZACAO),
    plural="regularizacoes",
    title=lazy("Regularizações"),
    help=lazy("Bens encontrados sem plaqueta que entraram no patrimônio, com a avaliação da comissão."),
    new=lazy("Regularizar bem sem plaqueta"),
    action=rules.REGULARIZAR,
    view=rules.VER,
    exported=_EXPORTED,
    estados=rules.EstadoDaRegularizacao,
    asked=ListaDeRegularizacoes,
    columns=("patrimonio_id", "encontrado_em", "laudo", "valor_avaliado", "portaria"),
)
KINDS = (TRANSFERENCIAS, EMPRESTIMOS, MANUTENCOES, LOCALIZACOES, REGULARIZACOES, BAIXAS)
