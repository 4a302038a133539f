"""TLS by certificate files that are replaced while the service runs.

Promises: files that cannot be used are told before anything is started. Once both were replaced, each new connection gets
what they say within seconds, and no connection is cut for it; while they do not fit together, or cannot be read, the ones
before stay in force, and the log says so once; a worker that starts meanwhile has none before, and fails until they do.
"""

from __future__ import annotations

import logging
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from esteio.clock import SYSTEM, Clock
from esteio.serve._errors import CertificateUnusable

__all__ = ["CertificateFiles", "CertificateWatch"]

_logger = logging.getLogger("esteio.serve")
_EVERY = 1.0  # seconds between two looks at the files


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """PEM files: the certificate with those above it, and its key without a passphrase."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """For a server, TLS 1.2 or newer; CertificateUnusable."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            # The password would be asked for at the terminal, and the service wait for it.
            context.load_cert_chain(self.certificate, self.key, password=_refuse)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise CertificateUnusable(self.certificate, self.key, _problem(error)) from error
        return context

    def state(self) -> tuple[tuple[int, int, int], ...] | None:
        """What tells whether they were replaced; None while one of them is away."""
        try:
            found = [os.stat(each) for each in (self.certificate, self.key)]
        except OSError:
            return None
        return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)


class CertificateWatch:
    """`context` is what a server is given; each handshake gets what was in force when it began.

    Raises CertificateUnusable. `follow` looks at the files for ever, in a thread of its own: a disk that hangs holds up
    nobody.
    """

    def __init__(self, files: CertificateFiles) -> None:
        self._files = files
        self._seen = files.state()
        self._in_force = files.context()
        # Never changed: another thread may be in the middle of a handshake with it.
        self.context = files.context()
        self.context.sni_callback = self._choose

    def look(self) -> bool:
        """Whether new ones are in force since."""
        state = self._files.state()
        if state is None or state == self._seen:
            return False
        self._seen = state
        try:
            self._in_force = self._files.context()
        except CertificateUnusable as error:
            _logger.error("%s; the certificate of before stays in force", error)
            return False
        _logger.info("the certificate in %s was replaced; new connections get it", self._files.certificate)
        return True

    def follow(self, clock: Clock = SYSTEM) -> None:
        """Look every second, for ever."""
        while True:
            clock.sleep(_EVERY)
            try:
                self.look()
            except Exception:
                _logger.exception("looking at the certificate failed; it is looked at again")

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._in_force


def _refuse() -> str:
    raise ValueError("the key has a passphrase")


def _problem(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    name = getattr(error, "filename", None)
    return f"{os.fsdecode(name)}: {reason}" if name else str(reason)
