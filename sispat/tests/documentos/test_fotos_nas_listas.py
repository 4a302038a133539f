"""Lists show the main photo of what has one, and how many documents there are; a card begins with its photo."""

from __future__ import annotations

from arquivos import jpeg, pdf
from test_anexar import GESTOR, enviar, um_bem


async def test_a_list_of_assets_shows_the_main_photo_and_the_count_and_the_card_begins_with_it(
    cliente, navegar, cidade
) -> None:
    bem = um_bem(cidade)
    async with cliente(GESTOR) as c:
        for nome, dados in (("frente.jpg", jpeg()), ("nota.pdf", pdf())):
            assert (await enviar(c, bem["id"], (nome, dados))).status_code == 201
        dono = {"entidade": "patrimonio", "entidade_id": bem["id"]}
        itens = (await c.get("/api/uploads", params=dono)).json()["items"]
        foto = next(item for item in itens if item["principal"])
    pequena = f"/documentos/{foto['id']}/miniatura"
    async with navegar("gestor") as pessoa:
        lista = await pessoa.ver("/patrimonios?sort=numero")
        assert lista.problemas == []
        assert lista.html.count(pequena) == 1
        assert lista.html.count("miniatura") == 2, "the class and the address: nothing at what has no photo"
        assert "2 documentos" in lista.texto
        ficha = await pessoa.ver(f"/patrimonios/{bem['id']}")
        assert ficha.html.index(pequena) < ficha.html.index("<h1>")
        assert (await pessoa.http.get(pequena)).headers["content-type"] == "image/jpeg"


async def test_a_list_of_imoveis_shows_them_too(cliente, navegar, cidade) -> None:
    async with cliente(GESTOR) as c:
        imovel = (await c.get("/api/imoveis")).json()["items"][0]
        r = await c.post(
            "/api/uploads", data={"entidade": "imovel", "entidade_id": imovel["id"]},
            files={"arquivo": ("fachada.jpg", jpeg())},
        )  # fmt: skip
        assert r.status_code == 201, r.text
        foto = r.json()["items"][0]["id"]
    async with navegar("gestor") as pessoa:
        lista = await pessoa.ver("/imoveis")
        assert lista.problemas == []
        assert f"/documentos/{foto}/miniatura" in lista.html
        assert "1 documento" in lista.texto
        ficha = await pessoa.ver(f"/imoveis/{imovel['id']}")
        assert ficha.html.index(f"/documentos/{foto}/miniatura") < ficha.html.index("<h1>")
