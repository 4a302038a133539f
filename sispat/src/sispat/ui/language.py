"""The choice of a language, which the browser keeps.

Promises: it asks for no session, because the page for signing in offers it too, and for no CSRF token, because all that
somebody else's page could change is in which language a person reads.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from sispat.http.language import LANGUAGE_COOKIE
from sispat.http.resume import local_path
from sispat.http.session import secure
from sispat.http.submission import read_submission
from sispat.kernel.errors import InvalidData
from sispat.kernel.i18n import LANGUAGES, _, is_language
from sispat.ui.pages import redirect

__all__ = ["LANGUAGE_PATH", "choose_language"]

LANGUAGE_PATH = "/idioma"
_KEPT = 365 * 86400  # seconds


async def choose_language(request: Request) -> Response:
    """Keep what was chosen; then the page it was chosen on. Raises `InvalidData` for a language that there is not."""
    sent = (await read_submission(request)).values
    chosen = sent.get("idioma", "")
    if not is_language(chosen):
        raise InvalidData({"idioma": _("Escolha uma das opções: %(options)s.", options=", ".join(LANGUAGES))})
    response = redirect(_target(sent.get("voltar", "/")))
    response.set_cookie(LANGUAGE_COOKIE, chosen, _KEPT, httponly=True, samesite="lax", secure=secure(request), path="/")
    return response


def _target(path: str) -> str:
    # What is signed in to next stays in the address, though it is nowhere to be led to after signing in.
    return path if path.partition("?")[0] == "/entrar" else local_path(path)
