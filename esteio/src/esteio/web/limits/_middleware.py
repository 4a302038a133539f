"""Rate limits for any ASGI application.

Promises: a request is judged before the application sees it, by its headers alone: bodies are neither read nor kept,
streams and websockets pass untouched, lifespan is not ours. Answers say how the limits stand; a denied request is
answered 429 with `Retry-After`. Rules can be replaced while it runs. What a rule's own function raises is raised: an
error of the program is not a reason to let everybody in, or to lock everybody out in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from esteio.limit import RateLimiter
from esteio.limit.headers import Language
from esteio.web.limits._outcome import Denial, Fields, Judge, Outcome, added_to, check_language, problem_answer
from esteio.web.limits._rule import Rule
from esteio.web.limits._rules import RuleSet

__all__ = ["RateLimits", "Respond", "problem_response"]

Respond = Callable[[Scope, Denial], ASGIApp]

_DENIAL_RESPONSE = "websocket.http.response"  # the ASGI extension that lets a handshake be refused with a status
_TRY_AGAIN_LATER = 1013  # WebSocket close code


class RateLimits:
    """ASGI middleware.

    `rules`: a `RuleSet`, or rules to make one of. `limiter`: without one, this process' memory counts. `respond`: the
    answer to a denied request, an ASGI application made from scope and denial; its fields are added. `legacy`: the
    older X-RateLimit-* too. `default_language`: of the answer where Accept-Language asks for neither English nor
    Portuguese.
    """

    def __init__(
        self,
        app: ASGIApp,
        rules: RuleSet | Iterable[Rule] = (),
        limiter: RateLimiter | None = None,
        *,
        respond: Respond | None = None,
        legacy: bool = False,
        default_language: Language = "en",
    ) -> None:
        check_language("default_language", default_language)
        self.app = app
        self._judge = Judge(limiter or RateLimiter(), rules if isinstance(rules, RuleSet) else RuleSet(rules))
        self._respond = respond or problem_response(default_language)
        self._legacy = legacy

    @property
    def rules(self) -> RuleSet:
        """The rules in force; assign rules to replace them from the next request on."""
        return self._judge.rules

    @rules.setter
    def rules(self, rules: RuleSet | Iterable[Rule]) -> None:
        if isinstance(rules, RuleSet):
            self._judge.rules = rules
        else:
            self._judge.rules.replace(rules)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge the request; pass it on with an answer that tells, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        outcome = await self._judge(scope)
        if outcome is None:
            await self.app(scope, receive, send)
        elif outcome.allowed:
            await self.app(scope, receive, _telling(send, outcome.fields(self._legacy)))
        else:
            await self._deny(outcome, scope, receive, send)

    async def _deny(self, outcome: Outcome, scope: Scope, receive: Receive, send: Send) -> None:
        denial = outcome.denial()
        fields = outcome.fields(self._legacy, denial)
        if scope["type"] == "http":
            await self._respond(scope, denial)(scope, receive, _telling(send, fields))
        elif _DENIAL_RESPONSE in (scope.get("extensions") or {}):
            await send({"type": "websocket.http.response.start", "status": 429, "headers": fields})
            await send({"type": "websocket.http.response.body", "body": b""})
        else:
            await send({"type": "websocket.close", "code": _TRY_AGAIN_LATER})


def _telling(send: Send, fields: Fields) -> Send:
    if not fields:
        return send

    async def send_with_fields(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            message = {**message, "headers": added_to(message.get("headers", ()), fields)}
        await send(message)

    return send_with_fields


def problem_response(default_language: Language = "en") -> Respond:
    """Answers with problem details (RFC 9457), in the language that Accept-Language asks for."""

    def respond(scope: Scope, denial: Denial) -> ASGIApp:
        wished = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
        fields, body = problem_answer(denial, wished.decode("latin-1"), default_language)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            del receive
            await send({"type": "http.response.start", "status": 429, "headers": fields})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

        return answer

    return respond
