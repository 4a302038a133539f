"""The database a command works on: the one of DATABASE_URL, or our own PostgreSQL in the data directory.

Promises: `banco` yields its address, made for the owner of the schema. Our own server is ended with the block; one
that a running service holds is used and left running. Two services never share a data directory. An empty database is
made only where there never was one: not after the data directory vanished, and not where there are backups.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from esteio.postgres import Dsn
from sispat.cli._falhas import Encerrado
from sispat.cli._trava import DadosEmUso, Trava
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _
from sispat.settings import Settings

if TYPE_CHECKING:
    from esteio.postgres.embedded import Embedded

__all__ = [
    "BancoEmbutido",
    "BancoSumido",
    "banco",
    "banco_do_servico",
    "banco_em_uso",
    "encerravel",
    "servidor_proprio",
]

NOME = "sispat"  # of the database and of its owner
PAPEL_DO_SERVICO = "sispat_app"  # what the workers act as; see migration 0001


class BancoSumido(SispatError):
    """There was a database, and there is none: an accident, which an empty one would hide."""

    code = "banco-sumido"

    def __init__(self, pasta: Path, sinal: str, remedio: str) -> None:
        self.pasta, self.sinal = pasta, sinal
        super().__init__(
            _(
                "Não há banco em %(directory)s, mas já houve: %(sign)s. Nenhum banco vazio "
                "toma o lugar dele. Devolva a pasta, "
                "ou restaure uma cópia: `sispat backup restore cluster --replace` (de uma base e do log) ou `sispat backup "
                "restore database --replace` (de um dump, com o serviço encerrado). Só para começar de novo, sem nada: "
                "%(remedy)s.",
                directory=pasta,
                sign=sinal,
                remedy=remedio,
            )
        )


class BancoEmbutido:
    """Our own server, as the supervisor wants its services."""

    name = "PostgreSQL"

    def __init__(self, servidor: Embedded, trava: Trava) -> None:
        self._servidor = servidor
        self._trava = trava

    def start(self) -> None:
        """Start it, or start it again after it died."""
        from esteio.postgres.embedded import DataDirectoryVanished

        try:
            self._servidor.start()
        except DataDirectoryVanished as sumiu:
            noted = sumiu.marker.exists()
            sinal = _("%(file)s o diz", file=sumiu.marker) if noted else _("estava em uso")
            remedio = _("remova %(file)s e inicie outra vez", file=sumiu.marker)
            raise BancoSumido(sumiu.data_dir, sinal, remedio) from sumiu
        _abrir_login(self._servidor.dsn())  # also after a restore brought back a cluster from before it had one

    def is_alive(self) -> bool:
        """Whether it runs, has its data and answers."""
        return self._servidor.is_alive()

    def stop(self, timeout: float = 30.0) -> None:
        """End it; open transactions are rolled back."""
        self._servidor.stop(timeout)

    def preparar(self) -> Dsn:
        """The address of our database, made when it is not there; for processes of the account that runs us."""
        self._servidor.ensure_database(NOME, owner=NOME)
        _conceder(self._servidor.dsn())
        dsn = self._servidor.dsn(NOME, NOME)
        self._trava.anotar(dsn.url)
        return dsn


def servidor_proprio(settings: Settings, *, criar: bool | None = None) -> Embedded:
    """Our own server, not started; with `criar` an empty one is made also where there was one."""
    from esteio.postgres.embedded import Embedded

    # It notes what changes, so that a backup can be of that alone.
    anotado = {"summarize_wal": "on"}
    return Embedded(
        settings.data_dir / "postgres",
        account=settings.pg_account,
        settings=anotado,
        unresponsive_after=settings.pg_timeout,
        create=criar,
    )


@contextmanager
def banco(settings: Settings, *, criar: bool = False) -> Iterator[tuple[Dsn, BancoEmbutido | None]]:
    """The address, and the server where it is ours to keep up; with `criar` an empty one if need be, come what may."""
    if settings.database_url is not None:
        yield settings.database_url, None
        return
    with Trava(settings.data_dir) as trava:
        servidor = servidor_proprio(settings, criar=criar or None)
        embutido = BancoEmbutido(servidor, trava)
        if not criar:
            _recusar_vazio_com_copias(settings, servidor)
        try:
            embutido.start()
            yield embutido.preparar(), embutido
        finally:
            embutido.stop()


def _recusar_vazio_com_copias(settings: Settings, servidor: Embedded) -> None:
    """A first start has no backups: where there are some, or nobody can tell, the database was lost."""
    from esteio.postgres.embedded import has_cluster

    pasta = servidor.locate()
    if has_cluster(pasta):
        return
    from esteio.backup.store import AllStoresFailed, StoreError
    from sispat.cli._copias import montar

    try:
        copias = montar(settings, Dsn()).entries()
    except (AllStoresFailed, StoreError) as erro:
        sinal = _("não se sabe se há cópias (%(reason)s)", reason=erro)
        raise BancoSumido(pasta, sinal, _("espere até que se saiba")) from erro
    if copias:
        onde = ", ".join(sorted({lugar for copia in copias for lugar in copia.stores}))
        nova = max(copias, key=lambda copia: copia.began)
        known = {"number": len(copias), "stores": onde, "newest": nova.id}
        sinal = _("há %(number)s cópias em %(stores)s, a mais nova %(newest)s", **known)
        raise BancoSumido(pasta, sinal, _("leve as cópias para outro lugar"))


@contextmanager
def banco_em_uso(settings: Settings, *, criar: bool = False) -> Iterator[Dsn]:
    """As `banco`, but where a service runs already, the database of that service."""
    with ExitStack() as pilha:
        try:
            dsn, _ = pilha.enter_context(banco(settings, criar=criar))
        except DadosEmUso as erro:
            if erro.url is None:
                raise
            dsn = Dsn.parse(erro.url)
        yield dsn


def banco_do_servico(settings: Settings) -> Dsn | None:
    """The address of a database that is in use: the one of DATABASE_URL, or of whoever works on the data directory."""
    if settings.database_url is not None:
        return settings.database_url
    try:
        with Trava(settings.data_dir):
            return None
    except DadosEmUso as erro:
        return Dsn.parse(erro.url) if erro.url else None


@contextmanager
def encerravel() -> Iterator[None]:
    """Let SIGTERM (and SIGHUP) end the block as Ctrl-C does, so that what was started is ended."""

    def encerrar(_numero: int, _quadro: FrameType | None) -> None:
        raise Encerrado

    numeros = [getattr(signal, nome) for nome in ("SIGTERM", "SIGHUP") if hasattr(signal, nome)]
    antes = {numero: signal.signal(numero, encerrar) for numero in numeros}
    try:
        yield
    finally:
        for numero, tratador in antes.items():
            signal.signal(numero, tratador)


def _conceder(dsn: Dsn) -> None:
    """The owner is no superuser and may make no role, so the role of migration 0001 is made for it."""
    import psycopg
    from psycopg import errors

    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        tem = conn.execute(
            "select pg_has_role(%s, oid, 'member') from pg_roles where rolname = %s", [NOME, PAPEL_DO_SERVICO]
        )
        linha = tem.fetchone()
        if linha is None:
            with suppress(errors.DuplicateObject, errors.UniqueViolation):
                conn.execute(f"create role {PAPEL_DO_SERVICO} login")
        if linha is None or not linha[0]:
            conn.execute(f"grant {PAPEL_DO_SERVICO} to {NOME}")


def _abrir_login(dsn: Dsn) -> None:
    """The workers log in as what they may be, and cannot become the owner; the socket admits our account as any role."""
    import psycopg
    from psycopg import errors

    with psycopg.connect(dsn.conninfo, autocommit=True) as conn, suppress(errors.ReadOnlySqlTransaction):
        fechado = conn.execute("select from pg_roles where rolname = %s and not rolcanlogin", [PAPEL_DO_SERVICO])
        if fechado.fetchone() is not None:
            conn.execute(f"alter role {PAPEL_DO_SERVICO} login")
