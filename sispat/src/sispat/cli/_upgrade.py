"""`sispat upgrade`: the new release beside the old one, and the way back.

Promises, in this order: the new environment is made while the old one serves; its settings, and whether the old programs can
go on beside its schema, are checked; a backup is made and proven; the schema is migrated; the link is swapped; the workers are
replaced one by one, without losing a request; for a minute readiness, errors and workers that do not last - they die, or
leak up to their limit of memory - are watched. Whatever of it fails, the old release serves, by itself or by being put back,
and the exit code is 1. Data is never put back: a schema that only expands does not need it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from dotenv import dotenv_values

from sispat.cli._install_plan import ENVIRONMENT, HOME, UNIT
from sispat.cli._migrate import TAKES_AWAY
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _, gettext_noop
from sispat.settings import Settings, load_settings

if TYPE_CHECKING:
    from esteio.install import Releases
    from sispat.cli._running import RunningService

__all__ = ["UpgradeFailed", "upgrade"]

_KEPT = 3  # releases
_LEAST_FAILED, _FAILED_SHARE = 5, 0.05  # of the answers while the new release is watched
_MOST_DEATHS = 2  # of workers, meanwhile; one that is replaced because it takes too much memory is gone as well
_UNREADY = 3  # looks in a row
_ROLL = {
    "aborted": gettext_noop("um processo novo não chegou a atender"),
    "ended": gettext_noop("o serviço terminou"),
    "late": gettext_noop("os processos não foram todos trocados a tempo"),
}


class UpgradeFailed(SispatError):
    """The old release serves."""

    code = "atualizacao-falhou"

    def __init__(self, step: str, problem: str) -> None:
        self.step, self.problem = step, problem
        super().__init__(_("%(step)s: %(problem)s. A versão anterior continua.", step=step, problem=problem.strip()))


def upgrade(
    version: Annotated[str, typer.Argument(help=_("A versão nova, como 0.2.0."))],
    wheels: Annotated[
        Path | None, typer.Option("--wheels", help=_("Pasta com os pacotes (.whl), para instalar sem internet."))
    ] = None,
    watch: Annotated[
        float, typer.Option("--watch", min=0, max=3600, help=_("Segundos em que a versão nova é observada."))
    ] = 60.0,
    backup: Annotated[
        bool, typer.Option("--backup/--no-backup", help=_("Antes, faz uma cópia de segurança e a prova."))
    ] = True,
    one_way: Annotated[
        bool, typer.Option("--one-way", help=_("Aceita uma migração com a qual a versão anterior não funciona."))
    ] = False,
    home: Annotated[Path, typer.Option("--home", help=_("Onde ficam as versões."))] = HOME,
    environment: Annotated[Path, typer.Option("--environment", help=_("O arquivo de configuração."))] = ENVIRONMENT,
    pid: Annotated[
        int | None, typer.Option("--pid", help=_("O processo `sispat serve`, onde não é o systemd que o mantém."))
    ] = None,
) -> None:
    """Change to another release without losing a request, and back by itself where it fails."""
    from esteio.install import Releases

    releases = Releases(home)
    old = releases.current
    if old is None:
        raise UpgradeFailed(str(releases.link), _("não há versão instalada; veja sispat install"))
    settings = load_settings({}, environment)
    service = _service(pid)
    new = _made(releases, version, wheels)
    run = _Runner(environment, settings.data_dir)
    _check(run, new, one_way=one_way)
    if backup:
        typer.echo(_("Cópia de segurança, com prova..."))
        run(old, "backup", "run", step=_("cópia de segurança"))
    typer.echo(_("Migrando o banco..."))
    run(new, "migrate", step=_("migração"))
    releases.switch(new)
    if service is None:
        typer.echo(_("O serviço não está rodando: começará na versão %(version)s.", version=version))
        return
    try:
        _change(service, new, settings)
        _watch(service, watch)
    except (UpgradeFailed, KeyboardInterrupt):
        _go_back(releases, service, old, settings)
        raise
    for gone in releases.prune(_KEPT, service.used()):
        typer.echo(_("removida: %(release)s", release=gone))
    typer.echo(_("Em uso: %(release)s. De volta: sispat upgrade %(before)s", release=new, before=old.name))


class _Runner:
    """Runs a release's command with the service's settings, as the account that owns its data."""

    def __init__(self, environment: Path, data: Path) -> None:
        self._variables = {
            **{name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "PYTHONPATH") if name in os.environ},
            **{name: value or "" for name, value in dotenv_values(environment, interpolate=False).items()},
            "HOME": str(data),
        }
        owner = data.stat()
        self._account: Mapping[str, Any] = {}
        if os.geteuid() == 0 and owner.st_uid != 0:
            self._account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}

    def __call__(self, release: Path, *words: str, step: str, allowed: Sequence[int] = (), quiet: bool = False) -> int:
        """Its exit code, 0 or one of `allowed`; `UpgradeFailed` with what it said otherwise."""
        done = subprocess.run(  # noqa: S603
            [str(release / "bin" / "python"), "-m", "sispat", *words],
            env=self._variables, cwd="/", stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, **self._account,
        )  # fmt: skip
        if done.returncode and done.returncode not in allowed:
            raise UpgradeFailed(step, (done.stderr or done.stdout)[-1500:])
        for line in () if quiet else (done.stdout + done.stderr).splitlines():
            typer.echo(f"  {line}")
        return done.returncode


def _service(pid: int | None) -> RunningService | None:
    """The supervisor that runs; None where systemd says that there is none."""
    from sispat.cli._running import RunningService

    if pid is None:
        try:
            shown = subprocess.run(  # noqa: S603 - of the system, as root
                ["systemctl", "show", "--property=MainPID", "--value", UNIT.name],  # noqa: S607
                capture_output=True, text=True, check=False, timeout=30,
            )  # fmt: skip
        except FileNotFoundError:
            raise UpgradeFailed("systemd", _("não há systemctl; diga o processo com --pid")) from None
        pid = int(shown.stdout.strip() or 0)
    return RunningService(pid) if pid else None


def _made(releases: Releases, version: str, wheels: Path | None) -> Path:
    from esteio.install import ReleaseFailed

    typer.echo(_("Preparando a versão %(version)s ao lado da atual...", version=version))
    options = ["--no-index", "--find-links", str(wheels.absolute())] if wheels is not None else []
    try:
        release = releases.make(version, [f"sispat=={version}"], options)
    except ReleaseFailed as failed:
        raise UpgradeFailed(_("instalação"), str(failed)) from failed
    library = release / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    if not library.is_dir():
        raise UpgradeFailed(
            _("instalação"),
            _(
                "%(release)s é de outro Python; pare o serviço, troque o link e inicie-o (atualizar.md)",
                release=release,
            ),
        )
    return release


def _check(run: _Runner, new: Path, *, one_way: bool) -> None:
    run(new, "settings", step=_("configuração"), quiet=True)  # what it would refuse to start with is said now
    code = run(new, "migrate", "--check", step=_("migração"), allowed=(TAKES_AWAY,))
    if code == TAKES_AWAY and not one_way:
        raise UpgradeFailed(
            _("migração"),
            _("a versão anterior não funcionaria com o banco migrado, e não haveria volta; --one-way aceita isso"),
        )


def _change(service: RunningService, release: Path, settings: Settings) -> None:
    typer.echo(_("Trocando os processos, um a um..."))
    patience = (settings.workers + 1) * settings.start_timeout + settings.graceful_timeout + 30
    problem = service.roll(release, patience, settings.workers)
    if problem:
        raise UpgradeFailed(_("troca dos processos"), _(_ROLL[problem]))


def _watch(service: RunningService, seconds: float) -> None:
    """Raise `UpgradeFailed` as soon as the new release does worse than it may."""
    typer.echo(_("Observando por %(seconds)s s...", seconds=f"{seconds:g}"))
    first, workers, deaths, unready = service.answers(), set(service.workers()), 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(1.0, seconds))
        unready = 0 if service.is_ready() else unready + 1
        now = service.answers()
        failed, answered = now.failed - first.failed, now.all - first.all
        present = set(service.workers())
        deaths, workers = deaths + len(workers - present), present
        said = {"failed": failed, "answered": answered, "deaths": deaths}
        if unready >= _UNREADY:
            raise UpgradeFailed(_("observação"), _("o serviço não está pronto"))
        if failed >= _LEAST_FAILED and failed > answered * _FAILED_SHARE:
            raise UpgradeFailed(_("observação"), _("%(failed)s de %(answered)s respostas foram erros", **said))
        if deaths >= _MOST_DEATHS:
            raise UpgradeFailed(
                _("observação"), _("%(deaths)s processos morreram ou passaram do limite de memória", **said)
            )
    typer.echo(_("Pronto, e %(failed)s erros em %(answered)s respostas.",
                 failed=service.answers().failed - first.failed, answered=service.answers().all - first.all))  # fmt: skip


def _go_back(releases: Releases, service: RunningService, old: Path, settings: Settings) -> None:
    typer.echo(_("De volta à versão anterior..."), err=True)
    releases.switch(old)
    problem = _back(service, old, settings)
    if problem:
        typer.echo(
            _("A volta não terminou (%(problem)s): systemctl restart sispat", problem=_(_ROLL[problem])), err=True
        )


def _back(service: RunningService, old: Path, settings: Settings) -> str:
    workers = service.workers()
    if workers and set(workers.values()) == {old} and service.is_ready():
        return ""  # no new one ever served
    patience = (settings.workers + 1) * settings.start_timeout + settings.graceful_timeout + 30
    return service.roll(old, patience, settings.workers)
