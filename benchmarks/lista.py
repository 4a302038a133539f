"""Claim: a page of 1,000,000 assets, at 20 requests a second over HTTP, takes less than 50 ms (p99): API and screen; choices
while somebody types, among 200,000 agentes and 100,000 locais, less than 30 ms.

The mix is what people ask for: every sort, both directions, filters alone and together, words, first and deep
pages. The peer answers the same requests the usual way, without HTTP and one by one: LIMIT/OFFSET and ILIKE over
the same table and indexes. The time of a request runs from when it was due, so that waiting behind a slow one counts.

    python -m benchmarks.lista [--tamanho 1000000] [--segundos 60] [--ritmo 20] [--so escolhas]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import psycopg
from benchmarks.http import database, prepare, stack
from benchmarks.report import Claim, publish
from psycopg import AsyncConnection

from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded
from sispat.http.session import COOKIE
from sispat.patrimonios.listing import ListaDePatrimonios, cursor_at
from sispat.patrimonios.sql import SORTS, Query, Row

PALAVRAS = (
    "cadeira", "notebook", "mesa reunião", "dell", "ambulância", "espingarda", "ultrassom", "tecido azul", "xyzzy",
    "4711",
)  # fmt: skip
ALVO_MS, ALVO_DE_OPCOES_MS = 50.0, 30.0
_PEDIDOS_DO_PAR = 60
# The registers of a big city: names put together out of those of the demo, a fifth of the assets' number of agentes.
_CIDADE_GRANDE = """
with base as (
    select array_agg(split_part(nome, ' ', 1)) primeiros, array_agg(split_part(nome, ' ', 2)) ultimos,
           array_agg(setor_id) setores, count(*) quantos from agente)
insert into agente (nome, matricula, cargo, setor_id)
select primeiros[1 + k * 7919 % quantos] || ' ' || ultimos[1 + k * 3571 % quantos]
       || ' ' || ultimos[1 + k / quantos % quantos], 'X' || k, 'Agente', setores[1 + k % quantos]
