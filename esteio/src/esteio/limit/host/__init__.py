"""Limits shared by all processes of one host, without a server.

Promises: one memory-mapped file; each decision is one step under a lock that the kernel releases when its holder
dies; a process killed in the middle of a write leaves the state from before it; nobody waits longer than
`patience` for a process that was stopped. Linux only. Errors: `HostStoreError`.
"""

from __future__ import annotations

from esteio.limit.host._store import HostStore

__all__ = ["HostStore"]
