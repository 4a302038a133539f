"""Waiting for what other processes do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["until"]


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return when `condition` holds; TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - processes outside of this one have no event to wait for
            await asyncio.sleep(0.01)
