"""People administered: by page, API and command line; always an administrator left."""

from __future__ import annotations

import re
import threading

import psycopg
import pytest

from sispat.app import SLICES
from sispat.http.slices import Site
from sispat.kernel.permissions import Papel

NOVA = "quatro patas verdes dormem"
ANA = {"email": "Ana@cidade.gov.br", "nome": "Ana Lima", "papel": "responsavel", "setores": ["SEMED"]}


async def _setor(c) -> str:
    return (await c.get("/api/setores")).json()[0]["codigo"]


async def _id(c, email: str) -> str:
    achados = (await c.get("/api/usuarios", params={"q": email})).json()["items"]
    return next(each["id"] for each in achados if each["email"] == email)


async def test_an_account_is_made_corrected_retired_and_restored_by_the_api(cliente) -> None:
    async with cliente("admin@demo.local") as c, cliente() as dela:
        setor = await _setor(c)
        r = await c.post("/api/usuarios", json={**ANA, "setores": [setor]})
        assert r.status_code == 201, r.text
        ana = r.json()
        assert (ana["email"], ana["setores"], ana["ativo"]) == ("ana@cidade.gov.br", [setor], True)
        um = r.headers["location"]
        senha = (await c.post(f"{um}/senha-provisoria")).json()["senha"]
        entrada = await dela.post("/api/auth/login", json={"email": ANA["email"], "password": senha})
        assert entrada.json()["usuario"]["pendente"] == "senha"

        r = await c.put(um, json={**ANA, "nome": "Ana Lima Dias", "setores": []}, headers={"If-Match": "1"})
        assert (r.status_code, r.json()["nome"], r.json()["setores"]) == (200, "Ana Lima Dias", [])
        velha = await c.put(um, json=ANA, headers={"If-Match": "1"})
        assert velha.json()["codigo"] == "versao-desatualizada"

        assert (await c.post(f"{um}/desativacao")).json()["ativo"] is False
        dela.headers["Authorization"] = f"Bearer {entrada.json()['token']}"
        assert (await dela.get("/api/auth/me")).status_code == 401
        del dela.headers["Authorization"]
        login = {"email": ANA["email"], "password": senha}
        assert (await dela.post("/api/auth/login", json=login)).status_code == 401
        assert (await c.post(f"{um}/reativacao")).json()["ativo"] is True
        assert (await dela.post("/api/auth/login", json=login)).status_code == 200

        eventos = (await c.get("/api/auditoria")).json()
        acoes = [e["acao"] for e in eventos if e["entidade_id"] == ana["id"] and not e["acao"].startswith("entrar")]
        assert acoes == ["reativar", "desativar", "editar", "gerar_senha", "criar"]
        assert senha not in str(eventos)


@pytest.mark.parametrize(
    ("campo", "valor"),
    [("setores", ["NENHUM"]), ("email", "gestor@demo.local"), ("email", "sem arroba"), ("papel", "rei")],
)
async def test_what_cannot_be_is_refused_by_its_field(cliente, campo: str, valor: object) -> None:
    async with cliente("admin@demo.local") as c:
        r = await c.post("/api/usuarios", json={**ANA, "setores": [], campo: valor})
        assert (r.status_code, r.json()["errors"][0]["field"]) == (422, campo), r.text


async def test_the_last_administrator_can_neither_be_retired_nor_demoted(cliente, navegar) -> None:
    async with cliente("admin@demo.local") as c:
        admin = await _id(c, "admin@demo.local")
        r = await c.post(f"/api/usuarios/{admin}/desativacao")
        assert (r.status_code, r.json()["errors"][0]["field"]) == (422, "papel")
        dados = {"email": "admin@demo.local", "nome": "Admin", "papel": "consulta"}
        r = await c.put(f"/api/usuarios/{admin}", json=dados, headers={"If-Match": "1"})
        assert (r.status_code, "último administrador" in r.text) == (422, True)
        gestor = await _id(c, "gestor@demo.local")
        dados = {"email": "gestor@demo.local", "nome": "Gestora", "papel": "administrador"}
        assert (await c.put(f"/api/usuarios/{gestor}", json=dados, headers={"If-Match": "1"})).status_code == 200
        assert (await c.post(f"/api/usuarios/{admin}/desativacao")).status_code == 200
        assert (await c.get("/api/auth/me")).status_code == 401  # of oneself, too


