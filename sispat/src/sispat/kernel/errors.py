"""Everything that can go wrong for a reason the user can understand.

Promises: each error has a stable `code` (for programs), a message made from its fields
(for people, in the language of whoever met it) and never a secret. HTTP knows how to show each of them; nothing else has to.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sispat.kernel.i18n import _, lazy

__all__ = [
    "AccessEnded",
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

    def __init__(self, message: str = lazy("Entre com o seu e-mail e a sua senha para continuar.")) -> None:
        super().__init__(message)


class AccessEnded(NotAuthenticated):
    """The account was good until a day, which is over."""

    code = "acesso-terminado"

    def __init__(self, day: dt.date) -> None:
        self.day = day
        super().__init__(
            _(
                "O acesso desta conta terminou em %(day)s. Se ainda precisar dele, peça a um administrador que o prolongue.",
                day=f"{day:%d/%m/%Y}",
            )
        )


class KeyRefused(NotAuthenticated):
    """The API key is unknown, revoked or expired, or its integration may not enter: they look the same from outside."""

    code = "chave-recusada"

    def __init__(self) -> None:
        super().__init__(
            _(
                "A chave da API não existe, venceu ou foi revogada, ou a integração foi desativada ou o acesso dela terminou. "
                "Peça outra a um administrador."
            )
        )


class NotPermitted(SispatError):
    """The role does not allow it."""

    code = "sem-permissao"

    def __init__(self, *, acao: str, what: str, papel: str) -> None:
        self.acao, self.what, self.papel = acao, what, papel
        super().__init__(
            _(
                "O papel “%(role)s” não permite %(action)s. Peça a um gestor ou administrador do patrimônio.",
                role=papel,
                action=what,
            ),
        )


class StepPending(SispatError):
    """Something has to be done first; `page` is where."""

    code = "passo-pendente"

    def __init__(self, step: str) -> None:
        self.step = step
        self.page, message = _STEPS[step]
        super().__init__(message)


_STEPS = {
    "senha": ("/conta/senha", lazy("A sua senha é provisória. Troque-a por uma que só você conheça para continuar.")),
    "codigo": ("/entrar/codigo", lazy("Falta o código do segundo fator.")),
    "fator": ("/conta/segundo-fator", lazy("O seu papel exige um segundo fator. Cadastre-o para continuar.")),
}


class ForgedRequest(SispatError):
    """The CSRF token is missing or wrong: the request may come from another site."""

    code = "csrf"

    def __init__(self) -> None:
        super().__init__(
            _(
                "Não foi possível confirmar que este pedido veio da sua tela. "
                "Nada foi gravado: confira os dados e envie de novo."
            ),
        )


class NotFound(SispatError):
    """It does not exist, or lies outside the reach of who asks: the two look the same from outside."""

    code = "nao-encontrado"

    def __init__(self, o_que: str, chave: object) -> None:
        self.o_que, self.chave = o_que, chave
        super().__init__(_("%(what)s “%(key)s” não existe ou não está ao seu alcance.", what=o_que, key=chave))


class InvalidData(SispatError):
    """Fields that cannot be accepted: `fields` maps each to what is wrong and what is allowed."""

    code = "dados-invalidos"

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        super().__init__(_("Confira:") + " " + "; ".join(f"{field}: {error}" for field, error in self.fields.items()))


class VersionConflict(SispatError):
    """Somebody saved `nome` in between: `current` is what is stored now, `sent` what was being saved."""

    code = "versao-desatualizada"

    def __init__(self, o_que: str, nome: str, *, current: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
        self.o_que, self.nome, self.current, self.sent = o_que, nome, dict(current), dict(sent)
        super().__init__(
            _(
                "%(what)s “%(name)s” foi alterado por outra pessoa enquanto você editava (a versão gravada é a %(version)s). "
                "Compare as duas versões e salve de novo.",
                what=o_que,
                name=nome,
                version=self.current.get("versao"),
            )
        )


class VersionRequired(SispatError):
    """A change came without the version it was made from: it could overwrite what nobody has seen."""

    code = "versao-necessaria"

    def __init__(self) -> None:
        super().__init__(_('Envie o cabeçalho If-Match com a versão que você leu, como "3" ou o ETag inteiro.'))


class InUse(SispatError):
    """It cannot be removed because something refers to it."""

    code = "em-uso"

    def __init__(self, o_que: str, nome: str) -> None:
        self.o_que, self.nome = o_que, nome
        super().__init__(
            _(
                "%(what)s “%(name)s” está em uso e não pode ser excluído. Desative-o em vez disso.",
                what=o_que,
                name=nome,
            )
        )


class KeyReused(SispatError):
    """An Idempotency-Key came again with a different request."""

    code = "chave-reutilizada"

    def __init__(self, chave: str) -> None:
        self.chave = chave
        super().__init__(
            _("A Idempotency-Key “%(key)s” já foi usada com outro conteúdo. Use uma chave nova.", key=chave)
        )
