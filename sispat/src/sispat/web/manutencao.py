"""The service closed on purpose: while it is, nobody gets as far as the database.

Promises: every process of this machine sees a change within half a second. What needs no database goes on: static
files, health, the form for signing in.
"""

from __future__ import annotations

import time
from datetime import datetime

from esteio.maintenance import Maintenance, Notice
from sispat.domain.erros import SispatError
from sispat.settings import Settings

__all__ = ["EmManutencao", "interruptor"]


class EmManutencao(SispatError):
    """The service is closed; `espera` is in seconds."""

    codigo = "manutencao"

    def __init__(self, aviso: Notice) -> None:
        self.motivo = aviso.reason
        self.desde: datetime = aviso.since
        self.ate: datetime | None = aviso.until
        self.espera = aviso.retry_after(time.time())
        super().__init__("O SISPAT está em manutenção. Nada do que você digitou se perdeu: tente de novo em instantes.")


def interruptor(settings: Settings) -> Maintenance:
    """What closes the service and opens it again, on this machine."""
    return Maintenance(settings.data_dir / "manutencao")
