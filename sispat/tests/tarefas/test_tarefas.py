"""Jobs on pages, by API and by command: seen and cancelled by whose they are, and by administrators."""

from __future__ import annotations

import psycopg
from processos import por_dentro

from esteio.postgres import Dsn


def put(cidade: Dsn, papel: str, estado: str = "pendente") -> str:
    with psycopg.connect(cidade.conninfo) as conn:
        row = conn.execute(
            """insert into tarefa (tipo, argumentos, pedida_por, requisicao, idioma, tentativas, prazo, estado, vista_em,
                   terminada_em, feito, total, etapa, erro)
               select 'teste.algo', '{}', id, 'r', 'pt-BR', 5, 60, %(estado)s, now(),
                   case when %(estado)s = 'falhou' then now() end, 3, 8, 'lendo',
                   case when %(estado)s = 'falhou' then '{"code": "x", "message": "Faltou <papel>."}'::jsonb end
               from usuario where papel = %(papel)s limit 1 returning id""",
            {"papel": papel, "estado": estado},
        ).fetchone()
    return str(row and row[0])


async def test_a_job_is_seen_and_cancelled_by_whose_it_is_and_by_administrators(cliente, cidade: Dsn) -> None:
    mine, others = put(cidade, "gestor"), put(cidade, "responsavel")
    async with cliente("gestor@demo.local") as c:
        listed = (await c.get("/api/tarefas")).json()
        assert ([each["id"] for each in listed["items"]], listed["next"]) == ([mine], None)
        assert (await c.get(f"/api/tarefas/{others}")).status_code == 404
        assert (await c.post(f"/api/tarefas/{others}/cancelamento")).status_code == 404
        shown = (await c.get(f"/api/tarefas/{mine}")).json()
        assert (shown["nome"], shown["feito"], shown["total"], shown["estado"]) == ("teste.algo", 3, 8, "pendente")
        cancelled = (await c.post(f"/api/tarefas/{mine}/cancelamento")).json()
        assert (cancelled["estado"], cancelled["terminada_em"] is not None) == ("cancelada", True)
        again = (await c.post(f"/api/tarefas/{mine}/cancelamento")).json()
        assert again == cancelled
    async with cliente("admin@demo.local") as c:
        first = (await c.get("/api/tarefas", params={"limit": 1})).json()
        rest = (await c.get("/api/tarefas", params={"limit": 1, "cursor": first["next"]})).json()
        assert [first["items"][0]["id"], rest["items"][0]["id"], rest["next"]] == [others, mine, None]
        assert (await c.get("/api/tarefas", params={"cursor": "x"})).status_code == 422
        audited = [e for e in (await c.get("/api/auditoria")).json() if e["acao"] == "cancelar_tarefa"]
        assert [e["entidade_id"] for e in audited] == [mine], "once"


async def test_the_page_of_a_job_shows_how_far_it_is_and_loads_itself_again_without_scripts(
    navegar, cidade: Dsn
) -> None:
    running, failed = put(cidade, "gestor", "executando"), put(cidade, "gestor", "falhou")
    async with navegar("gestor") as pessoa:
        tela = await pessoa.ver(f"/tarefas/{running}")
        page = tela.html
        assert '<noscript><meta http-equiv="refresh" content="4"></noscript>' in page
        assert 'max="8" value="3"' in page
        assert "3 de 8" in page
        tela = await pessoa.mandar(tela.formulario(f"/tarefas/{running}/cancelar"))
        assert "Cancelamento pedido" in tela.html
        page = (await pessoa.ver(f"/tarefas/{failed}")).html
        assert "Faltou &lt;papel&gt;." in page
        assert "refresh" not in page
        listed = (await pessoa.ver("/tarefas")).html
        assert (running in listed, failed in listed) == (True, True)


def test_the_command_lists_and_cancels(cidade: Dsn) -> None:
    id_ = put(cidade, "gestor")
    listed = por_dentro("tarefas", "listar", DATABASE_URL=cidade.url)
    assert listed.stdout.split("\t")[:3] == [id_, "teste.algo", "pendente"], listed.stderr
    assert "cancelada" in por_dentro("tarefas", "cancelar", id_, DATABASE_URL=cidade.url).stdout
    assert por_dentro("tarefas", "cancelar", "x", DATABASE_URL=cidade.url).returncode == 2
