"""Pages as a person without a mouse sees them: headings, labels, forms, what is wrong with the HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

import httpx2

VAZIOS = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


@dataclass
class Formulario:
    acao: str
    metodo: str
    valores: dict[str, str] = field(default_factory=dict)
    visiveis: set[str] = field(default_factory=set)


class Tela(HTMLParser):
    """One answer, read strictly: tags must close in order."""

    def __init__(self, resposta: httpx2.Response) -> None:
        super().__init__(convert_charrefs=True)
        self.estado = resposta.status_code
        self.html = resposta.text
        self.cabecalhos = resposta.headers
        self.problemas: list[str] = []
        self.ids: list[str] = []
        self.rotulos: set[str] = set()
        self.referidos: set[str] = set()
        self.controles: list[tuple[str, dict[str, str | None]]] = []
        self.formularios: list[Formulario] = []
        self.links: list[str] = []
        self.titulos: list[str] = []
        self.atributos_html: dict[str, str | None] = {}
        self.textos: list[str] = []
        self._abertos: list[str] = []
        self._titulo: list[str] | None = None
        self._area: str | None = None
        self._selecao: str | None = None
        self.feed(self.html)
        self.close()
        if self._abertos:
            self.problemas.append(f"abertos no fim: {self._abertos}")

    @property
    def texto(self) -> str:
        return " ".join(" ".join(self.textos).split())

    def formulario(self, acao: str) -> Formulario:
        return next(f for f in self.formularios if f.acao == acao and f.metodo == "post")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = dict(attrs)
        if len(a) != len(attrs):
            self.problemas.append(f"atributo repetido em <{tag}>: {attrs}")
        if tag not in VAZIOS:
            self._abertos.append(tag)
        own_script = tag == "script" and a.get("type") == "module" and (a.get("src") or "").startswith("/static/")
        if (tag in ("script", "style") and not own_script) or "style" in a or any(nome.startswith("on") for nome in a):
            self.problemas.append(f"não funciona sem script nem com a CSP: <{tag} {attrs}>")
        if a.get("id"):
            self.ids.append(a["id"] or "")
        for nome in ("for", "aria-describedby", "aria-labelledby"):
            self.referidos.update((a.get(nome) or "").split())
        self._estrutura(tag, a)
        self._controle(tag, a)

    def _estrutura(self, tag: str, a: dict[str, str | None]) -> None:
        if tag == "html":
            self.atributos_html = a
        elif tag == "label":
            self.rotulos.add(a.get("for") or "")
        elif tag == "a":
            self.links.append(a.get("href") or "")
        elif tag == "h1":
            self._titulo = []
        elif tag == "form":
            self.formularios.append(Formulario(a.get("action") or "", (a.get("method") or "get").lower()))
        elif tag == "img" and "alt" not in a:
            self.problemas.append("imagem sem alt")

    def _controle(self, tag: str, a: dict[str, str | None]) -> None:
        nome = a.get("name") or ""
        if tag in ("input", "select", "textarea"):
            self.controles.append((tag, a))
            if self.formularios and a.get("type") != "hidden":
                self.formularios[-1].visiveis.add(nome)
        if tag == "input" and (a.get("type") != "radio" or "checked" in a):
            self.formularios[-1].valores[nome] = a.get("value") or ""
        elif tag == "textarea":
            self._area = nome
            self.formularios[-1].valores[nome] = ""
        elif tag == "select":
            self._selecao = nome
            self.formularios[-1].valores[nome] = ""
        elif tag == "option" and "selected" in a and self._selecao:
            self.formularios[-1].valores[self._selecao] = a.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag in VAZIOS or not self._abertos or self._abertos.pop() != tag:
            self.problemas.append(f"</{tag}> na linha {self.getpos()[0]} não fecha o que está aberto")
        if tag == "h1" and self._titulo is not None:
            self.titulos.append(" ".join("".join(self._titulo).split()))
            self._titulo = None
        elif tag == "textarea" and self._area is not None:
            valores = self.formularios[-1].valores
            valores[self._area] = valores[self._area].removeprefix("\n")
            self._area = None
        elif tag == "select":
            self._selecao = None

    def handle_data(self, data: str) -> None:
        self.textos.append(data)
        if self._titulo is not None:
            self._titulo.append(data)
        if self._area is not None:
            self.formularios[-1].valores[self._area] += data

    def conferir(self) -> None:
        """Assert what every page promises."""
        achados = list(self.problemas)
        if self.atributos_html.get("lang") not in ("pt-BR", "en"):
            achados.append("sem lang")
        if len(self.titulos) != 1 or not self.titulos[0]:
            achados.append(f"h1: {self.titulos}")
        repetidos = {i for i in self.ids if self.ids.count(i) > 1}
        if repetidos:
            achados.append(f"ids repetidos: {repetidos}")
        if faltam := self.referidos - set(self.ids):
            achados.append(f"referidos e ausentes: {faltam}")
        achados += [
            f"sem rótulo: {a}"
            for _, a in self.controles
            if a.get("type") != "hidden" and a.get("id") not in self.rotulos
        ]
        if "#conteudo" not in self.links or "conteudo" not in self.ids:
            achados.append("sem atalho para o conteúdo")
        assert not achados, achados


class Pessoa:
    """Somebody in front of a browser."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def ver(self, caminho: str, **parametros: str) -> Tela:
        """Open a page, following redirects; every page seen is checked."""
        return self._lida(await self.http.get(caminho, params=parametros or None, follow_redirects=True))

    async def mandar(self, formulario: Formulario, seguir: bool = True, **digitado: str) -> Tela:
        """Fill in and send."""
        return self._lida(
            await self.http.post(
                formulario.acao, content=urlencode({**formulario.valores, **digitado}),
                headers={"Content-Type": "application/x-www-form-urlencoded"}, follow_redirects=seguir,
            ),
        )  # fmt: skip

    async def entrar(self, quem: str, **outros: str) -> Tela:
        """Sign in through the form."""
        tela = await self.ver("/entrar")
        return await self.mandar(tela.formulario("/entrar"), email=f"{quem}@demo.local", password="demo", **outros)

    def _lida(self, resposta: httpx2.Response) -> Tela:
        tela = Tela(resposta)
        if resposta.headers.get("content-type", "").startswith("text/html") and resposta.text:
            tela.conferir()
        return tela

    async def bem_preenchido(self) -> tuple[Formulario, dict[str, str]]:
        """The form for a new asset, and a valid filling."""
        tela = await self.ver("/patrimonios/novo")
        primeira = {
            nome: re.search(rf'name="{nome}".*?<option value="([0-9a-f-]{{36}})"', tela.html, re.S)[1]
            for nome in ("classe_id", "local_id", "agente_id")
        }
        dados = {"descricao": "Mesa de reunião", "valor": "1.234,56", "data_aquisicao": "2026-01-31", **primeira}
        return tela.formulario("/patrimonios/novo"), dados