from base, generate_series(1, {agentes}) k;
with base as (select array_agg(nome) nomes, array_agg(setor_id) setores, count(*) quantos from local)
insert into local (nome, setor_id)
select nomes[1 + k * 7919 % quantos] || ' ' || k, setores[1 + k % quantos] from base, generate_series(1, {locais}) k;
vacuum analyze agente, local
"""

Pedido = tuple[str, Query]


async def _valores(conn: AsyncConnection[Any], sql: str) -> list[Any]:
    return [linha[0] if len(linha) == 1 else linha for linha in await (await conn.execute(sql)).fetchall()]


async def montar_pedidos(conn: AsyncConnection[Any], quantos: int, tamanho: int) -> list[Pedido]:
    """A repeatable mix; each with the name of its shape."""
    acaso = random.Random(11)
    setores, classes, locais, agentes = [
        await _valores(conn, f"select id from {tabela} order by id")
        for tabela in ("setor", "classe", "local", "agente")
    ]
    chaves: dict[str, list[Any]] = {}
    for ordem, (coluna, _) in SORTS.items():
        sql = f"select p.{coluna}::text, p.numero from patrimonio p order by p.{coluna}, p.numero offset %d limit 1"
        chaves[ordem] = [(await _valores(conn, sql % (tamanho * n // 10)))[0] for n in (1, 5, 9)]
    sorteios: dict[str, Callable[[], dict[str, Any]]] = {
        "nada": dict,
        "setor": lambda: {"setor_id": acaso.choice(setores)},
        "classe": lambda: {"classe_id": acaso.choice(classes)},
        "local": lambda: {"local_id": acaso.choice(locais)},
        "agente": lambda: {"agente_id": acaso.choice(agentes)},
        "situacao": lambda: {"situacao": acaso.choice(("em_uso", "baixado", "emprestado", "em_transferencia"))},
        "conservacao": lambda: {"conservacao": acaso.choice(("otimo", "bom", "regular", "ruim", "inservivel"))},
    }
    pedidos = []
    for _ in range(quantos):
        nomes = acaso.choice((["nada"], [acaso.choice(list(sorteios))], acaso.sample(list(sorteios), 2)))
        filtros: dict[str, Any] = {}
        for nome in nomes:
            filtros |= sorteios[nome]()
        q = acaso.choice(PALAVRAS) if acaso.random() < 0.25 else ""
        ordem = acaso.choice(list(SORTS))
        apos = acaso.choice(chaves[ordem]) if acaso.random() < 0.4 else None
        forma = "+".join(sorted(filtros))
        pedidos.append((forma or "nada", Query(None, q, filtros, ordem, acaso.random() < 0.5, apos, 51)))
    return pedidos


async def montar_escolhas(conn: AsyncConnection[Any], quantas: int) -> list[tuple[str, str]]:
    """What a field asks for while a name is typed into it, one letter after the other: (shape, address)."""
    acaso = random.Random(12)
    nomes = {
        t: await _valores(conn, f"select nome from {t} order by id") for t in ("agente", "local", "classe", "setor")
    }
    escolhas: list[tuple[str, str]] = []
    while len(escolhas) < quantas:
        tabela = acaso.choice(list(nomes))
        nome = acaso.choice(nomes[tabela])
        digitado = [nome[:letras] for letras in range(1, min(len(nome), 8) + 1)]
        escolhas += [(f"{tabela} {texto}", f"/opcoes/{tabela}?{urlencode({'q': texto})}") for texto in digitado]
    return escolhas[:quantas]


def como_url(consulta: Query) -> str:
    """The query string that asks for the same page."""
    pedido = ListaDePatrimonios(sort=("-" if consulta.descending else "") + consulta.sort, q=consulta.q)
    params = {"sort": pedido.sort, "q": consulta.q}
    params |= {coluna.removesuffix("_id"): str(valor) for coluna, valor in consulta.filters.items()}
    if consulta.after is not None:
        params["cursor"] = cursor_at(pedido, Row("", *consulta.after), "d")
    return urlencode({nome: valor for nome, valor in params.items() if valor})


async def usual(conn: AsyncConnection[Any], consulta: Query) -> None:
    """The same page by LIMIT/OFFSET and ILIKE; a deep page is the 400th."""
    onde, valores = ["true"], list[Any]()
    for coluna, valor in consulta.filters.items():
        onde.append(f"{coluna} = %s")
        valores.append(valor)
    for palavra in consulta.q.split():
        onde.append("(descricao ilike %s or marca ilike %s or modelo ilike %s or numero_serie ilike %s)")
        valores += [f"%{palavra}%"] * 4
    coluna, sentido = SORTS[consulta.sort][0], "desc" if consulta.descending else "asc"
    salto = 400 * consulta.limit if consulta.after else 0
    await conn.execute(
        f"""select * from patrimonio where {" and ".join(onde)}
            order by {coluna} {sentido}, numero {sentido} limit {consulta.limit} offset {salto}""",
        valores,
    )


async def no_ritmo(cliente: httpx2.AsyncClient, urls: list[tuple[str, str]], ritmo: float) -> list[tuple[float, str]]:
    """Milliseconds from when each request was due until its answer was read."""
    medidas: list[tuple[float, str]] = []

    async def um(devido: float, forma: str, url: str) -> None:
        resposta = await cliente.get(url)
        medidas.append(((time.perf_counter() - devido) * 1000, forma))
        if resposta.status_code not in (200, 303):  # 303: a plate number leads from the page to its card
            raise RuntimeError(f"{url}: {resposta.status_code} {resposta.text[:300]}")

    inicio = time.perf_counter() + 0.1
    async with asyncio.TaskGroup() as grupo:
        for n, (forma, url) in enumerate(urls):
            devido = inicio + n / ritmo
            await asyncio.sleep(max(0.0, devido - time.perf_counter()))
            grupo.create_task(um(devido, forma, url))
    return sorted(medidas)


def encher_cadastros(dsn: Dsn, tamanho: int) -> None:
    """200,000 agentes and 100,000 locais beside a million assets."""
    with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
        for comando in _CIDADE_GRANDE.format(agentes=tamanho // 5, locais=tamanho // 10).split(";"):
            conn.execute(comando)


async def em_fila(dsn: Dsn, pedidos: list[Pedido], pedir: Callable[..., Awaitable[None]]) -> list[tuple[float, str]]:
    """Milliseconds of each request, one after the other: what cannot keep up with a rate is not measured at it."""
    medidas = []
    async with await AsyncConnection.connect(dsn.conninfo, autocommit=True) as conn:
        for forma, consulta in pedidos:
            inicio = time.perf_counter()
            await pedir(conn, consulta)
            medidas.append(((time.perf_counter() - inicio) * 1000, forma))
    return sorted(medidas)


def quantil(medidas: list[tuple[float, str]], q: float) -> float:
    return medidas[min(len(medidas) - 1, int(q * len(medidas)))][0]


async def medir(dsn: Dsn, bens: int, opcoes: argparse.Namespace) -> list[Claim]:
    async with await AsyncConnection.connect(dsn.conninfo, autocommit=True) as conn:
        pedidos = await montar_pedidos(conn, int(opcoes.ritmo * opcoes.segundos), bens)
        # After the requests, whose filters name agentes and locais that have assets.
        encher_cadastros(dsn, opcoes.tamanho)
        escolhas = await montar_escolhas(conn, int(opcoes.ritmo * opcoes.segundos))
    resultado = []
    usuais = []
    if opcoes.so != "escolhas":
        usuais = await em_fila(dsn, [(f"{f} {c.q}", c) for f, c in pedidos[:_PEDIDOS_DO_PAR]], usual)
    with stack("ours", dsn) as (url, _, _):
        token, _, _ = prepare(dsn)
        async with httpx2.AsyncClient(base_url=url, timeout=30, cookies={COOKIE: token}) as cliente:
            listas = (("GET /api/patrimonios", "/api/patrimonios"), ("page /patrimonios", "/patrimonios"))
            for nome, caminho in listas if usuais else ():
                urls = [(f"{forma} {c.sort} {c.q}", f"{caminho}?{como_url(c)}") for forma, c in pedidos]
                await no_ritmo(cliente, urls[: int(10 * opcoes.ritmo)], opcoes.ritmo)  # warm up
                nossas = await no_ritmo(cliente, urls, opcoes.ritmo)
                print(f"\n{nome}: p50 {quantil(nossas, 0.5):.1f} ms, p99 {quantil(nossas, 0.99):.1f}; slowest:")
                for ms, forma in nossas[-8:]:
                    print(f"{ms:10.1f} ms  {forma}")
                for parte, tem in (("sorts and filters", False), ("with words", True)):
                    estas = [medida for medida in nossas if medida[1].endswith(tuple(PALAVRAS)) is tem]
                    daqueles = [medida for medida in usuais if medida[1].endswith(tuple(PALAVRAS)) is tem]
                    resultado.append(
                        Claim(
                            f"{nome}, {parte}, p99",
                            "ms",
                            "lower",
                            quantil(estas, 0.99),
                            {"LIMIT/OFFSET and ILIKE, SQL alone": quantil(daqueles, 0.99)},
                            target=ALVO_MS,
                        )
                    )
            await no_ritmo(cliente, escolhas[: int(5 * opcoes.ritmo)], opcoes.ritmo)
            digitando = await no_ritmo(cliente, escolhas, opcoes.ritmo)
            print(f"\nchoices: p50 {quantil(digitando, 0.5):.1f} ms; slowest: {digitando[-3:]}")
            resultado.append(
                Claim("choices while typing, p99", "ms", "lower", quantil(digitando, 0.99), target=ALVO_DE_OPCOES_MS)
            )
    return resultado


def principal() -> None:
    analise = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    analise.add_argument("--tamanho", type=int, default=1_000_000)
    analise.add_argument("--segundos", type=float, default=60)
    analise.add_argument("--ritmo", type=float, default=20)
    analise.add_argument("--so", choices=["escolhas"], help="the choices alone, with few assets")
    opcoes = analise.parse_args()
    with tempfile.TemporaryDirectory(prefix="sispat-lista-") as pasta:
        Path(pasta).chmod(0o711)  # the server's account has to pass
        servidor = Embedded(Path(pasta) / "data")
        servidor.start()
        try:
            inicio = time.perf_counter()
            bens = 5000 if opcoes.so else opcoes.tamanho
            dsn = database(servidor, "lista", bens)
            print(f"{bens:,} assets made in {time.perf_counter() - inicio:.0f} s", flush=True)
            resultado = asyncio.run(medir(dsn, bens, opcoes))
        finally:
            servidor.stop()
    publish("lista", resultado, ("psycopg", "fastapi"))


if __name__ == "__main__":
    principal()
