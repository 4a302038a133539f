"""How often one may try to sign in.

Promises: only failures count, and they are charged before the password is looked at, so that guesses sent together
do not slip through; a success is given back. An account and an address are charged in one step, or neither: whoever
is refused for one account uses up nothing of the address, behind which a whole city hall may sit. A browser that the
account has signed in with before has attempts of its own and touches neither. It is the same, in words and in time,
whether the account exists. A refusal says how long to wait; it is noted, holds for every process and over restarts, and
an administrator sees it (usecases.bloqueios).
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
from sispat.domain.erros import SispatError
from sispat.store import bloqueios
from sispat.store.bloqueios import Alvo, Situacao

__all__ = ["Guarda", "MuitasTentativas", "Tentativa"]


class MuitasTentativas(SispatError):
    """Too many sign-ins failed; `espera` in whole seconds, `limites` are those that were reached."""

    codigo = "muitas-tentativas"

    def __init__(self, espera: int, limites: Sequence[Limit]) -> None:
        self.espera, self.limites = espera, tuple(limites)
        super().__init__(
            f"Muitas tentativas de entrar falharam. Por segurança, espere {duration(espera, 'pt')} antes de tentar de "
            "novo, ou peça a um administrador que libere a entrada."
        )


@dataclass(frozen=True, slots=True)
class Tentativa:
    """What an attempt was charged to."""

    hits: tuple[Hit, ...]


class Guarda:
    """Counts failed attempts; `conta` and `endereco` say how many."""

    def __init__(self, limitador: RateLimiter, conta: Limit, endereco: Limit) -> None:
        self._limitador = limitador
        self._conta = conta
        self._endereco = endereco

    async def comecar(
        self, conn: AsyncConnection[Any], email: str, endereco: str, dispositivo: str | None
    ) -> Tentativa:
        """Charge an attempt as if it failed; raises `MuitasTentativas`. `dispositivo`: proof of an earlier sign-in."""
        alvos = _alvos(email, endereco, dispositivo)
        situacoes = await bloqueios.situacoes(conn, [alvo.chave for alvo in alvos])
        em_vigor = {alvo: situacoes[alvo.chave].espera for alvo in alvos if alvo.chave in situacoes}
        self._recusar({alvo: espera for alvo, espera in em_vigor.items() if espera})
        hits = tuple(self._hit(alvo, situacoes.get(alvo.chave, Situacao())) for alvo in alvos)
        decisoes = await self._limitador.hit_all(hits)
        recusas = {alvo: d.retry_after or 0.0 for alvo, d in zip(alvos, decisoes, strict=True) if not d}
        for alvo, espera in recusas.items():
            await bloqueios.anotar(conn, alvo, espera)
        self._recusar(recusas)
        return Tentativa(hits)

    async def desculpar(self, tentativa: Tentativa) -> None:
        """The password was right: give the attempt back."""
        for hit in tentativa.hits:
            await self._limitador.refund(*hit)

    def _recusar(self, recusas: dict[Alvo, float]) -> None:
        if recusas:
            raise MuitasTentativas(later(max(recusas.values())), [self._limite(alvo) for alvo in recusas])

    def _limite(self, alvo: Alvo) -> Limit:
        return self._endereco if alvo.tipo == "endereco" else self._conta

    def _hit(self, alvo: Alvo, situacao: Situacao) -> Hit:
        # One hash tag: in a Redis Cluster, keys that are decided together have to lie together.
        return Hit(f"{{entrar}}{alvo.chave.hex()}.{situacao.geracao}", self._limite(alvo))


def _alvos(email: str, endereco: str, dispositivo: str | None) -> list[Alvo]:
    conta = _resumo(email)
    if dispositivo is not None:
        return [Alvo(_resumo("navegador", email, dispositivo), "navegador", conta=conta)]
    rede = address_key(endereco)
    return [
        Alvo(_resumo("conta", email), "conta", conta=conta),
        Alvo(_resumo("endereco", rede), "endereco", endereco=rede),
    ]


def _resumo(*partes: str) -> bytes:
    return hashlib.sha256("\0".join(partes).encode("utf-8", "surrogatepass")).digest()
