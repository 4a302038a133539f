"""Claim: the whole carga of a person, 5,000 assets, changes hands in at most 3 s, in one transaction, with one audit record
each: asked for and accepted as a transfer, and handed over when the person leaves.

    python -m benchmarks.handover [--bens 5000] [--vezes 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from benchmarks.http import database, prepare, stack
from benchmarks.report import Claim, publish

from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded

ALVO_S = 3.0


def juntar(dsn: Dsn, bens: int) -> tuple[str, str, dict[str, str]]:
    """Give so many assets of one setor, all in use, to one person: this one, another one, and where they are to go."""
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        linha: Any = conn.execute(
            """select a.id::text, b.id::text, a.setor_id::text, l.id::text, d.id::text, dl.id::text, da.id::text
               from agente a join agente b on b.setor_id = a.setor_id and b.id <> a.id join local l on l.setor_id = a.setor_id
               join setor d on d.id <> a.setor_id join local dl on dl.setor_id = d.id join agente da on da.setor_id = d.id
               where a.ativo and b.ativo limit 1"""
        ).fetchone()
        agente, outro, setor, local, destino, local_de_la, agente_de_la = linha
        conn.execute(
            "truncate transferencia_item, transferencia, emprestimo, manutencao, baixa, localizacao, regularizacao"
        )
        conn.execute(
            """update patrimonio set situacao = 'em_uso', setor_id = %s, local_id = %s, agente_id = %s
               where numero <= %s""",
            [setor, local, agente, bens],
        )
        conn.execute("update patrimonio set situacao = 'em_uso' where agente_id = any(%s)", [[agente, outro]])
        conn.execute("vacuum analyze patrimonio")
    return agente, outro, {"destino_id": destino, "local_id": local_de_la, "agente_id": agente_de_la}


def auditados(dsn: Dsn, acao: str, pedido: str) -> tuple[int, int]:
    """The records of the audit of assets, and the assets they are about, of one request."""
    with psycopg.connect(dsn.conninfo) as conn:
        linha: Any = conn.execute(
            """select count(*), count(distinct entidade_id) from evento
               where acao = %s and entidade = 'patrimonio' and requisicao = %s""",
            [acao, pedido],
        ).fetchone()
    return int(linha[0]), int(linha[1])


def cronometrado(cliente: httpx2.Client, caminho: str, corpo: dict[str, Any]) -> tuple[float, httpx2.Response]:
    inicio = time.perf_counter()
    resposta = cliente.post(caminho, json=corpo)
    duracao = time.perf_counter() - inicio
    if resposta.status_code not in (200, 201):
        raise RuntimeError(f"{caminho}: {resposta.status_code} {resposta.text[:300]}")
    return duracao, resposta


def medir(dsn: Dsn, bens: int, vezes: int) -> list[Claim]:
    tempos: dict[str, list[float]] = {"ask for": [], "accept": [], "hand over": []}
    with stack("ours", dsn) as (url, _, _):
        token, _, _ = prepare(dsn)
        with httpx2.Client(base_url=url, timeout=60, headers={"Authorization": f"Bearer {token}"}) as cliente:
            for _ in range(vezes):
                agente, outro, para = juntar(dsn, bens)
                saida = {"sucessor_id": outro, "motivo": "Medição", "desativar": False}
                pedido = {"carga_de": outro, "motivo": "Medição", **para}
                for nome, acao, caminho, corpo in (
                    ("hand over", "passar_carga", f"/api/agentes/{agente}/saida", saida),
                    ("ask for", "pedir_transferencia", "/api/transferencias", pedido),
                ):
                    duracao, resposta = cronometrado(cliente, caminho, corpo)
                    tempos[nome].append(duracao)
                    feitos = auditados(dsn, acao, resposta.headers["x-request-id"])
                    assert feitos[0] == feitos[1] >= bens, (nome, feitos)
                (transferencia,) = resposta.json()["items"]
                duracao, resposta = cronometrado(cliente, f"/api/transferencias/{transferencia['id']}/aceite", {})
                tempos["accept"].append(duracao)
                feitos = auditados(dsn, "aceitar_transferencia", resposta.headers["x-request-id"])
                assert feitos[0] == feitos[1] >= bens, ("accept", feitos)
    return [
        Claim(f"{nome} the carga of {bens:,} assets", "s", "lower", statistics.median(medidos), target=ALVO_S)
        for nome, medidos in tempos.items()
    ]


def principal() -> None:
    analise = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    analise.add_argument("--bens", type=int, default=5000)
    analise.add_argument("--vezes", type=int, default=3)
    opcoes = analise.parse_args()
    with tempfile.TemporaryDirectory(prefix="sispat-handover-") as pasta:
        Path(pasta).chmod(0o711)  # the server's account has to pass
        servidor = Embedded(Path(pasta) / "data")
        servidor.start()
        try:
            resultado = medir(database(servidor, "handover", opcoes.bens * 2), opcoes.bens, opcoes.vezes)
        finally:
            servidor.stop()
    publish("handover", resultado, ("psycopg", "fastapi"))


if __name__ == "__main__":
    principal()
