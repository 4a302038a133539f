"""Routes: what a handler asks for by its parameters, it gets.

Promises: a parameter annotated `RequestContext` gets the session with its connection - for what may write, a
transaction, committed before the answer leaves; an `Input` gets the query string of a GET or the JSON body of anything
else, checked; a `Submission` gets the form, an `Upload` the form with its files (`http.upload`); a `UUID` or `str` gets the
part of the path with its name; a `Request` gets the request. Without a `RequestContext` the session is checked and its
connection given back before the handler runs; `public` asks for no session at all. A handler whose database went away
under it is run again (`http.retry`). With `once`, a repeated Idempotency-Key gets the first answer.

A handler answers with a Response, or with a `Reply`, which becomes one after the connection was given back. FastAPI
describes the routes and is not asked when they are called: its general way there was measured to cost more than the
query itself. Nor is it loaded before somebody asks for the description: each start of a worker would wait for it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeVar, get_type_hints
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, compile_path
from starlette.types import Receive, Scope, Send

from sispat.http.group_commit import Grouped, group_of
from sispat.http.idempotency import once as run_once
from sispat.http.idempotency import request_digest
from sispat.http.openapi import IDEMPOTENT, OF_VERSIONS, RESPONSES, SECURITY, VERSIONED
from sispat.http.retry import retry
from sispat.http.session import RequestContext, credentials_of, open_context
from sispat.http.submission import Submission, read_submission
from sispat.http.upload import Upload, discard_upload, receive_upload
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import _
from sispat.kernel.inputs import Input
from sispat.kernel.permissions import Pending

if TYPE_CHECKING:
    from fastapi.routing import APIRoute

__all__ = ["HandlerRoute", "Reply", "Routes"]

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
_F = TypeVar("_F", bound=Callable[..., Awaitable[Any]])


class Reply(Protocol):
    """An answer that is made after the connection was given back."""

    async def response(self, request: Request) -> Response:
        """The answer."""
        ...


class Routes:
    """The routes of one slice, in the order in which they are matched."""

    def __init__(self) -> None:
        self.all: list[HandlerRoute] = []
        self.public: set[str] = set()
        self.forms: list[re.Pattern[str]] = []
        """Addresses that show a submission again when asked to (`http.resume`)."""
        self.uploads: list[re.Pattern[str]] = []
        """Addresses that take files by POST: their bodies may be larger, and they count as uploads for the limits."""

    def __call__(
        self,
        method: Method,
        path: str,
        *,
        tag: str = "",
        summary: str = "",
        response: Any = None,
        status: int = 200,
        once: bool = False,
        together: Grouped | None = None,
        versioned: bool = False,
        public: bool = False,
        while_pending: Sequence[Pending] = (),
        name: str | None = None,
        body: dict[str, Any] | None = None,
        **described: Any,
    ) -> Callable[[_F], _F]:
        """Add the decorated handler. What lies under /api is described by `tag`, `summary` and `response`.

        `once`: an Idempotency-Key is heeded. `together`: does for many requests in one transaction
        (`http.group_commit`) what the handler does for one. `versioned`: the handler reads If-Match. `while_pending`: what
        may still be pending of the person who asks. `body`: what OpenAPI says of a body that no `Input` describes.
        `described` goes to FastAPI.
        """
        described.setdefault("response_description", "A resposta")
        extra: dict[str, Any] = {} if public else dict(SECURITY)
        extra |= IDEMPOTENT if once else VERSIONED if versioned else {}
        extra |= {} if body is None else {"requestBody": body}

        def register(handler: _F) -> _F:
            in_api = path.startswith("/api")
            made = HandlerRoute(
                path,
                handler,
                public=public,
                once=once,
                together=together,
                while_pending=while_pending,
                method=method,
                name=name or handler.__name__,
                include_in_schema=in_api,
                status_code=status,
                response_model=response,
                tags=[tag] if tag else None,
                operation_id=name or _operation(handler.__name__, tag),  # what generated clients call it
                summary=summary or None,
                responses=RESPONSES | (OF_VERSIONS if versioned else {}) if in_api else None,
                openapi_extra=extra,
                **described,
            )
            self.all.append(made)
            if made.takes_files:
                self.uploads.append(compile_path(path)[0])
            if public:
                self.public.add(path)
            return handler

        return register

    def include(self, other: Routes) -> None:
        """Add the routes of another part of the slice after these."""
        self.all += other.all
        self.public |= other.public
        self.forms += other.forms
        self.uploads += other.uploads

    def resumable(self, path: str) -> None:
        """A submission to `path` can be shown again after signing in."""
        self.forms.append(compile_path(path)[0])


class HandlerRoute(Route):
    """An address, and the handler that gets what it asks for."""

    def __init__(
        self,
        path: str,
        handler: Callable[..., Any],
        *,
        public: bool,
        once: bool,
        together: Grouped | None,
        while_pending: Sequence[Pending],
        method: Method,
        name: str,
        include_in_schema: bool,
        **described: Any,
    ) -> None:
        # Not by Starlette's own, which adds HEAD (`http.edge` answers it), and compiles the path at once.
        self.path, self.endpoint, self.name = path, handler, name
        self.methods, self.include_in_schema = {method}, include_in_schema
        types = {name: kind for name, kind in get_type_hints(handler).items() if name != "return"}
        self._handler, self._types = handler, types
        self._public, self._once, self._together = public, once, together
        self.while_pending = frozenset(while_pending)
        self._context, self._request = _named(types, RequestContext), _named(types, Request)
        self._form, self._model = _named(types, Submission), _named(types, Input)
        own = (self._context, self._request, self._form, self._model)
        self._in_path = [name for name in types if name not in own]
        self._upload: type[Upload] | None = None
        if self._form is not None and issubclass(types[self._form], Upload):
            self._upload = types[self._form]
        self._reads_query = method == "GET"
        self._retried = retry(self._answer)
        self._asks_first = path.startswith("/api") and not public
        self._description = described
        self.app = self._serve  # Starlette's own is for handlers that take the request

    def __getattr__(self, name: str) -> Any:
        """What Starlette makes of the path, when it is asked for the first time: for all routes each start would wait."""
        if name not in ("path_regex", "path_format", "param_convertors"):
            raise AttributeError(name)
        self.path_regex, self.path_format, self.param_convertors = compile_path(self.path)
        return self.__dict__[name]

    @property
    def takes_files(self) -> bool:
        """Whether files may come along."""
        return self._upload is not None

    def described(self) -> APIRoute:
        """The same route as FastAPI describes it: with a function of the parameters that programs send."""
        from fastapi import Query
        from fastapi.routing import APIRoute

        async def endpoint(**_: Any) -> None:
            raise NotImplementedError  # never called: FastAPI reads its parameters, `_serve` answers

        sent = {name: self._types[name] for name in self._in_path}
        if self._model is not None:
            model = self._types[self._model]
            sent[self._model] = Annotated[model, Query()] if self._reads_query else model
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [inspect.Parameter(name, keyword, annotation=kind) for name, kind in sent.items()]
        endpoint.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        endpoint.__name__, endpoint.__doc__ = self._handler.__name__, self._handler.__doc__
        return APIRoute(
            self.path,
            endpoint,
            methods=self.methods,
            name=self.name,
            include_in_schema=self.include_in_schema,
            **self._description,
        )

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            response = await self._retried(request)
        finally:
            if self._upload is not None:
                discard_upload(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if self._asks_first:
            credentials_of(request.scope)  # 401 before a body is looked at
        arguments = await self._arguments(request)
        if self._public:
            return await _response(await self._handler(**arguments), request)
        if self._together is not None:
            data = arguments[self._model] if self._model else None
            shared = await group_of(request, self._together).answer(request, data, *await _key_and_digest(request))
            if shared is not None:
                return shared
        # Programs send the token in a header, also beside files.
        csrf = (arguments[self._form].csrf or None) if self._form else None
        async with open_context(request, csrf, repeatable=True) as ctx:
            if self._context is not None:
                arguments[self._context] = ctx
                reply = await (self._run_once(ctx, arguments) if self._once else self._handler(**arguments))
        if self._context is None:  # the session holds; no connection is held while the handler takes its time
            reply = await self._handler(**arguments)
        return await _response(reply, request)

    async def _run_once(self, ctx: RequestContext, arguments: dict[str, Any]) -> Response:
        request = ctx.request
        form: Submission | None = arguments[self._form] if self._form else None
        if form is None:
            key, digest = await _key_and_digest(request)
        else:
            key, digest = request.headers.get("idempotency-key", ""), form.digest(request.url.path)

        async def do() -> Response:
            return await _response(await self._handler(**arguments), request)

        return await run_once(ctx, key, digest, do)

    async def _arguments(self, request: Request) -> dict[str, Any]:
        arguments = {name: _part(self._types[name], name, request.path_params[name]) for name in self._in_path}
        if self._request is not None:
            arguments[self._request] = request
        if self._form is not None:
            arguments[self._form] = await (
                receive_upload(request, self._upload) if self._upload else read_submission(request)
            )
        if self._model is not None:
            model: type[Input] = self._types[self._model]
            if self._reads_query:
                arguments[self._model] = _from_query(model, request.scope["query_string"])
            else:
                arguments[self._model] = model.parse(_json(request, await request.body()))
        return arguments


def _operation(handler: str, tag: str) -> str:
    return handler if tag.rstrip("s") in handler else f"{handler}_{tag}"


def _named(types: dict[str, Any], kind: type) -> str | None:
    """The parameter of this kind, or None."""
    return next((n for n, t in types.items() if inspect.isclass(t) and issubclass(t, kind)), None)


async def _key_and_digest(request: Request) -> tuple[str, bytes]:
    key = request.headers.get("idempotency-key", "")
    return key, request_digest(request.method, request.url.path, await request.body()) if key else b""


async def _response(reply: Response | Reply, request: Request) -> Response:
    return reply if isinstance(reply, Response) else await reply.response(request)


def _part(kind: type, name: str, value: Any) -> Any:
    if kind is not UUID or isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except ValueError:
        raise InvalidData({name: _("O identificador deve ser um UUID.")}) from None


def _json(request: Request, body: bytes) -> dict[str, Any]:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json" and not content_type.endswith("+json"):
        raise InvalidData({"corpo": _("Envie um objeto JSON, com Content-Type: application/json.")})
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidData({"corpo": _("O corpo não é JSON válido (em UTF-8): %(error)s.", error=error)}) from None
    if not isinstance(value, dict):
        raise InvalidData({"corpo": _("Envie um objeto JSON.")})
    return value


@lru_cache(maxsize=512)
def _from_query(model: type[Input], query: bytes) -> Input:
    """The model of a query string; models are frozen, so the same string may share one."""
    return model.parse(
        dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace"))
    )
