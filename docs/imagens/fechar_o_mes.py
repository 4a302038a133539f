"""Make docs/imagens/fechar-*.png, the pictures of docs/how-to/fechar-o-mes.md: the real pages over the demo city.

Needs Debian's chromium and the development dependencies; run from the repository's root:

    PYTHONPATH=esteio/src:sispat/src:sispat/tests python docs/imagens/fechar_o_mes.py
"""

from __future__ import annotations

import datetime as dt

import psycopg
from cidade import cidade, entrar_como_gestor, guardar
from playwright.sync_api import Page, ViewportSize

from esteio.postgres import Dsn

LARGA = ViewportSize(width=1360, height=640)  # a month has ten columns


def fotografar(pagina: Page, dsn: Dsn) -> None:
    """The form of the first month; a month with its accounts; its movements."""
    entrar_como_gestor(pagina)
    pagina.goto("/fechamentos/novo")
    pagina.get_by_role("button", name="Fechar o mês").wait_for()
    guardar("fechar-primeiro", pagina.screenshot())
    with psycopg.connect(dsn.conninfo) as conn:
        for month in (dt.date(2026, 8, 1), dt.date(2026, 9, 1)):
            conn.execute("select fechar_mes(%s, 'mes', id) from usuario where papel = 'gestor' limit 1", [month])
        achado = conn.execute("select id::text from fechamento order by competencia desc limit 1").fetchone()
    assert achado is not None
    pagina.goto(f"/fechamentos/{achado[0]}")
    contas = pagina.get_by_role("heading", name="Por conta")
    contas.evaluate("e => scrollTo(0, e.getBoundingClientRect().top + scrollY - 20)")
    guardar("fechar-mes", pagina.screenshot())
    pagina.goto(f"/fechamentos/{achado[0]}/lancamentos")
    pagina.get_by_role("heading", name="Lançamentos de 09/2026").wait_for()
    guardar("fechar-lancamentos", pagina.screenshot())


if __name__ == "__main__":
    with cidade(LARGA) as aberta:
        fotografar(*aberta)
