"""What has to be true before a restore begins.

Promises: only looks; each refusal is a `RestoreRefused` that says what is missing and what to do.
"""

from __future__ import annotations

import shutil
from ipaddress import ip_address
from pathlib import Path

from esteio.backup._details import DetailCode
from esteio.backup._errors import RestoreRefused
from esteio.backup._manifest import Manifest
from esteio.backup._session import Connection, one

__all__ = ["database_exists", "require_extensions", "require_possible"]

_ROOM = 1.2  # times the size the database had: sorting for its indexes needs some


def require_possible(conn: Connection, manifest: Manifest, name: str) -> None:
    """RestoreRefused when `manifest` cannot become database `name` here: rights, version, extensions, space."""
    allowed = one(conn, "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user")
    if not allowed:
        role = one(conn, "SELECT current_user::text")
        raise RestoreRefused(name, DetailCode.NO_CREATEDB(role=role), DetailCode.USE_CREATEDB())
    major = conn.info.server_version // 10000
    if major < manifest.major:
        raise RestoreRefused(
            name,
            DetailCode.SERVER_OLDER(backup=manifest.server_version, server=major),
            DetailCode.USE_NEWER_SERVER(major=manifest.major),
        )
    require_extensions(conn, manifest, name)
    _require_space(conn, manifest, name)


def require_extensions(conn: Connection, manifest: Manifest, name: str) -> None:
    """RestoreRefused when the server lacks an extension that the backup uses."""
    available = {extension for (extension,) in conn.execute("SELECT name::text FROM pg_available_extensions")}
    if missing := sorted(manifest.extensions.keys() - available):
        raise RestoreRefused(
            name, DetailCode.EXTENSIONS_MISSING(extensions=tuple(missing)), DetailCode.INSTALL_EXTENSIONS()
        )


def database_exists(conn: Connection, name: str) -> bool:
    """Whether there is a database `name`."""
    return bool(one(conn, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", [name]))


def _require_space(conn: Connection, manifest: Manifest, name: str) -> None:
    free = _free_space(conn)
    needed = int(manifest.database.size * _ROOM) if manifest.database else 0
    if free is not None and free < needed:
        raise RestoreRefused(
            name,
            DetailCode.SERVER_DISK_FULL(free=free >> 20, needed=needed >> 20),
            DetailCode.MAKE_ROOM_DATABASE(),
        )


def _free_space(conn: Connection) -> int | None:
    """Bytes free where the server keeps its data; None when it is on another machine or does not say."""
    if not _is_local(conn.info.host):
        return None
    directory = one(conn, "SELECT setting FROM pg_settings WHERE name = 'data_directory'")
    try:
        return shutil.disk_usage(Path(directory)).free if directory else None
    except OSError:
        return None


def _is_local(host: str) -> bool:
    if host.startswith(("/", "@")) or host in ("", "localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
