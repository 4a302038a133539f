"""The public answers: an asset by the code of its label, a termo by the code or the sha256 of its paper.

Promises: no permission is asked, hence nothing is told of persons, values, serial numbers or notes (LGPD), and of an asset
only what the city chose (`SISPAT_PUBLIC_SHOWS`), without a choice no free text. An asset is found by the code of its label,
not by its plate number: numbers are counted up, and whoever counted along would have a list of what the city owns and where it
stands. What was asked within a minute is answered from memory; so is, for a day, what was asked before the database went away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from psycopg import AsyncConnection

from esteio import EsteioError
from esteio.policy import Cache, Pipeline
from sispat.kernel.errors import NotFound
from sispat.kernel.formats import plate_number
from sispat.kernel.i18n import _
from sispat.kernel.public_codes import uuid_of
from sispat.publico import sql
from sispat.termos import actions as termos

__all__ = ["PublicAnswers", "bem", "termo"]

Connect = Callable[[], AbstractAsyncContextManager[AsyncConnection[Any]]]
_MINUTE, _DAY = 60.0, 86_400.0  # seconds


class PublicAnswers:
    """One per process: what was told a moment ago. `connect` opens a connection."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        cache = Cache(stale=_DAY, fresh=_MINUTE, size=4096, on=(EsteioError,), single_flight=True)
        self._ask: Callable[[str, str], Awaitable[dict[str, Any]]] = Pipeline("publico", cache)(self._asked)

    async def bem(self, code: str, shows: frozenset[str]) -> dict[str, Any]:
        """What anybody may know of an asset; raises `NotFound`."""
        found = await self._ask("bem", code)
        return {name: value for name, value in found.items() if name in shows or name in ("plaqueta", "baixado")}

    async def termo(self, *, code: str = "", sha256: str = "") -> dict[str, Any]:
        """What anybody may know of a termo; raises `NotFound`."""
        return await self._ask("sha256", sha256) if sha256 else await self._ask("termo", code)

    async def _asked(self, what: str, key: str) -> dict[str, Any]:
        async with self._connect() as conn:
            if what == "bem":
                return await bem(conn, key)
            return await termo(conn, **{"sha256" if what == "sha256" else "codigo": key})


async def bem(conn: AsyncConnection[Any], code: str) -> dict[str, Any]:
    """All that the city may choose from of the asset whose label has this code."""
    id_ = uuid_of(code)
    found = await sql.ler(conn, id_) if id_ is not None else None
    if found is None:
        raise NotFound(_("A etiqueta"), code[:40])
    return {**found._asdict(), "plaqueta": plate_number(found.numero)}


async def termo(conn: AsyncConnection[Any], *, codigo: str = "", sha256: str = "") -> dict[str, Any]:
    """What confirms a termo: kind, number, day, state, the sha256 of each of its PDFs, how many signed it here."""
    found = await termos.confirmar(conn, codigo=codigo, sha256=sha256)
    if found is None:
        raise NotFound(_("O termo"), (codigo or sha256)[:64])
    return {
        "tipo": found["tipo"],
        "numero": found["numero"],
        "exercicio": found["exercicio"],
        "codigo": found["codigo"],
        "emitido_em": found["emitido_em"],
        "bens": found["bens"],
        "estado": found["estado"],
        "ate": found["anulado_em"] or found["substituido_em"],
        "substituido_por": f"{found['novo_numero']}/{found['novo_exercicio']}" if found["novo_numero"] else None,
        "sha256": found["sha256"] or [],
        "partes": found["partes"],
        "assinadas": found["assinadas"],
    }
