"""Registering and changing many different assets at once, as an import does: all or none, in sets.

Promises: the same rules as for one (`fields`, `rules`, the constraints of the schema), the same audit, exact totals, and
numbers that nobody else gets. It works in the transaction of its context; only the numbers are reserved in one of their own,
so that nobody waits for them: those of a batch that fails stay unused. While the database makes one set, whoever fills the
batch goes on: most of the work of either is done meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import errors

from sispat.kernel.constraints import explained
from sispat.kernel.context import Context
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _
from sispat.kernel.situacoes import Situacao
from sispat.patrimonios import rules
from sispat.patrimonios.actions import CONSTRAINTS
from sispat.patrimonios.fields import ItemDoLote
from sispat.patrimonios.sql import bulk
from sispat.patrimonios.sql.bulk import AT_ONCE, OWN_NUMBERS, Change, New

__all__ = ["OWN_NUMBERS", "Batch", "Change", "New", "changes_of", "registered", "reserve"]

_TAKEN = "patrimonio_numero_unico"
_AWAY = frozenset({Situacao.EM_MANUTENCAO, Situacao.EMPRESTADO, Situacao.EM_TRANSFERENCIA})


async def registered(ctx: Context, numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What is stored of the assets with these plate numbers, for those who reach the whole city."""
    ctx.access.require(rules.EDITAR)
    return await bulk.records(ctx.conn, numbers) if numbers else {}


def changes_of(stored: Mapping[str, Any], wanted: ItemDoLote) -> dict[str, Any]:
    """What differs of an asset; raises `InvalidData` where it may not be changed."""
    changes = {name: value for name, value in wanted.columns().items() if stored[name] != value}
    if changes:
        rules.require_alterable(stored["situacao"])
    if "setor_id" in changes and stored["situacao"] in _AWAY:
        raise InvalidData(dict([CONSTRAINTS["patrimonio_setor_fixo_fora"]]))
    return changes


async def reserve(conn: Any, count: int, highest: int) -> int:
    """Reserve numbers for `count` assets, on a connection of another transaction; the first of them.

    They are above `highest`, the largest number of our own scheme that a batch brings along.
    """
    return await bulk.reserve(conn, count, highest)


class Batch:
    """What is to be made and changed. Those without a plate number get `count` numbers from `first` on, in order."""

    def __init__(self, ctx: Context, first: int, count: int) -> None:
        self._ctx = ctx
        self._numbers = iter(range(first, first + count))
        self._waiting: list[New] = []
        self._making: asyncio.Task[None] | None = None
        self.changed = 0

    async def open(self) -> None:
        """Begin."""
        self._ctx.access.require(rules.CRIAR)
        self._ctx.access.require(rules.EDITAR)
        self._ctx.access.require(rules.TROCAR_CARGA)
        await bulk.stage(self._ctx.conn)

    async def add(self, new: Sequence[New], changes: Sequence[Change]) -> None:
        """Make and stage more. Raises `InvalidData`."""
        self._waiting += [self._numbered(each) for each in new]
        if len(self._waiting) >= AT_ONCE:
            await self._make()
        if changes:
            await self._made()
            await bulk.stage_changes(self._ctx.conn, changes)
            self.changed += len(changes)

    def _numbered(self, new: New) -> New:
        if new.number is not None:
            return new
        number = next(self._numbers, None)
        if number is None:
            raise InvalidData(
                {"numero": _("A planilha tem mais bens sem número do que quando foi conferida. Confira de novo.")}
            )
        return new._replace(number=number)

    async def _make(self) -> None:
        """Have the database begin to make what waits."""
        await self._made()
        try:
            await bulk.stage_new(self._ctx.conn, self._waiting)
        except errors.IntegrityError as error:
            raise _explained(error) from error
        self._waiting = []
        self._making = asyncio.create_task(bulk.make_staged(self._ctx.conn, self._ctx.author))
        await asyncio.sleep(0)  # until it is sent: whoever fills the batch lets nobody else work for a while

    async def _made(self) -> None:
        making, self._making = self._making, None
        if making is not None:
            try:
                await making
            except errors.IntegrityError as error:
                raise _explained(error) from error

    async def close(self) -> None:
        """Nothing more is under way; called however it ends."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)

    async def make(self) -> None:
        """Make the rest of the new ones. Raises `InvalidData`."""
        if self._waiting:
            await self._make()
        await self._made()

    async def change(self, told: Any) -> None:
        """Change those that are there; `told(count)` is awaited after each set. Raises `InvalidData`."""
        try:
            async for count, unchanged in bulk.change_staged(self._ctx.conn, self._ctx.author):
                if unchanged != count:
                    raise InvalidData({"bens": _("Alguém alterou bens desta planilha agora mesmo. Confira de novo.")})
                await told(count)
        except errors.IntegrityError as error:
            raise _explained(error) from error


def _explained(error: errors.IntegrityError) -> Exception:
    if error.diag.constraint_name == _TAKEN:
        return InvalidData({"numero": _("Um número da planilha acaba de ser usado por outra pessoa. Confira de novo.")})
    return explained(error, CONSTRAINTS)
