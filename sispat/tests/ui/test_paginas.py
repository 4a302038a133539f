"""Screens: valid, reachable, readable, and only for whom they are."""

import re

import httpx2
import psycopg
import pytest
from leitor import Tela

from sispat.app import SLICES
from sispat.http.slices import Site

SITE = Site(SLICES)


def rotas_das_telas() -> set[tuple[str, str]]:
    """(method, path) of every screen."""
    return {
        (metodo, rota.path)
        for fatia in SLICES
        for rota in fatia.routes.all
        if not rota.include_in_schema
        for metodo in rota.methods
    }


async def visitaveis(pessoa) -> list[str]:
    bem = (await pessoa.ver("/patrimonios")).links
    ficha = next(x for x in bem if re.fullmatch(r"/patrimonios/[0-9a-f-]{36}", x))
    caminhos = [
        "/",
        "/entrar",
        "/patrimonios",
        "/auditoria",
        "/patrimonios/novo",
        ficha,
        f"{ficha}/editar",
        f"{ficha}/carga",
    ]
    for plural in ("setores", "locais", "agentes", "classes"):
        lista = await pessoa.ver(f"/{plural}")
        um = next(x for x in lista.links if re.fullmatch(rf"/{plural}/[0-9a-f-]{{36}}", x))
        caminhos += [f"/{plural}", f"/{plural}/novo", um, f"{um}/editar", f"{um}/excluir"]
    return caminhos


async def test_every_page_is_well_formed_labelled_and_needs_no_script(navegar) -> None:
    async with navegar("admin") as pessoa:
        for caminho in await visitaveis(pessoa):
            tela = await pessoa.ver(caminho)  # `ver` checks the HTML
            assert tela.estado == 200, caminho
            assert "style-src 'self'" in tela.cabecalhos["content-security-policy"]
            assert "frame-ancestors 'none'" in tela.cabecalhos["content-security-policy"]
            assert tela.cabecalhos["cache-control"] == "no-store"
            assert tela.cabecalhos["x-content-type-options"] == "nosniff"
            assert tela.cabecalhos["referrer-policy"] == "same-origin"


async def test_all_links_of_the_first_pages_lead_somewhere(navegar) -> None:
    async with navegar("consulta") as pessoa:
        vistos: set[str] = set()
        for caminho in ("/", "/patrimonios", "/setores", "/auditoria"):
            for link in (await pessoa.ver(caminho)).links:
                if link.startswith("/") and link not in vistos and len(vistos) < 60:
                    vistos.add(link)
                    resposta = await pessoa.http.get(link)
                    assert resposta.status_code == 200, (caminho, link)


async def test_only_the_listed_routes_are_public(navegar) -> None:
    zero = "00000000-0000-4000-8000-000000000000"
    async with navegar() as pessoa:
        vistas = 0
        for metodo, caminho in rotas_das_telas():
            if caminho in SITE.public:
                continue
            real = re.sub(r"\{[^}]+\}", zero, caminho)
            if metodo == "GET":
                resposta = await pessoa.http.get(real)
                assert resposta.status_code == 303, (caminho, resposta.status_code)
                assert resposta.headers["location"].startswith("/entrar?proximo=%2F")
            else:
                resposta = await pessoa.http.post(real, data={"nome": "x"})
                assert resposta.status_code == 401, caminho
            vistas += 1
        assert vistas >= 20


async def test_each_role_is_offered_what_it_may_do(navegar) -> None:
    esperado = {
        "admin": (True, True, True),
        "gestor": (True, True, True),
        "consulta": (False, False, True),
        "responsavel": (False, True, False),
    }
    for quem, (cadastra, troca, audita) in esperado.items():
        async with navegar(quem) as pessoa:
            lista = await pessoa.ver("/patrimonios")
            assert ("/patrimonios/novo" in lista.links) == cadastra, quem
            assert ("/auditoria" in lista.links) == audita, quem
            ficha = next(x for x in lista.links if re.fullmatch(r"/patrimonios/[0-9a-f-]{36}", x))
            assert (f"{ficha}/carga" in (await pessoa.ver(ficha)).links) == troca, quem
            assert (await pessoa.ver("/patrimonios/novo")).estado == (200 if cadastra else 403), quem
            assert (await pessoa.ver("/auditoria")).estado == (200 if audita else 403), quem


