"""Ten times as much work as the service can do, of which about an eighth is what people who are signed in ask for.

A kind of request is asked for by itself first, as fast as it is answered: what the service can do of it beside the drill's
own load. Then all kinds come at once, each at a multiple of that: people's lists at 1.2 times what the service can do, so
that they ask for all of it, exports and strangers at nine times together. What people get is compared with what it can do,
as the mean of one look before the overload and one after it: a machine that has become slower or faster meanwhile has done
so for both.

From the first look to the last, whoever asks - the overload and the drill itself - has a core of its own, and the service
the others (`drill.cores`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping
from typing import Any

from esteio.drill import Fault
from sispat.drill.load import City
from sispat.kernel.i18n import lazy

__all__ = ["FAULTS"]

_SHARES = {"people": 1.2, "exports": 5.8, "strangers": 3.0}
"""Of what the service can do of each kind; together ten times its capacity, counted in work and not in requests."""
_PATHS = {"people": "/api/patrimonios?limit=50", "exports": "/api/patrimonios.csv", "strangers": "/entrar"}
_ASKING = {"people": 100, "exports": 4, "strangers": 100}
"""Connections while the capacity is measured: so many that each worker has its part of them."""
_MOST = {"people": 200, "exports": 200, "strangers": 400}  # connections of the overload
_MEASURED_FOR = 2.0  # seconds, each kind
_LASTS = 8.0


def _request(city: City, kind: str) -> str:
    lines = [f"GET {_PATHS[kind]} HTTP/1.1", "Host: 127.0.0.1", "Accept: */*"]
    if kind != "strangers":
        lines.append(f"Authorization: {city.authorization}")
    return "\r\n".join([*lines, "", ""])


async def _flood(city: City, kinds: Mapping[str, tuple[float, int]], seconds: float) -> Process:
    """The process that asks; each kind with its rate and its connections."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sispat.drill.flood",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=city.service.environment,
    )  # fmt: skip
    plan = {
        "port": city.service.port,
        "seconds": seconds,
        "kinds": [
            {"name": name, "request": _request(city, name), "rate": rate, "connections": connections}
            for name, (rate, connections) in kinds.items()
        ],
    }
    assert process.stdin is not None
    process.stdin.write(json.dumps(plan).encode())
    process.stdin.close()
    return process


async def _said(process: Process) -> dict[str, Any]:
    output, _ = await process.communicate()
    told: dict[str, Any] = json.loads(output)
    return told


async def _measure_capacity(city: City) -> None:
    """What the service can do of each kind, requests a second."""
    city.divide()
    await _capacity(city, "people")  # what is asked first is answered more slowly than the same a moment later
    city.kept["capacity"] = {kind: await _capacity(city, kind) for kind in _SHARES}


async def _capacity(city: City, kind: str) -> float:
    told = await _said(await _flood(city, {kind: (0.0, _ASKING[kind])}, _MEASURED_FOR))
    return float(told["kinds"][kind]["good"] / told["seconds"])


async def _begin(city: City) -> None:
    capacity = city.kept["capacity"]
    kinds = {kind: (capacity[kind] * share, _MOST[kind]) for kind, share in _SHARES.items()}
    city.kept["flood"] = await _flood(city, kinds, 60.0)


async def _refuses(city: City) -> bool:
    return await city.refuses_strangers()


async def _end(city: City) -> None:
    process: Process = city.kept["flood"]
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)  # the end of it; what is under way is waited for later


async def _figures(city: City) -> Mapping[str, float]:
    told, before = await _said(city.kept["flood"]), city.kept["capacity"]["people"]
    people, seconds = told["kinds"]["people"], told["seconds"]
    after = await _capacity(city, "people")
    capacity = (before + after) / 2
    return {
        "capacity_per_s": round(capacity, 1),
        "capacity_after_share": round(after / before, 3),
        "offered_per_s": round(sum(each["offered"] for each in told["kinds"].values()) / seconds, 1),
        "sent_per_s": round(sum(each["offered"] - each["unsent"] for each in told["kinds"].values()) / seconds, 1),
        "goodput_share": round(people["good"] / seconds / capacity, 3),
        "generator_busy": round(told["busy"], 3),
        **{f"{kind}_refused": seen["refused"] for kind, seen in told["kinds"].items()},
        **{f"{kind}_good": seen["good"] for kind, seen in told["kinds"].items()},
        **{f"{kind}_late": seen["late"] for kind, seen in told["kinds"].items()},
        **{f"{kind}_failed": seen["failed"] for kind, seen in told["kinds"].items()},
        **{f"{kind}_unsent": seen["unsent"] for kind, seen in told["kinds"].items()},
        **{f"{kind}_capacity_per_s": round(each, 1) for kind, each in city.kept["capacity"].items()},
    }


FAULTS: tuple[Fault[City], ...] = (
    Fault(
        "overload",
        lazy("Pede-se dez vezes o que o serviço consegue, por 8 s"),
        _begin,
        _refuses,
        _end,
        prepare=_measure_capacity,
        tells=_figures,
        lasts=_LASTS,
        patience=30,
    ),
)
