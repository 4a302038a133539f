"""The service closed on purpose: while it is, nobody gets as far as the database.

Promises: every process of this machine sees a change within half a second. What needs no database goes on: static
files, health, the form for signing in.
"""

from __future__ import annotations

import time
from datetime import datetime

from esteio.maintenance import Maintenance, Notice
from sispat.kernel.errors import SispatError
from sispat.kernel.i18n import _
from sispat.settings import Settings

__all__ = ["UnderMaintenance", "maintenance_switch"]


class UnderMaintenance(SispatError):
    """The service is closed; `wait` is in seconds."""

    code = "manutencao"

    def __init__(self, notice: Notice) -> None:
        self.reason = _(notice.reason)  # one of our own is known to the catalogue, what a person wrote is not
        self.since: datetime = notice.since
        self.until: datetime | None = notice.until
        self.wait = notice.retry_after(time.time())
        super().__init__(
            _("O SISPAT está em manutenção. Nada do que você digitou se perdeu: tente de novo em instantes.")
        )


def maintenance_switch(settings: Settings) -> Maintenance:
    """What closes the service and opens it again, on this machine."""
    return Maintenance(settings.data_dir / "manutencao")
