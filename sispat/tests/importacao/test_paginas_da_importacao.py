"""Imports on pages and by API: sent, checked, saved and undone; without scripts."""

from __future__ import annotations

import csv
import io
from uuid import uuid4

from planilhas import Importer, csv_bytes, registers

from esteio.postgres import Dsn

HEADINGS = ["Descrição", "Classe", "Valor", "Data de aquisição", "Setor", "Local", "Matrícula"]


def sheet(cidade: Dsn, valor: str = "10,00") -> bytes:
    of = registers(cidade)
    return csv_bytes([HEADINGS, ["Mesa", of["classe"], valor, "31/01/2026", of["setor"], of["local"], of["matricula"]]])


async def test_a_clerk_sends_mends_saves_and_undoes(navegar, gestor: Importer, cidade: Dsn) -> None:
    async with navegar("gestor") as pessoa:
        tela = await pessoa.ver("/importacoes/nova")
        csrf = tela.formulario("/importacoes/nova").valores
        r = await pessoa.http.post(
            "/importacoes/nova",
            data=csrf,
            files={"arquivo": ("bens & cia.csv", sheet(cidade, "dez"))},
            follow_redirects=True,
        )
        assert r.status_code == 200, r.text
        page = r.url.path
        assert 'http-equiv="refresh"' in r.text
        await gestor.work()
        tela = await pessoa.ver(page)
        assert "A planilha tem um erro" in tela.html
        assert "bens &amp; cia.csv" in tela.html
        errors = (await pessoa.http.get(f"{page}/erros.csv")).text
        [_, line] = csv.reader(io.StringIO(errors), delimiter=";")
        assert line[:3] == ["2", "Valor", "dez"]

        tela = await pessoa.ver(f"{page}/colunas")
        assert (await pessoa.mandar(tela.formulario(f"{page}/colunas"), **{"coluna-1": "descricao"})).html.count(
            "Mais de uma"
        )
        tela = await pessoa.mandar(tela.formulario(f"{page}/colunas"), **{"coluna-2": "", "valor": "12,50"})
        await gestor.work()
        tela = await pessoa.ver(page)
        assert "erro" not in tela.html.lower().split("<main")[1].split("histórico")[0]
        tela = await pessoa.mandar(tela.formulario(f"{page}/gravar"))
        await gestor.work()
        tela = await pessoa.ver(page)
        assert "Gravada: 1 bem novo, 0 alterados." in tela.html
        (dela,) = [link for link in tela.links if link.startswith("/patrimonios?importacao=")]
        lista = await pessoa.ver(dela)
        assert lista.html.count('name="bem"') == 1
        assert ("Mesa" in lista.texto, "De uma importação" in lista.texto) == (True, True)
        etiqueta = await pessoa.ver(f"/etiquetas?{dela.partition('?')[2]}&todos_da_busca=1")
        assert "1 etiqueta, 1 folha." in etiqueta.texto
        assert "Nenhum bem corresponde" in (await pessoa.ver(f"/patrimonios?importacao={uuid4()}")).texto
        tela = await pessoa.mandar(tela.formulario(f"{page}/desfazer"))
        await gestor.work()
        assert "Desfeita" in (await pessoa.ver("/importacoes")).html


async def test_a_program_does_the_same_and_sends_twice_what_is_done_once(
    cliente, gestor: Importer, cidade: Dsn
) -> None:
    async with cliente("gestor@demo.local") as c:
        sent = [
            await c.post(
                "/api/importacoes", files={"arquivo": ("a.csv", sheet(cidade))}, headers={"Idempotency-Key": "1"}
            )
            for _ in range(2)
        ]
        assert [r.status_code for r in sent] == [201, 201], sent[0].text
        assert sent[0].json()["id"] == sent[1].json()["id"]
        root = f"/api/importacoes/{sent[0].json()['id']}"
        early = await c.post(f"{root}/gravacao", json={"versao": 1})
        assert early.status_code == 422, "its check is under way"
        await gestor.work()
        found = (await c.get(root)).json()
        assert (found["estado"], found["erros"], found["resumo"]["novos"]) == ("conferida", 0, 1)
        assert (await c.post(f"{root}/gravacao", json={"versao": 99})).status_code == 412
        assert (await c.post(f"{root}/gravacao", json={"versao": found["versao"]})).status_code == 200
        await gestor.work()
        assert (await c.get(root)).json()["estado"] == "gravada"
        bem = (await c.get("/api/patrimonios", params={"sort": "-numero", "limit": 1})).json()["items"][0]
        entries = (await c.get(f"/api/patrimonios/{bem['id']}/historico")).json()
        assert [e["acao"] for e in entries] == ["importar"]
        assert (await c.post(f"{root}/desfazimento")).status_code == 200
        await gestor.work()
        assert (await c.get(f"/api/patrimonios/{bem['id']}")).status_code == 404
        listed = (await c.get("/api/importacoes")).json()["items"]
        assert [each["estado"] for each in listed] == ["desfeita"]
    async with cliente("responsavel@demo.local") as c:
        assert (await c.get("/api/importacoes")).status_code == 403
