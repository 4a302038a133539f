"""Records of the registers by what a spreadsheet calls them.

Promises: only what is in use is found; a name that two records share finds neither, and both are told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sispat.cadastros import rules, sql
from sispat.kernel.context import Context
from sispat.kernel.fields import plain_heading

__all__ = ["Names", "References", "references"]


_REGISTERS = ("classe", "setor", "local", "agente")


@dataclass(frozen=True, slots=True)
class Names:
    """Of one register: plain code or name -> the records that are called so."""

    by_code: dict[str, UUID] = field(default_factory=dict)
    by_name: dict[str, list[UUID]] = field(default_factory=lambda: defaultdict(list))

    def add(self, id_: UUID, code: str, name: str) -> None:
        """Know one more record."""
        if code:
            self.by_code[plain_heading(code)] = id_
        self.by_name[plain_heading(name)].append(id_)

    def find(self, called: str) -> list[UUID]:
        """By its code, else those of this name; spreadsheets also write both, as `101 - Gabinete`."""
        plain = plain_heading(called)
        if plain in self.by_code:
            return [self.by_code[plain]]
        if plain in self.by_name:
            return self.by_name[plain]
        code, _, rest = plain.partition(" ")
        found = self.by_code.get(code)
        return [found] if found is not None and rest.startswith(("-", "·")) else []


@dataclass(frozen=True, slots=True)
class References:
    """All four registers; locais also by their setor, because two setores may each have a `Sala 1`."""

    classe: Names
    setor: Names
    local: Names
    agente: Names
    locais_de: dict[UUID, Names]
    setor_of: dict[UUID, UUID]


async def references(ctx: Context) -> References:
    """What is in use; for those who reach the whole city."""
    ctx.access.require(rules.VER)
    found = {entity: await sql.em_uso(ctx.conn, entity) for entity in _REGISTERS}
    locais_de: dict[UUID, Names] = defaultdict(Names)
    setor_of: dict[UUID, UUID] = {}
    for id_, code, name, of in found["local"]:
        if of is not None:
            locais_de[of].add(id_, code, name)
            setor_of[id_] = of
    classe, setor, local, agente = (_names(found[entity]) for entity in _REGISTERS)
    return References(classe, setor, local, agente, dict(locais_de), setor_of)


def _names(rows: Iterable[tuple[UUID, str, str, UUID | None]]) -> Names:
    names = Names()
    for id_, code, name, _setor in rows:
        names.add(id_, code, name)
    return names
