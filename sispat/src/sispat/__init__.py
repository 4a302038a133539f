"""SISPAT: asset management of a Brazilian city hall, on Esteio."""

from __future__ import annotations

__version__ = "0.1.0"
