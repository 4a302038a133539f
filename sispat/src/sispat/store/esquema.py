"""The schema's version: what this code needs, what a database has, and the way from one to the other.

Promises: `migrar` takes every pending migration in one transaction under an advisory lock, watched by
`esteio.postgres.migrations`: it does not make a running service queue behind it, nor block a big table unsaid. Two
instances that start at once: one migrates, the other waits and finds nothing left to do. A migration that fails
leaves the database as it was and raises `MigracaoFalhou`.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

import psycopg

from esteio.postgres import Database, Dsn
from sispat.domain.erros import SispatError

__all__ = ["MigracaoFalhou", "esta_em_dia", "migrar", "versao_esperada"]

MIGRACOES = Path(__file__).parent / "migrations"
TRAVA = 0x515_9A7  # advisory lock key of this service's migrations
_UMA_DE_CADA_VEZ = threading.Lock()  # Alembic's context is one for the whole process


class MigracaoFalhou(SispatError):
    """A migration raised; everything was rolled back."""

    codigo = "migracao-falhou"

    def __init__(self, de: str, causa: Exception) -> None:
        self.de, self.causa = de, causa
        super().__init__(
            f"A migração do banco a partir da versão {de} falhou e foi desfeita por inteiro; "
            f"o banco continua como estava. Causa: {str(causa).strip()}",
        )


@cache
def versao_esperada() -> str:
    """The newest revision this code knows, from the file names: no import of Alembic needed."""
    return max(arquivo.name.split("_", 1)[0] for arquivo in (MIGRACOES / "versions").glob("[0-9]*_*.py"))


async def esta_em_dia(db: Database) -> bool:
    """Whether the database has the schema this code needs (a newer one counts: it was rolled forward)."""
    tem = await db.fetch_value("select to_regclass('alembic_version') is not null")
    if not tem:
        return False
    versao = await db.fetch_value("select coalesce(max(version_num), '') from alembic_version")
    return str(versao) >= versao_esperada()


def migrar(dsn: Dsn, migracoes: Path = MIGRACOES) -> tuple[str, str]:
    """Bring the database of `dsn` up to date; returns the versions before and after ('' = empty).

    Raises `MigracaoFalhou`, or psycopg's `OperationalError` when the server cannot be reached.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migracoes))
    config.set_main_option("path_separator", "os")
    config.attributes.update(dsn=dsn, key=TRAVA)
    with psycopg.connect(dsn.conninfo) as sonda:  # an unreachable server is not a failed migration
        de = _versao(sonda)
    try:
        with _UMA_DE_CADA_VEZ:
            command.upgrade(config, "head")
    except Exception as causa:
        raise MigracaoFalhou(de or "vazia", causa) from causa
    versoes: tuple[str, str] = config.attributes["versoes"]
    return versoes


def _versao(crua: psycopg.Connection[tuple[object, ...]]) -> str:
    tem = crua.execute("select to_regclass('alembic_version')").fetchone()
    if tem is None or tem[0] is None:
        return ""
    linha = crua.execute("select coalesce(max(version_num), '') from alembic_version").fetchone()
    return "" if linha is None else str(linha[0])
