"""Limits as people see them: when to try again, and nothing typed is lost."""

from __future__ import annotations

import re

from casa import ERRADA, casa
from leitor import Pessoa

from sispat.settings import Quota


async def test_a_form_that_is_refused_keeps_what_was_typed_and_can_be_sent_again(cidade) -> None:
    async with casa(cidade, limit_write=Quota(1, 60.0)) as c, c.de("203.0.113.7") as http:
        pessoa = Pessoa(http)
        await pessoa.entrar("gestor")
        for nome in ("Almoxarifado", "Garagem"):
            formulario = (await pessoa.ver("/setores/novo")).formulario("/setores/novo")
            tela = await pessoa.mandar(formulario, codigo=nome[:4], nome=nome)
        assert tela.estado == 429
        assert "Garagem" in tela.texto
        assert "Tente de novo em" in tela.texto
        de_novo = tela.formulario("/setores/novo")
        assert de_novo.valores["nome"] == "Garagem"
        assert de_novo.valores["_chave"] == formulario.valores["_chave"]


async def test_the_sign_in_page_says_when_to_try_again_and_keeps_the_email(cidade) -> None:
    async with casa(cidade) as c, c.de("203.0.113.7") as http:
        pessoa = Pessoa(http)
        for _ in range(6):
            formulario = (await pessoa.ver("/entrar?proximo=/setores")).formulario("/entrar")
            tela = await pessoa.mandar(formulario, email="gestor@demo.local", password="segredo-digitado")
        assert tela.estado == 429
        assert "Muitas tentativas" in tela.texto
        assert re.search(r"espere 1[5-7] minutos", tela.texto)
        assert re.search(r"a partir de \d\d/\d\d/\d{4} às \d\d:\d\d", tela.texto)
        assert int(tela.cabecalhos["retry-after"]) > 800
        de_novo = tela.formulario("/entrar")
        assert (de_novo.valores["email"], de_novo.valores["proximo"]) == ("gestor@demo.local", "/setores")
        assert "segredo-digitado" not in tela.html
        assert not tela.problemas


async def test_the_screen_of_blocks_lifts_one(cidade) -> None:
    async with casa(cidade) as c, c.de("192.0.2.99") as http:
        pessoa = Pessoa(http)
        await pessoa.entrar("admin")
        assert "Ninguém está bloqueado." in (await pessoa.ver("/bloqueios")).texto
        for _ in range(6):
            await c.entrar("203.0.113.7", ERRADA)
        tela = await pessoa.ver("/bloqueios")
        assert "(gestor@demo.local)" in tela.texto
        (liberar,) = [f for f in tela.formularios if f.acao.endswith("/liberar")]
        depois = await pessoa.mandar(liberar)
        assert "Bloqueio encerrado" in depois.texto
        assert "Ninguém está bloqueado." in depois.texto
        assert (await c.entrar("203.0.113.7")).status_code == 200
        auditoria = await pessoa.ver("/auditoria")
        assert "Liberou" in auditoria.texto
