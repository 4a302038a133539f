"""A city to try the service with: invented, the same each time, never mixed with real data."""

from __future__ import annotations

from sispat.demo._populate import LOGINS, DatabaseNotEmpty, DemoSummary, populate

__all__ = ["LOGINS", "DatabaseNotEmpty", "DemoSummary", "populate"]
