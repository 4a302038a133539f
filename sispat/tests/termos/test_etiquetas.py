"""Labels: what a phone reads of the printed page is the address of the asset, which shows what the city wants and no more."""

from __future__ import annotations

import contextlib
import io
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pypdfium2
import pytest
import zxingcpp
from aplicacao import abrir
from PIL import Image

from esteio.postgres import Dsn
from esteio.testing import FlakyProxy
from sispat.etiquetas.formats import FORMATS, Formato
from sispat.kernel.public_codes import code_of, normal_code, uuid_of
from sispat.settings import Quota

BASE = "https://bens.exemplo.gov.br"


def pages(pdf: bytes, dpi: int = 300) -> list[Image.Image]:
    with contextlib.closing(pypdfium2.PdfDocument(pdf)) as document:
        return [page.render(scale=dpi / 72).to_pil() for page in document]


def numbers_of(dsn, sql: str) -> list[tuple[int, str]]:
    with psycopg.connect(dsn.conninfo) as conn:
        return conn.execute(sql).fetchall()


@pytest.mark.parametrize("formato", [Formato.CARTA_80, Formato.A4_65, Formato.CARTA_30, Formato.ROLO_50X25])
async def test_every_label_of_a_printed_page_is_read_and_lies_where_the_sheet_has_it(cidade, formato) -> None:
    per_sheet = FORMATS[formato].per_sheet
    start = 3 if per_sheet > 1 else 1
    number = min(per_sheet, 12)
    assets = numbers_of(cidade, f"select numero, id from patrimonio order by numero limit {number}")
    async with abrir(cidade, "gestor@demo.local", public_url=BASE) as c:
        asked = {"numeros": ",".join(str(n) for n, _ in assets), "formato": formato.value, "inicio": start}
        r = await c.get("/api/etiquetas", params=asked)
    assert (r.status_code, r.headers["content-type"]) == (200, "application/pdf"), r.text
    drawn = pages(r.content)
    assert len(drawn) == -(-(number + start - 1) // per_sheet)
    read = [code for page in drawn for code in zxingcpp.read_barcodes(page)]
    assert sorted(code.text for code in read) == sorted(f"{BASE}/b/{code_of(id_)}".upper() for _, id_ in assets)
    if per_sheet > 1:  # the first stands in the third place of the first row
        grid = FORMATS[formato].data
        first = next(code for code in read if code.text.endswith(code_of(assets[0][1])))
        left = (grid["esquerda"] + (start - 1) % grid["colunas"] * grid["passo_x"]) / 25.4 * 300
        top = grid["alto"] / 25.4 * 300
        box = first.position
        assert left < box.top_left.x < box.bottom_right.x < left + grid["largura"] / 25.4 * 300
        assert top < box.top_left.y < box.bottom_right.y < top + grid["altura"] / 25.4 * 300


async def test_labels_are_chosen_in_the_list_seen_before_and_noted(cidade, navegar) -> None:
    assets = numbers_of(cidade, "select numero, id from patrimonio where situacao <> 'baixado' order by numero limit 3")
    async with navegar("gestor", public_url=BASE) as pessoa:
        lista = await pessoa.ver("/patrimonios?situacao=em_manutencao")
        assert "Etiquetas de todos os desta busca" in lista.texto
        tela = await pessoa.ver("/etiquetas?" + "&".join(f"bem={n}" for n, _ in assets))
        tela.conferir()
        assert "3 etiquetas, 1 folha." in tela.texto
        todos = await pessoa.ver("/etiquetas?situacao=em_manutencao&todos_da_busca=1&formato=a4-65")
        (quantos,) = numbers_of(cidade, "select count(*) from patrimonio where situacao = 'em_manutencao'")
        assert f"{quantos[0]} etiqueta" in todos.texto
        vazia = await pessoa.ver("/etiquetas")
        vazia.conferir()
        assert (vazia.estado, "Nenhum bem escolhido" in vazia.texto) == (422, True), "not the whole city by mistake"
        fora = await pessoa.ver("/etiquetas?numeros=1,999999&inicio=2")
        assert (fora.estado, "999999" in fora.texto) == (422, True)
        demais = await pessoa.ver("/etiquetas?numeros=1&formato=a4-21&inicio=22")
        assert (demais.estado, "21 etiquetas" in demais.texto) == (422, True)
        png = await pessoa.http.get(f"/etiquetas/previa.png?numeros={assets[1][0]}&formato=rolo-60x40")
        with Image.open(io.BytesIO(png.content)) as picture:
            (code,) = zxingcpp.read_barcodes(picture)
        assert uuid_of(urlsplit(code.text).path.rsplit("/", 1)[1]) == assets[1][1]
        assert (await pessoa.http.get("/etiquetas/pdf?numeros=1,2&ajuste_x=-1,5")).content.startswith(b"%PDF")
    assert numbers_of(cidade, "select depois->>'bens' from evento where acao = 'imprimir_etiquetas'") == [("2",)]
    async with abrir(cidade, "responsavel@demo.local") as c:
        alheio = numbers_of(cidade, """select numero from patrimonio where setor_id not in (select setor_id from usuario_setor)
                                       limit 1""")[0][0]  # fmt: skip
        assert (await c.get("/api/etiquetas", params={"numeros": alheio})).status_code == 422


async def test_the_public_page_shows_what_the_city_wants_and_never_a_person_value_or_serial(
    cidade, tmp_path_factory
) -> None:
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute(
            "update patrimonio set numero_serie = 'SERIE-7', observacao = 'Nota 7', valor = 7777.77 where numero = 7"
        )
        id_, descricao, setor, classe, agente = conn.execute(
            """select p.id, p.descricao, s.nome, c.nome, a.nome from patrimonio p join setor s on s.id = p.setor_id
               join classe c on c.id = p.classe_id join agente a on a.id = p.agente_id where p.numero = 7"""
        ).fetchone()
    code = code_of(id_)
    assert uuid_of(code) == id_ == uuid_of(f"{code[:13].lower()}-{code[13:]}")
    assert (uuid_of("Z" * 26), uuid_of("7"), uuid_of(""), normal_code("o1l-u")) == (None, None, None, "")
    ((host, port),) = cidade.hosts
    cut = tmp_path_factory.mktemp("r")
    with FlakyProxy(f"{host}/.s.PGSQL.{port}", listen=cut / ".s.PGSQL.5432") as proxy:
        behind = cidade.with_(hosts=((str(cut), 5432),), pool_timeout=0.5)
        await _seen_and_then_cut(behind, proxy, code, (classe, setor), (agente, descricao))
    async with abrir(cidade, public_shows="descricao") as fora:
        assert descricao in (await fora.get(f"/b/{code}")).text, "free text, opened by the city"
        assert (await fora.get(f"/api/publico/patrimonios/{code}")).json().keys() == {
            "plaqueta",
            "baixado",
            "descricao",
        }
    async with abrir(cidade, public_shows="classe", limit_public=Quota(3, 60.0)) as fora:
        r = await fora.get(f"/api/publico/patrimonios/{code}")
        assert r.json() == {"plaqueta": "000007", "baixado": False, "classe": classe}
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute("update patrimonio set situacao = 'baixado' where numero = 8")
            (outro,) = conn.execute("select id from patrimonio where numero = 8").fetchone()
        r = await fora.get(f"/b/{code_of(outro)}")
        assert "já não faz parte" in r.text
        await fora.get(f"/b/{code}")
        assert (await fora.get(f"/b/{code}")).status_code == 429, "a limit of its own"


async def _seen_and_then_cut(
    dsn: Dsn, proxy: FlakyProxy, code: str, shows: tuple[str, ...], hides: tuple[str, ...]
) -> None:
    contact = {"public_contact": "(11) 3333-4444", "city_name": "Boa Esperança"}
    async with abrir(dsn, **contact, limit_public=None) as fora:
        for path in (f"/b/{code}", f"/B/{code}"):
            r = await fora.get(path)
            assert r.status_code == 200
            for shown in ("000007", *shows, "Boa Esperança", "(11) 3333-4444"):
                assert shown in r.text
            for hidden in (*hides, "SERIE-7", "Nota 7", "7777", "7.777"):
                assert hidden not in r.text
        assert 'name="robots" content="noindex"' in r.text
        assert (await fora.get("/b/7")).status_code == 404, "numbers are counted up: nobody walks through the inventory"
        assert (await fora.get("/b/000007")).status_code == 404
        assert (await fora.get("/api/publico/patrimonios/7")).status_code == 404
        # The database goes away: what was asked before is still answered, the rest says so in words.
        proxy.stop()
        assert (await fora.get(f"/b/{code}")).status_code == 200
        r = await fora.get(f"/b/{code_of(UUID(int=7))}")
        assert (r.status_code, "não está respondendo" in r.text) == (503, True)
        assert (await fora.get("/conferir")).status_code == 200
