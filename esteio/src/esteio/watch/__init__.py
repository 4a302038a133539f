"""A watcher on another machine: asks services, hears jobs and other watchers, tells what is down, and shows it.

Promises: down is what was confirmed, by several answers and by most watchers; what it cannot know is unknown, never up and
never down. No probe waits for another one, for a channel or for the disk. How to set one up: docs/how-to/watch.md.
"""

from __future__ import annotations

from esteio.extras import needs

with needs("watch"):
    import httptools  # noqa: F401 - whether it is there
    import starlette  # noqa: F401 - whether it is there
    import uvicorn  # noqa: F401 - whether it is there

from esteio.watch._config import Config, ConfigError, load, reference_page
from esteio.watch._engine import Engine
from esteio.watch._once import look_once
from esteio.watch._process import WatcherRuns, channels_of, locked, services
from esteio.watch._service import CannotListen, Watcher
from esteio.watch._sight import Seen, Sight, Subject
from esteio.watch._state import StateTooNew
from esteio.watch._subjects import all_subjects

__all__ = [
    "CannotListen",
    "Config",
    "ConfigError",
    "Engine",
    "Seen",
    "Sight",
    "StateTooNew",
    "Subject",
    "Watcher",
    "WatcherRuns",
    "all_subjects",
    "channels_of",
    "load",
    "locked",
    "look_once",
    "reference_page",
    "services",
]
