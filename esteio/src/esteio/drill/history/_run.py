"""Clients at work on a service while it is broken again and again; what they saw goes to the checkers.

Each round: registers that nobody used before, a moment of calm, one or two faults at once, and a wait until something is
acknowledged again. The clients go on all the time. In the end every register, the set and the bank are read once more.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from esteio.drill.history._bank import check_bank
from esteio.drill.history._operation import History, Known, Outcome, Verdict
from esteio.drill.history._register import check_register
from esteio.drill.history._set import check_set

__all__ = ["Histories", "NoRecovery", "Service", "break_and_check"]

Fault = Callable[[], Awaitable[object]]


class Service(Protocol):
    """What a service offers to the clients. Each raises `Known` where it was refused and certainly not done."""

    accounts: Collection[Hashable]
    total: int

    async def registers(self, count: int) -> Mapping[Hashable, Any]:
        """As many registers that were not given out before, with what each holds."""
        ...

    async def read(self, register: Hashable) -> Any:
        """What it holds."""
        ...

    async def write(self, register: Hashable, value: str) -> None:
        """Overwrite it."""
        ...

    async def compare_and_set(self, register: Hashable, expected: Any, value: str) -> None:
        """Overwrite it where it holds `expected`; else `Known`."""
        ...

    async def add(self, element: str) -> None:
        """Add it once, however often it has to be asked for; returns when that is acknowledged."""
        ...

    async def elements(self) -> Sequence[str]:
        """All that were added, as often as each is there."""
        ...

    async def transfer(self) -> None:
        """Move something from one account to another."""
        ...

    async def balances(self) -> Mapping[Hashable, int]:
        """What each account holds, all at one moment."""
        ...


class NoRecovery(Exception):
    """After a fault nothing was acknowledged any more."""


@dataclass(frozen=True)
class Histories:
    """What was seen, and how it was judged."""

    faults: Counter[str]
    seconds: float
    outcomes: Counter[Outcome]
    registers: tuple[Verdict, ...]
    elements: Verdict
    bank: Verdict
    acknowledged: int
    """Elements that the service said it had added."""

    @property
    def holds(self) -> bool:
        """Whether every history was decided, and none is one that a correct service could not have."""
        return all(each.valid for each in (*self.registers, self.elements, self.bank))

    @property
    def problems(self) -> list[str]:
        """What was found, of all histories."""
        return [problem for each in (*self.registers, self.elements, self.bank) for problem in each.problems]

    def __str__(self) -> str:
        invalid = sum(each.valid is False for each in self.registers)
        undecided = sum(each.valid is None for each in self.registers)
        return (
            f"{self.faults.total()} faults ({', '.join(f'{name} {n}' for name, n in sorted(self.faults.items()))}) in "
            f"{self.seconds:.0f} s; {self.outcomes.total()} operations: "
            f"{', '.join(f'{n} {name}' for name, n in sorted(self.outcomes.items()))}; "
            f"{len(self.registers)} registers: {invalid} not linearizable, {undecided} undecided; "
            f"{self.acknowledged} elements acknowledged; set {self.elements.valid}, bank {self.bank.valid}"
        )


@dataclass
class _Noted:
    """All histories of one run; `current` are the registers in use."""

    registers: dict[Hashable, tuple[Any, History]] = field(default_factory=dict)
    current: list[Hashable] = field(default_factory=list)
    elements: History = field(default_factory=History)
    bank: History = field(default_factory=History)
    done: int = 0


async def break_and_check(
    service: Service,
    faults: Mapping[str, Fault],
    *,
    rounds: int,
    clients: int = 6,
    registers: int = 3,
    calm: tuple[float, float] = (0.05, 0.3),
    patience: float = 60.0,
    within: float = math.inf,
    rng: random.Random | None = None,
) -> Histories:
    """Break `service` in `rounds` rounds while `clients` use it, and judge what they saw; none begins after `within` seconds.

    A fault returns when it was done and, where it has to be, undone. `calm` bounds the seconds before each; within
    `patience` seconds after one something has to be acknowledged, else `NoRecovery`. An error of a fault ends the run.
    """
    rng = rng or random.Random()  # noqa: S311 - what to break when, no secret
    noted, struck, began = _Noted(), Counter[str](), time.monotonic()
    await _renew(service, noted, registers)
    at_work = [asyncio.create_task(_client(service, noted, number, rng)) for number in range(clients)]
    try:
        for _ in range(rounds):
            if time.monotonic() - began > within:
                break
            await asyncio.sleep(rng.uniform(*calm))
            chosen = rng.sample(sorted(faults), rng.choice((1, 1, 2)) if len(faults) > 1 else 1)
            struck.update(chosen)
            await asyncio.gather(*(faults[name]() for name in chosen))
            await _until_acknowledged(noted, at_work, patience)
            await _renew(service, noted, registers)
    finally:
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)
    await _last_reads(service, noted, patience)
    return _judge(service, noted, struck, time.monotonic() - began)


async def _renew(service: Service, noted: _Noted, count: int) -> None:
    found = await _insisting(lambda: service.registers(count))
    noted.registers |= {name: (value, History()) for name, value in found.items()}
    noted.current = list(found)


async def _insisting(ask: Callable[[], Awaitable[Any]], patience: float = 60.0) -> Any:
    """What it answers, asked again after each failure: it is no part of the history, or a last read."""
    end = time.monotonic() + patience
    while True:
        try:
            return await ask()
        except Exception:
            if time.monotonic() > end:
                raise
        await asyncio.sleep(0.05)


async def _until_acknowledged(noted: _Noted, at_work: Sequence[asyncio.Task[None]], patience: float) -> None:
    before, end = noted.done, time.monotonic() + patience
    # More than there are clients: each may have had one on its way that was as good as done when the fault came.
    while noted.done <= before + len(at_work):
        if time.monotonic() > end:
            msg = f"nothing was acknowledged for {patience:g} s after a fault"
            raise NoRecovery(msg)
        for task in at_work:
            if task.done():
                task.result()  # a client has ended by an error of its own
        await asyncio.sleep(0.01)


async def _client(service: Service, noted: _Noted, number: int, rng: random.Random) -> None:
    last: dict[Hashable, Any] = {}  # what this client saw last in each register: what it compares with
    for count in itertools.count():
        value = f"{number}.{count}"
        outcome = await _step(service, noted, number, value, last, rng)
        noted.done += outcome is not Outcome.UNKNOWN
        # Who is answered at once goes on at once; who gets an error does not hammer.
        await asyncio.sleep(0.02 if outcome is Outcome.UNKNOWN else 0)


async def _step(
    service: Service, noted: _Noted, number: int, value: str, last: dict[Hashable, Any], rng: random.Random
) -> Outcome:
    register = rng.choice(noted.current)
    initial, history = noted.registers[register]
    match rng.choices(["read", "write", "cas", "add", "transfer", "balances"], [4, 2, 3, 2, 2, 2])[0]:
        case "read":

            async def read() -> Any:
                last[register] = found = await service.read(register)
                return found

            return await history.note("read", None, read, client=number)
        case "write":
            return await history.note("write", value, lambda: service.write(register, value), client=number)
        case "cas":
            old = last.get(register, initial)
            return await history.note(
                "cas", (old, value), lambda: service.compare_and_set(register, old, value), client=number
            )
        case "add":
            return await noted.elements.note("add", value, lambda: service.add(value), client=number)
        case "transfer":
            return await noted.bank.note("transfer", None, service.transfer, client=number)
        case _:
            return await noted.bank.note("read", None, service.balances, client=number)


async def _last_reads(service: Service, noted: _Noted, patience: float) -> None:
    """What is there in the end, read until it is answered."""

    async def once(history: History, ask: Callable[[], Awaitable[Any]]) -> None:
        async def noting() -> None:
            if await history.note("read", None, ask, client=-1) is not Outcome.OK:
                raise Known(history.operations[-1].answer)

        await _insisting(noting, patience)

    for register, (_, history) in noted.registers.items():
        await once(history, lambda register=register: service.read(register))  # type: ignore[misc]
    await once(noted.elements, service.elements)
    await once(noted.bank, service.balances)


def _judge(service: Service, noted: _Noted, struck: Counter[str], seconds: float) -> Histories:
    histories = [history for _, history in noted.registers.values()]
    adds = {each.value for each in noted.elements.operations if each.what == "add" and each.outcome is Outcome.OK}
    everything = itertools.chain(*(each.operations for each in (*histories, noted.elements, noted.bank)))
    return Histories(
        struck,
        seconds,
        Counter(each.outcome for each in everything),
        tuple(check_register(history.operations, initial) for initial, history in noted.registers.values()),
        check_set(noted.elements.operations),
        check_bank(noted.bank.operations, service.accounts, service.total),
        len(adds),
    )
