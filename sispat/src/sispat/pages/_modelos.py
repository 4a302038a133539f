"""Pages out of templates.

Promises: whatever a template shows is escaped; a name it does not know is an error, not a blank; templates lie beside
the routes of their screen and are compiled once per process.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sispat.domain.permissoes import Acao, Acesso
from sispat.identity import tokens
from sispat.pages import _estaticos, _formatos, _rotulos
from sispat.pages._cabecalhos import PESSOAL
from sispat.web.porta import COOKIE, id_da_requisicao, servico_de

__all__ = ["ir_para", "pagina"]


@pass_context
def _momento(contexto: Context, valor: Any) -> str:
    return _formatos.momento(valor, contexto["fuso"])


def _ambiente() -> Environment:
    ambiente = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda valor: _formatos.visivel(valor) if type(valor) is str else valor,  # not what is HTML already
    )
    ambiente.filters |= {
        "moeda": _formatos.moeda,
        "decimal": _formatos.decimal,
        "data": _formatos.data,
        "documento": _formatos.documento,
        "cep": _formatos.cep,
        "numero_do_bem": _formatos.numero_do_bem,
        "momento": _momento,
    }
    ambiente.globals |= {"estatico": _estaticos.endereco, "Acao": Acao, "rotulos": _rotulos, "VAZIO": _formatos.VAZIO}
    return ambiente


_AMBIENTE = _ambiente()


def pagina(
    request: Request, modelo: str, estado: int = 200, cabecalhos: Mapping[str, str] | None = None, **contexto: Any
) -> Response:
    """`modelo` filled with `contexto`; the person signed in, where known, is `acesso`."""
    servico = servico_de(request)
    acesso: Acesso | None = getattr(request.state, "acesso", None)
    base = {
        "acesso": acesso,
        "caminho": request.url.path,
        "cidade": servico.settings.city_name,
        "csrf": lambda: tokens.csrf_para(request.cookies.get(COOKIE, "")),
        "feito": _rotulos.FEITO.get(request.query_params.get("feito", ""), ""),
        "fuso": servico.settings.timezone,
        "requisicao": id_da_requisicao(request),
    }
    html = _AMBIENTE.get_template(modelo).render({**base, **contexto})
    return HTMLResponse(html, estado, {**PESSOAL, **(cabecalhos or {})})


def ir_para(caminho: str, **parametros: str) -> Response:
    """See other: after a form was saved, so that reloading the page saves nothing again."""
    destino = f"{caminho}?{urlencode(parametros)}" if parametros else caminho
    return RedirectResponse(destino, 303, PESSOAL)
