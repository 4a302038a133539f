"""The API as somebody meets it who writes a program against it."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openapi_spec_validator
import psycopg
import pytest

from esteio.postgres import Dsn
from sispat.app import create_app
from sispat.settings import Settings

GENERATOR = "openapi-python-client@0.29.1"


@pytest.fixture
def document(cidade: Dsn) -> dict[str, Any]:
    return create_app(Settings(database_url=cidade)).openapi()


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from nodes(each)


def test_the_openapi_document_is_valid_and_every_reference_leads_somewhere(document) -> None:
    openapi_spec_validator.validate(document)
    references = {node["$ref"] for node in nodes(document) if isinstance(node.get("$ref"), str)}
    assert len(references) > 20
    for reference in references:
        _, kind, name = reference.removeprefix("#/").split("/")
        assert name in document["components"][kind], reference
    for kind, named in document["components"].items():
        for name in named:
            assert re.fullmatch(r"[A-Za-z0-9._-]+", name), (kind, name)
            assert "__" not in name, f"two classes have the name of {name}: generated clients take only one"


def test_operations_have_names_of_their_own(document) -> None:
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))


def _generate(document: dict[str, Any], folder: Path) -> None:
    """A client package `generated` in `folder`; the generator runs in an environment of its own, whose pins are not ours."""
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "config.yaml").write_text("post_hooks: []\n")  # no formatter
    uv = [Path(sys.executable).with_name("uv"), "tool", "run", GENERATOR]
    if subprocess.run([*uv, "--version"], capture_output=True, check=False).returncode and "CI" not in os.environ:
        pytest.skip(f"{GENERATOR} can't be fetched here")
    made = subprocess.run(
        [*uv, "generate", "--path", "openapi.json", "--config", "config.yaml", "--output-path", "generated", "--meta",
         "none", "--fail-on-warning"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr


@pytest.mark.timeout(180)
async def test_a_typed_client_generated_from_the_document_works(document, cliente, tmp_path: Path, monkeypatch) -> None:
    await asyncio.to_thread(_generate, document, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    client_module = importlib.import_module("generated.client")
    models = importlib.import_module("generated.models")
    listed = importlib.import_module("generated.api.patrimonios.listar_patrimonios")
    corrected = importlib.import_module("generated.api.patrimonios.corrigir_patrimonios")
    async with cliente("gestor@demo.local") as c:
        token = c.headers["Authorization"].removeprefix("Bearer ")
        client = client_module.AuthenticatedClient("http://sispat.test", token)
        client.set_async_httpx_client(c)
        page = await listed.asyncio(client=client, limit=2)
        assert [item.numero for item in page.items] == [1, 2]
        change = models.CorrecaoDePatrimonio(observacao="Conferido")
        first = page.items[0]
        answer = await corrected.asyncio(first.id, client=client, body=change, if_match=f'"{first.versao}"')
        assert answer.observacao == "Conferido"
        lost = await corrected.asyncio(first.id, client=client, body=change, if_match=f'"{first.versao}"')
        assert (type(lost), lost.code) == (models.Problem, "versao-desatualizada")


async def test_every_example_of_a_body_works_as_it_is_in_the_demo_city(document, cliente) -> None:
    sent, made = 0, dict[str, Any]()
    async with cliente("admin@demo.local", limit_write=None) as c:
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if "application/json" not in operation.get("requestBody", {}).get("content", ()):
                    continue  # none, or a file
                if path.startswith(OF_THE_MOMENT) and not path.endswith("/login"):
                    continue
                headers = {}
                listed, _, rest = path.partition("/{id_}")
                url = path
                if url != listed and listed in MOVEMENTS:  # each is decided once: the next needs another one
                    example = _example(document, document["paths"][listed]["post"]["requestBody"])
                    several = made.pop(listed, None) or (await c.post(listed, json=example)).json()
                    url = f"{listed}/{several['items'][0]['id']}{rest}"
                elif url != listed:  # what the example before has made
                    one = (await c.get(f"{listed}/{made[listed]['id']}")).json()
                    if rest == "/chaves":  # only an integration has any
                        program = {"email": "folha@x.y", "nome": "Folha", "papel": "consulta", "integracao": True}
                        one = (await c.post(listed, json=program)).json()
                    headers["If-Match"], url = f'"{one["versao"]}"', f"{listed}/{one['id']}{rest}"
                body = _example(document, operation["requestBody"])
                answer = await c.request(method, url, json=body, headers=headers)
                assert answer.is_success, (method, url, body, answer.text)
                made.setdefault(path, answer.json())
                if location := answer.headers.get("Location"):  # of another list, where an act makes a record
                    made.setdefault(location.rpartition("/")[0], answer.json())
                sent += 1
    assert sent >= 19


# Their bodies repeat what only the moment knows: a password or a code, the columns of a spreadsheet, the hash of a PDF. A
# month is closed by a job before it can be reopened or reconciled, an item of a count is decided when it was counted.
OF_THE_MOMENT = (
    "/api/auth/", "/api/importacoes/", "/api/termos/{id_}/assinatura", "/api/fechamentos/{id_}/reabertura",
    "/api/inventario-itens/", "/api/conciliacoes",
)  # fmt: skip
MOVEMENTS = ("/api/transferencias", "/api/emprestimos", "/api/manutencoes", "/api/baixas")


def _example(document: dict[str, Any], body: dict[str, Any]) -> Any:
    schema = body["content"]["application/json"]["schema"]
    return document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]["examples"][0]


async def _one(c: httpx2.AsyncClient, path: str) -> dict[str, Any]:
    """The last of a list."""
    listed = (await c.get(path.partition("/{")[0])).json()
    return (listed["items"] if isinstance(listed, dict) else listed)[-1]


async def test_a_change_without_if_match_is_428_and_of_an_old_version_412(cliente) -> None:
    async with cliente("admin@demo.local") as c:
        for listed in ("/api/patrimonios", "/api/setores"):
            one = await _one(c, listed + "/{id_}")
            url = f"{listed}/{one['id']}"
            for method in ("PUT", "PATCH", "DELETE"):
                if (method, listed) == ("DELETE", "/api/patrimonios"):
                    continue
                whole = json.loads((await c.get("/api/openapi.json")).text) if method == "PUT" else None
                body = {"nome": "Setor novo"} if method == "PATCH" and "setores" in listed else {"observacao": "x"}
                if whole:
                    body = _example(whole, whole["paths"][listed + "/{id_}"]["put"]["requestBody"])
                for sent, status, code in (
                    ({}, 428, "versao-necessaria"),
                    ({"If-Match": "*"}, 428, "versao-necessaria"),
                    ({"If-Match": '"999"'}, 412, "versao-desatualizada"),
                ):
                    answer = await c.request(method, url, json=body, headers=sent)
                    assert (answer.status_code, answer.json()["code"]) == (status, code), (method, url, answer.text)
            assert (await c.get(url)).json()["versao"] == one["versao"]


async def test_a_patch_changes_what_it_names_and_null_takes_a_field_back(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        url = f"/api/patrimonios/{(await _one(c, '/api/patrimonios/{id_}'))['id']}"
        before = (await c.get(url)).json()
        same = {"id", "numero", "setor", "classe", "valor", "data_aquisicao", "marca"}
        answer = await c.patch(url, json={"nota_fiscal": "NF 7", "modelo": "X1"}, headers={"If-Match": '"1"'})
        after = answer.json()
        assert (after["nota_fiscal"], after["modelo"], after["versao"]) == ("NF 7", "X1", 2)
        assert {k: after[k] for k in same} == {k: before[k] for k in same}
        answer = await c.patch(url, json={"modelo": None, "data_disponivel": None}, headers={"If-Match": '"2"'})
        assert (answer.json()["modelo"], answer.json()["data_disponivel"]) == ("", before["data_aquisicao"])
        event = (await c.get(f"{url}/historico")).json()[0]
        assert (event["acao"], event["depois"]["modelo"]) == ("editar", "")
        for body, field in (
            ({"descricao": None}, "descricao"), ({"valor": "1.234,00"}, "valor"), ({"numero": 3}, "numero"),
            ({"data_disponivel": "1990-01-01"}, "data_disponivel"), ({"setor_id": before["setor"]["id"]}, "setor_id"),
        ):  # fmt: skip
            answer = await c.patch(url, json=body, headers={"If-Match": '"3"'})
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), answer.text


async def test_a_patch_of_an_agente_keeps_the_cpf_that_it_does_not_name(cliente, cidade) -> None:
    async with cliente("gestor@demo.local") as c:
        one = next(a for a in (await c.get("/api/agentes")).json() if a["cpf"])
        url = f"/api/agentes/{one['id']}"
        answer = await c.patch(url, json={"cargo": "Motorista"}, headers={"If-Match": str(one["versao"])})
        assert (answer.status_code, answer.json()["cargo"], answer.json()["cpf"]) == (200, "Motorista", one["cpf"])
    with psycopg.connect(cidade.conninfo) as conn:
        (cpf,) = conn.execute("select cpf from agente where id = %s", [one["id"]]).fetchone()
    assert len(cpf) == 11


async def test_lists_are_filtered_by_number_and_by_what_changed_since(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        found = (await c.get("/api/patrimonios", params={"numero": 7})).json()["items"]
        assert [bem["numero"] for bem in found] == [7]
        since = dt.datetime.now(dt.UTC).isoformat()
        assert (await c.get("/api/patrimonios", params={"atualizado_desde": since})).json()["items"] == []
        await c.patch(f"/api/patrimonios/{found[0]['id']}", json={"marca": "Nova"}, headers={"If-Match": '"1"'})
        for written in (since, since.replace("+00:00", "Z")):
            changed = (await c.get("/api/patrimonios", params={"atualizado_desde": written})).json()["items"]
            assert [bem["numero"] for bem in changed] == [7]
        unescaped = await c.get(f"/api/patrimonios?atualizado_desde={since}")
        assert [bem["numero"] for bem in unescaped.json()["items"]] == [7]
        csv = (await c.get("/api/patrimonios.csv", params={"atualizado_desde": since})).text
        assert len(csv.splitlines()) == 2
        without_zone = await c.get("/api/patrimonios", params={"atualizado_desde": "2026-01-31T08:00:00"})
        assert (without_zone.status_code, without_zone.json()["errors"][0]["field"]) == (422, "atualizado_desde")


async def test_five_hundred_different_assets_are_created_at_once(document, cliente, cidade) -> None:
    one = _example(document, document["paths"]["/api/patrimonios"]["post"]["requestBody"])
    items = [{**one, "descricao": f"Cadeira {n}", "numero_serie": f"C-{n}"} for n in range(500)]
    async with cliente("gestor@demo.local") as c:
        answer = await c.post("/api/patrimonios/lote", json={"items": items}, headers={"Idempotency-Key": "lote-1"})
        assert answer.status_code == 201, answer.text
        made = answer.json()["items"]
        assert [bem["numero"] for bem in made] == list(range(301, 801))
        assert [bem["numero_serie"] for bem in made] == [item["numero_serie"] for item in items]
        again = await c.post("/api/patrimonios/lote", json={"items": items}, headers={"Idempotency-Key": "lote-1"})
        assert (again.json(), again.headers["idempotency-replayed"]) == (answer.json(), "true")
        too_many = await c.post("/api/patrimonios/lote", json={"items": [*items, one]})
        assert (too_many.status_code, too_many.json()["errors"][0]["field"]) == (422, "items")
    with psycopg.connect(cidade.conninfo) as conn:
        row = conn.execute("select count(*), max(numero) from patrimonio").fetchone()
        assert row == (800, 800)
        assert conn.execute("select count(*) from evento where requisicao <> 'demo' and acao = 'criar'").fetchone() == (
            500,
        )


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"valor": "mil"}, "items.2.valor"),
        ({"classe_id": "00000000-0000-4000-8000-000000000000"}, "items.2.classe_id"),
        ({"setor_id": "00000000-0000-4000-8000-000000000000"}, "items.2.setor_id"),
    ],
)
async def test_one_wrong_asset_of_many_is_named_and_none_is_created(document, cliente, cidade, wrong, field) -> None:
    one = _example(document, document["paths"]["/api/patrimonios"]["post"]["requestBody"])
    async with cliente("gestor@demo.local") as c:
        answer = await c.post("/api/patrimonios/lote", json={"items": [one, one, {**one, **wrong}, one]})
        assert answer.status_code == 422, answer.text
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    with psycopg.connect(cidade.conninfo) as conn:
        assert conn.execute("select count(*) from patrimonio").fetchone() == (300,)
        assert conn.execute("select ultimo from numeracao where escopo = 'patrimonio'").fetchone() == (300,)


async def test_the_words_of_the_last_release_are_understood_for_one_more(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        first = (await c.get("/api/patrimonios", params={"limite": 2})).json()
        following = (await c.get("/api/patrimonios", params={"limite": 2, "pagina": first["next"]})).json()
        assert [bem["numero"] for bem in following["items"]] == [3, 4]
        missing = (await c.get("/api/nada")).json()
        assert (missing["code"], missing["request_id"]) == (missing["codigo"], missing["requisicao"])
