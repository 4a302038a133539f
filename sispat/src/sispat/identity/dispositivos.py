"""Browsers that a person has signed in with before (device cookies, as OWASP describes them).

Promises: strangers who hammer at an account cannot lock its owner out, because the owner's browser carries proof of
an earlier sign-in and has attempts of its own. The proof is for one account, cannot be made without the stored
password hash, and ends when the password changes or after `VALIDADE`. It opens nothing: the password is still asked.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import time

__all__ = ["VALIDADE", "emitir", "juntar", "reconhecer"]

VALIDADE = 180 * 86400  # seconds

_MAXIMO = 4  # accounts that one browser remembers: the counter shared by colleagues
_LONGO = 400  # characters of a whole cookie, at most
_PROVA = re.compile(r"[\w-]{16}\.[0-9a-f]{1,16}\.[\w-]{32}", re.ASCII)
_NINGUEM = "$ninguém"  # in place of the hash of an account that does not exist


def emitir(email: str, senha_hash: str, agora: float | None = None) -> str:
    """Proof that this browser signed in to the account."""
    nome = secrets.token_urlsafe(12)
    emitido = format(int(time.time() if agora is None else agora), "x")
    return f"{nome}.{emitido}.{_selo(email, senha_hash, nome, emitido)}"


def reconhecer(cookie: str, email: str, senha_hash: str | None, agora: float | None = None) -> str | None:
    """The proof in `cookie` that holds for the account, or None; without an account none does, in the same time."""
    agora = time.time() if agora is None else agora
    achada = None
    for prova in _provas(cookie):
        nome, _, resto = prova.partition(".")
        emitido, _, selo = resto.partition(".")
        certo = hmac.compare_digest(_selo(email, senha_hash or _NINGUEM, nome, emitido), selo)
        if certo and senha_hash is not None and _recente(emitido, agora):
            achada = prova
    return achada


def juntar(cookie: str, nova: str, usada: str | None) -> str:
    """The cookie with `nova` in place of the proof that was used, the oldest beyond a few forgotten."""
    outras = [prova for prova in _provas(cookie) if prova != usada]
    return "~".join([nova, *outras][:_MAXIMO])


def _provas(cookie: str) -> list[str]:
    if len(cookie) > _LONGO:
        return []
    return [prova for prova in cookie.split("~") if _PROVA.fullmatch(prova)][:_MAXIMO]


def _recente(emitido: str, agora: float) -> bool:
    # Whoever could seal it wrote the time: it is hexadecimal.
    return agora - int(emitido, 16) < VALIDADE


def _selo(email: str, senha_hash: str, nome: str, emitido: str) -> str:
    chave = hmac.digest(b"dispositivo", senha_hash.encode(), "sha256")
    dito = "\0".join((email, nome, emitido)).encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(hmac.digest(chave, dito, "sha256")[:24]).decode()
