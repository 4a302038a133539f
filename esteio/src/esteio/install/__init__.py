"""What a service needs on a real machine: units, files with owner and mode, a proxy in front, releases side by side."""

from __future__ import annotations

from esteio.install._plan import Directory, Done, File, Installation, Item, Link, UnknownAccount
from esteio.install._proxy import Proxied, caddy_site, firewall_nft, firewall_ufw, nginx_site
from esteio.install._releases import WHOLE, ReleaseFailed, Releases
from esteio.install._system import CommandFailed, run_command
from esteio.install._unit import ServiceUnit, unit_word

__all__ = [
    "WHOLE",
    "CommandFailed",
    "Directory",
    "Done",
    "File",
    "Installation",
    "Item",
    "Link",
    "Proxied",
    "ReleaseFailed",
    "Releases",
    "ServiceUnit",
    "UnknownAccount",
    "caddy_site",
    "firewall_nft",
    "firewall_ufw",
    "nginx_site",
    "run_command",
    "unit_word",
]
