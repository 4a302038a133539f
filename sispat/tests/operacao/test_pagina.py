"""The operations page is for administrators, and for whoever has the token while nobody can say whose session it is."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path

from aplicacao import abrir

from esteio.alert.monitor import AlertStore
from esteio.alert.objectives import Minute
from esteio.alert.rules import Alert
from esteio.postgres import Dsn

TOKEN = "so-para-quem-opera"
_FOR_ADMINISTRATORS = ("/api/health/alerts", "/operacao/report.pdf", "/operacao/drill")


async def test_an_administrator_sees_it_and_nobody_else(cidade: Dsn) -> None:
    async with abrir(cidade, "admin@demo.local", city_name="Fim do Mundo") as c:
        await c.get("/patrimonios")
        page = await c.get("/operacao")
        assert page.status_code == 200
        for shown in ("Banco de dados", "Espaço em disco", "GET /patrimonios", "<h2>Cópias de segurança</h2>"):
            assert shown in page.text, shown
        english = await c.get("/operacao", headers={"Accept-Language": "en"})
        assert "Disk space" in english.text
        assert 'href="/operacao"' in (await c.get("/", headers={"Accept": "text/html"})).text
    async with abrir(cidade, "gestor@demo.local") as c:
        assert (await c.get("/operacao")).status_code == 403
        assert (await c.get("/operacao/events")).status_code == 403
        c.headers.clear()
        assert (await c.get("/operacao")).status_code == 303, "to the form for signing in"


async def test_while_the_database_is_away_a_browser_asks_for_the_token() -> None:
    nobody = Dsn.parse("postgresql://x@127.0.0.1:9/x?pool_timeout=1")
    session = {"Cookie": "sispat_sessao=" + "a" * 43}
    async with abrir(nobody, operations_token=TOKEN) as c:
        asked = await c.get("/operacao", headers=session)
        assert asked.status_code == 401
        assert asked.headers["www-authenticate"].startswith("Basic ")
        basic = base64.b64encode(f"eu:{TOKEN}".encode()).decode()
        page = await c.get("/operacao", headers={"Authorization": f"Basic {basic}"})
        assert page.status_code == 200
        assert "Não funciona: Banco de dados" in page.text
    async with abrir(nobody) as c:
        assert (await c.get("/operacao", headers=session)).status_code == 503


async def test_anybody_sees_whether_the_service_works_and_nothing_of_its_inside_also_without_the_database() -> None:
    nobody = Dsn.parse("postgresql://x@127.0.0.1:9/x?pool_timeout=1")
    async with abrir(nobody) as c:
        page, badge = await c.get("/situacao"), await c.get("/situacao/badge.svg")
        summary = await c.get("/api/health/summary.json")
        english = await c.get("/situacao", headers={"Accept-Language": "en"})
    assert [each.status_code for each in (page, badge, summary, english)] == [200] * 4
    assert "O serviço está fora do ar." in page.text
    assert "SISPAT: fora do ar" in badge.text
    assert "The service is down." in english.text
    assert summary.json()["status"] == "down"
    for inside in ("postgres", "127.0.0.1", "disk", "Banco"):
        assert inside not in page.text + badge.text + summary.text


async def test_an_administrator_acknowledges_and_silences_an_alert_and_the_audit_tells(
    cidade: Dsn, tmp_path: Path
) -> None:
    now, store = time.time(), AlertStore(tmp_path / "alerts.sqlite")
    firing = Alert("disk:low", 1.0, bad=True, bad_since=now - 60, firing_since=now - 50, told=("a",))
    assert store.save(now, {"disk:low": firing}, minutes=[Minute(int(now), 1000, 0)])
    store.close()
    async with abrir(cidade, data_dir=tmp_path) as c:
        await c.post("/api/auth/login", json={"email": "admin@demo.local", "password": "demo"})
        page = (await c.get("/operacao")).text
        assert "o disco está enchendo" in page
        assert "Margem de falhas de 30 dias" in page
        token = re.findall(r'action="/operacao/alerts">.*?name="token" value="([^"]+)"', page)[0]
        form = {"alert": "disk:low", "token": token}
        for order, shown in (
            ({"order": "acknowledge"}, "assumido por "),
            ({"order": "silence", "minutes": "480"}, "<h3>Silêncios</h3>"),
            ({"order": "end-silence"}, "assumido por "),
        ):
            done = await c.post("/operacao/alerts", data=form | order)
            assert done.status_code == 303, done.text
            assert shown in (await c.get("/operacao")).text, order
        assert "<h3>Silêncios</h3>" not in (await c.get("/operacao")).text
        assert (await c.post("/operacao/alerts", data=form | {"order": "acknowledge", "token": "x"})).status_code == 403
        audit = (await c.get("/auditoria")).text
        for verb in ("Assumiu o alerta", "Silenciou o alerta", "Encerrou o silêncio do alerta"):
            assert verb in audit, verb
        assert (await c.get("/api/health/alerts")).json()["firing"][0]["acknowledgedBy"]
        report = await c.get("/operacao/report")
        assert "Relatório mensal" in report.text
        assert "Ninguém observou o serviço neste mês." in report.text
        assert (await c.get("/operacao/report.pdf")).content.startswith(b"%PDF-")
        assert (await c.get("/operacao/drill")).status_code == 404, "there was no drill"
    async with abrir(cidade, "gestor@demo.local", data_dir=tmp_path) as c:
        assert (await c.post("/operacao/alerts", data=form | {"order": "acknowledge"})).status_code == 403
        assert [(await c.get(path)).status_code for path in _FOR_ADMINISTRATORS] == [403, 403, 403]


async def test_an_administrator_isolates_a_circuit_with_the_pages_form_and_the_audit_tells(cidade: Dsn) -> None:
    async with abrir(cidade, operations_token=TOKEN) as c:
        signed = await c.post("/api/auth/login", json={"email": "admin@demo.local", "password": "demo"})
        assert signed.status_code == 200
        assert c.cookies, "signed in by cookie, as a browser is"
        await c.get("/patrimonios")  # the sampler begins, for this test runs no lifespan of the middleware
        page = (await c.get("/operacao")).text
        form = {
            "circuit": "viacep/viacep", "order": "isolate",
            "token": re.findall(r'name="token" value="([^"]+)"', page)[0],
        }  # fmt: skip
        assert "Isolar o circuito viacep/viacep" in page
        forged = await c.post("/operacao/circuits", data=form | {"token": "x"})
        assert forged.status_code == 403
        done = await c.post("/operacao/circuits", data=form)
        assert done.status_code == 303, done.text
        assert "isolado por uma pessoa" in (await c.get("/operacao")).text
        assert "Isolou o circuito" in (await c.get("/auditoria")).text
        basic = base64.b64encode(f"eu:{TOKEN}".encode()).decode()
        c.cookies.clear()
        by_token = await c.get("/operacao", headers={"Authorization": f"Basic {basic}"})
        assert "Isolar" not in by_token.text, "the token gives no orders"
        refused = await c.post("/operacao/circuits", data=form, headers={"Authorization": f"Basic {basic}"})
        assert refused.status_code in (303, 401)
        assert "isolado por uma pessoa" in (await c.get("/operacao", headers={"Authorization": f"Basic {basic}"})).text
    async with abrir(cidade, "gestor@demo.local") as c:
        assert (await c.post("/operacao/circuits", data=form)).status_code == 403
