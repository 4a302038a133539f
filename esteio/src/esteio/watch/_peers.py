"""What watchers ask each other: a view, over HTTP, with a secret that they share and never send.

Promises: who does not know the secret learns nothing and is believed nothing. An answer belongs to its question, by a
random number in it, so no clock matters and an old answer is worth nothing. What is asked and answered is not encrypted: it
holds names and states.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence

from esteio.errors import EsteioError
from esteio.health.series import State
from esteio.watch._config import Peer
from esteio.watch._probes import fetch
from esteio.watch._quorum import View

__all__ = ["SIGNATURE", "PeerRefused", "answered", "ask_peer", "asked"]

SIGNATURE = "x-esteio-signature"
"""The header of both."""
_LONGEST = 200_000  # bytes of a view: 500 names of 60 letters take a quarter of that


class PeerRefused(EsteioError):
    """A watcher answered something that is no view: `reason`."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


async def ask_peer(peer: Peer, secret: str, own: str, suspects: Sequence[str]) -> View:
    """What the watcher `peer` sees; it is told which probes are suspected here, so that it looks at once."""
    nonce = secrets.token_hex(16)
    body = json.dumps({"watcher": own, "nonce": nonce, "suspects": list(suspects)}).encode()
    headers = {"Content-Type": "application/json", SIGNATURE: _signed(secret, "ask", nonce, body)}
    answer = await fetch(f"{peer.url.rstrip('/')}/peer", method="POST", headers=headers, body=body, limit=_LONGEST)
    if answer.status != 200:
        hint = "; is the secret the same in both?" if answer.status == 403 else ""
        raise PeerRefused(f"answered {answer.status}{hint}")
    if not hmac.compare_digest(answer.headers.get(SIGNATURE, ""), _signed(secret, "view", nonce, answer.body)):
        raise PeerRefused("its answer is not signed with our secret")
    view = _view(answer.body)
    if view.watcher != peer.name:
        raise PeerRefused(f'it is the watcher "{view.watcher}"')
    return view


def asked(secret: str, signature: str, body: bytes) -> tuple[str, list[str]] | None:
    """The number of a question and what its watcher suspects; None where it is not signed with our secret."""
    try:
        given = json.loads(body)
        nonce, suspects = str(given["nonce"]), [str(each) for each in given["suspects"]]
    except (ValueError, KeyError, TypeError):
        return None
    return (nonce, suspects) if hmac.compare_digest(signature, _signed(secret, "ask", nonce, body)) else None


def answered(secret: str, nonce: str, view: View) -> tuple[bytes, str]:
    """The answer to the question of that number, and its signature."""
    document = {
        "watcher": view.watcher, "isolated": view.isolated, "tells": view.tells,
        "states": {name: state.value for name, state in view.states.items()},
    }  # fmt: skip
    body = json.dumps(document).encode()
    return body, _signed(secret, "view", nonce, body)


def _signed(secret: str, what: str, nonce: str, body: bytes) -> str:
    message = b"\n".join((what.encode(), nonce.encode(), body))
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def _view(body: bytes) -> View:
    try:
        given = json.loads(body)
        states = {str(name): State(state) for name, state in given["states"].items()}
        return View(str(given["watcher"]), states, bool(given["isolated"]), bool(given["tells"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PeerRefused("its view cannot be read; do both have the same release?") from error
