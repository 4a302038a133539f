"""Headers of every page: what the browser may load, keep and tell others."""

from __future__ import annotations

__all__ = ["PRIVATE_HEADERS", "SECURITY_HEADERS"]

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'none'; style-src 'self'; object-src 'none'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
PRIVATE_HEADERS = {**SECURITY_HEADERS, "Cache-Control": "no-store"}
