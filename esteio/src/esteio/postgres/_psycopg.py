"""What we use of psycopg that it does not promise to keep, in one place. The attributes of its connections are not here.

ImportError when the psycopg that is installed does not have it.
"""

from __future__ import annotations

from types import CodeType

import psycopg

__all__ = ["SENDING", "WaitTimeout"]

try:
    from psycopg._cursor_base import BaseCursor
    from psycopg._server_cursor_base import ServerCursorMixin

    # What `psycopg.waiting` raises when the time is up: there is no other way to tell that from an error of the server.
    from psycopg.errors import _WaitTimeout as WaitTimeout

    SENDING: frozenset[CodeType] = frozenset(
        generator.__code__
        for generator in (
            BaseCursor._execute_gen,  # noqa: SLF001
            BaseCursor._executemany_gen_pipeline,  # noqa: SLF001
            BaseCursor._executemany_gen_no_pipeline,  # noqa: SLF001
            BaseCursor._stream_send_gen,  # noqa: SLF001
            BaseCursor._start_copy_gen,  # noqa: SLF001
            ServerCursorMixin._declare_gen,  # noqa: SLF001
        )
    )
    """What any of psycopg's cursors hands to its connection when it sends a statement."""
except (ImportError, AttributeError) as missing:
    msg = (
        f"esteio.postgres cannot work with psycopg {psycopg.__version__}, which lacks something it needs ({missing});"
        " allowed: 3.3.7 or newer, pip install -U 'esteio[postgres]'"
    )
    raise ImportError(msg) from missing
