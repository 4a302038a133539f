"""One table of fields: what stands there is known everywhere, and forgetting a part of it fails here."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal
from typing import Annotated, Any

import psycopg
import pytest
from pydantic import BaseModel

from sispat.app import SLICES
from sispat.http.slices import Site
from sispat.kernel.fields import Entity, FieldSpec, Ui, plain_heading, specs
from sispat.kernel.inputs import Input, Legible
from sispat.kernel.patches import Patch
from sispat.patrimonios.fields import PATRIMONIO
from sispat.ui.fields import FormField

SITE = Site(SLICES)
TABLES = ("patrimonio", "setor", "local", "agente", "classe", "imovel")
MOVEMENTS = (
    "transferencia", "emprestimo", "manutencao", "baixa", "imovel_destinacao", "imovel_baixa", "comissao", "fechamento",
    "inventario", "inventario_item",
    "reavaliacao", "conciliacao",
)  # fmt: skip
_MADE_BY_THE_DATABASE = {"ordem", "busca", "referencia"}  # generated columns
_OF_ANOTHER_TABLE = {"comissao": {"membros"}, "patrimonio": {"valor_liquido"}}

# Two values of each kind as programs send them, and of fields that take only some.
_BY_KIND = {
    "text": ("Texto um & <dois>", "Texto três"),
    "long": ("Uma linha\nOutra", "Só uma"),
    "date": ("2025-03-04", "2025-04-05"),
    "money": ("1234.56", "99.90"),
    "decimal": ("12.50", "7.00"),
    "integer": ("60", "120"),
    "cpf_cnpj": ("11222333000181", "52998224725"),
    "cep": ("01001000", "20040002"),
}
_BY_NAME = {
    "codigo": ("ZZ-UM", "ZZ-DOIS"),
    "conta": ("9.9.1", "9.9.2"),
    "matricula": ("77777-7", "88888-8"),
    "uf": ("SP", "RJ"),
    "cpf": ("52998224725", "11144477735"),
    "email": ("ana@cidade.example", "rui@cidade.example"),
    "latitude": ("-23.550520", "-12.971400"),
    "longitude": ("-46.633308", "-38.501400"),
}


def test_every_column_has_its_line_and_every_line_its_column(banco) -> None:
    with psycopg.connect(banco.conninfo) as conn:
        for table in (*TABLES, *MOVEMENTS):
            columns = {
                name
                for (name,) in conn.execute(
                    "select column_name from information_schema.columns where table_name = %s", [table]
                )
            }
            fields = set(SITE.entities[table].fields) - _OF_ANOTHER_TABLE.get(table, set())
            assert columns - _MADE_BY_THE_DATABASE == fields, table


def test_every_input_of_every_route_says_what_people_call_its_fields() -> None:
    models = {
        model
        for each in SLICES
        for route in each.routes.all
        for model in route._types.values()
        if isinstance(model, type) and issubclass(model, Input) and not issubclass(model, Patch)  # made of the others
    }
    assert len(models) >= 8
    for model in models:
        assert set(specs(model)) == set(model.model_fields), model
        for name, spec in specs(model).items():
            password = "senha" in spec.ui.label.lower()  # any characters
            if spec.kind in ("text", "long") and spec.type is str and not password:
                assert Legible in model.model_fields[name].metadata, (model, name)


def test_a_line_without_its_words_or_with_an_unknown_section_is_refused() -> None:
    class Mute(BaseModel):
        cor: str = ""

    class Lost(Input):
        cor: Annotated[str, Ui("Cor", section="Nenhures")] = ""

    class Odd(BaseModel):
        cor: Annotated[complex, Ui("Cor")] = 0j

    with pytest.raises(TypeError, match=r"Mute\.cor has no Ui"):
        specs(Mute)
    with pytest.raises(TypeError, match=r"Odd\.cor is of type complex"):
        specs(Odd)
    with pytest.raises(TypeError, match="no section 'Nenhures'"):
        _ = Entity("coisa", "Coisa", (Lost,)).fields


def test_the_shape_of_a_document_follows_the_table() -> None:
    class Coisa(Input):
        cor: Annotated[str, Ui("Cor", in_list=True)] = ""
        preco: Annotated[Decimal | None, Ui("Preço")] = None

    entity = Entity("coisa", "Coisa", (Coisa,))
    schema = entity.document("CoisaGravada").model_json_schema()
    assert schema["required"] == ["cor", "preco"]
    assert schema["additionalProperties"] is False
    assert {each["type"] for each in schema["properties"]["preco"]["anyOf"]} == {"string", "null"}
    assert set(entity.document("Item", but=entity.unlisted).model_fields) == {"cor"}


def test_a_heading_of_a_spreadsheet_names_one_field() -> None:
    for entity in SITE.entities.values():
        named = [
            (heading, spec.name)
            for spec in entity.fields.values()
            for heading in {plain_heading(each) for each in (spec.ui.label, spec.member, spec.name)}
        ]
        assert len({heading for heading, _ in named}) == len(named), entity.name
    assert PATRIMONIO.import_names[plain_heading("Data de  AQUISIÇÃO")] == "data_aquisicao"


async def _samples(c: Any, entity: Entity, which: int) -> dict[str, str]:
    """A value for every field that people write; two calls with another `which` differ in each of them."""
    locais = (await c.get("/api/locais")).json()
    agentes = (await c.get("/api/agentes")).json()
    local = next(each for each in locais[which:] if each["setor_id"] != locais[0]["setor_id"] or not which)
    chosen = {"local_id": local["id"], "setor_id": local["setor_id"], "agente_id": agentes[which]["id"]}
    classe = (await c.get("/api/classes")).json()[which]["id"]
    chosen |= dict.fromkeys(("classe_id", "classe_terreno_id", "classe_edificacao_id"), classe)
    chosen["pai_id"] = (await c.get("/api/setores")).json()[which]["id"]
    return {name: chosen.get(name) or _sample(entity.fields[name], which) for name in entity.columns}


def _sample(spec: FieldSpec, which: int) -> str:
    if spec.choices:
        return list(spec.choices)[-1 - which]
    return (_BY_NAME.get(spec.name) or _BY_KIND[spec.kind])[which]


def _stored(spec: FieldSpec, document: dict[str, Any]) -> Any:
    value = document[spec.member if spec.member in document else spec.name]
    value = value["id"] if isinstance(value, dict) else value
    return ("false", "true")[value] if isinstance(value, bool) else value


def _missing(entity: Entity, sent: dict[str, str], document: dict[str, Any]) -> list[str]:
    return [
        f"{name}: {sent[name]!r} came back as {_stored(spec, document)!r}"
        for name, spec in entity.fields.items()
        if name in sent and name != "cpf" and str(_stored(spec, document)) != sent[name]
    ]


def _unsaid(entity: Entity, values: dict[str, Any], said: str) -> list[str]:
    """The fields whose label or value is not among what the page says."""
    faults = []
    for name, spec in entity.fields.items():
        if name not in values or name == "cpf":
            continue
        shown = values[name] if spec.ui.refers_to else spec.shown(values[name])
        faults += [f"{name}: {each!r}" for each in (str(spec.ui.label), " ".join(shown.split())) if each not in said]
    return faults


@pytest.mark.timeout(120)
@pytest.mark.parametrize("table", TABLES)
async def test_a_field_typed_into_the_form_is_in_api_page_and_history_and_can_be_changed(
    table: str, navegar, cliente
) -> None:
    entity = SITE.entities[table]
    async with cliente("admin@demo.local") as c, navegar("admin") as pessoa:
        first, second = await _samples(c, entity, 0), await _samples(c, entity, 1)
        form = (await pessoa.ver(f"{entity.path}/novo")).formulario(f"{entity.path}/novo")
        typed = {name: FormField.of(entity.fields[name]).text(value) for name, value in first.items()}
        assert form.visiveis >= {name for name in first if entity.fields[name].ui.in_form}
        page = await pessoa.mandar(form, **{name: text for name, text in typed.items() if name in form.visiveis})
        assert page.estado == 200, page.texto
        id_ = re.search(rf"{entity.path}/([0-9a-f-]{{36}})/editar", page.html)[1]

        address = f"/api{entity.path}/{id_}"
        stored = (await c.get(address)).json()
        assert not _missing(entity, first, stored)
        names = {spec.member: (stored.get(spec.member) or {}).get("nome") for spec in entity.fields.values()
                 if isinstance(stored.get(spec.member), dict)}  # fmt: skip
        plain = {n: v for n, v in first.items() if not entity.fields[n].ui.refers_to}
        known = {spec.name: names[spec.member] for spec in entity.fields.values() if spec.member in names}
        assert not _unsaid(entity, {**plain, **known}, page.texto)

        bodies = [second] if table != "patrimonio" else [
            {n: v for n, v in second.items() if n not in ("setor_id", "local_id", "agente_id")},
            {n: second[n] for n in ("setor_id", "local_id", "agente_id")},
        ]  # fmt: skip
        fixed = {name: first[name] for name, spec in entity.fields.items() if spec.ui.fixed}
        for path, body in zip((address, f"{address}/carga"), bodies, strict=False):
            version = (await c.get(address)).json()["versao"]
            r = await c.put(path, json={**body, **fixed}, headers={"If-Match": str(version)})
            assert r.status_code == 200, r.text
        changed = (await c.get(address)).json()
        assert not _missing(entity, {**second, **fixed}, changed)
        page = await pessoa.ver(f"{entity.path}/{id_}")
        assert not _unsaid(entity, {n: v for n, v in second.items() if n in plain and n not in fixed}, page.texto)


async def test_every_field_is_exported_under_a_heading_that_an_import_knows(cliente) -> None:
    async with cliente("gestor@demo.local") as c:
        lines = (await c.get("/api/patrimonios.csv?q=000007")).content.decode("utf-8-sig")
        (row,) = csv.DictReader(io.StringIO(lines), delimiter=";")
        item = next(i for i in (await c.get("/api/patrimonios", params={"q": "000007"})).json()["items"])
        stored = (await c.get(f"/api/patrimonios/{item['id']}")).json()
    for spec in PATRIMONIO.fields.values():
        if spec.ui.in_csv:
            assert row[spec.member] == spec.plain(stored[spec.member]), spec.name
            assert PATRIMONIO.import_names[plain_heading(spec.member)] == spec.name
    assert {name for name, spec in PATRIMONIO.fields.items() if not spec.ui.in_csv} == {
        "id",
        "versao",
        "criado_em",
        "atualizado_em",
    }
