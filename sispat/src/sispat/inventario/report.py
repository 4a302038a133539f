"""The report of a count: each setor with its items, what was found and decided, who signs; as PDF.

Promises: of the setores within reach, each begins a page of its own; it says what is stored, also of a count that goes on,
and then says that it goes on. More rows than a document is drawn with at once are refused, and one setor is asked for.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sispat.inventario import sql
from sispat.inventario.kinds import INVENTARIOS
from sispat.inventario.rules import Decisao, EstadoDoInventario, EstadoDoItem
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData
from sispat.kernel.formats import date, decimal, money
from sispat.kernel.i18n import _, ngettext
from sispat.kernel.pdf import letterhead
from sispat.kernel.records import obter
from sispat.kernel.situacoes import Conservacao
from sispat.termos.actions import City

__all__ = ["TEMPLATE", "gather"]

TEMPLATE = "inventario/relatorio.typ"
_MOST = 20_000  # rows of one document


async def gather(
    ctx: Context, id_: UUID, city: City, setor_id: UUID | None, today: dt.date
) -> tuple[dict[str, Any], int]:
    """What the document says, and how many rows it has."""
    stored: dict[str, Any] = json.loads(await obter(ctx, INVENTARIOS, id_))
    units = await sql.unidades(ctx.conn, id_, ctx.access.setores, setor_id)
    rows = sum(each.itens for each in units)
    if not units:
        raise InvalidData({"setor": _("Este inventário não tem itens deste setor ao seu alcance.")})
    if rows > _MOST:
        most = decimal(_MOST)
        raise InvalidData({"setor": _("São mais de %(most)s itens. Peça o relatório de um setor.", most=most)})
    setores = []
    for unit in units:
        lines = await sql.linhas(ctx.conn, id_, unit.id)
        setores.append(
            {
                "nome": f"{unit.codigo} · {unit.nome}",
                "itens": [_line(line) for line in lines],
                "resumo": _summary(lines),
                "total": money(unit.valor),
                "quantos": ngettext("%(num)s item", "%(num)s itens", unit.itens, num=decimal(unit.itens)),
            }
        )
    state = EstadoDoInventario(stored["estado"])
    said = {
        "titulo": _("Inventário nº %(number)s", number=stored["numero"]),
        "cidade": letterhead(city.name, city.arms),
        "parcial": "" if state is EstadoDoInventario.ENCERRADO else _("Parcial: o inventário está “%(state)s”.",
                                                                      state=state.label),
        "fatos": [
            [_("Data-base"), date(stored["data_base"])],
            [_("Comissão"), _("Portaria %(act)s", act=stored["portaria"])],
            *([[_("Observação"), stored["observacao"]]] if stored["observacao"] else []),
        ],
        "cabecalho": [_("Plaqueta"), _("Bem"), _("Local"), _("Conservação"), _("Resultado"), _("Valor (R$)")],
        "membros": stored["membros"].splitlines(),
        "responsavel": _("Responsável pelo setor"),
        "membro": _("Comissão de inventário"),
        "valor_total": _("valor total"),
        "data": date(today),
        "setores": setores,
    }  # fmt: skip
    return said, rows


def _line(line: Mapping[str, Any]) -> list[str]:
    kept = line["conservacao_vista"] or line["conservacao"]
    result = EstadoDoItem(line["estado"]).label
    if line["decisao"]:
        result = f"{result}: {Decisao(line['decisao']).label}"
    place = line["local"]
    if line["visto"] and line["visto"] != place:
        place = f"{place} → {line['visto']}"
    return [
        f"{line['plaqueta']:06}" if line["plaqueta"] else "—",
        line["descricao"],
        place,
        Conservacao(kept).label if kept else "—",
        result,
        money(line["valor"]),
    ]


def _summary(lines: list[dict[str, Any]]) -> str:
    counts = {state: sum(line["estado"] == state for line in lines) for state in EstadoDoItem}
    return " · ".join(f"{state.label}: {decimal(number)}" for state, number in counts.items() if number)
