"""What others reach: the certificate of the public address, what the service listens on, and whether it is watched."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from esteio.doctor._codes import FindingCode
from esteio.doctor._examine import Examination
from esteio.doctor._finding import Finding

__all__ = ["binding", "certificate", "watcher"]

_TIMEOUT = 3.0  # seconds of the handshake, less than the limit of an examination
_DAY = 86_400.0
_WARN_BELOW, _FAIL_BELOW = 21.0, 3.0  # days, as esteio.health.checks.tls


def certificate(url: str | None, context: ssl.SSLContext | None = None) -> Examination:
    """Looks at the certificate of `url`, the address that people use, as a browser does."""

    def look() -> Iterator[Finding]:
        if not url:
            yield FindingCode.TLS_NOT_ASKED.found()
            return
        parts = urlsplit(url)
        if parts.scheme != "https":
            yield FindingCode.TLS_ABSENT.found(url=url)
            return
        host, port = parts.hostname or "", parts.port or 443
        try:
            days = _days(host, port, context or ssl.create_default_context())
        except TimeoutError:
            raise
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or error.reason or str(error)
            yield FindingCode.TLS_REFUSED.found(host=host, reason=reason)
        except OSError as error:
            yield FindingCode.TLS_UNREACHABLE.found(host=host, port=port, reason=error.strerror or str(error))
        else:
            code = FindingCode.TLS_ENDED if days < _FAIL_BELOW else FindingCode.TLS_ENDS
            yield (code if days < _WARN_BELOW else FindingCode.TLS_VALID).found(host=host, days=days)

    return Examination("network:certificate", look)


def _days(host: str, port: int, context: ssl.SSLContext) -> float:
    """For how many days more the certificate is valid."""
    with (
        socket.create_connection((host, port), timeout=_TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        certificate = secured.getpeercert() or {}
    return (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / _DAY


def binding(host: str, *, tls: bool = False) -> Examination:
    """Looks whether the service listens to this machine alone, or by `tls`, which it speaks itself."""

    def look() -> Iterator[Finding]:
        to_network = FindingCode.BOUND_WITH_TLS if tls else FindingCode.BOUND_TO_NETWORK
        yield (FindingCode.BOUND_TO_THIS if _is_this_machine(host) else to_network).found(host=host)

    return Examination("network:binding", look)


def watcher() -> Examination:
    """Says that nothing here can see whether somebody outside watches."""

    def look() -> Iterator[Finding]:
        yield FindingCode.OUTSIDE_UNSEEN.found()

    return Examination("network:watcher", look)


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
