"""All settings together, by subject; name, type, unit, default, limits and meaning of each are in the module of its subject.

docs/reference/settings.md is made from here (`make docs`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sispat.settings._assets import AssetSettings
from sispat.settings._backup import BackupSettings
from sispat.settings._database import DatabaseSettings
from sispat.settings._limits import LimitSettings
from sispat.settings._origin import Origin
from sispat.settings._service import ServiceSettings
from sispat.settings._sign_in import SignInSettings
from sispat.settings._types import Group
from sispat.settings._watching import WatchingSettings

__all__ = ["GROUPS", "Settings"]

GROUPS: tuple[tuple[str, type[Group]], ...] = (
    ("Banco de dados", DatabaseSettings),
    ("Serviço", ServiceSettings),
    ("Entrada e sessões", SignInSettings),
    ("Limites de pedidos", LimitSettings),
    ("Cópias de segurança", BackupSettings),
    ("Vigilância e avisos", WatchingSettings),
    ("Patrimônio", AssetSettings),
)
"""Headings of the reference, in its order."""


class Settings(
    DatabaseSettings, ServiceSettings, SignInSettings, LimitSettings, BackupSettings, WatchingSettings, AssetSettings
):
    """What is in force. `Settings()` is all defaults."""

    # Not from the environment

    origins: Annotated[dict[str, Origin], Field(exclude=True, repr=False)] = Field(default_factory=dict)
    warnings: Annotated[tuple[str, ...], Field(exclude=True, repr=False)] = ()

    def origin(self, field: str) -> Origin:
        """Where the value of a field came from."""
        return self.origins.get(field, Origin.DEFAULT)
