"""Everything that can go wrong for a reason the user can understand.

Promises: each error has a stable `codigo` (for programs), a message in Portuguese made from its fields
(for people) and never a secret. HTTP knows how to show each of them; nothing else has to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "ChaveReutilizada",
    "Conflito",
    "DadosInvalidos",
    "EmUso",
    "NaoAutenticado",
    "NaoEncontrado",
    "PedidoForjado",
    "SemPermissao",
    "SispatError",
]


class SispatError(Exception):
    """Base of all errors of the service."""

    codigo = "erro"

    @property
    def mensagem(self) -> str:
        """The sentence shown to the user."""
        return str(self)


class NaoAutenticado(SispatError):
    """Nobody is signed in, the session ended, or the credentials are wrong."""

    codigo = "nao-autenticado"

    def __init__(self, mensagem: str = "Entre com o seu e-mail e a sua senha para continuar.") -> None:
        super().__init__(mensagem)


class SemPermissao(SispatError):
    """The role does not allow it."""

    codigo = "sem-permissao"

    def __init__(self, *, acao: str, papel: str) -> None:
        self.acao, self.papel = acao, papel
        super().__init__(
            f"O papel “{papel}” não permite “{acao}”. Peça a um gestor ou administrador do patrimônio.",
        )


class PedidoForjado(SispatError):
    """The CSRF token is missing or wrong: the request may come from another site."""

    codigo = "csrf"

    def __init__(self) -> None:
        super().__init__(
            "Não foi possível confirmar que este pedido veio da sua tela. Nada foi gravado: confira os dados e envie de novo.",
        )


class NaoEncontrado(SispatError):
    """It does not exist, or lies outside the reach of who asks: the two look the same from outside."""

    codigo = "nao-encontrado"

    def __init__(self, o_que: str, chave: object) -> None:
        self.o_que, self.chave = o_que, chave
        super().__init__(f"{o_que} “{chave}” não existe ou não está ao seu alcance.")


class DadosInvalidos(SispatError):
    """Fields that cannot be accepted: `campos` maps each to what is wrong and what is allowed."""

    codigo = "dados-invalidos"

    def __init__(self, campos: Mapping[str, str]) -> None:
        self.campos = dict(campos)
        super().__init__("Confira: " + "; ".join(f"{campo}: {erro}" for campo, erro in self.campos.items()))


class Conflito(SispatError):
    """Somebody saved in between: `atual` is what is stored now, `enviado` what was being saved."""

    codigo = "versao-desatualizada"

    def __init__(self, o_que: str, *, atual: Mapping[str, Any], enviado: Mapping[str, Any]) -> None:
        self.o_que, self.atual, self.enviado = o_que, dict(atual), dict(enviado)
        super().__init__(
            f"{o_que} foi alterado por outra pessoa enquanto você editava "
            f"(a versão gravada é a {self.atual.get('versao')}). Compare as duas versões e salve de novo.",
        )


class EmUso(SispatError):
    """It cannot be removed because something refers to it."""

    codigo = "em-uso"

    def __init__(self, o_que: str, nome: str) -> None:
        self.o_que, self.nome = o_que, nome
        super().__init__(f"{o_que} “{nome}” está em uso e não pode ser excluído. Desative-o em vez disso.")


class ChaveReutilizada(SispatError):
    """An Idempotency-Key came again with a different request."""

    codigo = "chave-reutilizada"

    def __init__(self, chave: str) -> None:
        self.chave = chave
        super().__init__(f"A Idempotency-Key “{chave}” já foi usada com outro conteúdo. Use uma chave nova.")
