"""A city to try the service with: invented, the same each time, never mixed with real data."""

from __future__ import annotations

from sispat.demo._popular import LOGINS, BancoNaoVazio, Resumo, popular

__all__ = ["LOGINS", "BancoNaoVazio", "Resumo", "popular"]
