"""Accounts whose access ends on a day, auditors among them: what they may, when it is over, and who is told."""

from __future__ import annotations

import datetime as dt
from typing import Any

import httpx2
import psycopg
import pytest
from aplicacao import abrir
from test_chaves import _chave, _com

from esteio.postgres import Database, Dsn
from sispat.app import SLICES
from sispat.http.slices import Site
from sispat.kernel.jobs.work import Requester, access_of_user
from sispat.kernel.permissions import Papel
from sispat.pessoas.accounts import terminar_acessos

ANA = {"email": "ana@tce.example", "nome": "Ana Lima", "papel": "auditor", "acesso_ate": "2099-12-31"}


def _um(cidade: Dsn, sql: str, *valores: object) -> Any:
    with psycopg.connect(cidade.conninfo, autocommit=True) as conn:
        cursor = conn.execute(sql, valores)
        return cursor.fetchone() if cursor.description else None


async def _auditora(admin: httpx2.AsyncClient, cidade: Dsn, **outros: Any) -> dict[str, Any]:
    """Made by the administrator, with the password of the demo."""
    r = await admin.post("/api/usuarios", json={**ANA, **outros})
    assert r.status_code == 201, r.text
    _um(cidade, "update usuario set senha_provisoria = false, senha_hash = (select senha_hash from usuario"
                " where email = 'consulta@demo.local') where email = %s and not integracao", r.json()["email"])  # fmt: skip
    return dict(r.json())


def _acabar(cidade: Dsn, email: str, ago: str = "1 second") -> None:
    _um(cidade, "update usuario set acesso_ate = '2026-03-31', acesso_fim = now() - %s::interval where email = %s",
        ago, email)  # fmt: skip


def test_an_auditor_may_what_consulta_may_and_signs_nothing() -> None:
    actions = Site(SLICES).actions.values()
    assert {a.name for a in actions if Papel.AUDITOR in a.papeis} == {
        a.name for a in actions if Papel.CONSULTA in a.papeis
    } - {"termo.assinar"}


async def test_an_auditor_reads_the_whole_city_and_its_audit_and_changes_nothing(cliente, cidade) -> None:
    async with cliente("admin@demo.local") as admin:
        await _auditora(admin, cidade)
    async with cliente(ANA["email"]) as c:
        assert (await c.get("/api/auth/me")).json()["setores"] is None
        bem = (await c.get("/api/patrimonios")).json()["items"][0]
        for lido in (
            "/api/auditoria",
            "/api/fechamentos",
            f"/api/patrimonios/{bem['id']}/historico",
            "/patrimonios.csv",
        ):
            assert (await c.get(lido)).status_code == 200, lido
        troca = {"numeros": [bem["numero"]], "agente_id": bem["id"]}
        r = await c.post("/api/patrimonios/carga", json=troca)
        assert (r.status_code, "Auditor" in r.json()["detail"]) == (403, True)


async def test_an_auditor_has_a_last_day_an_administrator_has_none(cliente) -> None:
    async with cliente("admin@demo.local") as admin:
        for dados in ({"papel": "auditor", "acesso_ate": None}, {"papel": "administrador"}):
            r = await admin.post("/api/usuarios", json={**ANA, **dados})
            assert r.status_code == 422, r.text
            assert [each["field"] for each in r.json()["errors"]] == ["acesso_ate"]
        r = await admin.post("/api/usuarios", json={**ANA, "papel": "gestor", "acesso_ate": None})
        assert (r.status_code, r.json()["acesso_ate"]) == (201, None), "everybody else may have one"
        um = f"/api/usuarios/{r.json()['id']}"
        r = await admin.put(um, json={**ANA, "acesso_ate": None}, headers={"If-Match": "1"})
        assert [each["field"] for each in r.json()["errors"]] == ["acesso_ate"]


@pytest.mark.parametrize(("zone", "hour"), [("America/Sao_Paulo", 3), ("America/Rio_Branco", 5)])
async def test_the_last_day_ends_by_the_clocks_of_the_city(cidade, zone: str, hour: int) -> None:
    async with abrir(cidade, "admin@demo.local", timezone=zone) as admin:
        id_ = (await _auditora(admin, cidade, acesso_ate="2026-12-31"))["id"]
        fim = _um(cidade, "select acesso_fim from usuario where id = %s", id_)[0]
        assert fim == dt.datetime(2027, 1, 1, hour, tzinfo=dt.UTC)
        r = await admin.put(f"/api/usuarios/{id_}", json={**ANA, "acesso_ate": "2027-01-01"}, headers={"If-Match": "1"})
        assert r.status_code == 200, r.text
        assert _um(cidade, "select acesso_fim from usuario where id = %s", id_)[0] == fim + dt.timedelta(days=1)


