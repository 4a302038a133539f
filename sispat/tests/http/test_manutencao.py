"""The service closed: people see why and since when, and what they typed is still theirs afterwards."""

from __future__ import annotations

from pathlib import Path

import psycopg
from casa import GESTOR, casa
from leitor import Pessoa

from esteio.maintenance import Maintenance


async def test_what_was_typed_stays_in_the_page_and_is_saved_once_afterwards(cidade, tmp_path: Path) -> None:
    chave = Maintenance(tmp_path / "manutencao")
    async with casa(cidade, data_dir=tmp_path) as c, c.de("203.0.113.7") as http:
        pessoa = Pessoa(http)
        await pessoa.entrar("gestor")
        formulario = (await pessoa.ver("/setores/novo")).formulario("/setores/novo")
        with chave.held("Trazendo de volta a cópia de ontem"):
            tela = await pessoa.mandar(formulario, codigo="GARA", nome="Garagem <do> Zé")
            assert (tela.estado, tela.cabecalhos["cache-control"]) == (503, "no-store")
            assert 5 <= int(tela.cabecalhos["retry-after"]) <= 60
            assert "Trazendo de volta a cópia de ontem" in tela.texto
            assert "Nada do que você digitou se perdeu" in tela.texto
            assert 'http-equiv="refresh"' not in tela.html, "a form is never sent by itself"
            de_novo = tela.formulario("/setores/novo")
            assert de_novo.valores["nome"] == "Garagem <do> Zé"
            assert de_novo.valores["_chave"] == formulario.valores["_chave"]
            tela = await pessoa.mandar(de_novo)
            assert tela.formulario("/setores/novo").valores | {"_csrf": ""} == de_novo.valores | {"_csrf": ""}
        await _aberto(pessoa)
        for _ in range(2):
            assert "Garagem <do> Zé" in (await pessoa.mandar(de_novo)).texto
        assert (await pessoa.ver("/setores", q="Garagem")).texto.count("Garagem <do> Zé") == 1


async def test_who_entered_after_what_was_brought_back_enters_again_and_finds_the_form_filled_in(
    cidade, tmp_path: Path
) -> None:
    chave = Maintenance(tmp_path / "manutencao")
    async with casa(cidade, data_dir=tmp_path) as c, c.de("203.0.113.7") as http:
        pessoa = Pessoa(http)
        await pessoa.entrar("gestor")
        formulario = (await pessoa.ver("/setores/novo")).formulario("/setores/novo")
        with chave.held():
            tela = await pessoa.mandar(formulario, codigo="GARA", nome="Garagem do Zé")
        with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
            conn.execute("delete from sessao")
        await _aberto(pessoa)
        entrada = await pessoa.mandar(tela.formulario("/setores/novo"))
        assert entrada.estado == 401
        volta = await pessoa.mandar(entrada.formulario("/entrar"), email="gestor@demo.local", password="demo")
        revisto = volta.formulario("/setores/novo")
        assert (revisto.valores["nome"], revisto.valores["_chave"]) == ("Garagem do Zé", formulario.valores["_chave"])
        assert "Garagem do Zé" in (await pessoa.mandar(revisto)).texto


async def test_a_page_that_was_asked_for_asks_again_by_itself(cidade, tmp_path: Path) -> None:
    async with casa(cidade, data_dir=tmp_path) as c, c.de("203.0.113.7") as http:
        pessoa = Pessoa(http)
        Maintenance(tmp_path / "manutencao").turn_on()
        await _fechado(pessoa)
        for caminho in ("/", "/patrimonios", "/auditoria"):
            tela = await pessoa.ver(caminho)
            assert (tela.estado, tela.titulos) == (503, ["O SISPAT está em manutenção"]), "not a way to signing in"
            assert f'http-equiv="refresh" content="{tela.cabecalhos["retry-after"]}"' in tela.html
        assert (await pessoa.ver("/nada")).estado == 404


async def test_what_needs_no_database_goes_on(cidade, tmp_path: Path) -> None:
    async with casa(cidade, data_dir=tmp_path) as c, c.de("203.0.113.7") as http:
        pessoa = Pessoa(http)
        Maintenance(tmp_path / "manutencao").turn_on("Troca de disco")
        await _fechado(pessoa)
        for caminho in ("/api/health/live", "/api/health/ready", "/api/health", "/api/openapi.json"):
            assert (await http.get(caminho)).status_code == 200, caminho
        entrada = await pessoa.ver("/entrar?proximo=/setores")
        folha = next(parte for parte in entrada.html.split('"') if parte.endswith("sispat.css"))
        assert (await http.get(folha)).status_code == 200
        tela = await pessoa.mandar(entrada.formulario("/entrar"), email="gestor@demo.local", password="demo")
        assert tela.estado == 503
        assert "em manutenção" in tela.texto
        valores = tela.formulario("/entrar").valores
        assert (valores["email"], valores["proximo"]) == ("gestor@demo.local", "/setores")


async def test_programs_are_told_by_code(cidade, tmp_path: Path) -> None:
    async with casa(cidade, data_dir=tmp_path) as c, c.de("203.0.113.7") as http:
        token = (await http.post("/api/auth/login", json=GESTOR)).json()["token"]
        http.cookies.clear()
        feita = Maintenance(tmp_path / "manutencao").turn_on("Troca de disco")
        await _fechado(Pessoa(http))
        com_token = {"Authorization": f"Bearer {token}"}
        for resposta in (
            await http.post("/api/auth/login", json=GESTOR),
            await http.get("/api/patrimonios", headers=com_token),
            await http.get("/api/patrimonios.csv", headers=com_token),
            await http.post("/api/setores", headers=com_token, json={"codigo": "X", "nome": "X"}),
        ):
            assert (resposta.status_code, resposta.headers["content-type"]) == (503, "application/problem+json")
            assert resposta.headers["retry-after"] == "10"
            corpo = resposta.json()
            assert (corpo["codigo"], corpo["reason"], corpo["until"]) == ("manutencao", "Troca de disco", None)
            assert corpo["since"][:16] == feita.since.isoformat()[:16]
        assert (await http.get("/api/patrimonios")).status_code == 401
        ingles = await http.get("/api/patrimonios", headers={**com_token, "Accept-Language": "en"})
        assert ingles.json()["title"] == "Under maintenance"


async def _fechado(pessoa: Pessoa) -> None:
    while (await pessoa.http.get("/")).status_code != 503:
        pass


async def _aberto(pessoa: Pessoa) -> None:
    while (await pessoa.http.get("/")).status_code == 503:
        pass
