"""Kinds `base` and `incremental`: the whole cluster, file by file, as `pg_basebackup` streams it."""

from __future__ import annotations

from esteio.backup.base._take import NotPossible, take_base

__all__ = ["NotPossible", "take_base"]