async def test_when_the_access_ends_sessions_keys_and_jobs_end_and_signing_in_says_so(cliente, cidade) -> None:
    async with cliente("admin@demo.local") as admin, cliente() as c:
        await _auditora(admin, cidade)
        entrada = {"email": ANA["email"], "password": "demo"}
        r = await c.post("/api/auth/login", json=entrada)
        assert r.status_code == 200, r.text
        ana = r.json()["usuario"]["id"]
        dela = {"Authorization": f"Bearer {r.json()['token']}"}
        c.cookies.clear()
        for _ in range(2):  # the second time it is known to this process
            assert (await c.get("/api/patrimonios", headers=dela)).status_code == 200
        outro = {"email": "e-cidade@x.y", "integracao": True, "papel": "consulta", "acesso_ate": "2099-01-01"}
        integracao = (await admin.post("/api/usuarios", json={**ANA, **outro})).json()
        id_da_chave, segredo = await _chave(admin, integracao)
        async with _com(segredo, admin) as programa:
            assert (await programa.get("/api/patrimonios")).status_code == 200
            _acabar(cidade, ANA["email"])
            _acabar(cidade, "e-cidade@x.y")
            r = await programa.get("/api/patrimonios")
            assert (r.status_code, r.json()["code"]) == (401, "chave-recusada")
        assert (await admin.get(f"/api/chaves/{id_da_chave}")).json()["estado"] == "desativada"
        assert (await c.get("/api/patrimonios", headers=dela)).status_code == 401
        r = await c.post("/api/auth/login", json=entrada)
        assert (r.status_code, r.json()["code"]) == (401, "acesso-terminado")
        assert "31/03/2026" in r.json()["detail"]
        r = await c.post("/api/auth/login", json={**entrada, "password": "errada"})
        assert (r.status_code, r.json()["code"]) == (401, "nao-autenticado"), "only who knows the password is told"
        recusas = [e for e in (await admin.get("/api/auditoria")).json() if e["acao"] == "entrar_recusado"]
        assert [e["depois"].get("acesso_ate") for e in recusas] == [None, "2026-03-31"]
        async with Database(cidade, min_size=1) as db, db.connection() as conn:
            assert await access_of_user(conn, ana) is None, "what they asked for is not done any more"
        assert "não tem mais acesso" in Requester().message


async def test_the_end_is_written_into_the_audit_once_and_who_is_prolonged_enters_again(cliente, cidade) -> None:
    async with cliente("admin@demo.local") as admin, Database(cidade, min_size=1) as db:
        criada = await _auditora(admin, cidade)
        um = f"/api/usuarios/{criada['id']}"
        async with abrir(cidade, ANA["email"]):
            pass

        async def fins() -> int:
            for _ in range(2):
                async with db.connection() as conn:
                    await terminar_acessos(conn)
            historia = (await admin.get("/api/auditoria", params={"acao": "terminar_acesso"})).json()
            assert all(e["ator"] == "sistema" and e["entidade_id"] == criada["id"] for e in historia)
            return len(historia)

        assert await fins() == 0
        _acabar(cidade, ANA["email"])
        assert await fins() == 1
        assert _um(cidade, "select count(*) from sessao where usuario_id = %s", criada["id"]) == (0,)
        r = await admin.put(um, json=ANA, headers={"If-Match": "1"})
        assert (r.json()["acesso_ate"], r.json()["acesso_terminado"]) == ("2099-12-31", False)
        async with abrir(cidade, ANA["email"]) as c:
            assert (await c.get("/api/auditoria")).status_code == 200
        assert await fins() == 1
        _acabar(cidade, ANA["email"], "0 seconds")
        assert await fins() == 2, "it ended a second time"
        mudada = next(e for e in (await admin.get("/api/auditoria")).json() if e["acao"] == "editar")
        assert (mudada["antes"], mudada["depois"]) == ({"acesso_ate": "2026-03-31"}, {"acesso_ate": "2099-12-31"})


async def test_people_are_listed_with_the_day_and_with_its_being_over(cliente, navegar, cidade) -> None:
    async with cliente("admin@demo.local") as admin:
        id_ = (await _auditora(admin, cidade))["id"]
    async with navegar("admin") as pessoa:
        assert "Até 31/12/2099" in (await pessoa.ver("/usuarios")).texto
        form = (await pessoa.ver(f"/usuarios/{id_}/editar")).formulario(f"/usuarios/{id_}/editar")
        tela = await pessoa.mandar(form, acesso_ate="31/12/2098")
        assert "Até 31/12/2098" in tela.texto
        _acabar(cidade, ANA["email"])
        tela = await pessoa.ver("/usuarios")
        assert ("o acesso terminou em 31/03/2026" in tela.texto, tela.problemas) == (True, [])
        assert "Ana Lima" not in (await pessoa.ver("/usuarios?ativos=true")).texto
        assert "Acesso terminado" in (await pessoa.ver(f"/usuarios/{id_}")).texto
    async with navegar() as pessoa:
        form = (await pessoa.ver("/entrar")).formulario("/entrar")
        tela = await pessoa.mandar(form, email=ANA["email"], password="demo")
        assert "terminou em 31/03/2026" in tela.texto
