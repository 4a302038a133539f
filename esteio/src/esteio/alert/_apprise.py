"""The program that speaks to channels, a process of its own: reads one request from stdin, writes the answers to stdout.

Promises: it ends after the request's `timeout` seconds, whatever a server or a look-up of names does. It alone imports
apprise, whose memory goes with it, and whose log, which holds addresses, goes nowhere. It needs nothing of Esteio.

A request is `{"timeout": seconds, "sender": name, "urls": [...]}`: can they be used? With `"notice": {"subject", "body",
"level"}` it is sent to them. The answer is a list of reasons, one for each address; an empty one is success.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from esteio.extras import ExtraMissing, needs

if TYPE_CHECKING:
    from apprise import NotifyBase

_CONNECT, _READ = 5.0, 10.0  # seconds
_MOST = 4000  # characters of a reason; who asks takes the secrets out and cuts it shorter
_TIME_IS_UP = 3
_SENTRY = "sentry+"  # before a DSN; what it means is in _sentry.py


class _Said(logging.Handler):
    """Keeps what apprise complains about."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage().removeprefix("Socket Exception: ")
        if record.levelno >= logging.WARNING or text != record.getMessage():
            self.lines.append(text)

    def taken(self) -> str:
        """What was said since the last time, or that nothing was."""
        text = " ".join(" ".join(self.lines).split())[:_MOST]
        self.lines.clear()
        return text or "it was refused without a reason"


def _answers(request: dict[str, Any]) -> list[str]:
    said = _Said()
    logger = logging.getLogger("apprise")
    logger.addHandler(said)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    return [_answer(url, request, said) for url in request["urls"]]


def _answer(url: str, request: dict[str, Any], said: _Said) -> str:
    try:
        if url.startswith(_SENTRY):
            return _answer_of_sentry(url, request)
        service = _service(url, request["sender"], said)
        if service is None:
            return said.taken()
        notice = request.get("notice")
        return "" if notice is None or _sent(service, notice) else said.taken()
    except ExtraMissing as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever a channel's code raises is its answer
        return f"{type(error).__name__}: {error}"[:_MOST]


def _answer_of_sentry(url: str, request: dict[str, Any]) -> str:
    from esteio.alert import _sentry  # with the package around it, which the other channels need not wait for

    notice = request.get("notice")
    if notice is None:
        _sentry.check(url)
    else:
        _sentry.send(url, notice, request["sender"])
    return ""


def _service(url: str, sender: str, said: _Said) -> NotifyBase | None:
    with needs("alert"):
        from apprise import Apprise, AppriseAsset

    asset = AppriseAsset(app_id=sender, app_desc=sender, async_mode=False, allow_templates=False)
    service = Apprise.instantiate(url, asset=asset)
    scheme, separator, rest = url.partition("://")
    if service is None and scheme.lower() in ("http", "https"):  # a webhook of nobody that apprise knows
        said.lines.clear()
        service = Apprise.instantiate(f"json{scheme[4:]}{separator}{rest}", asset=asset)
    if service is not None:
        service.socket_connect_timeout = min(service.socket_connect_timeout, _CONNECT)
        service.socket_read_timeout = min(service.socket_read_timeout, _READ)
    return service


def _sent(service: NotifyBase, notice: dict[str, str]) -> bool:
    from apprise import Apprise, NotifyFormat, NotifyType

    all_ = Apprise(asset=service.asset)
    all_.add(service)
    level = NotifyType(notice["level"])
    done = all_.notify(notice["body"], title=notice["subject"], notify_type=level, body_format=NotifyFormat.TEXT)
    return bool(done)


def _main() -> None:
    request = json.load(sys.stdin)
    watchdog = threading.Timer(request["timeout"], os._exit, [_TIME_IS_UP])
    watchdog.daemon = True
    watchdog.start()
    with contextlib.redirect_stdout(sys.stderr):
        answers = _answers(request)
    json.dump(answers, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # threads that apprise left behind don't matter


if __name__ == "__main__":
    _main()
