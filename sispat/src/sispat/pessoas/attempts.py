"""How often one may try to sign in.

Promises: only failures count, and they are charged before the password is looked at, so that guesses sent together
do not slip through; a success is given back. An account and an address are charged in one step, or neither: whoever
is refused for one account uses up nothing of the address, behind which a whole city hall may sit. A browser that the
account has signed in with before has attempts of its own and touches neither. It is the same, in words and in time,
whether the account exists. A refusal says how long to wait; it is noted, holds for every process and over restarts, and
an administrator sees it (pessoas.actions).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from esteio.limit import Hit, Limit, RateLimiter
from esteio.limit.headers import duration, later
from esteio.limit.keys import address_key
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _, primary
from sispat.pessoas.sql import bloqueios
from sispat.pessoas.sql.bloqueios import Standing, Target

__all__ = ["Attempt", "AttemptGuard", "TooManyAttempts"]


class TooManyAttempts(SispatError):
    """Too many sign-ins failed; `wait` in whole seconds, `limits` are those that were reached."""

    code = "muitas-tentativas"

    def __init__(self, wait: int, limits: Sequence[Limit]) -> None:
        self.wait, self.limits = wait, tuple(limits)
        super().__init__(
            _(
                "Muitas tentativas de entrar falharam. Por segurança, espere %(wait)s antes de tentar de novo, ou peça a um "
                "administrador que libere a entrada.",
                wait=duration(wait, primary()),
            )
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt was charged to."""

    hits: tuple[Hit, ...]


class AttemptGuard:
    """Counts failed attempts; `account` and `address` say how many."""

    def __init__(self, limiter: RateLimiter, account: Limit, address: Limit) -> None:
        self._limiter = limiter
        self._account = account
        self._address = address

    async def begin(self, conn: AsyncConnection[Any], email: str, address: str, device: str | None) -> Attempt:
        """Charge an attempt as if it failed; raises `TooManyAttempts`. `device`: proof of an earlier sign-in."""
        targets = _targets(email, address, device)
        standings = await bloqueios.standings(conn, [target.key for target in targets])
        in_force = {target: standings[target.key].wait for target in targets if target.key in standings}
        self._refuse({target: wait for target, wait in in_force.items() if wait})
        hits = tuple(self._hit(target, standings.get(target.key, Standing())) for target in targets)
        decisions = await self._limiter.hit_all(hits)
        refused = {target: d.retry_after or 0.0 for target, d in zip(targets, decisions, strict=True) if not d}
        for target, wait in refused.items():
            await bloqueios.note(conn, target, wait)
        self._refuse(refused)
        return Attempt(hits)

    async def forgive(self, attempt: Attempt) -> None:
        """The password was right: give the attempt back."""
        for hit in attempt.hits:
            await self._limiter.refund(*hit)

    def _refuse(self, refused: dict[Target, float]) -> None:
        if refused:
            raise TooManyAttempts(later(max(refused.values())), [self._limit(target) for target in refused])

    def _limit(self, target: Target) -> Limit:
        return self._address if target.kind == "endereco" else self._account

    def _hit(self, target: Target, standing: Standing) -> Hit:
        # One hash tag: in a Redis Cluster, keys that are decided together have to lie together.
        return Hit(f"{{entrar}}{target.key.hex()}.{standing.generation}", self._limit(target))


def _targets(email: str, address: str, device: str | None) -> list[Target]:
    account = _digest(email)
    if device is not None:
        return [Target(_digest("navegador", email, device), "navegador", account=account)]
    network = address_key(address)
    return [
        Target(_digest("conta", email), "conta", account=account),
        Target(_digest("endereco", network), "endereco", address=network),
    ]


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
