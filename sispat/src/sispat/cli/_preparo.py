"""What has to be true of the database before the service is ready: its schema, and the demo where it was asked for.

Promises: the tools for migrating are imported only when a migration is pending. While the server cannot be reached,
`Preparo` tries again for as long as it takes, in a thread of its own, and says so each time; what cannot get better
by waiting (a failed migration, a database with other data) ends the service with that error.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from esteio.errors import EsteioError
from esteio.policy import Exponential
from esteio.postgres import Dsn
from sispat.cli._progresso import Progresso
from sispat.kernel import schema
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _

__all__ = ["Preparo", "atualizar", "com_prazo"]

_logger = logging.getLogger("sispat.preparo")
_PRAZO = "3"  # seconds per host until a connection attempt counts as failed


@dataclass(frozen=True, slots=True)
class Atualizacao:
    """Versions of the schema before and after; '' is an empty database."""

    de: str
    para: str


def com_prazo(dsn: Dsn) -> Dsn:
    """The same address with a limit on the time to connect, unless it names one."""
    if any(nome == "connect_timeout" for nome, _ in dsn.parameters):
        return dsn
    return dsn.with_(parameters=(*dsn.parameters, ("connect_timeout", _PRAZO)))


def atualizar(dsn: Dsn) -> Atualizacao:
    """Bring the schema up to date; raises `MigrationFailed`, or psycopg's `OperationalError` when unreachable."""
    dsn = com_prazo(dsn)
    versao = _versao(dsn)
    if versao >= schema.expected_version():
        return Atualizacao(versao, versao)
    return Atualizacao(*schema.migrate(dsn))


def _versao(dsn: Dsn) -> str:
    with psycopg.connect(dsn.conninfo) as conn:
        tem = conn.execute("select to_regclass('alembic_version') is not null").fetchone()
        if not tem or not tem[0]:
            return ""
        linha = conn.execute("select coalesce(max(version_num), '') from alembic_version").fetchone()
    return str(linha[0]) if linha else ""


class Preparo:
    """Makes the database of `dsn` ready, with `demo` assets where it is a number; then `conferir` has a look at it."""

    def __init__(self, dsn: Dsn, demo: int | None, conferir: Callable[[], None] = lambda: None) -> None:
        self._dsn = dsn
        self._demo = demo
        self._conferir = conferir
        self._desistir = threading.Event()
        self._causa = ""
        self.erro: SispatError | EsteioError | None = None

    def fazer(self) -> bool:
        """Do it now; False when the server cannot be reached yet."""
        try:
            feita = atualizar(self._dsn)
            if feita.de != feita.para:
                _logger.info("banco migrado da versão %s para a %s", feita.de or "vazia", feita.para)
            if self._demo is not None:
                self._popular(self._demo)
            self._conferir()
        except psycopg.OperationalError as erro:
            self._causa = str(erro).strip().splitlines()[-1]
            return False
        return True

    def continuar(self, ao_falhar: Callable[[], None]) -> None:
        """Keep trying in a thread; `ao_falhar` is called when there is no hope, with `erro` set."""
        threading.Thread(target=self._insistir, args=(ao_falhar,), name="sispat-preparo", daemon=True).start()

    def desistir(self) -> None:
        """End the thread's waiting."""
        self._desistir.set()

    def _insistir(self, ao_falhar: Callable[[], None]) -> None:
        try:
            for pausa in Exponential(initial=1.0, cap=10.0):
                segundos = pausa * (0.8 + 0.2 * random.random())  # noqa: S311 - jitter
                _logger.warning(
                    "esperando pelo banco em %s; nova tentativa em %.1f s (%s)", self._dsn.masked, segundos, self._causa
                )
                if self._desistir.wait(segundos):
                    return
                if self.fazer():
                    _logger.info("o banco em %s respondeu e está em dia", self._dsn.masked)
                    return
        except (SispatError, EsteioError) as erro:
            self.erro = erro
            ao_falhar()

    def _popular(self, tamanho: int) -> None:
        from sispat.demo import popular

        with Progresso(_("Criando a cidade de demonstração")) as progresso:
            resumo = popular(com_prazo(self._dsn), tamanho=tamanho, progresso=progresso)
        if resumo.criado:
            _logger.info("demonstração criada: %d bens em %d setores", resumo.patrimonios, resumo.setores)
