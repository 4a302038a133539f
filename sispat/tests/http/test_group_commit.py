"""Creates that wait at the same time are committed together, and nobody notices but by the speed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import psycopg
import pytest

from esteio.postgres import CommitUnknown, Database, Dsn
from sispat.http.group_commit import GroupCommit

CAMINHO = "/api/patrimonios"
SEM_LIMITES = {"limit_write": None, "limit_user": None}


async def corpo_de_bem(c: httpx2.AsyncClient) -> dict[str, Any]:
    """A valid new asset."""
    bem = (await c.get(CAMINHO, params={"limit": 1})).json()["items"][0]
    lugar = {f"{campo}_id": bem[campo]["id"] for campo in ("classe", "setor", "local", "agente")}
    return {"descricao": "Criado sob carga", "valor": "10.00", "data_aquisicao": "2026-01-31", **lugar}


@asynccontextmanager
async def contador_preso(dsn: Dsn) -> AsyncIterator[None]:
    """Nobody gets a number meanwhile, so that whoever comes second waits for the next group."""
    async with await psycopg.AsyncConnection.connect(dsn.conninfo) as conn:
        await conn.execute("select 1 from numeracao where escopo = 'patrimonio' for update")
        yield


@pytest.fixture
def juntos(cidade: Dsn, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Sends requests so that they stand in one group; their answers, in order."""
    chegados: list[object] = []
    answer = GroupCommit.answer

    async def contada(self: GroupCommit, *pedido: Any) -> Any:
        chegados.append(pedido)
        return await answer(self, *pedido)

    monkeypatch.setattr(GroupCommit, "answer", contada)

    async def mandar(
        primeiro: Coroutine[Any, Any, Any], *pedidos: Coroutine[Any, Any, Any], desiste: int | None = None
    ) -> list[Any]:
        chegados.clear()
        async with contador_preso(cidade):
            tarefas = [asyncio.ensure_future(primeiro)]
            await _ate(lambda: len(chegados) == 1)
            tarefas += [asyncio.ensure_future(pedido) for pedido in pedidos]
            await _ate(lambda: len(chegados) == 1 + len(pedidos))
            if desiste is not None:
                tarefas[desiste].cancel()
        return await asyncio.gather(*tarefas, return_exceptions=True)

    return mandar


