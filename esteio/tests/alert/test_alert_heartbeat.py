"""The heartbeat goes out, comes again after a failure, and is nobody's problem when it can't."""

from __future__ import annotations

import logging
import time

import pytest
from receivers import http_receiver

from esteio.alert import ChannelRefused, Heartbeat
from esteio.policy import Constant, Retry

THRICE = Retry(3, Constant(0), idempotent=True, budget=None)


def test_success_is_a_get_and_failure_a_post_with_the_reason_in_their_order() -> None:
    with http_receiver() as monitor:
        heartbeat = Heartbeat(f"{monitor.url}?rid=1")
        monitor.wait = 0.1
        heartbeat.success()
        heartbeat.failure("cópia falhou\n" * 2)
        heartbeat.success()
        assert heartbeat.wait(60)
    path = "/ganchos/segredo-do-gancho"
    assert monitor.requests == [
        ("GET", f"{path}?rid=1", b""),
        ("POST", f"{path}/fail?rid=1", "cópia falhou\ncópia falhou\n".encode()),
        ("GET", f"{path}?rid=1", b""),
    ]


def test_it_never_raises_never_holds_up_and_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with http_receiver() as monitor:
        heartbeat = Heartbeat(monitor.url, retry=THRICE)
        assert heartbeat.wait(0)
        monitor.status, monitor.wait = 500, 0.5
        began = time.monotonic()
        heartbeat.failure("x")
        assert time.monotonic() - began < 0.5
        assert not heartbeat.wait(0.05)
        assert heartbeat.wait(60)
    heartbeat.success()
    assert heartbeat.wait(60)
    assert "heartbeat to http://127.0.0.1/... failed: HTTP Error 500" in caplog.text
    assert "Connection refused" in caplog.text
    assert "segredo" not in caplog.text


@pytest.mark.parametrize("url", ["ftp://segredo/x", "segredo", "https://", "file:///etc/passwd"])
def test_what_is_no_address_of_a_monitor_is_refused(url: str) -> None:
    with pytest.raises(ChannelRefused, match="HEARTBEAT_URL") as refused:
        Heartbeat(url, what="HEARTBEAT_URL")
    assert "segredo" not in str(refused.value)
