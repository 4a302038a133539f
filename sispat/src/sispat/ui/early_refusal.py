"""What is told to whom the server refuses by the head of the request alone, while every microsecond is somebody else's.

Promises: the same words, language and headers as any other refusal of `http.shedding`. Pages are made once for each
language and each number of seconds to wait.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from esteio.serve import EarlyAnswer
from esteio.web.shedding import Level
from sispat.http.edge import completed
from sispat.http.errors import is_for_programs, problem_response
from sispat.http.language import language_of
from sispat.http.shedding import overload_problem
from sispat.kernel import i18n
from sispat.kernel.i18n import Language
from sispat.settings import Settings
from sispat.ui.error_page import short_page

__all__ = ["early_answers"]


def early_answers(settings: Settings) -> Callable[[Scope, Level, int], EarlyAnswer]:
    """For `esteio.web.shedding.Shedding(answer=...)`."""
    hsts = (
        settings.secure_cookies == "sim"
    )  # what comes through a proxy's TLS is known later; a browser knows it by then

    def encoded(response: Response) -> EarlyAnswer:
        return EarlyAnswer(response.status_code, completed(response.raw_headers, hsts=hsts), bytes(response.body))

    @lru_cache(maxsize=32)
    def page(language: Language, retry_after: int) -> EarlyAnswer:
        with i18n.using(language):
            return encoded(short_page(overload_problem(retry_after)))

    def answer(scope: Scope, level: Level, retry_after: int) -> EarlyAnswer:
        del level
        language = language_of(scope["headers"], settings.lang)
        if not is_for_programs(scope):
            return page(language, retry_after)
        name = secrets.token_hex(8)
        with i18n.using(language):
            request = Request({**scope, "state": {"request_id": name}, "query_string": b""})
            response = problem_response(request, overload_problem(retry_after))
            response.raw_headers.append((b"x-request-id", name.encode()))
            return encoded(response)

    return answer
