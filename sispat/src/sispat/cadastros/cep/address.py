"""What ViaCEP says, believed only where it makes sense. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

from sispat.cadastros.cep.errors import ViacepFailed
from sispat.kernel.brazil import normal_cep

__all__ = ["PostalAddress", "read"]

_LONGEST = 200  # characters of one field


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """A street, or only a city where the whole city has one CEP: then `logradouro` and `bairro` are empty."""

    cep: str
    logradouro: str
    bairro: str
    cidade: str
    uf: str


def read(body: bytes, cep: str) -> PostalAddress | None:
    """The address in the JSON of `body`, None where it says that `cep` is unknown; raises `ViacepFailed`."""
    try:
        data = orjson.loads(body)
    except ValueError:
        raise ViacepFailed("a resposta não é JSON") from None
    if not isinstance(data, dict):
        raise ViacepFailed("a resposta não é um objeto JSON")
    if str(data.get("erro", "")).lower() == "true":
        return None
    address = PostalAddress(
        normal_cep(_text(data, "cep")) or "",
        _text(data, "logradouro"),
        _text(data, "bairro"),
        _text(data, "localidade"),
        _text(data, "uf"),
    )
    if address.cep != cep or not address.cidade or not re.fullmatch("[A-Z]{2}", address.uf):
        raise ViacepFailed("a resposta não é o endereço pedido")
    return address


def _text(data: dict[str, object], field: str) -> str:
    value = data.get(field)
    text = " ".join(value.split()) if isinstance(value, str) else None
    if text is None or len(text) > _LONGEST or not text.isprintable() or "\ufffd" in text:
        raise ViacepFailed(f"o campo {field} da resposta não é um texto aceitável")
    return text
