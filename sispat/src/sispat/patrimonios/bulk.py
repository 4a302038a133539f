"""Registering and changing many different assets at once, as an import does: all or none, in sets.

Promises: the same rules as for one (`fields`, `rules`, the constraints of the schema), the same audit, exact totals, and
numbers that nobody else gets. It works in the transaction of its context; only the numbers are reserved in one of their own,
so that nobody waits for them: those of a batch that fails stay unused.
"""

from __future__ import annotations

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
from sispat.patrimonios.sql.bulk import OWN_NUMBERS, Change, New

__all__ = ["OWN_NUMBERS", "Batch", "Change", "New", "changes_of", "registered"]

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


class Batch:
    """What is to be made and changed, staged; then `make` and `change` do it."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.new = self.changed = self.unnumbered = self.highest = 0

    async def open(self) -> None:
        """Begin."""
        self._ctx.access.require(rules.CRIAR)
        self._ctx.access.require(rules.EDITAR)
        self._ctx.access.require(rules.TROCAR_CARGA)
        await bulk.stage(self._ctx.conn)

    async def add(self, new: Sequence[New], changes: Sequence[Change]) -> None:
        """Stage more."""
        await bulk.stage_new(self._ctx.conn, new)
        if changes:
            await bulk.stage_changes(self._ctx.conn, changes)
        self.new += len(new)
        self.changed += len(changes)
        self.unnumbered += sum(each.number is None for each in new)
        ours = (each.number for each in new if each.number is not None and each.number < OWN_NUMBERS)
        self.highest = max(self.highest, *ours, 0)

    async def reserve(self, conn: Any) -> int:
        """Reserve the numbers on a connection of another transaction; the first of those for assets without one."""
        return await bulk.reserve(conn, self.unnumbered, self.highest)

    async def make(self, first: int, told: Any) -> None:
        """Make the new ones; `told(count)` is awaited after each set. Raises `InvalidData`."""
        try:
            await bulk.number_staged(self._ctx.conn, first)
            async for count in bulk.make_staged(self._ctx.conn, self._ctx.author):
                await told(count)
        except errors.IntegrityError as error:
            raise _explained(error) from error

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