async def _ate(condicao: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condicao():  # noqa: ASYNC110 - the condition is the database's or another task's
            await asyncio.sleep(0.005)


def _criados(dsn: Dsn) -> list[tuple[Any, ...]]:
    """Number, how many audit records, in which transaction, of each asset created by a test."""
    with psycopg.connect(dsn.conninfo) as conn:
        return conn.execute(
            "select p.numero, count(e.id), p.xmin::text from patrimonio p join evento e on e.entidade_id = p.id"
            " where p.descricao = 'Criado sob carga' group by p.numero, p.xmin order by p.numero"
        ).fetchall()


async def test_creates_that_wait_at_the_same_time_are_one_transaction(cliente, cidade, juntos) -> None:
    async with cliente("gestor@demo.local", **SEM_LIMITES) as c:
        corpo = await corpo_de_bem(c)
        respostas = await juntos(*(c.post(CAMINHO, json=corpo) for _ in range(21)))
    assert {r.status_code for r in respostas} == {201}
    assert [r.json()["numero"] for r in respostas] == list(range(301, 322)), "in the order in which they came"
    criados = _criados(cidade)
    assert [(numero, registros) for numero, registros, _ in criados] == [(n, 1) for n in range(301, 322)]
    assert len({transacao for *_, transacao in criados}) == 2, "the first alone, all others together"


async def test_the_audit_of_each_names_its_own_person_and_request(cliente, cidade, juntos) -> None:
    async with cliente("gestor@demo.local", **SEM_LIMITES) as c:
        corpo = await corpo_de_bem(c)
        gestor = c.headers["Authorization"]
        entrada = await c.post("/api/auth/login", json={"email": "admin@demo.local", "password": "demo"})
        c.cookies.clear()
        quem = [gestor, f"Bearer {entrada.json()['token']}"] * 3
        respostas = await juntos(*(c.post(CAMINHO, json=corpo, headers={"Authorization": um}) for um in quem))
    pedidos = {r.json()["id"]: r.headers["X-Request-ID"] for r in respostas}
    with psycopg.connect(cidade.conninfo) as conn:
        registros = conn.execute(
            "select e.entidade_id::text, e.requisicao, u.email from evento e join usuario u on u.id = e.ator_id"
            " where e.acao = 'criar' and e.entidade = 'patrimonio' and e.entidade_id = any(%s::uuid[]) order by e.id",
            [list(pedidos)],
        ).fetchall()
    assert {id_: requisicao for id_, requisicao, _ in registros} == pedidos
    assert sorted(email for *_, email in registros) == ["admin@demo.local"] * 3 + ["gestor@demo.local"] * 3


async def test_whoever_fails_in_a_group_fails_alone(cliente, cidade, juntos) -> None:
    async with cliente("gestor@demo.local", **SEM_LIMITES) as c:
        bom = await corpo_de_bem(c)
        alheio = next(x["id"] for x in (await c.get("/api/locais")).json() if x["setor_id"] != bom["setor_id"])
        entrada = await c.post("/api/auth/login", json={"email": "consulta@demo.local", "password": "demo"})
        cookie = {"Cookie": f"sispat_sessao={entrada.cookies['sispat_sessao']}", "Authorization": ""}
        c.cookies.clear()
        leitor = {"Authorization": f"Bearer {entrada.json()['token']}"}
        entrada = await c.post("/api/auth/login", json={"email": "admin@demo.local", "password": "demo"})
        c.cookies.clear()
        pendente = {"Authorization": f"Bearer {entrada.json()['token']}"}
        with psycopg.connect(cidade.conninfo) as conn:
            conn.execute("update usuario set senha_provisoria = true where email = 'admin@demo.local'")
        pedidos: list[tuple[dict[str, Any], dict[str, str], int]] = [
            (bom, {}, 201),
            (bom, {}, 201),
            (bom, leitor, 403),
            (bom, {"Authorization": "Bearer terminada"}, 401),
            (bom, cookie, 403),
            (bom, pendente, 403),
            (bom | {"local_id": alheio}, {}, 422),
            (bom | {"agente_id": "00000000-0000-4000-8000-000000000000"}, {}, 422),
            (bom | {"quantidade": 3}, {}, 201),
            (bom, {"Idempotency-Key": "x" * 201}, 422),
            (bom, {}, 201),
        ]
        respostas = await juntos(*(c.post(CAMINHO, json=corpo, headers=mais) for corpo, mais, _ in pedidos))
    assert [r.status_code for r in respostas] == [estado for *_, estado in pedidos]
    assert len({respostas[place].json()["code"] for place in (2, 4, 5)}) == 3, "each is told its own reason"
    assert [e["field"] for e in respostas[6].json()["errors"]] == ["local_id"]
    assert [(numero, registros) for numero, registros, _ in _criados(cidade)] == [(n, 1) for n in range(301, 307)]


async def test_a_key_that_is_repeated_within_a_group_is_done_once(cliente, cidade, juntos) -> None:
    async with cliente("gestor@demo.local", **SEM_LIMITES) as c:
        corpo = await corpo_de_bem(c)
        velha, nova = {"Idempotency-Key": "velha"}, {"Idempotency-Key": "nova"}
        primeira = await c.post(CAMINHO, json=corpo, headers=velha)
        pedidos = [(corpo, {}), (corpo, nova), (corpo, nova), (corpo, velha), (corpo | {"valor": "9.99"}, nova)]
        _, uma, outra, antiga, diferente = await juntos(*(c.post(CAMINHO, json=b, headers=h) for b, h in pedidos))
    assert uma.status_code == outra.status_code == antiga.status_code == 201
    assert outra.content == uma.content
    assert antiga.content == primeira.content
    assert sorted(r.headers.get("Idempotency-Replayed", "") for r in (uma, outra, antiga)) == ["", "true", "true"]
    assert diferente.status_code == 422
    assert [numero for numero, *_ in _criados(cidade)] == [301, 302, 303]


async def test_whoever_gives_up_waiting_takes_nobody_along(cliente, cidade, juntos) -> None:
    async with cliente("gestor@demo.local", **SEM_LIMITES) as c:
        corpo = await corpo_de_bem(c)

        primeira, desistente, outra = await juntos(*(c.post(CAMINHO, json=corpo) for _ in range(3)), desiste=1)
        assert isinstance(desistente, asyncio.CancelledError)
        assert (primeira.status_code, outra.status_code) == (201, 201)
        assert (await c.post(CAMINHO, json=corpo)).status_code == 201, "the next group is formed"
    assert [(numero, registros) for numero, registros, _ in _criados(cidade)] == [(n, 1) for n in range(301, 304)]


async def test_of_a_commit_in_doubt_each_is_told_and_nobody_goes_again(cliente, cidade, juntos, monkeypatch) -> None:
    async with cliente("gestor@demo.local", **SEM_LIMITES) as c:
        corpo = await corpo_de_bem(c)
        transaction = Database.transaction

        @asynccontextmanager
        async def duvidosa(self: Database, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            async with transaction(self, *args, **kwargs) as conn:
                yield conn
            raise CommitUnknown("sispat", 7, "o servidor sumiu")

        monkeypatch.setattr(Database, "transaction", duvidosa)
        respostas = await juntos(*(c.post(CAMINHO, json=corpo) for _ in range(4)))
    assert [(r.status_code, r.json()["codigo"]) for r in respostas] == [(503, "gravacao-incerta")] * 4
    assert len(_criados(cidade)) == 4, "none of them was done a second time"
