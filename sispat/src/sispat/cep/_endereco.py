"""What ViaCEP says, believed only where it makes sense. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

from sispat.cep._erros import FalhaDoViacep
from sispat.domain.enderecos import cep_normal

__all__ = ["Endereco", "ler"]

_MAXIMO = 200  # characters of one field


@dataclass(frozen=True, slots=True)
class Endereco:
    """A street, or only a city where the whole city has one CEP: then `logradouro` and `bairro` are empty."""

    cep: str
    logradouro: str
    bairro: str
    cidade: str
    uf: str


def ler(corpo: bytes, cep: str) -> Endereco | None:
    """The address in the JSON of `corpo`, None where it says that `cep` is unknown; raises `FalhaDoViacep`."""
    try:
        dados = orjson.loads(corpo)
    except ValueError:
        raise FalhaDoViacep("a resposta não é JSON") from None
    if not isinstance(dados, dict):
        raise FalhaDoViacep("a resposta não é um objeto JSON")
    if str(dados.get("erro", "")).lower() == "true":
        return None
    endereco = Endereco(
        cep_normal(_texto(dados, "cep")) or "",
        _texto(dados, "logradouro"),
        _texto(dados, "bairro"),
        _texto(dados, "localidade"),
        _texto(dados, "uf"),
    )
    if endereco.cep != cep or not endereco.cidade or not re.fullmatch("[A-Z]{2}", endereco.uf):
        raise FalhaDoViacep("a resposta não é o endereço pedido")
    return endereco


def _texto(dados: dict[str, object], campo: str) -> str:
    valor = dados.get(campo)
    texto = " ".join(valor.split()) if isinstance(valor, str) else None
    if texto is None or len(texto) > _MAXIMO or not texto.isprintable() or "\ufffd" in texto:
        raise FalhaDoViacep(f"o campo {campo} da resposta não é um texto aceitável")
    return texto
