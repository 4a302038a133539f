"""What lives as long as the process: the database, its health, the limits, the look-up of addresses, the settings.

Promises: starting never fails because the database is away; the process says "not ready" until the schema
is the one this code needs, migrating it if it is the first to get there, and recovers by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

from esteio import EsteioError
from esteio.health import Check, Monitor
from esteio.limit import RateLimiter
from esteio.maintenance import Maintenance
from esteio.postgres import Database
from esteio.serve import lifecycle
from sispat.cep import ConsultaCep
from sispat.domain.erros import SispatError
from sispat.settings import Settings
from sispat.store import bloqueios, esquema, identidade
from sispat.usecases.sessoes import Validade
from sispat.usecases.tentativas import Guarda
from sispat.web.armazem import Armazem, armazem, encerrar, iniciar, limite, redis
from sispat.web.manutencao import EmManutencao, interruptor

__all__ = ["PAPEL_DO_BANCO", "SemBanco", "Servico"]

PAPEL_DO_BANCO = "sispat_app"  # the application's role: see migration 0001
_ESPERA_MAXIMA = 5.0
_FAXINA = 3600.0

_logger = logging.getLogger("sispat.servico")


class SemBanco(SispatError):
    """The application alone starts no database."""

    codigo = "sem-banco"

    def __init__(self) -> None:
        super().__init__(
            "DATABASE_URL não está definida. Defina-a, ou use `sispat serve`, que inicia um PostgreSQL próprio."
        )


def _nome() -> str:
    """Which worker this is, for the server's list of sessions."""
    return "sispat" if lifecycle.slot is None else f"sispat w{lifecycle.slot}"


@dataclass(slots=True)
class Servico:
    """The process' own; `app.state.servico`."""

    settings: Settings
    db: Database
    saude: Monitor
    validade: Validade
    cep: ConsultaCep
    contagem: Armazem
    limitador: RateLimiter
    guarda: Guarda
    manutencao: Maintenance
    fila_de_numeros: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def montar(cls, settings: Settings) -> Servico:
        """Put the parts together; nothing connects yet."""
        if settings.database_url is None:
            raise SemBanco
        db = Database(settings.database_url, name="sispat", application_name=_nome(), settings={"role": PAPEL_DO_BANCO})

        async def banco() -> float:
            return await db.ping(timeout=0.9) * 1000

        contagem = armazem(settings)
        limitador = RateLimiter(contagem)
        verificacoes = [Check("postgres:responseTime", banco, timeout=1.0, cache=1.0, warn_above=1000.0)]
        if settings.redis_url is not None:
            verificacoes.append(Check("redis:responseTime", redis(limitador), timeout=1.0, cache=1.0, essential=False))
        return cls(
            settings,
            db,
            Monitor(verificacoes),
            Validade(timedelta(seconds=settings.session_idle), timedelta(seconds=settings.session_max)),
            ConsultaCep.montar(settings.cep_url),
            contagem,
            limitador,
            Guarda(
                limitador,
                limite("auth", settings.limit_auth),
                limite("auth-address", settings.limit_auth_address),
            ),
            interruptor(settings),
        )

    def exigir_aberto(self) -> None:
        """Raise `EmManutencao` while the service is closed; before anything that needs the database."""
        aviso = self.manutencao.state()
        if aviso is not None:
            raise EmManutencao(aviso)

    @contextlib.asynccontextmanager
    async def aberto(self) -> AsyncIterator[None]:
        """Open for the life of the process; on leaving, everything is closed in order."""
        lifecycle.ready = False
        await self.db.open()
        await iniciar(self.contagem)
        tarefas = [asyncio.create_task(self._preparar()), asyncio.create_task(self._faxina())]
        try:
            await self._primeira_olhada(tarefas[0])
            yield
        finally:
            for tarefa in tarefas:
                tarefa.cancel()
            await asyncio.gather(*tarefas, return_exceptions=True)
            await self.cep.fechar()
            await encerrar(self.contagem)
            await self.db.close()

    async def _primeira_olhada(self, preparo: asyncio.Task[None]) -> None:
        """With the database there, ready before the first request; without it, serve and say so."""
        await asyncio.wait([preparo], timeout=2.0)

    async def _preparar(self) -> None:
        espera = 0.2
        while not await self._em_dia():
            await asyncio.sleep(espera * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
            espera = min(espera * 2, _ESPERA_MAXIMA)
        lifecycle.ready = True

    async def _em_dia(self) -> bool:
        try:
            if await esquema.esta_em_dia(self.db):
                return True
        except EsteioError as erro:
            _logger.warning("esperando pelo banco %s: %s", self.db.dsn.masked, erro)
            return False
        # A process of its own: a worker never carries the migration tools in memory.
        migracao = await asyncio.create_subprocess_exec(sys.executable, "-m", "sispat", "migrate")
        try:
            codigo = await migracao.wait()
        except asyncio.CancelledError:
            migracao.terminate()
            raise
        if codigo:
            _logger.error("a migração falhou (saída %s); nova tentativa em instantes", codigo)
        return False  # look again

    async def _faxina(self) -> None:
        while True:
            await asyncio.sleep(_FAXINA * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
            try:
                async with self.db.connection() as conn:
                    await identidade.limpar_vencidos(conn)
                    await bloqueios.limpar(conn)
            except EsteioError as erro:
                _logger.warning("faxina adiada: %s", erro)
