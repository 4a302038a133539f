"""How each kind of probe is asked: a `Check` that returns milliseconds (of a certificate: days), or raises `Unwell`.

Promises: what it says of a failure is public: it names no address, path or user. Nothing blocks the event loop; a name that
is not resolved holds one thread of the loop's own, and no other probe.
"""

from __future__ import annotations

from esteio.watch._probes._checks import check_of
from esteio.watch._probes._client import Answer, fetch

__all__ = ["Answer", "check_of", "fetch"]
