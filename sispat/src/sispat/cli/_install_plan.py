"""What `sispat install` puts on a machine: every file with its owner and mode, made from the settings it will run with.

Promises: the same settings give the same plan. The one secret is made when there is no environment file yet, and stands in
that file alone, which only root and the service's account can read.
"""

from __future__ import annotations

import secrets
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from esteio.install import WHOLE, Directory, File, Item, Link, Proxied, ServiceUnit, caddy_site, nginx_site
from sispat.kernel.i18n import _
from sispat.settings import Settings

__all__ = [
    "ACCOUNT", "CURRENT", "ENVIRONMENT", "HOME", "RECORD", "RELEASES", "UNIT", "Proxy", "Wanted", "account_items", "items",
]  # fmt: skip

ACCOUNT = "sispat"
HOME = Path("/opt/sispat")
RELEASES = HOME / "releases"
CURRENT = HOME / "current"
ENVIRONMENT = Path("/etc/sispat/sispat.env")
RECORD = Path("/etc/sispat/installed.json")
UNIT = Path("/etc/systemd/system/sispat.service")
_DATA = Path("/var/lib/sispat")
_RUNTIME = Path("/run/sispat")
_LOWEST_FREE_PORT = 1024


class Proxy(StrEnum):
    """Who speaks TLS to the people."""

    nginx = "nginx"
    caddy = "caddy"
    none = "none"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command was told; what it leaves open comes from the environment file that is there."""

    domain: str
    proxy: Proxy
    certificate: Path | None
    key: Path | None
    backups: Path | None
    port: int
    release: Path
    """The environment that is installed, as the running system names it."""

    def first_settings(self) -> dict[str, str]:
        """Of the environment file, on a machine that has none."""
        own_tls = self.proxy is Proxy.none and self.certificate is not None and self.key is not None
        return {
            "SISPAT_DATA_DIR": str(_DATA),
            "SISPAT_HOST": "0.0.0.0" if own_tls else "127.0.0.1",  # noqa: S104 - with a certificate, which was asked for
            "SISPAT_PORT": str(self.port),
            "SISPAT_PUBLIC_URL": f"https://{self.domain}",
            "SISPAT_SECRET": secrets.token_urlsafe(32),
            **({"BACKUP_DIR": str(self.backups)} if self.backups else {}),
            **({"SISPAT_TLS_CERTIFICATE": str(self.certificate), "SISPAT_TLS_KEY": str(self.key)} if own_tls else {}),
        }


def account_items() -> tuple[Item, ...]:
    """What systemd-sysusers makes the account from; before everything that belongs to it."""
    comment = "# The account of SISPAT: it signs in nowhere, and owns its data.\n"
    line = f'u {ACCOUNT} - "SISPAT" {_DATA} /usr/sbin/nologin\n'
    return (File(Path("/etc/sysusers.d/sispat.conf"), comment + line),)


def items(wanted: Wanted, first: Mapping[str, str], settings: Settings) -> tuple[Item, ...]:
    """Everything else, in the order in which it is made; `first` is what a new environment file says."""
    private = {"owner": ACCOUNT, "group": ACCOUNT, "mode": 0o750}
    data = [settings.data_dir, settings.backup_dir, settings.documents_dir]
    return (
        Directory(HOME),
        Directory(RELEASES),
        Link(CURRENT, wanted.release),
        *([File(wanted.release / WHOLE, "")] if wanted.release.is_relative_to(RELEASES) else []),
        Directory(ENVIRONMENT.parent, group=ACCOUNT, mode=0o750),
        *(Directory(path, kept=True, **private) for path in data if path is not None),  # type: ignore[arg-type]
        File(ENVIRONMENT, _environment(first), group=ACCOUNT, mode=0o640, first=True, secret=True),
        File(Path("/usr/local/bin/sispat"), _COMMAND, mode=0o755),
        File(UNIT, service_unit(settings).text),
        *_proxy(wanted, settings),
    )


def service_unit(settings: Settings) -> ServiceUnit:
    """It writes to the directories of the settings; after they changed, `sispat install` is run again."""
    stores = [Path(each) for each in settings.backup_stores.split() if each.startswith("/")]
    writable = [settings.data_dir, settings.backup_dir, settings.documents_dir, *stores]
    return ServiceUnit(
        description="SISPAT",
        # The release is what the link leads to at that moment; the script in it names its own Python.
        command=[str(CURRENT / "bin" / "sispat"), "serve"],
        user=ACCOUNT,
        environment_file=ENVIRONMENT,
        environment={
            "ESTEIO_RELEASE": str(CURRENT),
            "XDG_RUNTIME_DIR": str(_RUNTIME),  # of the server's socket: /tmp is the service's own, and commands need it
            "HOME": str(settings.data_dir),
        },
        writable=[path for path in writable if path is not None],
        runtime_directory=_RUNTIME.name,
        capabilities=["CAP_NET_BIND_SERVICE"] if 0 < settings.port < _LOWEST_FREE_PORT else [],
        stored_sockets=256,  # the listening one, one of each worker, one of PostgreSQL's: more than there ever are
        stop_timeout=round(settings.graceful_timeout + settings.drain_delay) + 90,
        start_timeout=round(settings.start_timeout) + 60,
    )


def proxied(wanted: Wanted, settings: Settings) -> Proxied:
    """The service as the proxy sees it."""
    host = urlsplit(settings.public_url or "").hostname
    return Proxied(
        "sispat",
        host or wanted.domain,
        settings.port,
        max(settings.upload_total, settings.body_limit),
        wanted.certificate,
        wanted.key,
        settings.lang,
        _("O SISPAT está sendo iniciado. Tente de novo em alguns segundos."),
    )


def _proxy(wanted: Wanted, settings: Settings) -> tuple[File, ...]:
    site = proxied(wanted, settings)
    match wanted.proxy:
        case Proxy.nginx:
            return (File(Path("/etc/nginx/sites-available/sispat.conf"), nginx_site(site)),)
        case Proxy.caddy:
            return (File(Path("/etc/caddy/sispat.caddy"), caddy_site(site)),)
        case Proxy.none:
            return ()


def _environment(values: Mapping[str, str]) -> str:
    """Read by systemd and by a shell alike: NOME='valor'."""
    head = _(
        "# A configuração do SISPAT nesta máquina: NOME='valor', um por linha. `sispat settings` mostra o que vale.\n"
        "# Depois de mudar: systemctl restart sispat. Pasta nova? Antes, `sispat install` de novo, que a libera.\n"
        "# SISPAT_SECRET cifra os segundos fatores: guarde-o também fora desta máquina."
    )
    hints = textwrap.dedent("""\
        #SISPAT_CITY_NAME='Prefeitura Municipal'
        #BACKUP_DIR='/mnt/disco-das-copias/sispat'
        #WEBHOOK_URL=''
        """)
    return f"{head}\n" + "".join(f"{name}='{value}'\n" for name, value in values.items()) + hints


# Whoever types `sispat` gets the service's settings and its account; a file it makes as root would lock the service out.
_COMMAND = f"""#!/bin/sh
set -eu
program={CURRENT}/bin/sispat
case "${{1:-}}" in install | uninstall | upgrade) exec "$program" "$@" ;; esac
if [ "$(id -un)" != {ACCOUNT} ] && [ "$(id -u)" != 0 ]; then
    echo "sispat: run it as root or as the account {ACCOUNT}, which may read {ENVIRONMENT}" >&2
    exit 1
fi
set -a
. {ENVIRONMENT}
XDG_RUNTIME_DIR={_RUNTIME}
HOME=${{SISPAT_DATA_DIR:-{_DATA}}}
set +a
cd /
[ "$(id -u)" != 0 ] || exec runuser -u {ACCOUNT} -- "$program" "$@"
exec "$program" "$@"
"""
