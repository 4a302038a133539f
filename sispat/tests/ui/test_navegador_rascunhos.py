"""Drafts in a real browser: nothing typed is lost by going back or by a crash, and nothing is left when it is saved."""

import pytest

pytestmark = pytest.mark.browser

NOVO = "/patrimonios/novo"
GUARDADOS = "Object.keys(localStorage).filter(k => k.startsWith('sispat.rascunho '))"


def test_what_was_typed_is_back_after_going_back_and_offered_after_a_crash(aba) -> None:
    from playwright.sync_api import expect

    with aba("gestor") as pagina:
        pedidos: list[str] = []
        pagina.goto(NOVO)
        pagina.get_by_label("Descrição", exact=True).fill("Bem que estava sendo digitado")
        campo_classe = pagina.get_by_role("combobox", name="Classe", exact=True)
        campo_classe.click()
        pagina.get_by_role("listbox", name="Classe").get_by_role("option").nth(2).click()
        classe = campo_classe.input_value()
        pagina.get_by_role("radio", name="Ruim").check()
        agente = pagina.get_by_role("combobox", name="Agente responsável")
        agente.click()
        pagina.get_by_role("listbox", name="Agente responsável").get_by_role("option").nth(4).click()
        nome = agente.input_value()
        pagina.on("request", lambda pedido: pedidos.append(pedido.post_data or ""))
        pagina.goto("/patrimonios")
        pagina.go_back()
        expect(pagina.get_by_label("Descrição", exact=True)).to_have_value("Bem que estava sendo digitado")
        expect(campo_classe).to_have_value(classe)
        expect(pagina.get_by_role("radio", name="Ruim")).to_be_checked()
        expect(agente).to_have_value(nome)
        assert not any("estava" in corpo for corpo in pedidos), "it is sent nowhere"

        outra = pagina.context.new_page()  # as after a crash: another page of the same browser
        pagina.close()
        outra.goto(NOVO)
        expect(outra.get_by_label("Descrição", exact=True)).to_have_value("")
        outra.get_by_role("button", name="Recuperar o que digitei").click()
        expect(outra.get_by_label("Descrição", exact=True)).to_have_value("Bem que estava sendo digitado")
        expect(outra.get_by_role("combobox", name="Agente responsável")).to_have_value(nome)


def test_a_draft_is_forgotten_when_it_is_saved_and_not_when_it_was_refused(aba) -> None:
    from playwright.sync_api import expect

    with aba("gestor") as pagina:
        pagina.goto("/setores/novo")
        pagina.get_by_label("Código").fill("RASC")
        pagina.get_by_role("button", name="Cadastrar", exact=True).click()
        expect(pagina.get_by_role("alert")).to_contain_text("Nome: Preencha este campo")
        assert len(pagina.evaluate(GUARDADOS)) == 1
        pagina.get_by_label("Nome").fill("Setor do rascunho")
        pagina.get_by_role("button", name="Cadastrar", exact=True).click()
        expect(pagina.get_by_role("status")).to_contain_text("Cadastro gravado")
        assert pagina.evaluate(GUARDADOS) == []
        pagina.goto("/setores/novo")
        expect(pagina.get_by_role("button", name="Recuperar o que digitei")).to_be_hidden()


def test_a_draft_is_discarded_when_asked_and_by_signing_out_and_is_nobody_elses(aba) -> None:
    from playwright.sync_api import expect

    with aba("gestor") as pagina:
        pagina.goto("/setores/novo")
        pagina.get_by_label("Nome").fill("Segredo do gestor")
        pagina.goto("/setores")
        pagina.goto("/setores/novo")
        pagina.get_by_role("button", name="Descartar").click()
        assert pagina.evaluate(GUARDADOS) == []

        pagina.get_by_label("Nome").fill("Segredo do gestor")
        pagina.goto("/setores")
        assert len(pagina.evaluate(GUARDADOS)) == 1
        pagina.context.clear_cookies()  # the session ends, and somebody else signs in at the same browser
        pagina.goto("/entrar")
        pagina.get_by_label("E-mail").fill("admin@demo.local")
        pagina.get_by_label("Senha").fill("demo")
        pagina.get_by_role("button", name="Entrar").click()
        pagina.goto("/setores/novo")
        expect(pagina.get_by_role("button", name="Recuperar o que digitei")).to_be_hidden()
        pagina.get_by_label("Nome").fill("Segredo do administrador")
        pagina.get_by_role("button", name="Sair").click()
        expect(pagina.get_by_role("button", name="Entrar")).to_be_visible()
        guardados = pagina.evaluate("JSON.stringify(localStorage)")
        assert "administrador" not in guardados
        assert "Segredo do gestor" in guardados, "whose session ended by itself finds it again"