def test_of_two_administrators_who_retire_each_other_at_once_one_stays(cidade) -> None:
    """The second waits for the first's COMMIT and is refused, though each saw the other active."""
    with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
        conn.execute("update usuario set papel = 'administrador' where email = 'gestor@demo.local'")
    recusas: list[Exception] = []

    def tirar(email: str, conn: psycopg.Connection) -> None:
        try:
            conn.execute("update usuario set ativo = false where email = %s", [email])
            conn.commit()
        except psycopg.errors.CheckViolation as erro:
            recusas.append(erro)

    with psycopg.connect(cidade.conninfo) as um, psycopg.connect(cidade.conninfo) as outro:
        um.execute("update usuario set ativo = false where email = 'admin@demo.local'")
        outro.execute("select 1")  # its transaction began before the first's COMMIT
        segundo = threading.Thread(target=tirar, args=("gestor@demo.local", outro))
        segundo.start()
        with psycopg.connect(cidade.conninfo, autocommit=True) as olho:
            while not olho.execute("select 1 from pg_locks where locktype = 'advisory' and not granted").fetchone():
                pass
        um.commit()
        segundo.join()
    assert [erro.diag.constraint_name for erro in recusas] == ["usuario_resta_administrador"]


async def test_only_administrators_see_and_change_accounts(cliente) -> None:
    async with cliente("admin@demo.local") as c:
        id_ = await _id(c, "consulta@demo.local")
    um = f"/api/usuarios/{id_}"
    for papel in ("gestor", "responsavel", "consulta"):
        async with cliente(f"{papel}@demo.local") as c:
            pedidos = [
                c.get("/api/usuarios"), c.get(um), c.post("/api/usuarios", json={**ANA, "setores": []}),
                c.put(um, json={**ANA, "setores": []}, headers={"If-Match": "1"}), c.post(f"{um}/desativacao"),
                c.post(f"{um}/reativacao"), c.post(f"{um}/senha-provisoria"), c.get(f"{um}/sessoes"),
                c.delete(f"{um}/sessoes"), c.delete(f"{um}/sessoes/{id_}"),
            ]  # fmt: skip
            assert {(await pedido).status_code for pedido in pedidos} == {403}, papel


def test_the_matrix_of_who_may_do_what_with_people() -> None:
    acoes = Site(SLICES).actions
    so_administrador = {"usuario.ver", "usuario.editar", "bloqueio.ver", "bloqueio.liberar"}
    assert {nome for nome, acao in acoes.items() if acao.papeis == {Papel.ADMINISTRADOR}} >= so_administrador
    assert acoes["conta.propria"].papeis == set(Papel)


async def test_the_list_is_walked_by_key_both_ways_and_anything_else_is_no_cursor(cliente) -> None:
    async with cliente("admin@demo.local", limit_write=None) as c:
        for n in range(5):
            await c.post("/api/usuarios", json={**ANA, "email": f"{n}@x.y", "nome": f"Álvaro {n % 2}", "setores": []})
        todos = (await c.get("/api/usuarios")).json()["items"]
        pagina, andados, cursor = {}, [], ""
        while cursor is not None:
            pagina = (await c.get("/api/usuarios", params={"limit": 2, "cursor": cursor})).json()
            andados += pagina["items"]
            cursor = pagina["next"]
        assert andados == todos
        assert len(todos) >= 9
        antes = (await c.get("/api/usuarios", params={"limit": 2, "cursor": pagina["previous"]})).json()
        assert antes["items"] == todos[len(todos) - len(pagina["items"]) - 2 : len(todos) - len(pagina["items"])]
        for torto in ("x", "e30", "WzEsMiwzXQ", "é", "WyJkIiwiXHUwMDAwIiwiMSJd"):
            assert (await c.get("/api/usuarios", params={"pagina": torto})).status_code == 422


