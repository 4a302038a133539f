"""A heartbeat out: somebody elsewhere is told that a run went well, and raises the alarm when nothing comes.

Promises: never raises and never holds up what it is about; what can't be sent is logged, with the address masked. After
Healthchecks' convention: GET of the address for success, POST to it with `/fail` and a short text for failure.
"""

from __future__ import annotations

import logging
import threading
import urllib.request
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit

from esteio.alert._errors import ChannelRefused
from esteio.alert._masking import masked, redacted
from esteio.clock import SYSTEM, Clock
from esteio.policy import Exponential, Pipeline, Retry

__all__ = ["Heartbeat"]

_TIMEOUT = 5.0  # seconds, of each attempt
_LONGEST = 10_000  # bytes of a text
_logger = logging.getLogger("esteio.alert")


class Heartbeat:
    """Beats to `url`, in threads that end by themselves; ChannelRefused when it is no http(s) address, as `what`."""

    def __init__(
        self,
        url: str,
        *,
        what: str = "heartbeat address",
        retry: Retry | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ChannelRefused(what, masked(url), "it is no http:// or https:// address of a monitor")
        self.name = masked(url)
        self._url = url
        self._failure = urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/fail"))
        retry = retry or Retry(3, Exponential(1.0, 2.0), idempotent=True, on=(OSError, HTTPException), budget=None)
        self._retrying = Pipeline("heartbeat", retry, clock=clock, registry=None)
        self._last: threading.Thread | None = None

    def success(self) -> None:
        """All went well; returns at once."""
        self._begin(urllib.request.Request(self._url))  # noqa: S310 - its scheme was checked

    def failure(self, text: str) -> None:
        """It went wrong, and why; returns at once."""
        body = text.encode()[:_LONGEST]
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        self._begin(urllib.request.Request(self._failure, body, headers))  # noqa: S310 - its scheme was checked

    def wait(self, timeout: float) -> bool:
        """Whether all beats are through, or were given up, within `timeout` seconds."""
        if self._last is not None:
            self._last.join(timeout)
        return self._last is None or not self._last.is_alive()

    def _begin(self, request: urllib.request.Request) -> None:
        self._last = threading.Thread(
            target=self._beat, args=(request, self._last), name="esteio heartbeat", daemon=True
        )
        self._last.start()

    def _beat(self, request: urllib.request.Request, before: threading.Thread | None) -> None:
        if before is not None:
            before.join()  # a failure must not be overtaken by the success after it
        try:
            self._retrying.call(lambda: _ask(request))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is only the heartbeat
            _logger.warning("heartbeat to %s failed: %s", self.name, redacted(str(error), self._url))


def _ask(request: urllib.request.Request) -> None:
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - its scheme was checked
            answer.read(1024)
    except HTTPError as error:
        error.close()  # it is the answer too
        raise
