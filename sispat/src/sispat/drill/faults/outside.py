"""What is not ours: the service of addresses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from esteio.drill import Fault
from sispat.drill.load import City
from sispat.kernel.i18n import lazy

__all__ = ["FAULTS"]


def _becomes(mode: str) -> Callable[[City], Awaitable[None]]:
    async def inject(city: City) -> None:
        city.viacep.mode, city.viacep.asked = mode, 0

    return inject


async def _was_asked(city: City) -> bool:
    return city.viacep.asked > 0


async def _well(city: City) -> None:
    city.viacep.mode = "well"


FAULTS: tuple[Fault[City], ...] = tuple(
    Fault(name, title, _becomes(mode), _was_asked, _well, lasts=5.0)
    for name, mode, title in (
        ("cep-away", "away", lazy("O ViaCEP recusa por 5 s")),
        ("cep-hangs", "hangs", lazy("O ViaCEP não responde por 5 s")),
        ("cep-garbage", "garbage", lazy("O ViaCEP responde lixo por 5 s")),
    )
)
