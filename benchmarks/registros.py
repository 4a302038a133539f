"""Claim: a page of each list of the service, over 1,000,000 rows of its kind, at 20 requests a second over HTTP, takes less
than 50 ms (p99): API and screen, for an administrator and for somebody of one setor.

Assets are measured by benchmarks.lista. Here are imóveis and what happens to them, transfers, loans, maintenance,
whereabouts, write-offs, termos, counts and their items, imports, jobs, the audit, the documents of a record, and what waits
for a person (its mails). The mix is what people ask for: every order and filter that the page offers, alone and within a
setor, words, first pages and pages far in (in the middle and at the end, where a cursor can be made for them; else the
fourth). The time of a request runs from when it was due, so that waiting behind a slow one counts.

    python -m benchmarks.registros [--rows 1000000] [--only termos tarefas] [--seconds 10] [--rate 20]

One kind after the other is filled and measured.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import psycopg
from benchmarks.ground import Ground
from benchmarks.http import database, stack
from benchmarks.lista import no_ritmo, quantil
from benchmarks.report import Claim, publish
from psycopg import sql

from esteio.postgres import Dsn
from esteio.postgres.embedded import Embedded
from sispat.http.session import COOKIE
from sispat.kernel import tokens
from sispat.kernel.paging import Place, cursor_at
from sispat.termos.listing import cursor_at as cursor_of_termo

TARGET = 50.0  # ms
_ASSETS = 5000  # of the city that the records are about
Asked = dict[str, str]


@dataclass(frozen=True)
class Listed:
    """A list: the tables that it is filled from, what may be asked for, who sees it.

    `far` is the table whose numbers make cursors of pages far in, with the name of the list in them.
    """

    tables: tuple[str, ...]
    asked: Sequence[Asked] = ({},)
    far: tuple[str, str] = ("", "")
    of_setor: bool = True
    """Whether it can be narrowed to a setor."""
    everybody: bool = True
    """Whether people of a setor may see it."""
    api: str = ""
    page: str = ""


def _states(*states: str) -> list[Asked]:
    return [{}, *({"estado": each} for each in states)]


def _number(table: str) -> tuple[str, str]:
    return table, f"{table} -numero"


_ORDERS = [{"sort": sort} for sort in ("numero", "-numero", "nome", "-nome", "valor", "-valor")]
_ITEMS = [{"estado": each} for each in ("nao_verificado", "encontrado", "outro_local", "nao_encontrado", "sem_tombo")]
_ITEMS += [{"so": each} for each in ("divergentes", "sem_decisao", "contraditorios")]
LISTS: Mapping[str, Listed] = {
    "imoveis": Listed(
        ("imovel",),
        [*_ORDERS, {"q": "escola municipal"}, {"q": "creche 4711", "sort": "nome"}, {"q": "xyzzy"},
         {"destinacao": "dominical"}, {"estado": "baixado", "sort": "-valor"}, {"conservacao": "inservivel", "sort": "nome"},
         {"destinacao": "uso_comum", "estado": "baixado"}, {"destinacao": "uso_comum", "conservacao": "inservivel"}],
        ("imovel", "imovel numero"),
    ),
    "destinacoes": Listed(
        ("imovel_destinacao",), [*_states("desafetacao", "mudanca", "afetacao"), {"imovel": "1500"}],
        _number("imovel_destinacao"),
    ),
    "baixas-de-imoveis": Listed(
        ("imovel_baixa",), [*_states("efetiva", "estornada"), {"imovel": "1500"}], _number("imovel_baixa")
    ),
    "transferencias": Listed(
        ("transferencia", "transferencia_item"),
        [*_states("pendente", "aceita", "recusada", "cancelada"), {"bem": "17"}], _number("transferencia"),
    ),
    "emprestimos": Listed(
        ("emprestimo",), [*_states("aberto", "atrasado", "devolvido"), {"bem": "17"}], _number("emprestimo")
    ),
    "manutencoes": Listed(
        ("manutencao",), [*_states("aberta", "atrasada", "concluida"), {"bem": "17"}], _number("manutencao")
    ),
    "localizacoes": Listed(
        ("localizacao",), [*_states("localizado", "nao_localizado"), {"bem": "17"}], _number("localizacao")
    ),
    "baixas": Listed(("baixa",), [*_states("efetiva", "estornada"), {"bem": "17"}], _number("baixa")),
    "termos": Listed(
        ("termo", "termo_bem", "termo_parte"),
        [*_states("vigente", "substituido", "anulado"), {"tipo": "baixa"}, {"tipo": "transferencia", "estado": "anulado"},
         {"bem": "17"}],
        ("termo", ""), of_setor=False,
    ),
    "inventarios": Listed(
        ("inventario",), _states("aberto", "contando", "decidindo", "encerrado"), _number("inventario"), of_setor=False
    ),
    "inventario-itens": Listed(
        ("inventario_item",), [{}, *_ITEMS, {"inventario": "203"}, *({**each, "inventario": "203"} for each in _ITEMS),
                               {"bem": "17"}, {"estado": "outro_local", "so": "sem_decisao"}],
        ("inventario_item", "inventario_item numero"),
    ),
    "importacoes": Listed(("importacao",), far=("importacao", "number"), of_setor=False, everybody=False),
    "tarefas": Listed(("tarefa",), far=("tarefa", "number"), of_setor=False),
    "auditoria": Listed(
        ("evento",), [{}, {"pessoa": "gestor"}, {"pessoa": "responsável"}, {"acao": "baixar"}, {"registro": "17"}],
        of_setor=False, everybody=False,
    ),
    "documentos": Listed(("documento",), of_setor=False, api="/api/uploads", page="/patrimonios/{asset}"),
    "avisos": Listed(
        ("transferencia", "emprestimo", "manutencao", "termo_parte"), of_setor=False, api="/api/avisos", page="/"
    ),
}  # fmt: skip


class City:
    """The database that is measured: who asks, and for what."""

    def __init__(self, dsn: Dsn) -> None:
        self.dsn = dsn
        with psycopg.connect(dsn.conninfo) as conn:
            # The asset that has documents is the first of those that `Ground` counts; its setor's people ask.
            self.asset, own = map(
                str, conn.execute("select id, setor_id from patrimonio order by id limit 1").fetchall()[0]
            )
            others = conn.execute("select id from setor where id <> %s order by codigo", [own]).fetchall()
            self.setores = [own, *(str(row[0]) for row in others)]
            conn.execute(
                "delete from usuario_setor where usuario_id = (select id from usuario where papel = 'responsavel')"
            )
            conn.execute(
                "insert into usuario_setor (usuario_id, setor_id) select id, %s from usuario where papel = 'responsavel'",
                [self.setores[0]],
            )
            self.sessions = {papel: self._session(conn, papel) for papel in ("administrador", "responsavel")}

    @staticmethod
    def _session(conn: psycopg.Connection[Any], papel: str) -> str:
        token = tokens.new_token()
        conn.execute(
            """insert into sessao (token_hash, usuario_id, expira_em)
               select %s, id, now() + interval '1 day' from usuario where papel = %s limit 1""",
            [tokens.token_hash(token), papel],
        )
        return token

    def forms(self, name: str, papel: str) -> Iterator[Asked]:
        """All that may be asked of a list."""
        listed = LISTS[name]
        if name == "documentos":
            yield {"entidade": "patrimonio", "entidade_id": self.asset}
            return
        setor = self.setores[0 if papel == "responsavel" else 3]
        for each in listed.asked:
            yield each
            if listed.of_setor:
                yield {**each, "setor": setor}
        table, key = listed.far
        if not table:
            return
        with psycopg.connect(self.dsn.conninfo) as conn:
            column = sql.Identifier("ordem" if table == "termo" else "numero")
            asked = sql.SQL("select min({0}), max({0}) from {1}").format(column, sql.Identifier(table))
            ((least, most),) = conn.execute(asked).fetchall()
        for part in (0.5, 0.99):
            place = int(least + (most - least) * part)
            if table == "termo":
                cursor = cursor_of_termo(place)
            else:
                cursor = str(place) if key == "number" else cursor_at(key, Place(str(place), place))
            for each in listed.asked:
                if "sort" not in each or key.endswith(f" {each['sort']}"):
                    yield {**each, "cursor": cursor}

    def addresses(self, name: str, papel: str, count: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """A repeatable mix of one list, of the API and of pages: (shape, address) of each."""
        chance = random.Random(f"registros {name} {papel}")
        forms = list(self.forms(name, papel))
        listed = LISTS[name]
        api, page = listed.api or f"/api/{name}", listed.page or f"/{name}"
        drawn = [forms[n % len(forms)] for n in range(count)]  # each at least once, if there is the time for it
        chance.shuffle(drawn)
        shape = [f"{name} {' '.join(f'{k}={v[:12]}' for k, v in form.items())}" for form in drawn]
        return (
            [(s, f"{api}?{urlencode(form)}") for s, form in zip(shape, drawn, strict=True)],
            [(s, page.format(asset=self.asset) + ("" if listed.page else f"?{urlencode(form)}"))
             for s, form in zip(shape, drawn, strict=True)],
        )  # fmt: skip


async def measured(city: City, name: str, seconds: float, rate: float) -> list[Claim]:
    """The p99 of a list, for each who may see it."""
    found = []
    with stack("ours", city.dsn) as (url, _, _):
        for papel, token in city.sessions.items():
            if papel == "responsavel" and not LISTS[name].everybody:
                continue
            async with httpx2.AsyncClient(base_url=url, timeout=30, cookies={COOKIE: token}) as client:
                for kind, asked in zip(("API", "page"), city.addresses(name, papel, int(rate * seconds)), strict=True):
                    await no_ritmo(client, asked[: int(2 * rate)], rate)  # warm up
                    times = await no_ritmo(client, asked, rate)
                    slow = ", ".join(f"{ms:.1f} ms {shape}" for ms, shape in times[-3:])
                    print(
                        f"{name}, {kind}, {papel}: p50 {quantil(times, 0.5):.1f} ms, p99 {quantil(times, 0.99):.1f}; {slow}",
                        flush=True,
                    )
                    claim = f"{name}, {kind}, {papel}, p99"
                    found.append(Claim(claim, "ms", "lower", quantil(times, 0.99), target=TARGET))
    return found


def main() -> None:
    """Fill and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="+", choices=sorted(LISTS), default=list(LISTS), metavar="LIST")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=20)
    chosen = parser.parse_args()
    claims: list[Claim] = []
    with tempfile.TemporaryDirectory(prefix="sispat-registros-") as folder:
        Path(folder).chmod(0o711)  # the server's account has to pass
        server = Embedded(Path(folder) / "data")
        server.start()
        try:
            dsn = database(server, "registros", _ASSETS)
            city = City(dsn)
            with psycopg.connect(dsn.conninfo, autocommit=True) as conn:
                ground = Ground(conn, chosen.rows)
                for name in chosen.only:
                    began = time.perf_counter()
                    ground.fill(*LISTS[name].tables)
                    print(f"{name}: {chosen.rows:,} rows in {time.perf_counter() - began:.0f} s", flush=True)
                    claims += asyncio.run(measured(city, name, chosen.seconds, chosen.rate))
        finally:
            server.stop()
    publish("registros", claims, ("psycopg", "fastapi"))


if __name__ == "__main__":
    main()
