"""What each city decides about its assets."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sispat.settings._types import Group
from sispat.settings._variable import Variable

__all__ = ["AssetSettings"]


class AssetSettings(Group):
    """What each city decides about its assets."""

    commission_members: Annotated[
        int,
        Field(ge=1, le=20),
        Variable(
            "SISPAT_COMMISSION_MEMBERS",
            "Quantos membros, no mínimo, tem a comissão de uma baixa que exige comissão.",
            unit="pessoas",
        ),
    ] = 3
