"""A blocking connection that knows whether it is still worth handing out.

Promises: what the connection of asyncio's pool promises of `stale` and `cut`. A statement that is interrupted
(Ctrl-C) is stopped on the server, or its connection closed, within ten seconds: psycopg's own rule.
"""

from __future__ import annotations

from typing import Any

import psycopg

from esteio.postgres._connection import Remembered

__all__ = ["SyncConnection"]


class SyncConnection(Remembered, psycopg.Connection[Any]):
    """A psycopg connection with what its pool remembers about it; belongs to one thread at a time."""
