"""A real browser with JavaScript switched off: sign in, register, find again, edit; and nothing too wide for a phone."""

import re
import socket

import pytest
from servida import CHROMIUM, servir

pytestmark = pytest.mark.browser
TELEFONE = {"width": 360, "height": 740}
MESA = {"width": 1280, "height": 900}


@pytest.mark.parametrize("tela", [MESA, TELEFONE], ids=["mesa", "telefone"])
def test_somebody_without_javascript_registers_finds_and_edits_an_asset(chromium, endereco, tela) -> None:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as navegadores:
        navegador = navegadores.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
        try:
            pagina = navegador.new_context(viewport=tela, java_script_enabled=False, locale="pt-BR").new_page()
            pagina.set_default_timeout(60_000)
            pagina.goto(f"{endereco}/patrimonios/novo")
            pagina.get_by_label("E-mail").fill("gestor@demo.local")
            pagina.get_by_label("Senha").fill("demo")
            pagina.get_by_role("button", name="Entrar").click()

            expect(pagina.get_by_role("heading", level=1)).to_have_text("Cadastrar bem")
            pagina.get_by_label("Descrição", exact=True).fill("Microscópio do navegador")
            pagina.get_by_label("Valor", exact=True).fill("dois mil")
            pagina.get_by_label("Data de aquisição").fill("2026-03-15")
            for rotulo in ("Classe", "Local", "Agente responsável"):
                pagina.get_by_label(rotulo, exact=True).select_option(index=1)
            pagina.get_by_role("button", name="Cadastrar", exact=True).click()
            expect(pagina.get_by_role("alert")).to_contain_text("Valor: Informe um valor em reais")
            pagina.get_by_label("Valor", exact=True).fill("2.345,60")
            pagina.get_by_role("button", name="Cadastrar", exact=True).click()

            expect(pagina.get_by_role("heading", level=1)).to_have_text("Microscópio do navegador")
            expect(pagina.locator("main")).to_contain_text("R$ 2.345,60")
            numero = pagina.locator(".plaqueta").inner_text()

            pagina.goto(f"{endereco}/")
            pagina.get_by_label("Número da plaqueta ou palavras da descrição").fill("microscop navegador")
            pagina.locator("main").get_by_role("button", name="Buscar").click()
            expect(pagina.locator("main")).to_contain_text("1 bem")
            pagina.get_by_role("link", name=numero).click()

            pagina.get_by_role("link", name="Editar").click()
            pagina.get_by_label("Marca").fill("Óptica")
            pagina.get_by_role("button", name="Salvar").click()
            expect(pagina.get_by_role("status")).to_contain_text("Alterações gravadas.")
            expect(pagina.locator("main")).to_contain_text("Óptica")
        finally:
            navegador.close()


@pytest.mark.parametrize("tela", [MESA, TELEFONE], ids=["mesa", "telefone"])
def test_no_page_is_wider_than_its_screen(chromium, endereco, tela) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as navegadores:
        navegador = navegadores.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
        try:
            pagina = navegador.new_context(viewport=tela, locale="pt-BR").new_page()  # scripts only measure here
            pagina.set_default_timeout(60_000)
            pagina.goto(f"{endereco}/entrar")
            largos = {"/entrar": largura(pagina)}
            pagina.get_by_label("E-mail").fill("admin@demo.local")
            pagina.get_by_label("Senha").fill("demo")
            pagina.get_by_role("button", name="Entrar").click()
            caminhos = [
                "/",
                "/patrimonios",
                "/patrimonios?situacao=em_uso&q=mesa",
                "/patrimonios/novo",
                "/setores",
                "/agentes",
            ]
            caminhos += [
                "/locais",
                "/classes",
                "/agentes/novo",
                "/auditoria",
                "/nao-existe",
                "/patrimonios?q=" + "w" * 90,
            ]
            pagina.goto(f"{endereco}/patrimonios")
            ficha = re.search(r"/patrimonios/[0-9a-f-]{36}", pagina.content())[0]
            for caminho in [*caminhos, ficha, f"{ficha}/editar", f"{ficha}/carga"]:
                pagina.goto(endereco + caminho)
                largos[caminho] = largura(pagina)
            assert {c: w for c, w in largos.items() if w > tela["width"]} == {}
        finally:
            navegador.close()


def largura(pagina) -> int:
    return pagina.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)")


@pytest.mark.parametrize("tela", [MESA, TELEFONE], ids=["mesa", "telefone"])
def test_the_button_beside_the_cep_looks_it_up_and_enter_saves(chromium, cidade, tela) -> None:
    from playwright.sync_api import expect, sync_playwright

    with socket.socket() as fechada, sync_playwright() as navegadores:
        fechada.bind(("127.0.0.1", 0))  # and nobody listens: ViaCEP is away
        navegador = navegadores.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
        try:
            with servir(cidade, cep_url=f"http://127.0.0.1:{fechada.getsockname()[1]}") as endereco:
                pagina = navegador.new_context(viewport=tela, java_script_enabled=False, locale="pt-BR").new_page()
                pagina.set_default_timeout(60_000)
                pagina.goto(f"{endereco}/locais/novo")
                pagina.get_by_label("E-mail").fill("gestor@demo.local")
                pagina.get_by_label("Senha").fill("demo")
                pagina.get_by_role("button", name="Entrar").click()

                pagina.get_by_label("Setor").select_option(index=1)
                pagina.get_by_label("Nome").fill("Posto do navegador")
                pagina.get_by_label("CEP").fill("01001-000")
                pagina.get_by_role("button", name="Buscar endereço pelo CEP").click()
                expect(pagina.get_by_role("alert")).to_contain_text("Digite o endereço à mão")
                expect(pagina.get_by_label("Nome")).to_have_value("Posto do navegador")
                pagina.get_by_label("Logradouro").fill("Rua digitada")
                pagina.get_by_label("Logradouro").press("Enter")
                expect(pagina.get_by_role("status")).to_contain_text("Cadastro gravado.")
                expect(pagina.locator("main")).to_contain_text("Rua digitada")
        finally:
            navegador.close()
