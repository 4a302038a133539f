"""Asking the programs of a cluster, which answer nobody without a certificate of the cluster's authority. No dependency.

Promises: who answers is one of the nodes, or the answer is an OSError. The files are read for each use, so that a renewed
certificate counts at once.
"""

from __future__ import annotations

import ssl
import urllib.request
from pathlib import Path

from esteio.cluster._plan import Node, Plan
from esteio.errors import EsteioError

__all__ = ["AUTHORITY", "CERTIFICATE", "KEY", "CertificateMissing", "ask", "context_of", "files_for"]

AUTHORITY, CERTIFICATE, KEY = "ca.crt", "tls.crt", "tls.key"
"""In the configuration directory of each node, beside the plan that `init` wrote, and in the service's directory."""


_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which `ssl` has no name for."""


class CertificateMissing(EsteioError):
    """The programs of a cluster cannot be asked: `path` is not there, or cannot be used, for `why`."""

    def __init__(self, path: Path, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(
            f"{path}: {why}; the cluster's programs answer only who has a certificate: name the cluster.toml that has "
            "ca.crt, tls.crt and tls.key beside it, as `esteio cluster init` writes them, and as an account that reads them"
        )


def files_for(directory: str) -> dict[str, str]:
    """The paths of the three files in `directory`, by what they are."""
    return {
        "authority": f"{directory}/{AUTHORITY}",
        "certificate": f"{directory}/{CERTIFICATE}",
        "key": f"{directory}/{KEY}",
    }


def context_of(plan: Plan, *, ended: bool = False) -> ssl.SSLContext:
    """Who asks, and whom to believe, with `ended` also a node whose certificate has ended; CertificateMissing."""
    place = plan.place or Path(plan.filled(plan.config_dir, plan.nodes[0]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in (place / AUTHORITY, place / CERTIFICATE, place / KEY):
        try:
            path.open("rb").close()
        except OSError as error:
            raise CertificateMissing(path, error.strerror or str(error)) from None
    try:
        context.load_verify_locations(place / AUTHORITY)
        context.load_cert_chain(place / CERTIFICATE, place / KEY)
    except (ssl.SSLError, OSError) as error:
        raise CertificateMissing(place / CERTIFICATE, f"it is not usable with its key: {error}") from None
    if ended:
        context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    return context


def ask(
    context: ssl.SSLContext,
    node: Node,
    port: int,
    path: str,
    within: float,
    *,
    content: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> bytes:
    """What `node` answers at `port` to a GET, or to a POST of `content`; OSError, urllib's HTTPError included."""
    request = urllib.request.Request(f"https://{node.address}:{port}/{path}", data=content, headers=headers or {})
    # Members are never behind a proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with opener.open(request, timeout=within) as answer:
        found: bytes = answer.read()
    return found
