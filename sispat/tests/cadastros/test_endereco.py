"""The address of a local: found by its CEP, or typed by hand when nobody answers; nothing typed is lost."""

from __future__ import annotations

import re
import time

import pytest
from viacep_falso import POR_ESPERA

from sispat.http.submission import Submission

NOVO = "/locais/novo"
DIGITADO = {"nome": "Escola do Centro", "ativo": "false", "cep": "01001-000", "numero": "100", "complemento": "fundos"}
A_MAO = {"logradouro": "Rua digitada", "bairro": "Centro", "cidade": "Campinas", "uf": "sp"}


async def preenchido(pessoa, **mais: str):
    """The form of a new local and what somebody typed into it."""
    tela = await pessoa.ver(NOVO)
    setor = re.search(r'<option value="([0-9a-f-]{36})"', tela.html)[1]
    return tela.formulario(NOVO), {**DIGITADO, **mais, "setor_id": setor}


@pytest.mark.usefixtures("sem_pressa")
async def test_the_button_fills_in_the_address_keeps_the_rest_and_saves_nothing(navegar, viacep) -> None:
    async with navegar("gestor", cep_url=viacep.url) as pessoa:
        formulario, dados = await preenchido(pessoa)
        tela = await pessoa.mandar(formulario, **dados, _acao="cep")
        assert tela.estado == 200
        assert "Endereço do CEP 01001-000 preenchido" in tela.texto
        valores = tela.formulario(NOVO).valores
        achado = {"logradouro": "Praça da Sé", "bairro": "Sé", "cidade": "São Paulo", "uf": "SP"}
        assert {n: valores[n] for n in (*dados, *achado)} == {**dados, **achado}
        assert "Nada corresponde à busca" in (await pessoa.ver("/locais", q="Escola do Centro")).texto
        salvo = await pessoa.mandar(tela.formulario(NOVO))
        assert salvo.titulos == ["Escola do Centro"]
        for texto in ("01001-000", "Praça da Sé", "100", "fundos", "São Paulo"):
            assert texto in salvo.texto
        assert (await pessoa.ver("/auditoria")).estado == 200


async def test_enter_saves_because_the_first_button_does(navegar, viacep) -> None:
    async with navegar("gestor", cep_url=viacep.url) as pessoa:
        html = (await pessoa.ver(NOVO)).html.split(f'action="{NOVO}"')[1]
        primeiro, *_, ultimo = re.findall(r"<button[^>]*>", html)
        assert "_acao" not in primeiro
        assert "_acao" not in ultimo
        assert html.count('name="_acao" value="cep"') == 1


@pytest.mark.usefixtures("sem_pressa")
async def test_what_viacep_does_not_know_stays_as_typed(navegar, viacep) -> None:
    await viacep.ser("cidade")
    async with navegar("gestor", cep_url=viacep.url) as pessoa:
        formulario, dados = await preenchido(pessoa, **A_MAO)
        valores = (await pessoa.mandar(formulario, **dados, _acao="cep")).formulario(NOVO).valores
        assert (valores["logradouro"], valores["bairro"]) == ("Rua digitada", "Centro")
        assert (valores["cidade"], valores["uf"]) == ("São Paulo", "SP")


@pytest.mark.parametrize(
    ("modo", "cep", "estado", "diz"),
    [("desconhecido", "99999-999", 200, "“99999-999” não foi encontrado"), ("ok", "123", 422, "8 algarismos"),
     ("ok", "", 422, "8 algarismos"), ("ok", "\x00", 422, "8 algarismos")],
)  # fmt: skip
@pytest.mark.usefixtures("sem_pressa")
async def test_a_cep_that_is_none_is_said_beside_what_was_typed(navegar, viacep, modo, cep, estado, diz) -> None:
    await viacep.ser(modo)
    async with navegar("gestor", cep_url=viacep.url) as pessoa:
        formulario, dados = await preenchido(pessoa, **A_MAO)
        tela = await pessoa.mandar(formulario, **{**dados, "cep": cep}, _acao="cep")
        assert tela.estado == estado
        assert diz in tela.texto
        valores = tela.formulario(NOVO).valores
        resto = {n: v for n, v in {**dados, **A_MAO}.items() if n != "cep"}
        assert {n: valores[n] for n in resto} == resto


