"""Registering one asset after the other: copies, lots with a serial number each, dates that may be slips."""

from __future__ import annotations

import datetime as dt
import re

import psycopg
import pytest
from test_patrimonios import novo


async def test_save_and_another_keeps_what_was_typed_but_the_serial_number(navegar, cidade) -> None:
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        dados |= {"numero_serie": "SN-1", "empenho": "2026NE1"}
        outro = await pessoa.mandar(formulario, **dados, _depois="outro")
        assert outro.titulos == ["Cadastrar bem"]
        assert "Bem 000301 cadastrado." in outro.texto
        de_novo = outro.formulario("/patrimonios/novo")
        assert (de_novo.valores["empenho"], de_novo.valores["numero_serie"]) == ("2026NE1", "")
        assert de_novo.valores["agente_id"] == dados["agente_id"]
        assert de_novo.valores["_chave"] != formulario.valores["_chave"]
        ficha = await pessoa.mandar(de_novo, numero_serie="SN-2")
        assert "SN-2" in ficha.texto
    with psycopg.connect(cidade.conninfo) as conn:
        feitos = conn.execute("select numero, numero_serie from patrimonio where numero > 300 order by 1").fetchall()
    assert feitos == [(301, "SN-1"), (302, "SN-2")]


async def test_an_asset_can_be_copied_from_its_card(navegar) -> None:
    async with navegar("gestor") as pessoa:
        ficha = await pessoa.ver("/patrimonios", q="7")
        copia = await pessoa.ver(next(x for x in ficha.links if "novo?como=" in x))
        formulario = copia.formulario("/patrimonios/novo")
        assert formulario.valores["descricao"] == ficha.titulos[0]
        assert formulario.valores["numero_serie"] == ""
        nova = await pessoa.mandar(formulario)
        assert nova.titulos == ficha.titulos
        assert "000301" in nova.texto
        assert (await pessoa.ver("/patrimonios/novo?como=nada")).estado == 200


async def test_a_lot_takes_one_serial_number_per_piece(navegar, cliente, cidade) -> None:
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        lista = await pessoa.mandar(formulario, **dados, quantidade="3", numeros_serie="A-1\r\n\r\n A-2 \nA-3\n")
        assert "3 bens cadastrados, de 000301 a 000303." in lista.texto
    async with cliente("gestor@demo.local") as c:
        um = await c.post("/api/patrimonios", json=await novo(c, numeros_serie=["B-1"]))
        assert um.json()["numero_serie"] == "B-1"
    with psycopg.connect(cidade.conninfo) as conn:
        series = conn.execute("select numero_serie from patrimonio where numero > 300 order by numero").fetchall()
        auditadas = conn.execute(
            "select depois->>'numero_serie' from evento where acao = 'criar' order by id desc limit 4"
        ).fetchall()
    assert [serie for (serie,) in series] == ["A-1", "A-2", "A-3", "B-1"]
    assert {serie for (serie,) in auditadas} == {"A-1", "A-2", "A-3", "B-1"}


@pytest.mark.parametrize(
    ("outros", "diz"),
    [
        ({"quantidade": "3", "numeros_serie": "A\nB"}, "São 2 números de série para 3 bens"),
        ({"quantidade": "2", "numeros_serie": "A\nA"}, "“A” está mais de uma vez"),
        ({"quantidade": "1", "numeros_serie": "A", "numero_serie": "B"}, "não ambos"),
        ({"quantidade": "1", "numeros_serie": "A" * 81}, "passa de 80"),
    ],
)
async def test_serial_numbers_that_do_not_fit_the_lot_are_explained(navegar, outros, diz) -> None:
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        tela = await pessoa.mandar(formulario, **dados, **outros)
        assert tela.estado == 422
        assert diz in tela.texto
        assert tela.formulario("/patrimonios/novo").valores["numeros_serie"] == outros["numeros_serie"]


async def test_a_date_far_ahead_is_asked_about_and_taken_when_confirmed(navegar) -> None:
    longe = dt.date.today() + dt.timedelta(days=400)  # noqa: DTZ011
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        dados["data_aquisicao"] = f"{longe:%d%m%Y}"
        perguntada = await pessoa.mandar(formulario, **dados)
        assert perguntada.estado == 422
        assert f"{longe:%d/%m/%Y} está no futuro" in perguntada.texto
        de_novo = perguntada.formulario("/patrimonios/novo")
        ticada = re.search(r'name="_confirmado" value="([^"]+)"', perguntada.html)[1]
        sem_ticar = {n: v for n, v in de_novo.valores.items() if n != "_confirmado"}
        de_novo.valores = sem_ticar
        assert (await pessoa.mandar(de_novo)).estado == 422
        outra = longe + dt.timedelta(days=1)  # the tick says nothing of another date
        assert (await pessoa.mandar(de_novo, data_aquisicao=str(outra), _confirmado=ticada)).estado == 422
        ficha = await pessoa.mandar(de_novo, _confirmado=ticada)
        assert ficha.estado == 200
        assert f"{longe:%d/%m/%Y}" in ficha.texto


async def test_short_dates_are_read(navegar) -> None:
    async with navegar("gestor") as pessoa:
        formulario, dados = await pessoa.bem_preenchido()
        ficha = await pessoa.mandar(
            formulario, **{**dados, "data_aquisicao": "20/11/25", "data_disponivel": "21112025"}
        )
        assert "20/11/2025" in ficha.texto
        assert "21/11/2025" in ficha.texto
