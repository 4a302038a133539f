"""What a watcher answers over HTTP: to another watcher that knows the secret, to jobs, to whoever watches it."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from receivers import http_receiver
from watching import until

from esteio.health.series import State
from esteio.watch import CannotListen, Watcher
from esteio.watch._config import Config, Group, Heartbeat, Peer, TcpProbe, Watch
from esteio.watch._peers import PeerRefused, ask_peer

SECRET = "a-secret-of-sixteen"
KEY = "0123456789abcdef"


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[Watcher]:
    config = Config(
        tmp_path / "watch.toml", Watch(name="b", listen=("127.0.0.1", 0), directory=str(tmp_path)), group=Group(secret=SECRET),
        probes=(TcpProbe(name="web", address=("127.0.0.1", 1), interval=3000.0, retry=3000.0),),
        heartbeats=(Heartbeat(name="job", key=KEY, every=3600.0),),
    )  # fmt: skip
    made = Watcher(config)
    made.start()
    try:
        yield made
    finally:
        made.stop(30.0)


def peer(watcher: Watcher, name: str = "b") -> Peer:
    return Peer(name=name, url=f"http://127.0.0.1:{watcher.port}/")


async def refused(asked: Peer, secret: str = SECRET) -> str:
    with pytest.raises(PeerRefused) as caught:
        await ask_peer(asked, secret, "a", [])
    return caught.value.reason


async def test_a_view_is_for_who_knows_the_secret_and_a_suspicion_in_it_makes_the_watcher_look(
    watcher: Watcher,
) -> None:
    assert watcher.engine is not None
    web = watcher.engine.probes["web"]
    until(lambda: web.confirmed.recent == (False,), "the first look")
    web.asked_at = float("-inf")  # long ago
    view = await ask_peer(peer(watcher), SECRET, "a", ["web", "not-watched-here"])
    assert (view.watcher, view.states, view.isolated, view.tells) == ("b", {"web": State.UNKNOWN}, False, False)
    until(lambda: len(web.confirmed.recent) >= 2, "the look that was asked for")


async def test_who_has_another_secret_or_is_another_watcher_or_none_is_refused_with_the_reason(
    watcher: Watcher,
) -> None:
    assert await refused(peer(watcher), "another-secret-of-it") == "answered 403; is the secret the same in both?"
    assert await refused(peer(watcher, "c")) == 'it is the watcher "b"'
    with http_receiver() as other:
        assert await refused(Peer(name="b", url=other.url)) == "its answer is not signed with our secret"
        other.status = 500
        assert await refused(Peer(name="b", url=other.url)) == "answered 500"


def test_a_job_may_use_any_method_and_an_exit_code_and_is_cut_to_what_fits(watcher: Watcher) -> None:
    assert watcher.engine is not None
    job = watcher.engine.jobs["job"]

    def sent(path: str, method: str = "GET", body: bytes | None = None) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{watcher.port}{path}", body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    assert sent("/health") == 200
    assert (sent(f"/ping/{KEY}", "HEAD"), job.beat.success is not None) == (200, True)
    assert (sent(f"/ping/{KEY}/3", "POST", b"x " * 4000), job.beat.fail is not None) == (200, True)
    assert len(job.beat.text) == 400
    assert (sent(f"/ping/{KEY}/0"), job.beat.fail) == (200, None)
    assert (sent(f"/ping/{KEY}/start"), job.beat.start is not None) == (200, True)
    assert [sent(path) for path in ("/ping/x", f"/ping/{KEY}/1000", "/nothing", "/peer")] == [404, 404, 404, 405]


def test_an_address_that_is_taken_is_named_with_what_to_do(watcher: Watcher, tmp_path: Path) -> None:
    other = Config(tmp_path / "x", Watch(name="c", listen=("127.0.0.1", watcher.port), directory=str(tmp_path / "c")))
    with pytest.raises(
        CannotListen, match=f"listen is 127.0.0.1:{watcher.port}: Address already in use; choose another"
    ):
        Watcher(other).start()
