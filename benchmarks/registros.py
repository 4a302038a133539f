"""Claim: a page of each kind of record (imóveis, transfers, loans, maintenance, whereabouts, write-offs, changes of use),
1,000,000 rows of each, at 20 requests a second over HTTP, takes less than 50 ms (p99): API and screen.

The mix is what people ask for: every order and direction, filters alone and together, words, first and deep pages, the
whole city and one setor. The time of a request runs from when it was due, so that waiting behind a slow one counts.

    python -m benchmarks.registros [--tamanho 1000000] [--segundos 20] [--ritmo 20]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import psycopg
from benchmarks.http import database, prepare, stack
from benchmarks.lista import no_ritmo, quantil
from benchmarks.report import Claim, publish

from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded
from sispat.http.session import COOKIE

ALVO_MS = 50.0
_BENS = 5000  # of the city that the records are about
# Rows of each table, spread over the setores, agentes and assets of the demo as real ones would be.
_BASE = """
create temp table s as select id, row_number() over (order by id) - 1 as n, count(*) over () as q from setor;
create temp table a as select id, setor_id, row_number() over (order by id) - 1 as n, count(*) over () as q from agente;
create temp table p as select id, setor_id, row_number() over (order by id) - 1 as n, count(*) over () as q from patrimonio;
create temp table u as select id from usuario where papel = 'gestor' limit 1;
create temp table palavra as select x, row_number() over () - 1 as n from unnest(array['Escola Municipal', 'Creche',
    'Posto', 'Praça', 'Lote', 'Casa', 'Ginásio', 'Parque', 'Galpão', 'Quartel']) x
