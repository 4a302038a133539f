"""Workers, the supervisor, and the processes beside them."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable

import psutil

from esteio.drill import Fault
from sispat.drill.load import City
from sispat.drill.service import lives
from sispat.kernel.i18n import lazy

__all__ = ["OTHERS", "WORKERS", "gone", "kill"]


_BACK_WITHIN = 20.0  # seconds


def kill(city: City, *processes: psutil.Process | None, by: signal.Signals = signal.SIGKILL) -> None:
    """Send the signal, and remember to whom."""
    chosen = [process for process in processes if process is not None]
    if not chosen:
        raise LookupError("there is no such process")
    for process in chosen:
        process.send_signal(by)
    city.kept["hit"] = chosen


def _hang(city: City, by: signal.Signals) -> None:
    """Hit a worker that lives on: it has to be replaced before the next run, in which it would be a second fault."""
    kill(city, _any_worker(city), by=by)
    city.kept["hung"] = city.kept["hit"]


async def gone(city: City) -> bool:
    """Whether all that were hit have ended."""
    return not any(map(lives, city.kept["hit"]))


async def _frozen(city: City) -> bool:
    return all(process.status() == psutil.STATUS_STOPPED for process in city.kept["hit"])


def _any_worker(city: City) -> psutil.Process:
    """By chance: the kernel gives most connections to one of them, which may be the first or the last."""
    return random.choice(city.service.workers())  # noqa: S311 - whom to strike, no secret


async def _kill_worker(city: City) -> None:
    kill(city, _any_worker(city))


async def _kill_workers(city: City) -> None:
    kill(city, *city.service.workers())


async def _freeze_worker(city: City) -> None:
    _hang(city, signal.SIGSTOP)


def _misbehave(by: signal.Signals) -> Callable[[City], Awaitable[None]]:
    async def inject(city: City) -> None:
        _hang(city, by)

    return inject


async def _has_begun(city: City) -> bool:
    """The worker has left word, and goes on."""
    return all((city.service.release / f"hit-{process.pid}").exists() for process in city.kept["hit"])


async def _kill_supervisor(city: City) -> None:
    city.kept["predecessors"] = await asyncio.to_thread(city.service.workers)
    kill(city, city.service.supervisor)


async def _handed_over(city: City) -> bool:
    """The run is to see it: the workers of the killed one have ended, as others are ready."""
    return not any(map(lives, city.kept["predecessors"]))


def _operator(city: City) -> psutil.Process | None:
    return city.service.operator()


def _receiver(city: City) -> psutil.Process | None:
    return city.service.receiver()


async def _kill_operator(city: City) -> None:
    kill(city, _operator(city))


def _there(which: Callable[[City], psutil.Process | None]) -> Callable[[City], Awaitable[None]]:
    """Wait until it is there again: the fault before may have ended it, too. Who is missing later is not killed."""

    async def prepare(city: City) -> None:
        end = time.monotonic() + _BACK_WITHIN
        while await asyncio.to_thread(which, city) is None and time.monotonic() < end:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.2)

    return prepare


async def _kill_receiver(city: City) -> None:
    kill(city, _receiver(city))


WORKERS: tuple[Fault[City], ...] = (
    Fault("worker-killed", lazy("Um processo que atende é morto"), _kill_worker, gone),
    Fault("workers-killed", lazy("Todos os processos que atendem são mortos"), _kill_workers, gone, patience=30),
    Fault("worker-frozen", lazy("Um processo que atende congela"), _freeze_worker, _frozen, patience=40),
    Fault(
        "worker-busy",
        lazy("Um processo que atende entra num laço sem fim"),
        _misbehave(signal.SIGUSR1),
        _has_begun,
        patience=40,
    ),
    Fault(
        "worker-leaks",
        lazy("Um processo que atende vaza memória até o limite"),
        _misbehave(signal.SIGUSR2),
        gone,
        patience=40,
    ),
)

OTHERS: tuple[Fault[City], ...] = (
    Fault("operator-killed", lazy("O operador é morto"), _kill_operator, gone, prepare=_there(_operator)),
    Fault(
        "receiver-killed", lazy("Quem recebe o log do banco é morto"), _kill_receiver, gone, prepare=_there(_receiver)
    ),
    Fault(
        "supervisor-killed",
        lazy("O supervisor é morto; o systemd o inicia de novo após 1 s"),
        _kill_supervisor,
        gone,
        lasts=40.0,
        until=_handed_over,
        patience=40,
    ),
)
