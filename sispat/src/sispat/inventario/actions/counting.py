"""Readings of phones: each taken once, however often it is sent; each answered by itself.

Promises: a reading that was acknowledged is in the database, and one whose id is there is acknowledged again, also after the
count went on; of two phones at one asset both readings stay, the one that was made last decides, and the item says that they
differ. What cannot be taken is refused with the reason, and keeps no other reading waiting.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sispat.cadastros import actions as cadastros
from sispat.inventario import rules, sql
from sispat.inventario.fields import NovaLeitura
from sispat.inventario.kinds import INVENTARIOS, ITENS
from sispat.inventario.rules import EstadoDoInventario, EstadoDoItem, Resultado
from sispat.inventario.sql import Bem, Contado, Leitura
from sispat.kernel.context import Context
from sispat.kernel.errors import NotFound
from sispat.kernel.i18n import _
from sispat.kernel.public_codes import uuid_of
from sispat.kernel.records import obter

__all__ = ["Recebida", "leituras", "meant", "receber"]

_OF_LABEL = re.compile(r"/b/([0-9A-Z]{26})$", re.IGNORECASE)


@dataclass(slots=True)
class Recebida:
    """What became of one reading: `motivo` says why it was refused; empty: it is kept."""

    id: UUID
    item_id: UUID | None = None
    estado: str = ""
    plaqueta: int | None = None
    descricao: str = ""
    esperado: bool = False
    repetida: bool = False
    motivo: str = ""


def meant(codigo: str) -> UUID | int | None:
    """The asset that a label or what somebody typed means: by key or by plate number; None: neither."""
    found = _OF_LABEL.search(codigo.strip())
    if found:
        return uuid_of(found[1])
    digits = re.sub(r"[\s.-]", "", codigo)
    return int(digits) if re.fullmatch(r"\d{1,18}", digits, re.ASCII) else None


async def receber(ctx: Context, id_: UUID, sent: Sequence[NovaLeitura]) -> list[Recebida]:
    """Take the readings of one phone; what became of each, in their order."""
    ctx.access.require(rules.CONTAR)
    async with ctx.conn.transaction():
        counted = await sql.para_contar(ctx.conn, ctx.access.setores, id_)
        if counted is None:
            raise NotFound(str(INVENTARIOS.entity.label), id_)
        known = await sql.conhecidas(ctx.conn, [each.id for each in sent])
        batch = _Batch(ctx, counted, {each.id: each for each in sent if each.id not in known})
        await batch.take()
        answers = [
            Recebida(each.id, known[each.id], repetida=True) if each.id in known else batch.answers[each.id]
            for each in sent
        ]
        await _tell(ctx, answers)
        return answers


async def _tell(ctx: Context, answers: Sequence[Recebida]) -> None:
    """Fill in what a person reads; of what is out of their reach, no more than the number they have read themselves."""
    items = {each.item_id for each in answers if each.item_id is not None}
    found = await sql.resumo(ctx.conn, list(items)) if items else {}
    for each in answers:
        row = found.get(each.item_id) if each.item_id else None
        if row is not None:
            each.estado, each.plaqueta, each.esperado = row.estado, row.plaqueta, row.esperado
            each.descricao = row.descricao if ctx.access.reaches(row.setor_id) else ""


class _Batch:
    """Readings that are new, on their way into the database."""

    def __init__(self, ctx: Context, counted: Contado, new: dict[UUID, NovaLeitura]) -> None:
        self._ctx, self._counted, self._new = ctx, counted, new
        self.answers: dict[UUID, Recebida] = {}
        self._rows: list[dict[str, Any]] = []
        self._items: list[dict[str, Any]] = []

    async def take(self) -> None:
        """Keep what can be kept; the rest is refused."""
        if self._counted.estado != EstadoDoInventario.CONTANDO:
            state = EstadoDoInventario(self._counted.estado).label
            for id_ in self._new:
                self._refuse(id_, _("O inventário %(number)s está “%(state)s”, e não em contagem.",
                                    number=self._counted.numero, state=state))  # fmt: skip
            return
        places = await self._places()
        assets = await self._assets()
        for each in self._new.values():
            if each.local_id is not None and each.local_id not in places:
                self._refuse(each.id, _("O local escolhido não existe ou não está ao seu alcance."))
                continue
            key = meant(each.codigo)
            asset = assets.get(key) if key is not None else None
            if asset is None:
                self._without_plate(each, places.get(each.local_id) if each.local_id else self._counted.setor_id)
            else:
                self._of_asset(each, asset)
        await self._keep()

    async def _places(self) -> dict[UUID, UUID]:
        """The locais that are named and within reach, with their setores."""
        found = {}
        for id_ in {each.local_id for each in self._new.values() if each.local_id is not None}:
            try:
                found[id_] = (await cadastros.obter(self._ctx, "local", id_))["setor_id"]
            except NotFound:
                continue
        return found

    async def _assets(self) -> dict[UUID | int, Bem]:
        keys = {meant(each.codigo) for each in self._new.values()}
        found = await sql.bens(
            self._ctx.conn,
            self._counted.id,
            [key for key in keys if isinstance(key, UUID)],
            [key for key in keys if isinstance(key, int)],
        )
        return {key: each for each in found for key in (each.id, each.numero)}

    def _of_asset(self, each: NovaLeitura, asset: Bem) -> None:
        resultado = Resultado.ENCONTRADO if each.resultado is Resultado.SEM_TOMBO else each.resultado
        expected_at = asset.local_id if asset.item_id is None else asset.local_esperado_id
        listed = asset.item_id is not None or any(each.get("patrimonio_id") == asset.id for each in self._items)
        if not listed and resultado is Resultado.NAO_ENCONTRADO:
            self._refuse(each.id, _("O bem %(number)s não está entre os que este inventário espera.",
                                    number=f"{asset.numero:06}"))  # fmt: skip
            return
        if resultado is Resultado.ENCONTRADO and each.local_id != expected_at and (each.local_id or not asset.item_id):
            resultado = Resultado.OUTRO_LOCAL  # found here, and it should stand elsewhere
        if not listed:
            self._items.append(
                {
                    "inventario_id": self._counted.id, "esperado": False, "patrimonio_id": asset.id,
                    "plaqueta": asset.numero, "descricao": asset.descricao, "classe_id": asset.classe_id,
                    "valor": asset.valor, "situacao": asset.situacao, "conservacao": asset.conservacao,
                    "setor_id": asset.setor_id, "local_id": asset.local_id, "agente_id": asset.agente_id,
                }
            )  # fmt: skip
        self._read(each, resultado, asset.item_id, asset.id)

    def _without_plate(self, each: NovaLeitura, setor_id: UUID | None) -> None:
        """What no asset of the books answers to: an item of its own, whose id is that of its reading."""
        what = each.descricao or (_("Plaqueta lida: %(code)s", code=each.codigo) if each.codigo else "")
        if each.resultado is Resultado.NAO_ENCONTRADO:
            self._refuse(each.id, _("Não há bem com a plaqueta “%(code)s”.", code=each.codigo))
        elif not what:
            self._refuse(each.id, _("Informe a plaqueta, ou diga o que é o bem sem plaqueta."))
        elif setor_id is None:
            self._refuse(each.id, _("Escolha onde está: de um bem sem plaqueta ninguém mais sabe o setor."))
        else:
            self._items.append(
                {
                    "id": each.id, "inventario_id": self._counted.id, "esperado": False, "descricao": what[:500],
                    "valor": 0, "setor_id": setor_id, "local_id": each.local_id, "estado": EstadoDoItem.SEM_TOMBO,
                    "conservacao": each.conservacao,
                }
            )  # fmt: skip
            self._read(each, Resultado.SEM_TOMBO, each.id, None)

    def _read(self, each: NovaLeitura, resultado: Resultado, item_id: UUID | None, asset_id: UUID | None) -> None:
        self.answers[each.id] = Recebida(each.id, item_id)
        self._rows.append(
            {
                "id": each.id, "item_id": item_id or asset_id, "resultado": resultado, "codigo": each.codigo,
                "local_id": each.local_id, "conservacao": each.conservacao, "nota": each.nota, "lida_em": each.lida_em,
            }
        )  # fmt: skip

    def _refuse(self, id_: UUID, why: str) -> None:
        self.answers[id_] = Recebida(id_, motivo=why)

    async def _keep(self) -> None:
        if not self._rows:
            return
        conn = self._ctx.conn
        if self._items:
            # In one order for all phones; two kinds of rows, with different columns.
            by_asset = sorted(
                (each for each in self._items if "patrimonio_id" in each), key=lambda each: each["patrimonio_id"]
            )
            for rows in (by_asset, [each for each in self._items if "patrimonio_id" not in each]):
                if rows:
                    await sql.inserir_itens(conn, rows)
            made = {each.id: each.item_id for each in await sql.bens(
                conn, self._counted.id, [each["patrimonio_id"] for each in by_asset], [])}  # fmt: skip
            for row in self._rows:
                row["item_id"] = made.get(row["item_id"], row["item_id"])
                self.answers[row["id"]].item_id = row["item_id"]
        await sql.inserir_leituras(conn, self._counted.id, self._ctx.actor, self._rows)
        await sql.recalcular(conn, sorted({row["item_id"] for row in self._rows}))


async def leituras(ctx: Context, item_id: UUID) -> list[Leitura]:
    """The readings of an item within reach, the one that counts first."""
    await obter(ctx, ITENS, item_id)
    return await sql.leituras(ctx.conn, item_id)
