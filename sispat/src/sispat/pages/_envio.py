"""What a form sent.

Promises: any bytes can be read: what is no UTF-8 becomes the replacement character, which the fields then
report; line ends are one character. The fields whose name begins with an underscore are ours, not typed.
Raises `DadosInvalidos` where the body is no form, `BodyTooLarge` past the limit.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from sispat.domain.erros import DadosInvalidos

__all__ = ["Envio", "enviado", "ler_envio"]

_SECRETOS = frozenset({"password"})
_CAMPOS_MAXIMO = 200


@dataclass(frozen=True, slots=True)
class Envio:
    """One submission: `valores` as typed, the last one where a name comes twice."""

    valores: dict[str, str]

    @property
    def csrf(self) -> str:
        """The CSRF token the form carried."""
        return self.valores.get("_csrf", "")

    @property
    def chave(self) -> str:
        """What makes a repetition of this submission recognisable; empty where the form has none."""
        return self.valores.get("_chave", "")

    @property
    def rever(self) -> bool:
        """Whether to show the form again, filled, instead of saving."""
        return bool(self.valores.get("_rever") or self.acao)

    @property
    def acao(self) -> str:
        """Which button that only helps to fill in was used; empty for the one that saves."""
        return self.valores.get("_acao", "")

    def digitado(self) -> dict[str, str]:
        """What may be carried on: all but our own fields and secrets."""
        return {n: v for n, v in self.valores.items() if not n.startswith("_") and n not in _SECRETOS}

    def resumo(self, caminho: str) -> bytes:
        """What two submissions share if they are the same: 32 bytes."""
        partes = [caminho, *(parte for par in sorted(self.digitado().items()) for parte in par)]
        return hashlib.sha256("\0".join(f"{len(parte)}:{parte}" for parte in partes).encode()).digest()


async def ler_envio(request: Request) -> Envio:
    """The submission of `request`, also kept for whoever has to show it again (`enviado`), or to do it again."""
    lido = enviado(request)
    if lido is not None:
        return lido
    tipo = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if tipo == "application/x-www-form-urlencoded":
        pares = _pares(await request.body())
    elif tipo == "multipart/form-data":
        pares = await _partes(request)
    else:
        raise DadosInvalidos({"corpo": "Envie um formulário (application/x-www-form-urlencoded)."})
    envio = Envio({_linhas(nome): _linhas(valor) for nome, valor in pares})
    if len(envio.valores) > _CAMPOS_MAXIMO:
        raise DadosInvalidos({"corpo": f"Campos demais: {len(envio.valores)}; o limite é {_CAMPOS_MAXIMO}."})
    request.state.envio = envio
    return envio


def enviado(request: Request) -> Envio | None:
    """What this request submitted, if it got as far as being read."""
    envio: Envio | None = getattr(request.state, "envio", None)
    return envio


def _pares(corpo: bytes) -> Iterable[tuple[str, str]]:
    for par in corpo.split(b"&"):
        if par:
            nome, _, valor = par.partition(b"=")
            yield _texto(nome), _texto(valor)


def _texto(codificado: bytes) -> str:
    return unquote_to_bytes(codificado.replace(b"+", b" ")).decode("utf-8", "replace")


def _linhas(texto: str) -> str:
    return texto.replace("\r\n", "\n").replace("\r", "\n")


async def _partes(request: Request) -> list[tuple[str, str]]:
    # Read as latin-1, which loses nothing, and then as what it should be: Starlette would guess instead.
    cabecalhos = Headers({"content-type": f"{request.headers['content-type']}; charset=latin-1"})

    async def fluxo() -> AsyncIterator[bytes]:
        async for pedaco in request.stream():
            yield pedaco

    try:
        formulario = await MultiPartParser(cabecalhos, fluxo(), max_files=0, max_fields=_CAMPOS_MAXIMO).parse()  # type: ignore[arg-type]
    except (MultiPartException, KeyError) as erro:
        raise DadosInvalidos({"corpo": "O formulário enviado está malformado."}) from erro
    return [
        (nome.encode("latin-1").decode("utf-8", "replace"), valor.encode("latin-1").decode("utf-8", "replace"))
        for nome, valor in formulario.multi_items()
        if isinstance(valor, str)
    ]
