"""Make docs/imagens/inventario-*.png, the pictures of docs/how-to/inventario.md: the real pages over the demo city.

Needs Debian's chromium and the development dependencies; run from the repository's root:

    PYTHONPATH=esteio/src:sispat/src:sispat/tests:sispat/tests/ui python docs/imagens/inventario.py
"""

from __future__ import annotations

import psycopg
from cidade import TELEFONE, cidade, entrar_como_gestor, guardar
from playwright.sync_api import Page
from test_navegador_acessivel import escrever

from esteio.postgres import Dsn


def fotografar(pagina: Page, dsn: Dsn) -> None:
    """A count of a local, with the first asset read."""
    entrar_como_gestor(pagina)
    with psycopg.connect(dsn.conninfo) as conn:
        achado = conn.execute(
            """select local_id::text, min(numero), (select id::text from comissao limit 1) from patrimonio
               where situacao = 'em_uso' group by local_id having count(*) > 5 order by local_id limit 1"""
        ).fetchone()
    assert achado is not None
    local, numero, comissao = achado
    novo = {"escopo": "local", "local_id": local, "comissao_id": comissao, "data_base": "2026-12-31"}
    feito = escrever(pagina, "POST", "/api/inventarios", novo)
    escrever(pagina, "POST", f"/api/inventarios/{feito['id']}/estado", {"estado": "contando"})
    pagina.goto(f"/inventarios/{feito['id']}/contar")
    pagina.wait_for_selector("#contar[data-pronto]", state="attached")
    pagina.locator("#campo-codigo").fill(f"{numero:06}")
    pagina.get_by_role("button", name="Encontrado aqui").last.click()
    pagina.get_by_text("já chegou").wait_for()
    pagina.locator("#campo-codigo").fill(f"{numero + 1:06}")
    pagina.get_by_role("heading", level=1).evaluate("e => scrollTo(0, e.getBoundingClientRect().top + scrollY - 20)")
    guardar("inventario-contar", pagina.screenshot())


if __name__ == "__main__":
    with cidade(TELEFONE) as aberta:
        fotografar(*aberta)
