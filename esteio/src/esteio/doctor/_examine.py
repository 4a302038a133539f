"""Looking at everything at once, each within its time.

Promises: an examination that hangs yields `NOT_ANSWERED` when its time is over, one that raises yields `NOT_SEEN`, and what
it found before that is kept. Nothing that hangs keeps the process from ending.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from esteio.doctor._codes import FindingCode
from esteio.doctor._finding import Finding

__all__ = ["Examination", "examine"]


@dataclass(frozen=True, slots=True)
class Examination:
    """Looks at one thing: `look` yields findings; `name` is `group:what`, such as `postgresql:settings`."""

    name: str
    look: Callable[[], Iterable[Finding]]


@dataclass(slots=True)
class _Running:
    examination: Examination
    found: list[Finding] = field(default_factory=list)

    def run(self) -> None:
        try:
            for each in self.examination.look():
                self.found.append(each)
        except TimeoutError as error:
            self.found.append(FindingCode.NOT_ANSWERED.found(what=self.examination.name, reason=str(error)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the other findings are still wanted
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            self.found.append(FindingCode.NOT_SEEN.found(what=self.examination.name, reason=reason))


def examine(examinations: Sequence[Examination], *, limit: float = 5.0) -> tuple[Finding, ...]:
    """All findings, in the order of `examinations`; takes `limit` seconds at most."""
    running = [(each := _Running(examination), _started(each)) for examination in examinations]
    ends = time.monotonic() + limit
    found: list[Finding] = []
    for each, thread in running:
        thread.join(max(0.0, ends - time.monotonic()))
        late = thread.is_alive()
        seen = list(each.found)  # a copy: the thread may still add to it
        if late:
            seen.append(FindingCode.NOT_ANSWERED.found(what=each.examination.name, reason=f"{limit:g} s"))
        found += [replace(finding, examination=each.examination.name) for finding in seen]
    return tuple(found)


def _started(running: _Running) -> threading.Thread:
    # A daemon: one that waits for a dead disk for ever would keep the process from ending.
    thread = threading.Thread(target=running.run, name=f"doctor {running.examination.name}", daemon=True)
    thread.start()
    return thread
