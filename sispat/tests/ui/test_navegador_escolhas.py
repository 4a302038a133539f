"""Choosing among hundreds in a real browser: by typing and keys alone, and when the search does not answer."""

import psycopg
import pytest

pytestmark = pytest.mark.browser


def ultimo_agente(dsn) -> str:
    with psycopg.connect(dsn.conninfo) as conn:
        return conn.execute(
            "select nome || ' (' || matricula || ')' from agente order by nome desc limit 1"
        ).fetchone()[0]


def test_typing_and_arrows_choose_and_the_choice_is_what_is_saved(aba, cidade) -> None:
    from playwright.sync_api import expect

    nome = ultimo_agente(cidade)
    with aba("gestor") as pagina:
        pagina.goto("/patrimonios/novo")
        campo = pagina.get_by_role("combobox", name="Agente responsável")
        campo.focus()
        pagina.keyboard.type(nome.split(" (")[0])
        lista = pagina.get_by_role("listbox", name="Agente responsável")
        expect(lista.get_by_role("option").first).to_contain_text(nome.split(" (")[0])
        expect(campo).to_have_attribute("aria-expanded", "true")
        pagina.keyboard.press("Escape")
        expect(lista).to_be_hidden()
        pagina.keyboard.press("ArrowDown")
        expect(lista).to_be_visible()
        pagina.keyboard.press("ArrowDown")
        opcao = lista.get_by_role("option", selected=True)
        expect(opcao).to_have_count(1)
        expect(campo).to_have_attribute("aria-activedescendant", opcao.get_attribute("id"))
        pagina.keyboard.press("Enter")
        expect(lista).to_be_hidden()
        expect(campo).to_have_value(nome)

        pagina.get_by_role("combobox", name="Local").click()
        pagina.get_by_role("listbox", name="Local").get_by_role("option").nth(3).click()
        pagina.get_by_label("Descrição", exact=True).fill("Bem escolhido")
        pagina.get_by_label("Valor", exact=True).fill("10")
        pagina.get_by_label("Data de aquisição").fill("2026-03-15")
        pagina.get_by_role("combobox", name="Classe", exact=True).click()
        pagina.get_by_role("listbox", name="Classe").get_by_role("option").nth(1).click()
        pagina.get_by_role("button", name="Cadastrar", exact=True).click()
        expect(pagina.get_by_role("heading", level=1)).to_have_text("Bem escolhido")
        expect(pagina.locator("main")).to_contain_text(nome.split(" (")[0])


def test_what_was_typed_and_not_chosen_is_never_saved_as_what_was_chosen_before(aba, cidade) -> None:
    from playwright.sync_api import expect

    with aba("gestor") as pagina:
        pagina.goto("/patrimonios")
        pagina.locator("tbody .plaqueta").first.click()
        pagina.get_by_role("link", name="Trocar a carga").click()
        campo = pagina.get_by_role("combobox", name="Agente responsável")
        expect(campo).not_to_have_value("")
        campo.fill("a")
        pagina.get_by_role("button", name="Trocar a carga").click()
        expect(pagina.get_by_role("alert")).to_contain_text("Nada foi gravado ainda")
        expect(pagina.get_by_role("combobox", name="Agente responsável")).to_have_value("a")


def test_when_the_search_does_not_answer_the_button_is_there_again(aba) -> None:
    from playwright.sync_api import expect

    with aba("gestor") as pagina:
        pagina.route("**/opcoes/**", lambda pedido: pedido.abort())
        pagina.goto("/patrimonios/novo")
        pagina.get_by_role("combobox", name="Agente responsável").fill("maria")
        expect(pagina.get_by_text("A busca não respondeu agora")).to_be_visible()
        pagina.get_by_role("button", name="Buscar em Agente responsável").click()
        expect(pagina.get_by_role("alert")).to_contain_text("Nada foi gravado ainda")