@pytest.mark.fault
@pytest.mark.parametrize("modo", POR_ESPERA)
async def test_while_viacep_fails_the_form_is_back_in_time_and_typing_by_hand_saves(navegar, viacep, modo) -> None:
    await viacep.ser(modo)
    async with navegar("gestor", cep_url=viacep.url) as pessoa:
        formulario, dados = await preenchido(pessoa, **A_MAO)
        inicio = time.perf_counter()
        tela = await pessoa.mandar(formulario, **dados, _acao="cep")
        durou = time.perf_counter() - inicio
        print(f"form, {modo}, first question of the process: {durou:.3f} s")
        assert durou < 1.5
        assert tela.estado == 200
        assert "Digite o endereço à mão" in tela.texto
        valores = tela.formulario(NOVO).valores
        assert {n: valores[n] for n in (*dados, *A_MAO)} == {**dados, **A_MAO}
        salvo = await pessoa.mandar(tela.formulario(NOVO))
        assert (salvo.estado, salvo.titulos) == (200, ["Escola do Centro"])
        assert "Rua digitada" in salvo.texto


@pytest.mark.usefixtures("sem_pressa")
async def test_an_address_is_corrected_and_its_history_told(navegar, viacep) -> None:
    async with navegar("gestor", cep_url=viacep.url) as pessoa:
        um = next(x for x in (await pessoa.ver("/locais")).links if re.fullmatch(r"/locais/[0-9a-f-]{36}", x))
        formulario = (await pessoa.ver(f"{um}/editar")).formulario(f"{um}/editar")
        achado = await pessoa.mandar(formulario, cep="01001000", numero="7", _acao="cep")
        salvo = await pessoa.mandar(achado.formulario(f"{um}/editar"))
        assert salvo.estado == 200
        assert "01001-000" in salvo.texto
        assert "Praça da Sé" in salvo.texto
        assert (await pessoa.ver("/auditoria")).estado == 200


async def test_switched_off_there_is_no_button_and_the_fields_are_there(navegar) -> None:
    async with navegar("gestor", cep_url=None) as pessoa:
        tela = await pessoa.ver(NOVO)
        assert "_acao" not in tela.html
        assert "logradouro" in tela.formulario(NOVO).valores
        formulario, dados = await preenchido(pessoa, **A_MAO)
        assert (await pessoa.mandar(formulario, **dados)).titulos == ["Escola do Centro"]


async def test_without_the_csrf_token_nobody_is_asked(navegar, viacep) -> None:
    async with navegar("gestor", cep_url=viacep.url) as pessoa:
        formulario, dados = await preenchido(pessoa)
        tela = await pessoa.mandar(formulario, **{**dados, "_csrf": "lixo"}, _acao="cep")
        assert tela.estado == 403
    assert viacep.pedidos == []


async def test_whoever_may_not_edit_cannot_look_up_through_the_form(navegar, viacep) -> None:
    async with navegar("consulta", cep_url=viacep.url) as pessoa:
        csrf = re.search(r'name="_csrf" value="([^"]+)"', (await pessoa.ver("/")).html)[1]
        r = await pessoa.http.post(NOVO, data={"_csrf": csrf, "_acao": "cep", "cep": "01001000"})
        assert r.status_code == 403
    assert viacep.pedidos == []


def test_a_look_up_that_met_a_database_that_is_away_is_shown_again_never_saved() -> None:
    assert Submission({"nome": "Escola", "_acao": "cep"}).review
    assert Submission({"nome": "Escola", "_acao": "cep"}).typed() == {"nome": "Escola"}
