"""Errors as HTTP: from error to status, problem+json (RFC 9457) for the API.

Promises: everything the service raises on purpose has a row here or in its slice; what has not is a 500 that names
the request and nothing else - the server logs the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Scope

from esteio import EsteioError
from esteio.limit.headers import PROBLEM_TYPE, problem
from esteio.outage_log import OutageLog, OutageWords
from esteio.postgres import CommitUnknown, LockTimeout, OutOfResources, PoolExhausted, StatementTimeout
from esteio.web import BodyTooLarge
from esteio.web.limits import Denial
from sispat.http.maintenance import UnderMaintenance
from sispat.http.session import request_id_of
from sispat.kernel import errors
from sispat.kernel.files import ContentMissing, FileRefused, InspectionBusy, NoRoom, StoreAway
from sispat.kernel.i18n import _, language, lazy, primary
from sispat.kernel.pdf import PdfBusy, PdfFailed
from sispat.kernel.sealing import Unopened

__all__ = ["Problem", "is_for_programs", "limit_problem", "problem_of", "problem_response"]

_logger = logging.getLogger("sispat.erros")
# An outage of the database hits every request: the log counts them instead of a line for each.
_outage = OutageLog(
    _logger,
    words=OutageWords(
        begin="{kind}: {message}; os seguintes são contados",
        during="{kind}: mais {count}, {total} em {seconds:.0f} s; o último: {message}",
        end="{kind}: passou depois de {seconds:.0f} s, {total} pedidos ao todo",
    ),
)

# The status of each of the kernel's errors, and the title of the page that shows it.
_STATUSES: dict[type[errors.SispatError], tuple[int, str]] = {
    errors.NotAuthenticated: (401, lazy("Entre para continuar")),
    errors.AccessEnded: (401, lazy("Acesso terminado")),
    errors.KeyRefused: (401, lazy("Chave recusada")),
    errors.NotPermitted: (403, lazy("Sem permissão")),
    errors.StepPending: (403, lazy("Falta um passo")),
    errors.ForgedRequest: (403, lazy("Pedido não confirmado")),
    errors.NotFound: (404, lazy("Não encontrado")),
    errors.VersionConflict: (412, lazy("Alterado por outra pessoa")),
    errors.VersionRequired: (428, lazy("Falta a versão")),
    errors.InUse: (409, lazy("Em uso")),
    errors.KeyReused: (422, lazy("Chave já usada")),
    errors.InvalidData: (422, lazy("Confira os dados")),
    PdfFailed: (503, lazy("Documento indisponível")),
    PdfBusy: (503, lazy("Muitos documentos agora")),
    Unopened: (503, lazy("Segundo fator indisponível")),
    FileRefused: (422, lazy("Arquivo não aceito")),
    NoRoom: (503, lazy("Disco cheio")),
    InspectionBusy: (503, lazy("Muitos pedidos agora")),
    ContentMissing: (503, lazy("Conteúdo ausente")),
    StoreAway: (503, lazy("Documentos indisponíveis")),
}
_BY_HTTP = {
    400: ("pedido-malformado", lazy("Pedido malformado"), lazy("O pedido não pôde ser entendido.")),
    404: (
        "nao-encontrado",
        lazy("Página não encontrada"),
        lazy("Este endereço não existe. Confira-o ou volte ao início."),
    ),
    405: ("metodo-nao-aceito", lazy("Método não aceito"), lazy("Este endereço não aceita esse método.")),
    413: ("grande-demais", lazy("Grande demais"), lazy("O que foi enviado passa do limite.")),
}


class Problem:
    """What went wrong, ready to be shown: to programs as problem+json, to people as a page.

    `type_`: a registered problem type.
    """

    __slots__ = ("code", "extras", "headers", "message", "status", "title", "type")

    def __init__(
        self, status: int, code: str, title: str, message: str, *,
        extras: dict[str, Any] | None = None, headers: dict[str, str] | None = None,
        type_: str = "",
    ) -> None:  # fmt: skip
        self.status = status
        self.code = code
        self.title = title
        self.message = message
        self.extras = extras or {}
        self.headers = headers or {}
        self.type = type_ or f"urn:sispat:erro:{code}"


Shown = Mapping[type[errors.SispatError], Callable[[Any], Problem]]
"""How slices show errors of their own."""


def problem_of(error: Exception, own: Shown | None = None, *, reading: bool = False) -> Problem:
    """`error` as a `Problem`, those of slices as `own` says; the unexpected is logged here.

    `reading`: the request could not have saved anything, so that nothing is said about saving.
    """
    if isinstance(error, errors.SispatError):
        if own is not None and type(error) in own:
            return own[type(error)](error)
        return _maintenance(error) if isinstance(error, UnderMaintenance) else _ours(error)
    if isinstance(error, BodyTooLarge):
        limit = f"{error.limit // 1024} KiB"
        return Problem(
            413, "grande-demais", _("Grande demais"), _("O que foi enviado passa do limite de %(limit)s.", limit=limit)
        )
    if isinstance(error, EsteioError):
        return _by_database(error, reading)
    if isinstance(error, ClientDisconnect):
        return Problem(
            499, "desconectado", _("Conexão interrompida"), _("O pedido não chegou inteiro e não foi atendido.")
        )
    if isinstance(error, UnicodeDecodeError):
        return _ours(errors.InvalidData({"corpo": _("O conteúdo enviado não é UTF-8 válido.")}))
    if isinstance(error, HTTPException):
        if isinstance(error.__cause__, EsteioError | UnicodeDecodeError):
            return problem_of(
                error.__cause__, reading=reading
            )  # FastAPI says "error parsing the body" to whatever reading it raised
        code, title, message = _BY_HTTP.get(error.status_code, ("erro-http", _("Não deu certo"), str(error.detail)))
        return Problem(error.status_code, code, title, message, headers=dict(error.headers or {}))
    return Problem(
        500, "erro-interno", _("Algo falhou do nosso lado"),
        _("O erro foi registrado. Tente de novo; se continuar, informe o número da requisição ao suporte."),
    )  # fmt: skip


def _by_database(error: EsteioError, reading: bool) -> Problem:
    nothing = "" if reading else _("Nada foi gravado.")
    again = _("Tente de novo em instantes.")
    if isinstance(error, StatementTimeout):
        return Problem(
            503, "demorou-demais", _("Demorou demais"),
            _sentences(
                _("O banco de dados levou tempo demais e interrompeu o pedido."),
                nothing, _("Refine a busca ou tente de novo.") if reading else again,
            ),
            headers={"Retry-After": "5"},
        )  # fmt: skip
    if isinstance(error, CommitUnknown):
        _logger.error("gravação incerta: %s", error)
        return Problem(
            503, "gravacao-incerta", _("Confira antes de repetir"),
            _("A conexão com o banco de dados caiu na hora de gravar. Confira se a alteração foi feita antes de repeti-la."),
        )  # fmt: skip
    if isinstance(error, LockTimeout):
        return Problem(
            503, "em-uso-agora", _("Em uso neste instante"),
            _sentences(_("Estes dados estão sendo alterados por outra operação."), nothing, again),
            headers={"Retry-After": "1"},
        )  # fmt: skip
    if isinstance(error, PoolExhausted):
        _outage.failed("ocupado", error)
        return Problem(
            503, "ocupado", _("Muitos pedidos agora"),
            _sentences(_("Há pedidos demais ao mesmo tempo, e este não chegou a ser atendido."), nothing, again),
            headers={"Retry-After": str(max(1, round(error.retry_after or 1)))},
        )  # fmt: skip
    if isinstance(error, OutOfResources):
        return _short_of(error, nothing)
    _outage.failed("indisponível", error)
    return Problem(
        503, "indisponivel", _("Um momento, por favor"),
        _sentences(
            _("O banco de dados não está respondendo."), again if reading else _("Nada se perdeu: tente de novo em instantes.")
        ),
        headers={"Retry-After": str(max(1, round(error.retry_after or 1)))},
    )  # fmt: skip


def _sentences(*each: str) -> str:
    return " ".join(filter(None, each))


_DISK_FULL = "53100"


def _short_of(error: OutOfResources, nothing: str) -> Problem:
    _outage.failed("sem recursos", error)
    full = error.sqlstate == _DISK_FULL
    what = _("O disco do banco de dados está cheio.") if full else _("Faltam recursos ao servidor do banco de dados.")
    return Problem(
        503, "disco-cheio" if full else "sem-recursos", _("Disco cheio") if full else _("Servidor sem recursos"),
        _sentences(what, nothing, _("Avise quem cuida do servidor; depois, tente de novo.")),
        headers={"Retry-After": "60" if full else "5"},
    )  # fmt: skip


def _ours(error: errors.SispatError) -> Problem:
    status, title = _STATUSES.get(type(error), (400, _("Não deu certo")))
    extras: dict[str, Any] = {}
    headers: dict[str, str] = {}
    if isinstance(error, errors.InvalidData):
        extras["errors"] = [{"field": field, "message": sentence} for field, sentence in error.fields.items()]
    elif isinstance(error, errors.VersionConflict):
        extras |= {"current": error.current, "sent": error.sent}
    elif isinstance(error, errors.StepPending):
        extras |= {"step": error.step, "page": error.page}
    elif isinstance(error, errors.NotAuthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, NoRoom | InspectionBusy | StoreAway):
        headers["Retry-After"] = "60" if isinstance(error, NoRoom) else "5"
    return Problem(status, error.code, title, error.message, extras=extras, headers=headers)


def limit_problem(denial: Denial) -> Problem:
    """A request that the limits let not pass; who answers adds the fields that tell of them."""
    told = problem(denial.denied, denial.retry_after, primary())
    return Problem(
        429, "limite-excedido", told["title"], told["detail"],
        extras={name: told[name] for name in ("violated-policies", "retry-after") if name in told}, type_=PROBLEM_TYPE,
    )  # fmt: skip


def _maintenance(error: UnderMaintenance) -> Problem:
    return Problem(
        503, error.code, _("Em manutenção"), error.message,
        extras={"since": error.since, "until": error.until, "reason": error.reason},
        headers={"Retry-After": str(error.wait)},
    )  # fmt: skip


def is_for_programs(scope: Scope) -> bool:
    """Whether who asks there is told of problems as JSON, and not by a page."""
    path: str = scope["path"]
    return path.startswith(("/api", "/metrics"))


def problem_response(request: Request, found: Problem) -> Response:
    """`found` as application/problem+json."""
    body = {
        "type": found.type,
        "title": str(found.title),
        "status": found.status,
        "detail": str(found.message),
        "instance": request.url.path,
        "code": found.code,
        "request_id": request_id_of(request),
        **found.extras,
        # What the API called them before it spoke English; for one release.
        "codigo": found.code,
        "requisicao": request_id_of(request),
    }
    headers = {**found.headers, "Cache-Control": "no-store", "Content-Language": language()}
    return Response(orjson.dumps(body, default=str), found.status, headers, "application/problem+json")
