"""How the embedded server is configured.

Promises: sized to the machine (or its memory limit), durable, reachable only through its socket, by the
account that runs the server and the one that supervises it; no password and no trust. What an operator
sets with ALTER SYSTEM goes before these.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["hba_file", "ident_file", "server_settings", "settings_file"]

_MB = 1024 * 1024
_HEADER = "# Written by esteio at each start of the server; changes are lost.\n"


def server_settings(memory: int | None = None, *, disk: int = 1 << 40) -> dict[str, str]:
    """Settings for a machine with `memory` bytes (None: this one) that is shared with the service itself.

    The log may take a part of a `disk` of so many bytes: a sixteenth between checkpoints (at most 1 GB), an eighth for
    those who receive it and are away (at most 4 GB; after that they have lost the thread, and the database goes on).
    """
    total, room = (memory or _memory()) // _MB, disk // _MB
    return {
        "listen_addresses": "",
        "max_connections": "200",
        "superuser_reserved_connections": "3",
        "shared_buffers": f"{_clamp(total // 8, 64, 4096)}MB",
        "effective_cache_size": f"{_clamp(total // 2, 128, 65536)}MB",
        "work_mem": f"{_clamp(total // 1024, 4, 32)}MB",
        "maintenance_work_mem": f"{_clamp(total // 32, 32, 512)}MB",
        "random_page_cost": "1.1",
        "jit": "off",
        "autovacuum": "on",
        "wal_level": "replica",
        "wal_compression": "on",
        "max_wal_size": f"{_clamp(room // 16, 64, 1024)}MB",
        "checkpoint_completion_target": "0.9",
        "max_slot_wal_keep_size": f"{_clamp(room // 8, 64, 4096)}MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "on",
        "log_directory": "log",
        "log_filename": "postgresql-%a.log",
        "log_file_mode": "0600",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
        "log_line_prefix": "%m [%p] %q%a %u@%d ",
        "log_min_duration_statement": "1000",
        "log_lock_waits": "on",
        "log_checkpoints": "off",
        "log_autovacuum_min_duration": "10000",
        "password_encryption": "scram-sha-256",
    }


def settings_file(settings: Mapping[str, str]) -> str:
    """The text of a configuration file."""
    lines = [f"{name} = {_quoted(value)}\n" for name, value in settings.items()]
    return _HEADER + "".join(lines)


def hba_file() -> str:
    """Who may connect: local accounts, as the roles `ident_file` allows."""
    return _HEADER + "local all all peer map=esteio\nlocal replication all peer map=esteio\n"


def ident_file(accounts: Iterable[str], roles: Iterable[str], major: int) -> str:
    """Which local `accounts` may log in as which roles: as any from PostgreSQL 16 on, before that as `roles`."""
    allowed = ["all"] if major >= 16 else [_quoted_name(role) for role in roles]
    return _HEADER + "".join(
        f"esteio {_quoted_name(account)} {role}\n" for account in dict.fromkeys(accounts) for role in allowed
    )


def _memory() -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no such limit
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return memory


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _quoted_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
