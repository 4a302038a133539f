"""What people do on purpose: a reload, a bad release; and what the power company does."""

from __future__ import annotations

import signal

from esteio.drill import Fault, Group
from sispat.drill.faults.processes import gone, kill
from sispat.drill.load import City
from sispat.kernel.i18n import lazy

__all__ = ["FAULTS"]


async def _reload(city: City) -> None:
    supervisor = city.service.supervisor
    if supervisor is None:
        raise LookupError("there is no supervisor")
    city.kept["hit"] = city.service.workers()
    supervisor.send_signal(signal.SIGHUP)


async def _power_cut(city: City) -> None:
    """Everything at once, with nobody to start anything until the power is back."""
    city.service.restarts = False
    kill(city, *city.service.processes())


async def _power_back(city: City) -> None:
    city.service.restarts = True


FAULTS: tuple[Fault[City], ...] = (
    Fault(
        "reload",
        lazy("Recarga: todos os processos são trocados"),
        _reload,
        gone,
        planned=True,
        patience=40,
        group=Group.CHANGES,
    ),
    Fault(
        "power-cut",
        lazy("Queda de energia: tudo morre de uma vez, e volta após 2 s"),
        _power_cut,
        gone,
        _power_back,
        lasts=2.0,
        patience=60,
        group=Group.SITE,
    ),
)
