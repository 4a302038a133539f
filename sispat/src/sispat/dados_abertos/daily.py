"""Open data is made anew once a day, whoever asks for it: the service does.

Promises: however many processes and machines look, one job a day is asked for; one that failed is asked for on the next day.
"""

from __future__ import annotations

import datetime as dt

from sispat.dados_abertos import sql
from sispat.dados_abertos.actions import PUBLICAR
from sispat.http.service import Service
from sispat.kernel.audit import SYSTEM, Author
from sispat.kernel.i18n import SOURCE
from sispat.kernel.jobs import queue

__all__ = ["publish_daily"]

_DAY = dt.timedelta(hours=23)  # looked at once an hour: so that it is not an hour later each day


async def publish_daily(service: Service) -> None:
    """Ask for it where the newest publication is a day old; called about once an hour, in each process."""
    if not service.settings.open_data:
        return
    async with service.db.transaction() as conn:
        if await sql.due(conn, _DAY, [PUBLICAR.name]):
            by = Author(None, None, SYSTEM)
            await queue.put(conn, PUBLICAR.name, {}, by, SOURCE, attempts=PUBLICAR.attempts, limit=PUBLICAR.limit)
