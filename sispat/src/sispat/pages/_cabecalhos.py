"""Headers of every page: what the browser may load, keep and tell others."""

from __future__ import annotations

__all__ = ["PESSOAL", "SEGURANCA"]

SEGURANCA = {
    "Content-Security-Policy": "default-src 'self'; script-src 'none'; style-src 'self'; object-src 'none'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
PESSOAL = {**SEGURANCA, "Cache-Control": "no-store"}
