"""A probe of a name server."""

from __future__ import annotations

import time

from esteio.extras import needs
from esteio.health import Unwell
from esteio.watch._config import DnsProbe

with needs("watch"):
    import dns.asyncresolver
    import dns.exception
    import dns.resolver

__all__ = ["ask_dns"]


async def ask_dns(probe: DnsProbe) -> float:
    """Milliseconds until the answer was there."""
    resolver = dns.asyncresolver.Resolver(configure=probe.server is None)
    if probe.server is not None:
        resolver.nameservers, resolver.port = [probe.server[0]], probe.server[1]
    resolver.lifetime = resolver.timeout = probe.timeout
    began = time.perf_counter()
    try:
        answer = await resolver.resolve(probe.query, probe.type, search=False)
    except dns.resolver.NXDOMAIN:
        raise Unwell("the name does not exist") from None
    except dns.resolver.NoAnswer:
        raise Unwell(f"the name has no {probe.type} record") from None
    except dns.resolver.NoNameservers:
        raise Unwell("no name server could answer") from None
    except dns.exception.Timeout:
        raise TimeoutError from None
    taken = (time.perf_counter() - began) * 1000
    found = {_plain(record.to_text()) for record in answer}
    if lacking := [each for each in probe.expect if _plain(each) not in found]:
        raise Unwell(f"{len(lacking)} of the {len(probe.expect)} expected answers are missing", observed=taken)
    return taken


def _plain(text: str) -> str:
    """The same with or without the quotes of a text and the dot after a name."""
    return text.strip('"').rstrip(".").lower()
