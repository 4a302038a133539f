"""Pages out of templates.

Promises: whatever a template shows is escaped; a name it does not know is an error, not a blank; templates lie beside
the routes of their slice and are compiled once per process. A handler's `page` is rendered after its connection was
given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sispat.http.headers import PRIVATE_HEADERS
from sispat.http.service import service_of
from sispat.http.session import cookie_name, request_id_of
from sispat.http.slices import MenuEntry, site_of
from sispat.kernel import formats, i18n, tokens
from sispat.kernel.permissions import Access
from sispat.ui.static_files import static_path

__all__ = ["Page", "base_of", "page", "redirect", "render"]

_SAVED = frozenset(
    {"feito", "novos", "trocados"}
)  # of the address, when a form was saved: its draft is forgotten (drafts.js)
_TEMPLATES = Path(__file__).parent.parent  # named by their folder: patrimonios/lista.html


@pass_context
def _moment(context: Context, value: Any) -> str:
    return formats.moment(value, context["timezone"])


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        finalize=lambda value: formats.printable(value) if type(value) is str else value,  # not what is HTML already
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(i18n._, i18n.ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {
        "money": formats.money,
        "decimal": formats.decimal,
        "date": formats.date,
        "month": formats.month,
        "cpf_cnpj": formats.cpf_cnpj,
        "cep": formats.cep,
        "plate_number": formats.plate_number,
        "moment": _moment,
    }
    environment.globals |= {"static_path": static_path, "EMPTY": formats.EMPTY}
    return environment


_ENVIRONMENT = _environment()


@dataclass(frozen=True, slots=True)
class Page:
    """A page to be rendered."""

    template: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    async def response(self, request: Request) -> Response:
        """The page."""
        return render(request, self.template, self.status, self.headers, **self.values)


def page(template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any) -> Page:
    """`template` filled with `values`, as a handler's answer."""
    return Page(template, status, headers or {}, values)


def render(
    request: Request, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> Response:
    """`template` filled with `values`, now; the person signed in, where known, is `access`."""
    service, site = service_of(request), site_of(request)
    access: Access | None = getattr(request.state, "access", None)
    base = {
        "access": access,
        "may": lambda action: access is not None and access.may(site.actions[action]),
        "entities": site.entities,
        "menu": _menu(site.menu, access),
        "path": request.url.path,
        "city": service.settings.city_name,
        "largest_file": service.settings.upload_size,
        "csrf": lambda: tokens.csrf_for(request.cookies.get(cookie_name(request), "")),
        "notice": site.notices.get(request.query_params.get("feito", ""), ""),
        "saved": request.method == "GET" and not _SAVED.isdisjoint(request.query_params),
        "timezone": service.settings.timezone,
        "request_id": request_id_of(request),
        "language": i18n.language(),
        "languages": i18n.LANGUAGES,
        "address": _address(request),
    }
    html = _ENVIRONMENT.get_template(template).render({**base, **values})
    return HTMLResponse(html, status, {**PRIVATE_HEADERS, "Content-Language": i18n.language(), **(headers or {})})


def base_of(request: Request) -> str:
    """The address that people reach the service at: the setting, else how this request came."""
    return (service_of(request).settings.public_url or str(request.base_url)).rstrip("/")


def _address(request: Request) -> str:
    """Where the page can be asked for again."""
    query = request.url.query if request.method == "GET" else ""
    return f"{request.url.path}?{query}" if query else request.url.path


def _menu(entries: list[MenuEntry], access: Access | None) -> list[MenuEntry]:
    if access is None or access.pending:
        return []
    return [entry for entry in entries if entry.action is None or access.may(entry.action)]


def redirect(path: str, **parameters: str) -> Response:
    """See other: after a form was saved, so that reloading the page saves nothing again."""
    target = f"{path}?{urlencode(parameters)}" if parameters else path
    return RedirectResponse(target, 303, PRIVATE_HEADERS)
