"""A phone in a real browser: what is read without a network waits in it, through a reload, and arrives once."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest
from test_navegador_acessivel import escrever, problemas

from esteio.postgres import Dsn

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]  # two phones, on a busy machine

TELEFONE = {"width": 390, "height": 844}
OWN = "(select setor_id from usuario_setor us join usuario u on u.id = us.usuario_id where u.papel = 'responsavel')"


def _consulta(cidade: Dsn, sql: str, *values: object) -> Any:
    with psycopg.connect(cidade.conninfo) as conn:
        return conn.execute(sql, values).fetchall()


def _aberto(pagina: Any, cidade: Dsn) -> tuple[str, list[int]]:
    """A count of a local with three assets or more, begun; its page, and the numbers it expects."""
    ((local,),) = _consulta(
        cidade, f"select local_id::text from patrimonio where setor_id in {OWN} and situacao = 'em_uso' group by 1"
        " having count(*) > 2 order by count(*) limit 1",
    )  # fmt: skip
    ((comissao,),) = _consulta(cidade, "select id::text from comissao limit 1")
    novo = {"escopo": "local", "local_id": local, "comissao_id": comissao, "data_base": "2026-12-31"}
    feito = escrever(pagina, "POST", "/api/inventarios", novo)
    escrever(pagina, "POST", f"/api/inventarios/{feito['id']}/estado", {"estado": "contando"})
    numeros = _consulta(cidade, "select plaqueta from inventario_item order by numero")
    return f"/inventarios/{feito['id']}/contar", [row[0] for row in numeros]


def _ler(pagina: Any, numero: int, desfecho: str = "Encontrado aqui") -> None:
    from playwright.sync_api import expect

    pagina.locator("#campo-codigo").fill(f"{numero:06}")
    pagina.get_by_role("button", name=desfecho, exact=True).last.click()
    expect(pagina.locator("#campo-codigo")).to_have_value("")  # it is kept


def test_readings_of_flight_mode_survive_a_reload_and_arrive_once_and_two_phones_may_differ(
    aba,
    axe,
    cidade,
) -> None:
    from playwright.sync_api import expect

    with aba("gestor", viewport=TELEFONE, color_scheme="light", reduced_motion="reduce") as pagina:
        caminho, numeros = _aberto(pagina, cidade)
        pagina.goto(caminho)
        pagina.wait_for_selector("#contar[data-pronto]", state="attached")
        assert problemas(pagina, axe) == []
        assert pagina.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the phone"
        _ler(pagina, numeros[0])
        expect(pagina.locator("[data-fila-estado]")).to_contain_text("já chegou")
        expect(pagina.locator("[data-estado=encontrado]")).to_have_text("1")

        pagina.context.set_offline(True)
        _ler(pagina, numeros[1])
        _ler(pagina, numeros[2], "Não encontrado")
        expect(pagina.locator("[data-fila-estado]")).to_contain_text("2 leituras esperam")
        pagina.reload()
        pagina.wait_for_selector("#contar[data-pronto]", state="attached")
        expect(pagina.locator("[data-fila-estado]")).to_contain_text("2 leituras esperam")
        assert len(_consulta(cidade, "select from inventario_leitura")) == 1
        respostas: list[str] = []
        pagina.on("request", lambda pedido: respostas.append(pedido.url) if pedido.url.endswith("/leituras") else None)
        # The first answer is lost on its way: the service has the readings, the phone does not know.
        perdidas = iter([True])
        pagina.context.route(
            re.compile("/leituras$"),
            lambda rota: (rota.fetch(), rota.abort()) if next(perdidas, False) else rota.continue_(),
        )
        pagina.context.set_offline(False)
        expect(pagina.locator("[data-fila-estado]")).to_contain_text("já chegou", timeout=60_000)
        assert len(respostas) >= 2, "it was sent again"
        assert len(_consulta(cidade, "select from inventario_leitura")) == 3

        # A second phone, somebody else: both readings stay, the last one counts, and the item says that they differ.
        outra = pagina.context.browser.new_context(
            locale="pt-BR", base_url=pagina.url.split("/inventarios")[0]
        ).new_page()
        outra.goto("/entrar")
        outra.get_by_label("E-mail").fill("responsavel@demo.local")
        outra.get_by_label("Senha").fill("demo")
        outra.get_by_role("button", name="Entrar").click()
        outra.get_by_role("button", name="Sair").wait_for()
        outra.goto(caminho)
        outra.wait_for_selector("#contar[data-pronto]", state="attached")
        _ler(outra, numeros[2])
        expect(outra.locator("[data-fila-estado]")).to_contain_text("já chegou")
        # On the first phone, without reloading.
        expect(pagina.locator("[data-estado=encontrado]")).to_have_text("3", timeout=60_000)
        ((item, estado, leituras, contraditorio),) = _consulta(
            cidade, "select id, estado, leituras, contraditorio from inventario_item where plaqueta = %s", numeros[2]
        )
        assert (estado, leituras, contraditorio) == ("encontrado", 2, True)
        pagina.goto(f"/inventario-itens/{item}")
        expect(pagina.get_by_text("não disseram o mesmo")).to_be_visible()
        assert problemas(pagina, axe) == []
        pagina.goto(caminho.removesuffix("/contar"))
        assert problemas(pagina, axe) == []


def test_what_the_service_refuses_is_told_and_keeps_nothing_waiting(aba, cidade) -> None:
    from playwright.sync_api import expect

    with aba("gestor", viewport=TELEFONE) as pagina:
        caminho, numeros = _aberto(pagina, cidade)
        pagina.goto(caminho)
        pagina.wait_for_selector("#contar[data-pronto]", state="attached")
        pagina.context.set_offline(True)
        _ler(pagina, 888888, "Não encontrado")
        _ler(pagina, numeros[0])
        pagina.context.set_offline(False)
        expect(pagina.locator(".recusadas li")).to_contain_text("Não há bem com a plaqueta")
        expect(pagina.locator("[data-fila-estado]")).to_contain_text("já chegou")
        assert len(_consulta(cidade, "select from inventario_leitura")) == 1