async def test_the_asset_of_another_setor_does_not_exist_by_guessed_id(navegar, cidade) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        (alheio,) = conn.execute(
            """select id from patrimonio where setor_id not in (select us.setor_id from usuario_setor us
               join usuario u on u.id = us.usuario_id where u.email = 'responsavel@demo.local') limit 1"""
        ).fetchone()
    async with navegar("responsavel") as pessoa:
        for fim in ("", "/carga"):
            assert (await pessoa.ver(f"/patrimonios/{alheio}{fim}")).estado == 404
        nenhum = await pessoa.ver("/patrimonios/00000000-0000-4000-8000-000000000000")
        assert (nenhum.estado, nenhum.titulos) == (404, ["Não encontrado"])


async def test_the_list_searches_filters_sorts_and_keeps_all_of_it_in_its_links(navegar) -> None:
    async with navegar("gestor") as pessoa:
        tudo = await pessoa.ver("/patrimonios")
        assert "300 bens" in tudo.texto
        filtrada = await pessoa.ver("/patrimonios", situacao="em_uso", sort="-valor")
        proxima = next(x for x in filtrada.links if "pagina=" in x)
        assert "situacao=em_uso" in proxima
        assert "sort=-valor" in proxima
        segunda = await pessoa.ver(proxima)
        assert segunda.estado == 200
        assert any("pagina=" in x and x != proxima for x in segunda.links)  # the way back
        csv = next(x for x in filtrada.links if x.startswith("/patrimonios.csv"))
        assert "situacao=em_uso" in csv
        nada = await pessoa.ver("/patrimonios", q="zzzzzz inexistente")
        assert nada.estado == 200
        assert "Nenhum bem corresponde" in nada.texto
        assert "/patrimonios" in nada.links


@pytest.mark.parametrize(
    ("parametro", "valor", "diz"),
    [("q", "x" * 101, "no máximo 100"), ("q", "a\x00b", "NUL"), ("pagina", "lixo", "primeira página"),
     ("setor", "nada", "Escolha"), ("sort", "senha", "opções"), ("situacao", "perdido", "opções")],
)  # fmt: skip
async def test_a_search_that_cannot_be_is_explained_and_stays_as_typed(navegar, parametro, valor, diz) -> None:
    async with navegar("gestor") as pessoa:
        tela = await pessoa.ver("/patrimonios", **{parametro: valor})
        assert tela.estado == 422
        assert diz in tela.texto
        if parametro == "q":
            assert f'value="{valor.replace(chr(0), chr(0xFFFD))}"' in tela.html
        assert (await pessoa.http.get("/patrimonios.csv", params={parametro: valor})).status_code == (
            200 if parametro == "pagina" else 422
        )


async def test_the_export_defuses_formulas(navegar) -> None:
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        await pessoa.mandar(formulario, **{**dados, "descricao": "=HYPERLINK(1)"})
        resposta = await pessoa.http.get("/patrimonios.csv", params={"sort": "-numero"})
        assert resposta.headers["content-type"] == "text/csv; charset=utf-8"
        assert "'=HYPERLINK(1)" in resposta.text.splitlines()[1]


async def test_static_files_are_kept_for_good_under_their_hash(navegar) -> None:
    async with navegar() as pessoa:
        css = re.search(r'href="(/static/[^"]+\.css)"', (await pessoa.ver("/entrar")).html)[1]
        resposta = await pessoa.http.get(css)
        assert resposta.status_code == 200
        assert "immutable" in resposta.headers["cache-control"]
        de_novo = await pessoa.http.get(css, headers={"If-None-Match": resposta.headers["etag"]})
        assert de_novo.status_code == 304
        velho = await pessoa.http.get("/static/000000000000/sispat.css")
        assert (velho.status_code, velho.headers["cache-control"]) == (200, "no-cache")
        assert (await pessoa.http.get("/static/x/..%2Fapp.py")).status_code == 404


