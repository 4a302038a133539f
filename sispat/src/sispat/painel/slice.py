"""The first page, as the application sees it."""

from __future__ import annotations

from sispat.http.slices import MenuEntry, Slice
from sispat.kernel.i18n import lazy
from sispat.painel.routes import route

__all__ = ["SLICE"]

SLICE = Slice(name="painel", routes=route, menu=[MenuEntry(0, "/", lazy("Início"))])