"""
_TABELAS = {
    "imovel": """insert into imovel (numero, nome, tipo, uso, destinacao, logradouro, bairro, latitude, longitude,
        area_terreno, valor_terreno, valor_edificacao, forma_aquisicao, data_aquisicao, matricula, cartorio, setor_id,
        agente_id, conservacao, estado)
        select 1000 + k, palavra.x || ' ' || (k::bigint * 7919 % 5003), 'predial', '', case when k % 10 = 0 then 'dominical'
            when k % 4 = 0 then 'uso_comum' else 'uso_especial' end, 'Rua ' || (k % 997), 'Bairro ' || (k % 53),
            -22 + k % 1000 * 1e-4, -48 + k % 1000 * 1e-4, 300,
            k * 31 % 900000, k * 17 % 900000, 'compra',
            date '2000-01-01' + k % 9000, k::text, 'R', a.setor_id, a.id,
            case when k % 50 = 0 then 'inservivel' else 'bom' end, case when k % 40 = 3 then 'baixado' else 'ativo' end
        from generate_series(1, {n}) k join a on a.n = k % a.q join palavra on palavra.n = k % 10""",
    "imovel_destinacao": """insert into imovel_destinacao (imovel_id, setor_id, de, para, ato, numero_ato, data, motivo,
        registrada_por)
        select m.id, m.setor_id, 'uso_especial', 'dominical', 'lei', k::text, date '2010-01-01' + k % 5000, 'Sem uso', u.id
        from generate_series(1, {n}) k join imovel m on m.numero = 1000 + k, u""",
    "transferencia": """insert into transferencia (origem_id, destino_id, motivo, bens, pedida_por, estado, decidida_em)
        select s.id, d.id, 'Mudança de sala', 1, u.id, case when k % 200 = 0 then 'pendente' when k % 7 = 0 then 'recusada'
            else 'aceita' end, case when k % 200 <> 0 then now() end
        from generate_series(1, {n}) k join s on s.n = k % s.q join s d on d.n = (k * 7 + 3) % d.q, u""",
    "emprestimo": """insert into emprestimo (patrimonio_id, setor_id, tomador, saida, previsao, finalidade, devolvido_em,
        registrado_por)
        select p.id, p.setor_id, 'Escola ' || k % 997, date '2020-01-01', date '2020-01-01' + k % 300, 'Feira',
            case when k <= {n} - 2000 then date '2020-06-01' end, u.id
        from generate_series(1, {n}) k join p on p.n = k % p.q, u""",
    "manutencao": """insert into manutencao (patrimonio_id, setor_id, tipo, problema, enviado_em, concluido_em, custo, servico,
        registrada_por)
        select p.id, p.setor_id, 'corretiva', 'Não liga', date '2020-01-01', date '2020-02-01', k % 900, 'Fonte trocada', u.id
        from generate_series(1, {n}) k join p on p.n = k % p.q, u""",
    "localizacao": """insert into localizacao (estado, patrimonio_id, setor_id, data, circunstancia, registrada_por)
        select case when k % 2 = 0 then 'localizado' else 'nao_localizado' end, p.id, p.setor_id, date '2020-01-01',
            'Na conferência', u.id
        from generate_series(1, {n}) k join p on p.n = k % p.q, u""",
    "baixa": """insert into baixa (patrimonio_id, setor_id, motivo, data, justificativa, valor, situacao_anterior,
        registrada_por, estornada_em, estornada_por, estorno)
        select p.id, p.setor_id, 'erro_cadastro', date '2020-01-01', 'Cadastrado duas vezes', 1, 'em_uso', u.id, now(), u.id,
            'Não era este bem'
        from generate_series(1, {n}) k join p on p.n = k % p.q, u""",
}  # fmt: skip
LISTAS = {
    "imoveis": [{"sort": s} for s in ("numero", "-numero", "nome", "-nome", "valor", "-valor")]
    + [
        {"q": "escola municipal"}, {"q": "creche 4711", "sort": "nome"}, {"q": "xyzzy"}, {"destinacao": "dominical"},
        {"estado": "baixado", "sort": "-valor"}, {"conservacao": "inservivel", "sort": "nome"},
        {"destinacao": "uso_comum", "estado": "baixado"}, {"destinacao": "uso_comum", "conservacao": "inservivel"},
    ],
    "destinacoes": [{}, {"estado": "desafetacao"}, {"estado": "mudanca"}, {"imovel": "1500"}],
    "transferencias": [{}, {"estado": "pendente"}, {"estado": "cancelada"}, {"bem": "17"}],
    "emprestimos": [{}, {"estado": "atrasado"}, {"estado": "aberto"}, {"bem": "17"}],
    "manutencoes": [{}, {"estado": "atrasada"}, {"estado": "concluida"}, {"bem": "17"}],
    "localizacoes": [{}, {"estado": "localizado"}, {"bem": "17"}],
    "baixas": [{}, {"estado": "efetiva"}, {"estado": "estornada"}, {"bem": "17"}],
}  # fmt: skip


def encher(dsn: Dsn, tamanho: int) -> None:
    """`tamanho` rows of each table, its indexes as the schema has them."""
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        conn.execute("set statement_timeout = 0")
        for comando in _BASE.split(";"):
            conn.execute(comando)
        for tabela, comando in _TABELAS.items():
            inicio = time.perf_counter()
            conn.execute(comando.format(n=tamanho) + " on conflict do nothing")  # the demo has some open ones
            conn.execute(f"vacuum analyze {tabela}")
            print(f"{tabela}: {tamanho:,} rows in {time.perf_counter() - inicio:.0f} s", flush=True)


async def pedidos(cliente: httpx2.AsyncClient, plural: str, setores: list[str], quantos: int) -> list[tuple[str, str]]:
    """A repeatable mix of one list: (shape, address of the API); a third of it pages reached by a cursor."""
    acaso = random.Random(f"registros {plural}")
    formas = [*LISTAS[plural], *({**forma, "setor": acaso.choice(setores)} for forma in LISTAS[plural])]
    fundas = []
    for forma in formas:
        cursor = ""
        for _ in range(acaso.randrange(1, 4)):
            resposta = await cliente.get(f"/api/{plural}", params={**forma, "cursor": cursor, "limit": 200})
            cursor = resposta.json().get("next") or ""
        if cursor:
            fundas.append({**forma, "cursor": cursor})
    sorteadas = [acaso.choice(fundas if fundas and n % 3 == 0 else formas) for n in range(quantos)]
    return [
        (f"{plural} {sorted(f)} {f.get('sort', '')} {f.get('q', '')}", f"/{plural}?{urlencode(f)}") for f in sorteadas
    ]


async def medir(dsn: Dsn, opcoes: argparse.Namespace) -> list[Claim]:
    with psycopg.connect(dsn.conninfo) as conn:
        setores = [str(linha[0]) for linha in conn.execute("select id from setor order by codigo")]
    resultado = []
    with stack("ours", dsn) as (url, _, _):
        token, _, _ = prepare(dsn)
        async with httpx2.AsyncClient(base_url=url, timeout=30, cookies={COOKIE: token}) as cliente:
            for plural in LISTAS:
                urls = await pedidos(cliente, plural, setores, int(opcoes.ritmo * opcoes.segundos))
                for nome, raiz in (("GET /api", "/api"), ("page", "")):
                    estes = [(forma, raiz + url) for forma, url in urls]
                    await no_ritmo(cliente, estes[: int(3 * opcoes.ritmo)], opcoes.ritmo)  # warm up
                    medidas = await no_ritmo(cliente, estes, opcoes.ritmo)
                    lentas = ", ".join(f"{ms:.1f} ms {forma}" for ms, forma in medidas[-3:])
                    print(
                        f"{nome}/{plural}: p50 {quantil(medidas, 0.5):.1f} ms, p99 {quantil(medidas, 0.99):.1f}; {lentas}"
                    )
                    claim = f"{nome}/{plural}, p99"
                    resultado.append(Claim(claim, "ms", "lower", quantil(medidas, 0.99), target=ALVO_MS))
    return resultado


def principal() -> None:
    analise = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    analise.add_argument("--tamanho", type=int, default=1_000_000)
    analise.add_argument("--segundos", type=float, default=20)
    analise.add_argument("--ritmo", type=float, default=20)
    opcoes = analise.parse_args()
    with tempfile.TemporaryDirectory(prefix="sispat-registros-") as pasta:
        Path(pasta).chmod(0o711)  # the server's account has to pass
        servidor = Embedded(Path(pasta) / "data")
        servidor.start()
        try:
            dsn = database(servidor, "registros", _BENS)
            encher(dsn, opcoes.tamanho)
            resultado = asyncio.run(medir(dsn, opcoes))
        finally:
            servidor.stop()
    publish("registros", resultado, ("psycopg", "fastapi"))


if __name__ == "__main__":
    principal()
