"""Backups that turn bad are told, and told to be well again: once each, not every minute.

Promises: a problem is told when two looks in a row have found it; what lasts is told again once a day; a look that
fails is a problem too. A restart repeats nothing.
"""

from __future__ import annotations

from esteio.backup.watch._events import BackupsGreen, BackupsRed
from esteio.backup.watch._watch import Watch

__all__ = ["BackupsGreen", "BackupsRed", "Watch"]
