"""What people do on purpose: a reload, a bad release; and what the power company does."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

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


_WORKERS_ONLY = """import sys
if any("spawn_main" in word for word in sys.orig_argv):
    {what}
"""  # a release as Python finds it first: the supervisor goes on with the one it has


def _release(what: str) -> Callable[[City], Awaitable[None]]:
    async def inject(city: City) -> None:
        city.kept["log"] = len(city.service.log())
        (city.service.release / "sitecustomize.py").write_text(_WORKERS_ONLY.format(what=what))
        await _reload(city)

    return inject


async def _roll_aborted(city: City) -> bool:
    return "roll aborted" in city.service.log()[city.kept["log"] :]


async def _way_back(city: City) -> None:
    """The release before, put back by a person; the old workers are still there."""
    (city.service.release / "sitecustomize.py").unlink(missing_ok=True)


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
        "release-dies",
        lazy("Uma versão nova que morre ao iniciar"),
        _release("raise SystemExit(3)"),
        _roll_aborted,
        _way_back,
        planned=True,
        group=Group.CHANGES,
    ),
    Fault(
        "release-never-ready",
        lazy("Uma versão nova que nunca fica pronta"),
        _release("import time; time.sleep(3600)"),
        _roll_aborted,
        _way_back,
        planned=True,
        proof=90.0,  # the supervisor waits a minute for a worker to get ready
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