async def test_pages_make_find_correct_and_retire_a_person_without_a_script(navegar) -> None:
    async with navegar("admin") as pessoa:
        form = (await pessoa.ver("/usuarios/novo")).formulario("/usuarios/novo")
        torto = await pessoa.mandar(form, nome="Ana", email="ana", papel="gestor")
        assert torto.estado == 422
        cartao = await pessoa.mandar(form, nome="Ana Lima", email="ana@x.y", papel="gestor", setores="semed; nenhum")
        assert "NENHUM" in cartao.texto
        cartao = await pessoa.mandar(form, nome="Ana Lima", email="ana@x.y", papel="gestor")
        assert "Usuário cadastrado" in cartao.texto
        um = re.search(r"/usuarios/([0-9a-f-]{36})/editar", cartao.html)[0].removesuffix("/editar")
        com_senha = await pessoa.mandar(cartao.formulario(f"{um}/senha-provisoria"))
        assert re.search(r"Senha provisória: ([a-z2-9]{4}-){3}[a-z2-9]{4}", com_senha.texto)
        assert not re.search(r"([a-z2-9]{4}-){3}[a-z2-9]{4}", (await pessoa.ver(um)).texto)
        salvo = await pessoa.mandar((await pessoa.ver(f"{um}/editar")).formulario(f"{um}/editar"), nome="Ana Dias")
        assert salvo.titulos == ["Ana Dias"]
        fora = await pessoa.mandar(salvo.formulario(f"{um}/desativar"))
        assert "Desativado" in fora.texto
        assert "Ana Dias" not in (await pessoa.ver("/usuarios", ativos="true")).texto
        assert "Ana Dias" in (await pessoa.ver("/usuarios", q="dias")).texto
        dentro = await pessoa.mandar(fora.formulario(f"{um}/reativar"))
        assert "Desativou" in dentro.texto
        ultimo = await pessoa.ver("/usuarios", q="admin@demo.local")
        admin = next(x for x in ultimo.links if re.fullmatch(r"/usuarios/[0-9a-f-]{36}", x))
        recusa = await pessoa.mandar((await pessoa.ver(admin)).formulario(f"{admin}/desativar"))
        assert (recusa.estado, "último administrador" in recusa.texto) == (422, True)


async def test_sessions_are_seen_and_ended_ones_own_by_anybody_others_by_administrators(cliente) -> None:
    async with cliente("gestor@demo.local") as uma:
        outra = (await uma.post("/api/auth/login", json={"email": "gestor@demo.local", "password": "demo"})).json()[
            "token"
        ]
        uma.cookies.clear()
        abertas = (await uma.get("/api/auth/sessoes")).json()
        assert sum(s["atual"] for s in abertas) == 1
        bearer = {"Authorization": f"Bearer {outra}"}
        assert (await uma.get("/api/auth/me", headers=bearer)).status_code == 200
        dela = next(s["id"] for s in (await uma.get("/api/auth/sessoes", headers=bearer)).json() if s["atual"])
        assert (await uma.delete(f"/api/auth/sessoes/{dela}")).status_code == 204
        assert (await uma.get("/api/auth/me", headers=bearer)).status_code == 401
        assert (await uma.delete(f"/api/auth/sessoes/{dela}")).status_code == 404
        await uma.post("/api/auth/login", json={"email": "gestor@demo.local", "password": "demo"})
        uma.cookies.clear()
        assert (await uma.delete("/api/auth/sessoes")).json() == {"encerradas": 1}
        assert len((await uma.get("/api/auth/sessoes")).json()) == 1
        async with cliente("admin@demo.local") as admin:
            gestor = await _id(admin, "gestor@demo.local")
            alheia = (await admin.get("/api/auth/sessoes")).json()[0]["id"]
            assert (await uma.delete(f"/api/auth/sessoes/{alheia}")).status_code == 404
            (aberta,) = (await admin.get(f"/api/usuarios/{gestor}/sessoes")).json()
            assert aberta["atual"] is False
            assert (await admin.delete(f"/api/usuarios/{gestor}/sessoes")).json() == {"encerradas": 1}
        assert (await uma.get("/api/auth/me")).status_code == 401


async def test_somebody_ends_sessions_on_pages(navegar, cliente) -> None:
    async with navegar("gestor") as pessoa, cliente("gestor@demo.local") as outra:
        conta = await pessoa.ver("/conta")
        encerrar = next(f for f in conta.formularios if re.fullmatch(r"/conta/sessoes/[0-9a-f-]{36}/encerrar", f.acao))
        assert "Sessão encerrada" in (await pessoa.mandar(encerrar)).texto
        assert (await outra.get("/api/auth/me")).status_code == 401


async def test_a_creation_sent_twice_makes_one_account(cliente) -> None:
    async with cliente("admin@demo.local") as c:
        chave = {"Idempotency-Key": "a1"}
        for _ in range(2):
            assert (await c.post("/api/usuarios", json={**ANA, "setores": []}, headers=chave)).status_code == 201
        assert len((await c.get("/api/usuarios", params={"q": "ana@cidade"})).json()["items"]) == 1