FORA = (
    "//evil.test", "https://evil.test/", "/\\evil.test", "\\\\evil.test", "javascript:alert(1)", "/\t/evil.test", "evil.test",
    "/entrar", "/api/auth/logout", "//evil.test:80/x", "http:evil.test", "",
)  # fmt: skip


async def test_signing_in_never_leads_to_another_site(navegar) -> None:
    async with navegar() as pessoa:
        for caminho in FORA:
            tela = await pessoa.ver("/entrar", proximo=caminho)
            valores = {**tela.formulario("/entrar").valores, "email": "gestor@demo.local", "password": "demo"}
            assert valores["proximo"] == "/", caminho
            resposta = await pessoa.http.post("/entrar", data={**valores, "proximo": caminho})
            assert (resposta.status_code, resposta.headers["location"]) == (303, "/"), caminho


async def test_signing_in_goes_on_to_the_page_that_was_asked_for(navegar) -> None:
    async with navegar() as pessoa:
        tela = await pessoa.ver("/patrimonios?situacao=baixado")
        assert tela.titulos == ["Entrar no SISPAT"]
        depois = await pessoa.mandar(tela.formulario("/entrar"), email="gestor@demo.local", password="demo")
        assert depois.titulos == ["Bens"]
        assert "Situação: Baixado" in depois.texto


async def test_a_wrong_password_keeps_the_email_and_never_the_password(navegar) -> None:
    async with navegar() as pessoa:
        tela = await pessoa.ver("/entrar", proximo="/setores")
        tela = await pessoa.mandar(tela.formulario("/entrar"), email="gestor@demo.local", password="segredo errado")
        assert tela.estado == 401
        assert "E-mail ou senha incorretos." in tela.texto
        assert 'value="gestor@demo.local"' in tela.html
        assert "segredo errado" not in tela.html
        certa = await pessoa.mandar(tela.formulario("/entrar"), email="gestor@demo.local", password="demo")
        assert certa.titulos == ["Setores"]


async def test_signing_in_needs_the_form_shown_to_this_browser(navegar) -> None:
    async with navegar() as pessoa:
        tela = await pessoa.ver("/entrar")
        pessoa.http.cookies.clear()
        recusada = await pessoa.mandar(tela.formulario("/entrar"), email="gestor@demo.local", password="demo")
        assert recusada.estado == 403
        assert "sispat_sessao" not in pessoa.http.cookies
        assert 'value="gestor@demo.local"' in recusada.html
        aceita = await pessoa.mandar(recusada.formulario("/entrar"), email="gestor@demo.local", password="demo")
        assert aceita.estado == 200
        assert aceita.titulos[0].startswith("Olá")


async def test_leaving_ends_the_session_and_leaving_twice_is_no_error(navegar) -> None:
    async with navegar("gestor") as pessoa:
        inicio = await pessoa.ver("/")
        assert (await pessoa.mandar(inicio.formulario("/sair"))).titulos == ["Entrar no SISPAT"]
        assert (await pessoa.ver("/")).titulos == ["Entrar no SISPAT"]
        assert (await pessoa.mandar(inicio.formulario("/sair"))).titulos == ["Entrar no SISPAT"]


async def test_errors_are_pages_that_name_the_request(navegar) -> None:
    async with navegar("gestor") as pessoa:
        tela = await pessoa.ver("/nao-existe")
        assert (tela.estado, tela.titulos) == (404, ["Página não encontrada"])
        assert tela.cabecalhos["x-request-id"] in tela.texto
        assert (await pessoa.http.get("/sair")).status_code == 405


async def test_history_names_what_ids_stand_for(navegar) -> None:
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        ficha = await pessoa.mandar(formulario, **dados)
        caminho = next(x for x in ficha.links if x.endswith("/carga"))
        carga = await pessoa.ver(caminho)
        outro = re.findall(r'<option value="([0-9a-f-]{36})">([^<]+) \(', carga.html.split('name="agente_id"')[1])[5]
        depois = await pessoa.mandar(carga.formulario(caminho), agente_id=outro[0])
        assert "Carga trocada." in depois.texto
        assert re.search(rf"Agente responsável de .* → para {re.escape(outro[1])}", depois.texto)
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", depois.texto)
        auditoria = await pessoa.ver("/auditoria")
        assert "Trocou a carga" in auditoria.texto
        assert f"→ {outro[1]}" in auditoria.texto


