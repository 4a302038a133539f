"""A probe over HTTP: status, text, fields of JSON, time, certificate."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from typing import Any

from esteio.clock import Clock
from esteio.health import Status, Unwell
from esteio.watch._config import HttpProbe
from esteio.watch._probes._client import Answer, fetch

__all__ = ["ask_http"]

_DAY = 86_400.0
_LONGEST = 60  # characters of a value in a reason


async def ask_http(probe: HttpProbe, clock: Clock) -> float:
    """Milliseconds until the whole answer was there."""
    headers = {name: str(value) for name, (value, *_) in probe.headers.items()}
    began = time.perf_counter()
    answer = await fetch(probe.url, headers=headers, authority=probe.authority)
    taken = (time.perf_counter() - began) * 1000
    if reason := _wrong(probe, answer):
        raise Unwell(reason, observed=taken)
    if reason := _worrying(probe, answer, taken, clock.time()):
        raise Unwell(reason, observed=taken, status=Status.WARN)
    return taken


def _wrong(probe: HttpProbe, answer: Answer) -> str:
    """Why it is down; "" where it is not."""
    code = str(answer.status)
    if code not in probe.status and f"{code[0]}xx" not in probe.status:
        where = " with a redirect, which is not followed" if answer.status in (301, 302, 303, 307, 308) else ""
        return f"answered {code}{where}, not {' or '.join(probe.status)}"
    if probe.contains or probe.lacks:
        text = answer.body.decode("utf-8", "replace")
        if probe.contains and probe.contains not in text:
            return "the answer lacks the text that it has to contain"
        if probe.lacks and probe.lacks in text:
            return "the answer contains the text that it has to lack"
    return _mismatch(answer.body, probe.json) if probe.json else ""


def _mismatch(body: bytes, wanted: Mapping[str, tuple[Any, ...]]) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        return "the answer is no JSON"
    for path, allowed in wanted.items():
        found = _field(document, path)
        if not any(found == each and isinstance(found, bool) is isinstance(each, bool) for each in allowed):
            shown = "missing" if found is _MISSING else json.dumps(found)[:_LONGEST]
            return f"{path} is {shown}, not {' or '.join(json.dumps(each) for each in allowed)}"
    return ""


_MISSING = object()


def _field(document: Any, path: str) -> Any:
    """What is at `path`: names of objects and numbers of lists, with dots between them."""
    for part in path.split("."):
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdecimal() and int(part) < len(document):
            document = document[int(part)]
        else:
            return _MISSING
    return document


def _worrying(probe: HttpProbe, answer: Answer, taken: float, now: float) -> str:
    if answer.expires:
        days = (ssl.cert_time_to_seconds(answer.expires) - now) / _DAY
        if days < probe.certificate:
            return f"the certificate is valid for {days:.1f} days more"
    return f"took more than {probe.slow:g} s" if taken > probe.slow * 1000 else ""
