"""What is left behind is removed: parts of uploads, contents that nothing refers to.

Promises: a content is kept for as long as backups are (RETENTION_DAYS) after its last document was removed, so that
whatever database a restore brings finds its documents beside it; one that never had a row, because its request was cut off
between the disk and the COMMIT, for a day. The row's lock is held while a file is removed, so that whoever attaches the
same content at this moment places it anew. A store that is away is swept the next time.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable

from sispat.documentos import sql
from sispat.http.service import Service
from sispat.kernel.files import FileStore, StoreAway

__all__ = ["sweep"]

_logger = logging.getLogger("sispat.documentos")
_DAY = 86400.0
_FOLDERS_AT_ONCE = 16  # of 256: a round takes a process 16 hours, and a look at a large store no time worth mentioning


async def sweep(service: Service, *, folders: Iterable[int] | None = None) -> None:
    """Called about once an hour, in each process."""
    store = service.resource(FileStore)
    await asyncio.to_thread(store.forget_parts)
    try:
        await _sweep_contents(service, store, folders)
    except StoreAway as error:
        _logger.warning("faxina dos documentos adiada: %s", error)


async def _sweep_contents(service: Service, store: FileStore, folders: Iterable[int] | None) -> None:
    kept = service.settings.retention_days * _DAY
    async with service.db.connection() as conn:
        unused = await sql.sem_uso(conn, kept)
    first = random.randrange(256)  # noqa: S311 - which part is looked at is no secret
    for folder in folders if folders is not None else range(first, first + _FOLDERS_AT_ONCE):
        old = await asyncio.to_thread(store.old_contents, folder, _DAY)
        if old:
            async with service.db.connection() as conn:
                unused += await sql.desconhecidos(conn, old)
    for content in unused:
        async with service.db.transaction() as conn:
            if await sql.esquecer(conn, content, kept):
                await asyncio.to_thread(store.remove, content)
