"""Typed configuration: every variable the service reads, checked before anything starts.

Promises: a value comes from the command line, the process environment, `.env` or the default, in this order, and
`Settings.origens` remembers which. All bad values are reported at once by `InvalidSettings`, which never shows
a secret. A `SISPAT_` name nobody reads becomes a warning in `Settings.avisos`, with the nearest known name.
"""

from __future__ import annotations

from sispat.settings._errors import InvalidSettings, InvalidValue
from sispat.settings._model import Settings
from sispat.settings._readers import Quota
from sispat.settings._sources import Origin, load_settings
from sispat.settings._tables import SettingInForce, in_force, reference_page, variables

__all__ = [
    "InvalidSettings",
    "InvalidValue",
    "Origin",
    "Quota",
    "SettingInForce",
    "Settings",
    "in_force",
    "load_settings",
    "reference_page",
    "variables",
]
