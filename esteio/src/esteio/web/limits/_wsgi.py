"""Rate limits for any WSGI application, such as Flask's and Django's.

Promises: the rules, the headers and the answers of `RateLimits`, decided by the same code; safe under threads. A
request is judged before the application sees it, by its headers alone; what the application returns is passed on
untouched, so streams stay streams. What a rule's own function raises is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from esteio.limit import SyncRateLimiter
from esteio.limit.headers import Language
from esteio.web.limits._outcome import Denial, Fields, Outcome, SyncJudge, added_to, check_language, problem_answer
from esteio.web.limits._rule import Rule
from esteio.web.limits._rules import RuleSet

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication

    WsgiRespond = Callable[[dict[str, Any], Denial], WSGIApplication]

__all__ = ["WsgiRateLimits"]

_STATUS = "429 Too Many Requests"


class WsgiRateLimits:
    """WSGI middleware: `app.wsgi_app = WsgiRateLimits(app.wsgi_app, rules)`.

    `rules`: a `RuleSet`, or rules to make one of. Their functions get an ASGI scope made from the request, in which
    `environ` is WSGI's own. `limiter`: without one, this process' memory counts. `respond`: the answer to a denied
    request, a WSGI application made from environ and denial; its fields are added. `legacy`: the older X-RateLimit-*
    too. `default_language`: of the answer where Accept-Language asks for neither English nor Portuguese.
    """

    def __init__(
        self,
        app: WSGIApplication,
        rules: RuleSet | Iterable[Rule] = (),
        limiter: SyncRateLimiter | None = None,
        *,
        respond: WsgiRespond | None = None,
        legacy: bool = False,
        default_language: Language = "en",
    ) -> None:
        check_language("default_language", default_language)
        self.app = app
        self._judge = SyncJudge(limiter or SyncRateLimiter(), rules if isinstance(rules, RuleSet) else RuleSet(rules))
        self._respond = respond or _problem_response(default_language)
        self._legacy = legacy

    @property
    def rules(self) -> RuleSet:
        """The rules in force; `rules.replace([...])` changes them from the next request on."""
        return self._judge.rules

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Judge the request; pass it on with an answer that tells, or answer it."""
        outcome = self._judge(scope_of(environ))
        if outcome is None:
            return self.app(environ, start_response)
        if outcome.allowed:
            return self.app(environ, _telling(start_response, outcome.fields(self._legacy)))
        return self._deny(outcome, environ, start_response)

    def _deny(self, outcome: Outcome, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        denial = outcome.denial()
        answer = self._respond(environ, denial)
        return answer(environ, _telling(start_response, outcome.fields(self._legacy, denial)))


@dataclass(frozen=True, slots=True)
class _RemoteUser:
    """Whom the server signed in (REMOTE_USER), for `by_user()`."""

    display_name: str
    is_authenticated: bool = True


def scope_of(environ: dict[str, Any]) -> MutableMapping[str, Any]:
    """The ASGI scope of a WSGI request (PEP 3333), as far as rules look at it; `environ` is in it."""
    user = environ.get("REMOTE_USER")
    address = environ.get("REMOTE_ADDR")
    root = environ.get("SCRIPT_NAME", "")
    return {
        "type": "http",
        "method": environ["REQUEST_METHOD"],
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "path": _text(root + environ.get("PATH_INFO", "")),
        "root_path": _text(root),
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "headers": _headers(environ),
        "client": (address, 0) if address else None,  # no rule looks at the port
        "user": _RemoteUser(user) if user else None,
        "environ": environ,
    }


def _text(path: str) -> str:
    """A path as people write it: WSGI hands over its bytes, each as one character."""
    return path.encode("latin-1").decode("utf-8", "replace")


def _headers(environ: dict[str, Any]) -> Fields:
    named = [(name.removeprefix("HTTP_"), value) for name, value in environ.items() if name.startswith("HTTP_")]
    named += [(name, environ[name]) for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)]
    return [(name.replace("_", "-").lower().encode("latin-1"), value.encode("latin-1")) for name, value in named]


def _telling(start_response: StartResponse, fields: Fields) -> StartResponse:
    if not fields:
        return start_response

    def start_with_fields(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
        its = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        told = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in added_to(its, fields)]
        return start_response(status, told, exc_info)

    return start_with_fields


def _problem_response(default_language: Language) -> WsgiRespond:
    def respond(environ: dict[str, Any], denial: Denial) -> WSGIApplication:
        fields, body = problem_answer(denial, environ.get("HTTP_ACCEPT_LANGUAGE", ""), default_language)

        def answer(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
            start_response(_STATUS, [(name.decode(), value.decode()) for name, value in fields])
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

        return answer

    return respond
