"""Everything that can go wrong for a reason the user can understand.

Promises: each error has a stable `code` (for programs), a message in Portuguese made from its fields
(for people) and never a secret. HTTP knows how to show each of them; nothing else has to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "ForgedRequest",
    "InUse",
    "InvalidData",
    "KeyRefused",
    "KeyReused",
    "NotAuthenticated",
    "NotFound",
    "NotPermitted",
    "SispatError",
    "StepPending",
    "VersionConflict",
    "VersionRequired",
]


class SispatError(Exception):
    """Base of all errors of the service."""

    code = "erro"

    @property
    def message(self) -> str:
        """The sentence shown to the user."""
        return str(self)


class NotAuthenticated(SispatError):
    """Nobody is signed in, the session ended, or the credentials are wrong."""

    code = "nao-autenticado"

    def __init__(self, message: str = "Entre com o seu e-mail e a sua senha para continuar.") -> None:
        super().__init__(message)


class KeyRefused(NotAuthenticated):
    """The API key is unknown, revoked or expired, or its integration was retired: the four look the same from outside."""

    code = "chave-recusada"

    def __init__(self) -> None:
        super().__init__(
            "A chave da API não existe, venceu ou foi revogada, ou a integração foi desativada. Peça outra a um administrador."
        )


class NotPermitted(SispatError):
    """The role does not allow it."""

    code = "sem-permissao"

    def __init__(self, *, acao: str, papel: str) -> None:
        self.acao, self.papel = acao, papel
        super().__init__(
            f"O papel “{papel}” não permite “{acao}”. Peça a um gestor ou administrador do patrimônio.",
        )


class StepPending(SispatError):
    """Something has to be done first; `page` is where."""

    code = "passo-pendente"

    def __init__(self, step: str) -> None:
        self.step = step
        self.page, message = _STEPS[step]
        super().__init__(message)


_STEPS = {
    "senha": ("/conta/senha", "A sua senha é provisória. Troque-a por uma que só você conheça para continuar."),
    "codigo": ("/entrar/codigo", "Falta o código do segundo fator."),
    "fator": ("/conta/segundo-fator", "O seu papel exige um segundo fator. Cadastre-o para continuar."),
}


class ForgedRequest(SispatError):
    """The CSRF token is missing or wrong: the request may come from another site."""

    code = "csrf"

    def __init__(self) -> None:
        super().__init__(
            "Não foi possível confirmar que este pedido veio da sua tela. Nada foi gravado: confira os dados e envie de novo.",
        )


class NotFound(SispatError):
    """It does not exist, or lies outside the reach of who asks: the two look the same from outside."""

    code = "nao-encontrado"

    def __init__(self, o_que: str, chave: object) -> None:
        self.o_que, self.chave = o_que, chave
        super().__init__(f"{o_que} “{chave}” não existe ou não está ao seu alcance.")


class InvalidData(SispatError):
    """Fields that cannot be accepted: `fields` maps each to what is wrong and what is allowed."""

    code = "dados-invalidos"

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        super().__init__("Confira: " + "; ".join(f"{field}: {error}" for field, error in self.fields.items()))


class VersionConflict(SispatError):
    """Somebody saved in between: `current` is what is stored now, `sent` what was being saved."""

    code = "versao-desatualizada"

    def __init__(self, o_que: str, *, current: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
        self.o_que, self.current, self.sent = o_que, dict(current), dict(sent)
        super().__init__(
            f"{o_que} foi alterado por outra pessoa enquanto você editava "
            f"(a versão gravada é a {self.current.get('versao')}). Compare as duas versões e salve de novo.",
        )


class VersionRequired(SispatError):
    """A change came without the version it was made from: it could overwrite what nobody has seen."""

    code = "versao-necessaria"

    def __init__(self) -> None:
        super().__init__('Envie o cabeçalho If-Match com a versão que você leu, como "3" ou o ETag inteiro.')


class InUse(SispatError):
    """It cannot be removed because something refers to it."""

    code = "em-uso"

    def __init__(self, o_que: str, nome: str) -> None:
        self.o_que, self.nome = o_que, nome
        super().__init__(f"{o_que} “{nome}” está em uso e não pode ser excluído. Desative-o em vez disso.")


class KeyReused(SispatError):
    """An Idempotency-Key came again with a different request."""

    code = "chave-reutilizada"

    def __init__(self, chave: str) -> None:
        self.chave = chave
        super().__init__(f"A Idempotency-Key “{chave}” já foi usada com outro conteúdo. Use uma chave nova.")
