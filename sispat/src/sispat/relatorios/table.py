"""The reports there are. Another one is an entry here, what its lines have (`fields`), and its SQL text (`sql`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from sispat.cadastros import actions as cadastros
from sispat.conciliacao.fields import Conta as ContaConciliada
from sispat.kernel.context import Context
from sispat.kernel.errors import NotFound
from sispat.kernel.i18n import _, lazy
from sispat.patrimonios import actions as patrimonios
from sispat.patrimonios.fields import PATRIMONIO
from sispat.relatorios import fields
from sispat.relatorios.report import Fact, Report
from sispat.relatorios.rules import VER_BENS, VER_CONTABEIS
from sispat.relatorios.sql import reports as sql

__all__ = ["BY_NAME", "RELATORIOS"]

_NO_ASSET = lazy("Nenhum bem ao seu alcance corresponde aos filtros.")
_NO_MONTH = lazy("Nada neste mês corresponde aos filtros; ou nenhum mês foi fechado ainda.")


async def _person(ctx: Context, asked: fields.PedidoDaCarga) -> Sequence[Fact]:
    """Who holds the assets."""
    stored = await cadastros.obter(ctx, "agente", asked.agente)
    setor = await cadastros.escolha(ctx, "setor", stored["setor_id"])
    return [
        (_("Agente responsável"), stored["nome"]),
        (_("Matrícula"), stored["matricula"]),
        (_("Cargo"), stored["cargo"] or "—"),
        (_("Setor"), setor.label if setor else "—"),
    ]


_OF_THE_SERVICE = ("id", "versao")


async def _asset(ctx: Context, asked: fields.PedidoDaFicha) -> Sequence[Fact]:
    """All that its card says."""
    id_ = await patrimonios.com_numero(ctx, asked.numero)
    if id_ is None:
        raise NotFound(_("O bem"), asked.numero)
    stored: Mapping[str, Any] = orjson.loads(await patrimonios.obter(ctx, id_))
    kept = {name: spec for name, spec in PATRIMONIO.fields.items() if name not in _OF_THE_SERVICE}
    return [(spec.ui.label, spec.shown(stored[spec.member])) for spec in kept.values() if spec.kind != "moment"]


RELATORIOS = (
    Report(
        name="inventario-analitico",
        title=lazy("Inventário analítico"),
        question=lazy("Que bens há, quanto valem, onde estão e quem responde por cada um? (Lei 4.320/1964, art. 94)"),
        line=fields.Bem,
        asked=fields.PedidoDoAnalitico,
        sql=sql.ANALITICO,
        action=VER_BENS,
        summed=("valor", "valor_liquido"),
        empty=_NO_ASSET,
    ),
    Report(
        name="inventario-sintetico",
        title=lazy("Inventário sintético"),
        question=lazy("Quantos bens há e quanto valem, por conta ou por outro grupo? (Lei 4.320/1964, art. 95)"),
        line=fields.Resumo,
        asked=fields.PedidoDoSintetico,
        sql=sql.SINTETICO,
        action=VER_BENS,
        summed=("bens", "valor", "valor_liquido", "de_terceiros", "valor_de_terceiros"),
        empty=_NO_ASSET,
    ),
    Report(
        name="carga",
        title=lazy("Carga de um agente"),
        question=lazy("Por quais bens esta pessoa responde?"),
        line=fields.Bem,
        asked=fields.PedidoDaCarga,
        sql=sql.CARGA,
        action=VER_BENS,
        summed=("valor", "valor_liquido"),
        empty=lazy("Esta pessoa não tem bens na sua carga, ao seu alcance."),
        facts=_person,
    ),
    Report(
        name="ficha",
        title=lazy("Ficha do bem"),
        question=lazy("Tudo o que está gravado de um bem, e cada lançamento dele nos meses fechados."),
        line=fields.Lancamento,
        asked=fields.PedidoDaFicha,
        sql=sql.FICHA,
        action=VER_BENS,
        summed=(),
        empty=lazy("Nenhum mês foi fechado com este bem ainda."),
        facts=_asset,
    ),
    Report(
        name="balancete",
        title=lazy("Balancete patrimonial"),
        question=lazy("Que saldo cada conta tinha no começo do mês, o que entrou, saiu e depreciou, e que saldo ficou?"),
        line=fields.Conta,
        asked=fields.PedidoDoMes,
        sql=sql.BALANCETE,
        action=VER_CONTABEIS,
        summed=(
            "bens", "anterior", "entradas", "baixas", "reavaliacoes", "ajustes", "depreciacao", "liquido", "bruto",
            "acumulada", "perda",
        ),
        empty=_NO_MONTH,
    ),
    Report(
        name="movimento",
        title=lazy("Movimento do mês"),
        question=lazy("Que bens entraram, saíram ou mudaram de valor no mês, e por quê?"),
        line=fields.Movimento,
        asked=fields.PedidoDeMovimento,
        sql=sql.MOVIMENTO,
        action=VER_CONTABEIS,
        summed=("bruto", "acumulada", "perda", "liquido"),
        empty=_NO_MONTH,
    ),
    Report(
        name="depreciacao",
        title=lazy("Depreciação do mês"),
        question=lazy("Quanto cada bem depreciou no mês, e quanto vale depois dele?"),
        line=fields.DepreciacaoDoBem,
        asked=fields.PedidoDeDepreciacao,
        sql=sql.DEPRECIACAO,
        action=VER_CONTABEIS,
        summed=("depreciacao", "ajuste", "bruto", "acumulada", "perda", "liquido"),
        empty=_NO_MONTH,
    ),
    Report(
        name="conciliacao",
        title=lazy("Conciliação contábil"),
        question=lazy("O saldo de cada conta no patrimônio e na contabilidade é o mesmo no fim do mês?"),
        line=ContaConciliada,
        asked=fields.PedidoDoMes,
        sql=sql.CONCILIACAO,
        action=VER_CONTABEIS,
        summed=(
            "bruto", "contabil_bruto", "diferenca_bruto", "acumulada", "contabil_acumulada", "diferenca_acumulada",
        ),
        empty=lazy("Este mês não foi conciliado ainda."),
    ),
)  # fmt: skip
BY_NAME = {report.name: report for report in RELATORIOS}
