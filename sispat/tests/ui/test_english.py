"""All pages, walked in English: nothing of them is Portuguese but what people have written."""

from __future__ import annotations

import html
import re
from typing import Any

import psycopg

from sispat.kernel.i18n import LANGUAGES

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+")
_ATTRIBUTE = re.compile(r'\b(?:placeholder|aria-label|title|alt|data-(?:rotulo|dica|nada|um|varias|falha))="([^"]*)"')
_DECLARED = re.compile(r'<(\w+)[^>]*\blang="pt-BR"[^>]*>(.*?)</\1>', re.DOTALL)
# Words and letters that no English sentence has.
_PORTUGUESE = re.compile(
    r"[ãõçáéíóúâêôà]|\b(?:nenhum|um|uma|para|de|da|dos|das|em|que|por|foi|seu|sua|ou|ao|sem|pelo|pela|este|esta|isto|bem|bens)\b",
    re.IGNORECASE,
)
# Static files, the API, and the page of Esteio, which has both languages of its own.
_NOT_OURS = (
    "/static",
    "/api",
    "/operacao",
    "/metrics",
)
_ENDS = ("/sair", "/idioma", "/sessoes/encerrar")  # the walk, or its language
_WRITTEN = """
select valor from (
    select descricao from patrimonio union select marca from patrimonio union select modelo from patrimonio
    union select nome from setor union select nome from local union select nome from agente union select cargo from agente
    union select nome from classe union select nome from usuario union select email from usuario
    union select split_part(nome, ' ', 1) from usuario union select problema from manutencao
    union select fornecedor from manutencao union select tomador from emprestimo union select finalidade from emprestimo
    union select motivo from transferencia union select justificativa from baixa
    union select nome from imovel union select uso from imovel union select logradouro from imovel
    union select bairro from imovel union select cartorio from imovel union select cidade from imovel
    union select motivo from imovel_destinacao union select justificativa from imovel_baixa
    union select destinatario from imovel_baixa union select circunstancia from localizacao
) as escrito (valor) where valor <> ''"""


def _written(dsn: Any) -> re.Pattern[str]:
    with psycopg.connect(dsn.conninfo) as conn:
        texts = [row[0] for row in conn.execute(_WRITTEN)]
    texts += [*LANGUAGES.values(), "Prefeitura de Vila Boa"]
    return re.compile("|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True)))


def _portuguese(page: Any, written: re.Pattern[str]) -> list[str]:
    if not page.cabecalhos.get("content-type", "").startswith("text/html"):
        return []  # a file: CSV, XLSX, PDF, PNG
    # What a page declares to be Portuguese may be: the mail that somebody gets, in their own language.
    declared = {" ".join(html.unescape(text).split()) for _, text in _DECLARED.findall(page.html)}
    texts = [*page.textos, *(html.unescape(text) for text in _ATTRIBUTE.findall(page.html))]
    shown = [text for text in texts if " ".join(text.split()) not in declared]
    texts = {" ".join(written.sub("", text).split()) for text in shown}
    return sorted(text for text in texts if _PORTUGUESE.search(text))


async def test_no_page_shows_portuguese_to_who_chose_english(navegar, cidade) -> None:
    """Every address that links lead to, one of each kind, and every form sent blank."""
    written, faults, seen, waiting = _written(cidade), {}, set(), ["/", "/entrar", "/nenhures", "/entrar/codigo"]
    async with navegar("admin") as person:
        person.http.headers["Accept-Language"] = "en"
        while waiting:
            path = waiting.pop(0)
            kind = _ID.sub("*", path.partition("?")[0])
            if kind in seen or not path.startswith("/") or path.startswith(_NOT_OURS):
                continue
            seen.add(kind)
            page = await person.ver(path)
            waiting += page.links
            faults[kind] = _portuguese(page, written)
            for form in page.formularios:
                kind = f"POST {_ID.sub('*', form.acao)}"
                if form.metodo == "post" and kind not in faults and not form.acao.endswith(_ENDS):
                    blank = await person.mandar(form, **dict.fromkeys(form.visiveis - {""}, ""))
                    faults[kind] = _portuguese(blank, written)
    assert len(seen) > 25, seen
    assert {kind: texts for kind, texts in faults.items() if texts} == {}


async def test_problems_of_the_api_are_in_the_language_that_is_asked_for(cliente) -> None:
    absent = "00000000-0000-4000-8000-000000000000"
    asked: list[tuple[str, str, Any]] = [
        ("GET", f"/api/patrimonios/{absent}", None),
        ("GET", "/api/patrimonios?q=%00&limit=x&cursor=y&situacao=z", None),
        ("GET", "/api/auditoria?registro=x&desde=ontem", None),
        ("GET", "/api/nenhures", None),
        ("DELETE", "/api/patrimonios", None),
        ("POST", "/api/patrimonios", {"valor": "1.500", "data_aquisicao": "x", "cor": 1}),
        ("POST", "/api/setores", {"codigo": "a b", "nome": ""}),
        ("POST", "/api/agentes", {"cpf": "123"}),
        ("POST", "/api/classes", {"conta": "x", "residual_pct": 101, "vida_util_meses": "1.5"}),
        ("POST", "/api/usuarios", {"email": "x", "papel": "rei"}),
        ("PUT", f"/api/setores/{absent}", {"codigo": "X", "nome": "x"}),
        ("GET", "/api/cep/0", None),
    ]
    async with cliente("gestor@demo.local") as http:
        for language, is_portuguese in (("en", False), ("pt-BR", True)):
            http.headers["Accept-Language"] = language
            for method, path, body in asked:
                answer = await http.request(method, path, json=body)
                problem = answer.json()
                said = [problem["title"], problem["detail"], *(each["message"] for each in problem.get("errors") or ())]
                assert answer.headers["content-language"] == language
                assert bool(_PORTUGUESE.search(" ".join(said))) == is_portuguese, (path, said)
