"""A `Check` for each kind of probe."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Awaitable, Callable

from esteio.clock import SYSTEM, Clock
from esteio.health import Check, Unwell, checks
from esteio.watch._config import DnsProbe, HttpProbe, PostgresProbe, Probe, TcpProbe, TlsProbe
from esteio.watch._probes._client import verifying
from esteio.watch._probes._http import ask_http

__all__ = ["check_of", "in_words"]

_WORDS = {
    errno.ECONNREFUSED: "the connection was refused",
    errno.ECONNRESET: "the connection was cut",
    errno.EPIPE: "the connection was cut",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "the network is unreachable",
    errno.ETIMEDOUT: "the host does not answer",
}


def check_of(probe: Probe, clock: Clock = SYSTEM) -> Check:
    """What asks `probe`; ExtraMissing where it needs a driver that is not installed."""
    ask, unit = _asking(probe, clock)

    async def probing() -> float:
        try:
            return await ask()
        except ssl.SSLCertVerificationError as error:
            raise Unwell(f"the certificate is refused: {error.verify_message}") from error
        except (OSError, ValueError) as error:
            if isinstance(error, TimeoutError) and error.errno is None:
                raise
            raise Unwell(in_words(error)) from error

    return Check(probe.name, probing, unit=unit, timeout=probe.timeout, cache=0.0, clock=clock)


def in_words(error: OSError | ValueError) -> str:
    """What happened, without an address."""
    if isinstance(error, socket.gaierror):
        return "the name cannot be resolved"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'the connection was cut'}"
    if isinstance(error, OSError) and error.errno is not None:
        return _WORDS.get(error.errno, errno.errorcode.get(error.errno, "the connection failed"))
    return str(error)  # our own words


def _asking(probe: Probe, clock: Clock) -> tuple[Callable[[], Awaitable[float]], str]:
    match probe:
        case HttpProbe():
            verifying(probe.authority)  # a file that is missing is said at once
            return lambda: ask_http(probe, clock), "ms"
        case TcpProbe():
            return checks.tcp(*probe.address, name=probe.name, timeout=probe.timeout).probe, "ms"
        case TlsProbe():
            context = verifying(probe.authority)
            tls = checks.tls(
                *probe.address, name=probe.name, warn_below=probe.warn, fail_below=probe.fail, context=context,
                timeout=probe.timeout, server_name=probe.server_name,
            )  # fmt: skip
            return tls.probe, "days"
        case DnsProbe():
            from esteio.watch._probes._dns import ask_dns  # its library, only where it is asked

            return lambda: ask_dns(probe), "ms"
        case PostgresProbe():
            from esteio.watch._probes._postgres import ask_postgres

            return lambda: ask_postgres(probe), "ms"
    raise AssertionError(probe)
