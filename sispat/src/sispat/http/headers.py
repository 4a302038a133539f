"""Headers of answers: what the browser may load, keep, frame and tell others. The one place for all of them."""

from __future__ import annotations

__all__ = ["EVERY_ANSWER", "HSTS", "PAGE_HEADERS", "PRIVATE_HEADERS"]

EVERY_ANSWER = {
    # Data, errors, files: nothing in them is to be run or framed, also when somebody opens them as a page.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Vary": "Accept-Encoding",
}
"""Of each answer that does not say otherwise (`http.edge`)."""

HSTS = "max-age=31536000"
"""A year (RFC 6797), where the page came by TLS; of subdomains nothing is said, because they are not ours to decide on."""

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self'; style-src 'self'; object-src 'none'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
}
PRIVATE_HEADERS = {**PAGE_HEADERS, "Cache-Control": "no-store"}
