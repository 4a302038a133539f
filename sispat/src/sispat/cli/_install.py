"""`sispat install` and `sispat uninstall`: the service of a Debian or Ubuntu machine, with systemd.

Promises: with --dry-run nothing is written, and every file is shown with its path, owner and mode. A second run changes
nothing and says so; what a person changed is kept. No secret stands on a command line or on the screen. A firewall is
described and never changed, a proxy's site written and not switched on. `uninstall` keeps data, backups and the settings, and
says where they lie.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from esteio.install import (
    CommandFailed,
    Directory,
    Done,
    File,
    Installation,
    Item,
    Link,
    firewall_nft,
    firewall_ufw,
    run_command,
)
from sispat.cli._install_plan import (
    ACCOUNT,
    CURRENT,
    ENVIRONMENT,
    RECORD,
    RELEASES,
    UNIT,
    Proxy,
    Wanted,
    account_items,
    items,
)
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _, gettext_noop
from sispat.settings import Settings, load_settings

__all__ = ["CannotInstall", "install", "require_root", "uninstall"]

_SAID = {
    Done.CREATED: gettext_noop("criado"),
    Done.UPDATED: gettext_noop("atualizado"),
    Done.CORRECTED: gettext_noop("dono ou permissão corrigidos"),
    Done.UNCHANGED: gettext_noop("já estava assim"),
    Done.KEPT: gettext_noop("mantido como está"),
    Done.BESIDE: gettext_noop("mudado por alguém: mantido; o novo está ao lado, .new"),
    Done.REMOVED: gettext_noop("removido"),
}
_CHANGES = (Done.CREATED, Done.UPDATED, Done.CORRECTED, Done.BESIDE)
_WEB_PORTS = (80, 443)

Root = Annotated[Path, typer.Option("--root", help=_("Instala abaixo desta pasta (imagens, testes): nada é iniciado."))]


class CannotInstall(SispatError):
    """On this machine, or by this account, it cannot be installed."""

    code = "instalacao-impossivel"


def install(
    domain: Annotated[
        str, typer.Option("--domain", help=_("O nome com que as pessoas chegam: patrimonio.cidade.gov.br."))
    ] = "",
    proxy: Annotated[
        Proxy, typer.Option("--proxy", help=_("Quem atende com HTTPS na frente; none: outro, ou o próprio SISPAT."))
    ] = Proxy.nginx,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help=_("O certificado, se não é o certbot ou o Caddy que o renova."))
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help=_("A chave desse certificado."))] = None,
    backups: Annotated[
        Path | None, typer.Option("--backups", help=_("Pasta das cópias de segurança, de preferência noutro disco."))
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help=_("Porta em que o SISPAT escuta."))] = 8000,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=_("Só mostra cada arquivo, com dono e permissão; não grava nada."))
    ] = False,
    root: Root = Path("/"),
) -> None:
    """Make the account, directories, settings, unit and proxy of this machine; what is there already is left alone."""
    installation = Installation(RECORD, root=root)
    there = installation.at(ENVIRONMENT)
    if (certificate is None) != (key is None):
        raise typer.BadParameter(_("--certificate e --key vêm juntos"))
    if not dry_run:
        require_root(root)
    present = there.exists()
    if not domain and not present:
        raise typer.BadParameter(_("--domain diz com que nome as pessoas chegam ao serviço"))
    wanted = Wanted(domain, proxy, certificate, key, backups, port, _release(root))
    first = wanted.first_settings()
    settings = load_settings({}, there) if present else load_settings(first)
    everything = (*account_items(), *items(wanted, first, settings))
    if dry_run:
        _show(everything)
    else:
        _make(installation, everything, root)
    _say_what_follows(wanted, settings)


def uninstall(root: Root = Path("/")) -> None:
    """Stop the service and take away what `install` made; data, backups and settings stay."""
    require_root(root)
    installation = Installation(RECORD, root=root)
    there = installation.at(ENVIRONMENT)
    settings = load_settings({}, there) if there.exists() else load_settings({})
    if _is_this_machine(root) and installation.at(UNIT).exists():
        _systemctl("disable", "--now", UNIT.name)
    # The proxy is not asked for again: whichever site is there is taken away.
    sites = [
        item
        for proxy in (Proxy.nginx, Proxy.caddy)
        for item in items(Wanted("", proxy, None, None, None, settings.port, CURRENT), {}, settings)
        if isinstance(item, File)
    ]
    wanted = Wanted("", Proxy.none, None, None, None, settings.port, CURRENT)
    everything = dict.fromkeys((*account_items(), *items(wanted, {}, settings), *sites))
    for item, done in installation.remove(everything):
        typer.echo(f"{item.path}: {_(_SAID[done])}")
    if _is_this_machine(root):
        _systemctl("daemon-reload")
    places = {settings.data_dir, settings.backup_dir, settings.documents, ENVIRONMENT, RELEASES}
    kept = ", ".join(sorted(str(place) for place in places if place and installation.at(place).exists()))
    typer.echo(_("Ficam os dados, as cópias e a configuração: %(places)s. A conta %(account)s também fica, é a dona deles.",
                 places=kept or "-", account=ACCOUNT))  # fmt: skip


def require_root(root: Path) -> None:
    """`CannotInstall` where this account or this system cannot do it."""
    if sys.platform != "linux":
        raise CannotInstall(
            _(
                "`sispat install` é para Debian e Ubuntu com systemd; aqui é %(system)s. `sispat serve` roda também sem ele.",
                system=sys.platform,
            )
        )
    if _is_this_machine(root) and os.geteuid() != 0:
        raise CannotInstall(
            _("Só o root instala; --dry-run mostra sem instalar, e --root instala abaixo de uma pasta sua.")
        )


def _release(root: Path) -> Path:
    """The environment this program runs from, as the installed system will name it."""
    prefix = Path(sys.prefix).resolve()
    if prefix.is_relative_to(RELEASES):
        return prefix
    if not _is_this_machine(root):
        under = Path(root).resolve()
        return Path("/") / prefix.relative_to(under) if prefix.is_relative_to(under) else prefix
    return prefix


def _is_this_machine(root: Path) -> bool:
    return root.resolve() == Path("/")


def _show(everything: Iterable[Item]) -> None:
    for item in everything:
        match item:
            case File():
                typer.echo(f"{item.path}  {item.owner}:{item.group} {item.mode:04o}")
                text = _("(com um segredo novo; não é mostrado)\n") if item.secret else item.text
                typer.echo("".join(f"    {line}\n" for line in text.splitlines()))
            case Directory():
                typer.echo(f"{item.path}/  {item.owner}:{item.group} {item.mode:04o}\n")
            case Link():
                typer.echo(f"{item.path} -> {item.target}\n")


def _make(installation: Installation, everything: Sequence[Item], root: Path) -> None:
    changed = set[Path]()

    def apply(some: Sequence[Item]) -> None:
        for item, done in installation.apply(some):
            typer.echo(f"{item.path}: {_(_SAID[done])}")
            if done in _CHANGES:
                changed.add(item.path)

    account = account_items()
    apply(account)
    below = [] if _is_this_machine(root) else [f"--root={root.resolve()}"]
    _run(["systemd-sysusers", *below, str(installation.at(account[0].path).absolute())])
    apply([item for item in everything if item not in account])
    if not changed:
        typer.echo(_("Nada mudou."))
    if not _is_this_machine(root):
        return
    if UNIT in changed:
        _systemctl("daemon-reload")
    _systemctl("enable", "--now", UNIT.name)
    if UNIT in changed:
        typer.echo(_("O serviço foi ligado. Se já rodava, o que mudou vale a partir de `systemctl restart sispat`."))


def _say_what_follows(wanted: Wanted, settings: Settings) -> None:
    proxies = {
        Proxy.nginx: "ln -s ../sites-available/sispat.conf /etc/nginx/sites-enabled/ && nginx -t && systemctl reload nginx",
        Proxy.caddy: "echo 'import /etc/caddy/sispat.caddy' >> /etc/caddy/Caddyfile && systemctl reload caddy",
        Proxy.none: "",
    }
    if settings.backup_dir is not None:
        typer.echo(_("As cópias têm pasta própria; uma vez: sispat backup init"))
    if proxies[wanted.proxy]:
        typer.echo(_("Para ligar o proxy: %(command)s", command=proxies[wanted.proxy]))
    typer.echo(_("A primeira pessoa: sispat usuario criar --email ... --nome ... --papel administrador --definitiva"))
    typer.echo(
        _("O registro fica no journald, que o limita sozinho: journalctl -u sispat. As cópias o serviço faz sozinho.")
    )
    ports = _WEB_PORTS if wanted.proxy is not Proxy.none else (settings.port,)
    typer.echo(_("\nFirewall, para conferir antes de aplicar (nada foi aplicado); com nft:"))
    typer.echo(firewall_nft(ports))
    typer.echo(_("ou com ufw:"))
    typer.echo(firewall_ufw(ports))
    typer.echo(_("Noutra máquina, quem avisa quando esta some: esteio watch install (docs/how-to/vigia.md)"))


def _systemctl(*words: str) -> None:
    _run(["systemctl", *words])


def _run(words: Sequence[str]) -> None:
    try:
        run_command(words)
    except CommandFailed as failed:
        if failed.missing:
            raise CannotInstall(_("Falta o programa %(program)s, que vem com o systemd.", program=words[0])) from None
        raise CannotInstall(_("%(command)s falhou: %(said)s", command=failed.command, said=failed.said)) from None
