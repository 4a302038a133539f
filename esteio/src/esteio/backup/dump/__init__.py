"""Kind `dump`: one database as PostgreSQL's own archives, with the roles it needs; restored by any major from its own on."""

from __future__ import annotations

from esteio.backup.dump._globals import for_missing_roles
from esteio.backup.dump._introspect import compare, digest_tables, server_version
from esteio.backup.dump._left_out import LeftOut
from esteio.backup.dump._load import Loaded, load
from esteio.backup.dump._take import Dumped, Sink, take

__all__ = [
    "Dumped",
    "LeftOut",
    "Loaded",
    "Sink",
    "compare",
    "digest_tables",
    "for_missing_roles",
    "load",
    "server_version",
    "take",
]
