"""One look at everything, without a trace."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from esteio.health._history import History
from esteio.watch._config import Config
from esteio.watch._engine import Engine
from esteio.watch._sight import Sight
from esteio.watch._state import StateFile

__all__ = ["look_once"]


async def look_once(config: Config) -> Sight:
    """What `config` says, looked at once until each state is confirmed; nothing is remembered and nobody told.

    Without heartbeats: of a job, one look says nothing.
    """
    with tempfile.TemporaryDirectory(prefix="esteio-watch-") as directory:
        state = StateFile(Path(directory) / "watch.sqlite")
        try:
            engine = Engine(replace(config, heartbeats=()), state, History(Path(directory) / "history.sqlite"))
            return await engine.once()
        finally:
            state.close()