async def test_the_registers_can_be_kept(navegar) -> None:
    async with navegar("admin") as pessoa:
        novo = await pessoa.ver("/setores/novo")
        tela = await pessoa.mandar(novo.formulario("/setores/novo"), codigo="nova.1", nome="Unidade <b>nova</b>")
        assert tela.titulos == ["Unidade <b>nova</b>"]
        assert "NOVA.1" in tela.texto
        editar = next(x for x in tela.links if x.endswith("/editar"))
        form = (await pessoa.ver(editar)).formulario(editar)
        tela = await pessoa.mandar(form, nome="Unidade renovada", ativo="false")
        assert "Alterações gravadas." in tela.texto
        assert "Fora de uso" in tela.texto
        excluir = next(x for x in tela.links if x.endswith("/excluir"))
        tela = await pessoa.mandar((await pessoa.ver(excluir)).formulario(excluir))
        assert (tela.titulos, tela.estado) == (["Setores"], 200)
        assert "Registro excluído." in tela.texto
        em_uso = next(x for x in (await pessoa.ver("/classes")).links if re.fullmatch(r"/classes/[0-9a-f-]{36}", x))
        recusa = await pessoa.mandar((await pessoa.ver(f"{em_uso}/excluir")).formulario(f"{em_uso}/excluir"))
        assert recusa.estado == 409
        assert "está em uso" in recusa.texto


async def test_a_long_register_shows_its_beginning_and_says_so(navegar) -> None:
    async with navegar("gestor") as pessoa:
        tela = await pessoa.ver("/agentes")
        assert "300 registros" in tela.texto
        assert any("pagina=" in x for x in tela.links)
        assert len({x for x in tela.links if re.fullmatch(r"/agentes/[0-9a-f-]{36}", x)}) == 100
        assert (await pessoa.ver("/agentes", q="a\x00")).estado == 422
        assert "Nada corresponde" in (await pessoa.ver("/agentes", q="ninguém assim")).texto


async def test_only_what_is_needed_of_a_cpf_is_shown(navegar) -> None:
    async with navegar("gestor") as pessoa:
        caminho = next(x for x in (await pessoa.ver("/agentes")).links if re.fullmatch(r"/agentes/[0-9a-f-]{36}", x))
        ficha = await pessoa.ver(caminho)
        assert not re.search(r"\d{3}\.\d{3}\.\d{3}-\d{2}|\b\d{11}\b", ficha.texto)
        form = (await pessoa.ver(f"{caminho}/editar")).formulario(f"{caminho}/editar")
        assert (
            await pessoa.mandar(form, cargo="Outro cargo")
        ).estado == 200  # the mask that comes back changes nothing


def test_the_reader_of_these_tests_sees_broken_pages() -> None:
    def tela(corpo: str) -> Tela:
        html = f'<html lang="pt-BR"><body><a href="#conteudo">x</a><main id="conteudo">{corpo}</main></body></html>'
        return Tela(httpx2.Response(200, html=html))

    tela("<h1>Certo</h1>").conferir()
    for corpo in (
        "<h1>A</h1><h1>B</h1>",
        "<h1>A<p></h1></p>",
        '<h1>A</h1><form><input name="x"></form>',
        '<h1 onclick="x">A</h1>',
    ):
        with pytest.raises(AssertionError):
            tela(corpo).conferir()


async def test_no_count_goes_beyond_its_ceiling(navegar, monkeypatch) -> None:
    from sispat.patrimonios import routes as lista

    monkeypatch.setattr(lista, "CEILING", 100)
    async with navegar("gestor") as pessoa:
        assert "Mais de 100 bens" in (await pessoa.ver("/patrimonios")).texto
