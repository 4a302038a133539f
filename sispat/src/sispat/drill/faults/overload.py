"""Ten times as much work as the service can do, of which a tenth is what people who are signed in ask for.

A kind of request is asked for by itself first, as fast as it is answered: what the service can do of it beside the drill's
own load. Then all kinds come at once, each at a multiple of that: people's lists at once what the service can do,
exports and strangers at nine times together. What people get is compared with what it can do.
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

_SHARES = {"people": 1.0, "exports": 6.0, "strangers": 3.0}
"""Of what the service can do of each kind; together ten times its capacity, counted in work and not in requests."""
_PATHS = {"people": "/api/patrimonios?limit=50", "exports": "/api/patrimonios.csv", "strangers": "/entrar"}
_ASKING = {"people": 16, "exports": 4, "strangers": 16}  # connections while the capacity is measured
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
    """What the service can do of each kind, requests a second; once for each drill."""
    if "capacity" in city.kept:
        return
    capacity = {}
    for kind, connections in _ASKING.items():
        told = await _said(await _flood(city, {kind: (0.0, connections)}, _MEASURED_FOR))
        capacity[kind] = told["kinds"][kind]["good"] / told["seconds"]
    city.kept["capacity"] = capacity


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
            process.send_signal(signal.SIGTERM)
        city.kept["flooded"] = await _said(process)


async def _figures(city: City) -> Mapping[str, float]:
    capacity, told = city.kept["capacity"], city.kept["flooded"]
    people = told["kinds"]["people"]
    return {
        "capacity_per_s": round(capacity["people"], 1),
        "offered_per_s": round(sum(each["offered"] for each in told["kinds"].values()) / told["seconds"], 1),
        "goodput_share": round(people["good"] / told["seconds"] / capacity["people"], 3),
        **{f"{kind}_refused": seen["refused"] for kind, seen in told["kinds"].items()},
        **{f"{kind}_good": seen["good"] for kind, seen in told["kinds"].items()},
        "people_late": people["late"],
        "people_failed": people["failed"],
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
