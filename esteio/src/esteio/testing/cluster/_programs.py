"""Where the programs of a cluster are on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from esteio.cluster import Programs
from esteio.postgres.embedded import find_binaries
from esteio.postgres.embedded._account import Account
from esteio.postgres.embedded._binaries import reachable_by
from esteio.testing.redis._server import binary as redis_server

__all__ = ["etcd", "missing", "programs"]

_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"  # where a user's PATH does not lead


def etcd() -> Path | None:
    """The etcd program: Debian's, installed or unpacked by `.ci/debian`."""
    for place in (shutil.which("etcd"), Path(sys.prefix) / "debian/usr/bin/etcd"):
        if place and Path(place).exists():
            return Path(place)
    return None


def missing() -> str | None:
    """Why there can be no cluster of namespaces here, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    if absent := [each for each in ("ip", "nft", "nsenter", "setpriv", "haproxy", "keepalived") if not _found(each)]:
        return f"not installed: {', '.join(absent)} (apt-get install iproute2 nftables haproxy keepalived)"
    if etcd() is None:
        return "there is no etcd: .ci/debian unpacks Debian's"
    return None if find_spec("patroni") else 'there is no Patroni: pip install "patroni[etcd3]" psycopg'


def programs(account: Account) -> Programs:
    """As a plan wants them, each where `account` can run it."""
    return Programs(
        patroni=f"{sys.executable} -m patroni",
        postgres=str(reachable_by(account, find_binaries(18)).directory),
        etcd=str(etcd() or "etcd"),
        redis=redis_server(),
        haproxy=_found("haproxy") or "haproxy",
        keepalived=_found("keepalived") or "keepalived",
    )


def _found(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=_SYSTEM)
