"""SISPAT under load while it is being broken: what is lost, and for how long. The figures are printed."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from arquivos import jpeg
from carga import Carga, corpo_de_bem, criados_sob_carga, entrar, matar, sessoes, trabalhadores
from processos import SEM_LIMITES, Service, pasta_de_dados

from sispat.kernel.files import FolderStore

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def servico() -> Iterator[Service]:
    with (
        pasta_de_dados() as dados,
        Service("--demo", "--size", "500", SISPAT_DATA_DIR=str(dados), **SEM_LIMITES) as real,
    ):
        real.pronto()
        yield real
        assert real.encerrar() == 0


@pytest.fixture
def mostrar(capsys):
    def escrever(texto: str) -> None:
        with capsys.disabled():
            print(f"\n    {texto}")

    return escrever


@pytest.mark.untimed
async def test_fifty_creates_at_once_over_two_workers_give_fifty_consecutive_numbers(servico, mostrar) -> None:
    async with entrar(servico) as cliente:
        corpo = await corpo_de_bem(cliente)
        respostas = await asyncio.gather(*(cliente.post("/api/patrimonios", json=corpo) for _ in range(50)))
        assert [r.status_code for r in respostas] == [201] * 50
        numeros = sorted(r.json()["numero"] for r in respostas)
        assert numeros == list(range(numeros[0], numeros[0] + 50))
    mostrar(f"50 creates at once over 2 workers: numbers {numeros[0]}-{numeros[-1]}, no 5xx")


@pytest.mark.untimed
async def test_two_people_saving_the_same_version_over_two_workers_exactly_one_wins(servico) -> None:
    async with entrar(servico) as cliente:
        corpo = await corpo_de_bem(cliente)
        bem = (await cliente.post("/api/patrimonios", json=corpo)).json()
        edicao = {campo: corpo[campo] for campo in ("valor", "data_aquisicao", "classe_id")}
        for versao in range(1, 6):
            dois = await asyncio.gather(
                *(
                    cliente.put(
                        f"/api/patrimonios/{bem['id']}",
                        json={**edicao, "descricao": f"Mesa {versao} de {pessoa}"},
                        headers={"If-Match": f'"{versao}"', "Connection": "close"},
                    )
                    for pessoa in ("Ana", "Rui")
                )
            )
            assert sorted(r.status_code for r in dois) == [200, 412]


async def test_kill_9_of_a_worker_loses_at_most_what_was_inside_it(servico, mostrar) -> None:
    async with entrar(servico) as cliente, Carga(cliente, await corpo_de_bem(cliente)) as carga:
        await asyncio.sleep(1.0)
        vitima = trabalhadores(servico)[0]
        golpe = time.monotonic()
        vitima.kill()
        await asyncio.sleep(3.0)
        assert len(trabalhadores(servico)) == 2
    tardios = [perda for perda in carga.perdidos if perda[0] > golpe + 0.25]
    mostrar(f"kill -9 of a worker at 100/s: lost {len(carga.perdidos)} of {carga.enviados}, {carga.perdidos[:3]}")
    assert not tardios
    assert len(carga.perdidos) <= 10  # 100/s of some 20 ms: a worker holds one or two, a burst a few more
    async with entrar(servico) as cliente:
        assert set(carga.criados) <= await criados_sob_carga(cliente)


@pytest.mark.untimed
async def test_kill_9_of_the_workers_or_the_database_in_an_upload_attaches_it_once_or_not_at_all(
    servico, mostrar
) -> None:
    armazem = FolderStore(Path(servico.processo.environ()["SISPAT_DATA_DIR"]) / "documentos")
    pelo_primeiro = 0
    async with entrar(servico) as cliente:
        bem = (await cliente.get("/api/patrimonios")).json()["items"][0]["id"]
        dono = {"entidade": "patrimonio", "entidade_id": bem}

        async def enviar(foto: bytes, chave: str) -> bool:
            try:
                r = await cliente.post(
                    "/api/uploads", data=dono, files={"arquivo": ("a.jpg", foto)}, headers={"Idempotency-Key": chave}
                )
            except httpx2.TransportError:
                return False
            return bool(r.status_code == 201)

        voltas = int(os.environ.get("SISPAT_UPLOAD_KILLS", "3"))
        for volta in range(voltas):
            foto, chave = jpeg(2000, 1500, cor=f"hsl({volta * 37 % 360}, 60%, 50%)"), f"envio-{volta}"
            primeiro = asyncio.create_task(enviar(foto, chave))
            await asyncio.sleep(random.uniform(0, 0.6))  # the moment of the fault
            matar(*(sessoes(servico)[:1] if volta % 3 == 2 else trabalhadores(servico)))
            pelo_primeiro += await primeiro
            fim = time.monotonic() + 45
            while not await enviar(foto, chave):
                assert time.monotonic() < fim, servico.saida
                await asyncio.sleep(0.1)
        itens = (await cliente.get("/api/uploads", params=dono)).json()["items"]
        assert len({item["sha256"] for item in itens}) == len(itens) == voltas, "each once"
        for item in itens:
            conteudo = (await cliente.get(item["conteudo"])).content
            assert hashlib.sha256(conteudo).hexdigest() == item["sha256"]
    armazem.forget_parts(age=0)
    assert [p.name for p in (armazem.directory / ".recebendo").iterdir()] == ["CACHEDIR.TAG"], (
        "nothing is left for good"
    )
    mostrar(f"kill -9 of all workers or the database in {voltas} uploads: {pelo_primeiro} done by the first, each once")


async def trocar_trabalhadores(servico: Service) -> None:
    """SIGHUP rolls them, which the supervisor forgives kills for: after many in a row it waits up to 30 s with a new one."""
    antes = {processo.pid for processo in trabalhadores(servico)}
    os.kill(servico.processo.pid, signal.SIGHUP)
    fim = time.monotonic() + 90
    while antes & {processo.pid for processo in trabalhadores(servico)}:
        assert time.monotonic() < fim, servico.saida
        await asyncio.sleep(0.1)


@pytest.mark.untimed
async def test_a_roll_of_all_workers_loses_nothing(servico, mostrar) -> None:
    async with entrar(servico) as cliente:
        async with Carga(cliente, await corpo_de_bem(cliente)) as carga:
            await asyncio.sleep(0.5)
            await trocar_trabalhadores(servico)
            await asyncio.sleep(0.5)
        mostrar(f"SIGHUP rolls both workers at 100/s: lost {len(carga.perdidos)} of {carga.enviados}")
        assert carga.perdidos == []
        assert len(trabalhadores(servico)) == 2


async def test_kill_9_of_the_postmaster_is_over_within_3_seconds_and_loses_no_acknowledged_write(
    servico, mostrar
) -> None:
    async with entrar(servico) as cliente, Carga(cliente, await corpo_de_bem(cliente)) as carga:
        await asyncio.sleep(1.0)
        golpe = time.monotonic()
        os.kill(servico.postgres()[0].pid, signal.SIGKILL)
        await asyncio.sleep(3.5)
    pausa = carga.maior_pausa(golpe)
    mostrar(
        f"kill -9 of the postmaster at 100/s: longest pause {pausa:.2f} s, lost {len(carga.perdidos)} of "
        f"{carga.enviados}, acknowledged creates {len(carga.criados)}"
    )
    assert carga.perdidos == []
    assert pausa < 3.0
    async with entrar(servico) as cliente:
        assert set(carga.criados) <= await criados_sob_carga(cliente)
        assert len(set(carga.criados)) == len(carga.criados)


@pytest.mark.untimed
async def test_kill_9_of_the_postmaster_under_creates_that_are_committed_together_does_each_once(
    servico, mostrar
) -> None:
    feitos: dict[str, int] = {}
    async with entrar(servico) as cliente:
        corpo = await corpo_de_bem(cliente)
        fim = time.monotonic() + 4.0

        async def cadastrar(quem: int) -> None:
            for vez in itertools.count():
                if time.monotonic() > fim:
                    return
                nome = f"Cadastrado junto {quem}-{vez}"
                resposta = await cliente.post(
                    "/api/patrimonios", json=corpo | {"descricao": nome}, headers={"Idempotency-Key": nome}
                )
                assert resposta.status_code == 201, resposta.text
                feitos[nome] = resposta.json()["numero"]

        pedidos = asyncio.gather(*(cadastrar(quem) for quem in range(24)))
        await asyncio.sleep(1.5)
        os.kill(servico.postgres()[0].pid, signal.SIGKILL)
        await pedidos
        achados = await _cadastrados_juntos(cliente)
    mostrar(f"kill -9 of the postmaster under 24 who create: {len(feitos)} acknowledged")
    assert achados == sorted((numero, nome) for nome, numero in feitos.items()), "none lost, none twice"


async def _cadastrados_juntos(cliente: httpx2.AsyncClient) -> list[tuple[int, str]]:
    achados: list[tuple[int, str]] = []
    pagina: str | None = ""
    while pagina is not None:
        params = {"q": "cadastrado junto", "limit": 200, "cursor": pagina}
        lista = (await cliente.get("/api/patrimonios", params=params)).json()
        achados += [(bem["numero"], bem["descricao"]) for bem in lista["items"]]
        pagina = lista["next"]
    return sorted(achados)


@pytest.mark.untimed
async def test_a_frozen_postgres_is_replaced_after_its_timeout_and_keeps_what_was_acknowledged(mostrar) -> None:
    with (
        pasta_de_dados() as dados,
        Service("--demo", "--size", "20", SISPAT_DATA_DIR=str(dados), SISPAT_PG_TIMEOUT="3s") as servico,
    ):
        servico.pronto()
        async with entrar(servico) as cliente:
            numero = (await cliente.post("/api/patrimonios", json=await corpo_de_bem(cliente))).json()["numero"]
        congelados = servico.postgres()
        for processo in congelados:
            processo.suspend()
        golpe = time.monotonic()
        servico.esperar(lambda: not congelados[0].is_running(), 60)
        async with entrar(servico) as cliente:
            assert await criados_sob_carga(cliente) == {numero}
        mostrar(f"SIGSTOP of PostgreSQL, SISPAT_PG_TIMEOUT=3s: answers after {time.monotonic() - golpe:.1f} s")
        assert servico.encerrar() == 0


async def test_kill_9_of_a_backend_heals_by_itself(servico, mostrar) -> None:
    async with entrar(servico) as cliente, Carga(cliente, await corpo_de_bem(cliente)) as carga:
        await asyncio.sleep(0.5)
        golpe = time.monotonic()
        sessoes(servico)[0].kill()
        await asyncio.sleep(3.5)
    pausa = carga.maior_pausa(golpe)
    mostrar(
        f"kill -9 of a backend at 100/s: longest pause {pausa:.2f} s, lost {len(carga.perdidos)} of {carga.enviados}"
    )
    assert carga.perdidos == []
    assert pausa < 3.0


@pytest.mark.untimed
async def test_clients_that_disconnect_in_the_middle_leave_nothing_behind(servico) -> None:
    porta = int(servico.endereco().rsplit(":", 1)[1])
    async with entrar(servico) as cliente:
        antes = await criados_sob_carga(cliente)
        token = cliente.headers["Authorization"]
        corpo = json.dumps(await corpo_de_bem(cliente)).encode()
        pedidos = [
            # half a body, a list nobody reads, an export cut after its first bytes
            b"POST /api/patrimonios HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (token.encode(), len(corpo), corpo[: len(corpo) // 2]),
            b"GET /api/patrimonios HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n\r\n" % token.encode(),
            b"GET /api/patrimonios.csv HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n\r\n" % token.encode(),
        ]
        for pedido in pedidos * 20:  # more than there are connections in both pools
            leitor, escritor = await asyncio.open_connection("127.0.0.1", porta)
            escritor.write(pedido)
            await escritor.drain()
            if b".csv" in pedido:
                await leitor.read(10)
            escritor.transport.abort()
        respostas = await asyncio.gather(*(cliente.get("/api/patrimonios") for _ in range(40)))
        assert {r.status_code for r in respostas} == {200}
        assert await criados_sob_carga(cliente) == antes
    assert "Traceback" not in servico.saida


@pytest.mark.untimed
async def test_kill_9_of_a_worker_in_each_kind_of_movement_leaves_it_done_once_or_not_at_all(servico, mostrar) -> None:
    """Who repeats the request with its Idempotency-Key gets it done once, whether or not the killed worker had done it."""
    dia = "2026-03-02"
    async with entrar(servico, "admin@demo.local") as cliente:
        corpo = await corpo_de_bem(cliente)
        bem = (await cliente.post("/api/patrimonios", json=corpo)).json()
        novo = {"numeros": [bem["numero"]]}
        outro = {"destino_id": corpo["setor_id"], "agente_id": corpo["agente_id"], "motivo": "Mudança de sala"}
        emprestado = {"tomador": "Escola", "saida": dia, "previsao": dia, "finalidade": "Feira"}
        escritas: list[tuple[str, str, dict[str, Any]]] = [
            ("pedir_transferencia", "/api/transferencias", {**novo, **outro}),
            ("aceitar_transferencia", "/api/transferencias/{}/aceite", {"local_id": corpo["local_id"]}),
            ("emprestar", "/api/emprestimos", {**novo, **emprestado}),
            ("devolver_emprestimo", "/api/emprestimos/{}/devolucao", {"devolvido_em": dia}),
            ("enviar_para_manutencao", "/api/manutencoes", {**novo, "problema": "Não liga", "enviado_em": dia}),
            (
                "concluir_manutencao",
                "/api/manutencoes/{}/conclusao",
                {"concluido_em": dia, "custo": "1", "servico": "Fonte"},
            ),
            (
                "baixar",
                "/api/baixas",
                {**novo, "motivo": "erro_cadastro", "data": dia, "justificativa": "Em duplicidade"},
            ),
            ("estornar_baixa", "/api/baixas/{}/estorno", {"estorno": "Não era o mesmo"}),
        ]
        feito: dict[str, Any] = {}
        mortos = 0
        for vez, (_acao, endereco, dados) in enumerate(escritas):
            if "{}" in endereco:
                endereco = endereco.format(feito["items"][0]["id"])
            chave = {"Idempotency-Key": f"movimento-{vez}"}
            pedidos = [asyncio.create_task(cliente.post(endereco, json=dados, headers=chave)) for _ in range(2)]
            await asyncio.sleep(0.002 * vez)  # at another point of each: none of them is missed by waiting longer
            vitima = trabalhadores(servico)[vez % 2]
            vitima.kill()
            for resposta in await asyncio.gather(*pedidos, return_exceptions=True):
                mortos += isinstance(resposta, BaseException)
            feito = (await _ate_que_responda(cliente, endereco, dados, chave)).json()
            servico.esperar(lambda: len(trabalhadores(servico)) == 2, 60)
        historico = (await cliente.get(f"/api/patrimonios/{bem['id']}/historico")).json()
    assert [e["acao"] for e in reversed(historico)] == ["criar", *(acao for acao, *_ in escritas)], (
        "each once, in order"
    )
    mostrar(f"kill -9 of a worker in {len(escritas)} kinds of movement: {mortos} answers lost, each done once")


@pytest.mark.untimed
@pytest.mark.parametrize("vitima", ["worker", "backend"])
async def test_kill_9_in_what_is_written_of_imoveis_commissions_and_finds_does_each_once(
    servico, mostrar, vitima
) -> None:
    """Several are under way when a worker or the database is killed; who repeats them with their keys gets each done once."""
    dia, nota = "2026-03-02", {"data": "2026-03-02", "circunstancia": "Não estava na sala"}
    if vitima == "worker":
        await trocar_trabalhadores(servico)
    async with entrar(servico, "admin@demo.local") as cliente:
        corpo = await corpo_de_bem(cliente)
        falta, fora = [(await cliente.post("/api/patrimonios", json=corpo)).json()["numero"] for _ in range(2)]
        onde = {nome: corpo[nome] for nome in ("classe_id", "local_id", "agente_id")}
        emprestar = {"numeros": [fora], "tomador": "Escola", "saida": dia, "previsao": dia, "finalidade": "Feira"}
        emprestado = (await cliente.post("/api/emprestimos", json=emprestar)).json()["items"][0]["id"]
        comissoes = (await cliente.get("/api/comissoes")).json()["items"]
        comissao = next(each["id"] for each in comissoes if each["encerrada_em"] is None)
        membros = [a["matricula"] for a in (await cliente.get("/api/agentes", params={"limit": 3})).json()]
        sai = {"setor_id": corpo["setor_id"], "nome": "Quem sai", "matricula": f"SAI-{vitima.upper()}"}
        sai = (await cliente.post("/api/agentes", json=sai)).json()["id"]
        imovel = {
            "nome": "Lote", "valor_terreno": "10.00", "valor_edificacao": "0.00", "data_aquisicao": "2020-01-01",
            "setor_id": corpo["setor_id"], "agente_id": sai, "destinacao": "uso_especial",
        }  # fmt: skip
        achado = {
            "encontrado_em": dia, "circunstancia": "No depósito", "laudo": "L-1", "avaliado_em": dia,
            "valor_avaliado": "10.00", "descricao": "Armário achado", "comissao_id": comissao, **onde,
        }  # fmt: skip
        lei = {"para": "dominical", "ato": "lei", "numero_ato": "1/2026", "data": dia, "motivo": "Sem uso"}
        venda = {
            "motivo": "venda", "data": dia, "justificativa": "Sem uso há dez anos", "lei": "1/2026", "laudo": "L-1",
            "data_lei": dia, "processo": "1/2026", "valor_avaliado": "10.00", "destinatario": "Construtora",
            "destinatario_doc": "11222333000181",
        }  # fmt: skip
        saida = {"sucessor_id": corpo["agente_id"], "motivo": "Aposentadoria"}
        # What is written together; {} is the id that the write of this action was answered with.
        levas: list[list[tuple[str, str, dict[str, Any]]]] = [
            [
                ("criar", "/api/imoveis", imovel),
                ("nomear_comissao", "/api/comissoes", {"portaria": f"{vitima}/31", "inicio": dia, "matriculas": membros}),
                ("notar_falta", "/api/localizacoes/falta", {**nota, "numeros": [falta]}),
                ("prorrogar_emprestimo", f"/api/emprestimos/{emprestado}/prorrogacao",
                 {"previsao": "2099-03-20", "motivo": "Adiada"}),
                ("regularizar", "/api/regularizacoes", achado),
            ],
            [
                ("destinar_imovel", "/api/imoveis/{criar}/destinacao", lei),
                ("encontrar", "/api/localizacoes/reencontro", {**nota, "numeros": [falta]}),
                ("encerrar_comissao", "/api/comissoes/{nomear_comissao}/encerramento", {"encerrada_em": dia}),
            ],
            [("baixar", "/api/imoveis/{criar}/baixa", venda)],
            [("estornar_baixa", "/api/baixas-de-imoveis/{baixar}/estorno", {"estorno": "Não houve leilão"})],
            [("passar_carga", f"/api/agentes/{sai}/saida", saida)],
        ]  # fmt: skip
        feitos: dict[str, str] = {}
        ultimo = (await cliente.get("/api/auditoria")).json()[0]["id"]
        for vez, leva in enumerate(levas):
            escritas = [
                (acao, endereco.format(**feitos), dados, {"Idempotency-Key": f"{vitima}-{vez}-{acao}"})
                for acao, endereco, dados in leva
            ]
            pedidos = [
                asyncio.create_task(cliente.post(endereco, json=dados, headers=chave))
                for _acao, endereco, dados, chave in escritas * 2
            ]
            await asyncio.sleep(0.005 * vez)
            matar(trabalhadores(servico)[vez % 2] if vitima == "worker" else sessoes(servico)[0])
            await asyncio.gather(*pedidos, return_exceptions=True)
            for acao, endereco, dados, chave in escritas:
                resposta = (await _ate_que_responda(cliente, endereco, dados, chave)).json()
                feitos[acao] = str(resposta.get("id", ""))
            servico.esperar(lambda: len(trabalhadores(servico)) == 2, 60)
        for acao in (acao for leva in levas for acao, *_ in leva):
            eventos = (await cliente.get("/api/auditoria", params={"acao": acao})).json()
            novos = [e for e in eventos if e["id"] > ultimo]
            entidades = [(e["entidade"], e["entidade_id"]) for e in novos]
            assert len(entidades) == len(set(entidades)) > 0, (acao, entidades)
            if acao != "criar":  # an asset was registered, too, by the regularisation
                assert len({e["requisicao"] for e in novos}) == 1, (acao, "of one request")
    mostrar(f"kill -9 of a {vitima} in {len(feitos)} kinds of writes, {len(levas)} times: each done once")


async def _ate_que_responda(
    cliente: httpx2.AsyncClient, endereco: str, dados: dict[str, Any], chave: dict[str, str]
) -> httpx2.Response:
    async with asyncio.timeout(60):
        while True:
            try:
                resposta = await cliente.post(endereco, json=dados, headers=chave)
            except httpx2.HTTPError:
                continue
            if resposta.status_code != 503:
                assert resposta.is_success, resposta.text
                return resposta
            await asyncio.sleep(0.05)


@pytest.mark.untimed
async def test_kill_9_of_a_worker_or_the_database_while_termos_are_issued_issues_each_once_and_doubles_no_number(
    servico, mostrar
) -> None:
    """Who repeats the request with its Idempotency-Key gets the one termo; a number that a killed one took is given back."""
    perdidos = 0
    await trocar_trabalhadores(servico)
    async with entrar(servico) as cliente:
        bens = (await cliente.get("/api/patrimonios", params={"limit": 200, "situacao": "em_uso"})).json()["items"]
        agentes = list(dict.fromkeys(bem["agente"]["id"] for bem in bens))[:12]
        pedidos = [
            ({"tipo": "responsabilidade", "assunto_id": agente}, {"Idempotency-Key": f"termo-{agente}"})
            for agente in agentes
        ]
        feitos: list[dict[str, Any]] = []
        for vez in range(4):
            leva = pedidos[vez * 3 : vez * 3 + 3]
            tarefas = [asyncio.create_task(cliente.post("/api/termos", json=d, headers=k)) for d, k in leva * 2]
            await asyncio.sleep(0.004 * vez)
            matar(sessoes(servico)[0] if vez == 3 else trabalhadores(servico)[vez % 2])
            perdidos += sum(
                isinstance(r, BaseException) for r in await asyncio.gather(*tarefas, return_exceptions=True)
            )
            feitos += [(await _ate_que_responda(cliente, "/api/termos", d, k)).json() for d, k in leva]
            servico.esperar(lambda: len(trabalhadores(servico)) == 2, 60)
        assert [feito["assunto_id"] for feito in feitos] == agentes
        numeros = sorted(feito["numero"] for feito in feitos)
        assert numeros == list(range(1, len(agentes) + 1)), "no number twice, none lost"
        listados = (await cliente.get("/api/termos", params={"tipo": "responsabilidade", "limit": 200})).json()["items"]
        assert sorted(each["id"] for each in listados) == sorted(feito["id"] for feito in feitos), "each once"
        um = f"/api/termos/{feitos[0]['id']}"
        papel = (await cliente.get(f"{um}/pdf")).content
        assert (await cliente.get(um)).json()["sha256"] == hashlib.sha256(papel).hexdigest()
    mostrar(f"kill -9 of a worker or the database in {len(agentes)} termos: {perdidos} answers lost, each issued once")
