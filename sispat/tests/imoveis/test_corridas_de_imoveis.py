"""Two people do two things with the same imóvel at the same time: all pairs, from every state in which one is possible.

Each is signed in, at a machine of their own. What comes out is what one after the other would have made of it, in one order
or the other; each change is audited under the name of who was told that it is done; nobody is told of an error of ours.
SISPAT_MOVEMENT_ROUNDS sets how often each pair runs (`make rounds`: 100).
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx2
import psycopg
import pytest
from duas_pessoas import two_administrators
from test_imoveis import COMUM, LEI, TUDO, criado

ROUNDS = int(os.environ.get("SISPAT_MOVEMENT_ROUNDS", "1"))

State = tuple[str, str]  # in the books or not, its use
SPECIAL, FREE, OFF = ("ativo", "uso_especial"), ("ativo", "dominical"), ("baixado", "dominical")


class Act(NamedTuple):
    """What somebody asks for: which state it makes of each in which it is possible, and how it is asked."""

    ways: dict[State, State]
    path: Callable[[str, str], str]
    body: dict[str, Any]


ACTS = {
    "desafetar": Act({SPECIAL: FREE}, lambda id_, _: f"/api/imoveis/{id_}/destinacao", {**LEI, "para": "dominical"}),
    "afetar": Act({FREE: SPECIAL}, lambda id_, _: f"/api/imoveis/{id_}/destinacao", {**LEI, "para": "uso_especial"}),
    "baixar": Act({FREE: OFF}, lambda id_, _: f"/api/imoveis/{id_}/baixa", {**COMUM, **TUDO, "motivo": "venda"}),
    "estornar": Act(
        {OFF: FREE}, lambda _, baixa: f"/api/baixas-de-imoveis/{baixa}/estorno", {"estorno": "Não houve leilão"}
    ),
    "editar": Act({SPECIAL: SPECIAL, FREE: FREE}, lambda id_, _: f"/api/imoveis/{id_}", {"uso": "Depósito"}),
}
PAIRS = [
    (state, pair)
    for pair in itertools.combinations_with_replacement(ACTS, 2)
    for state in (SPECIAL, FREE, OFF)
    if any(state in ACTS[name].ways for name in pair)
]


def outcomes(state: State, pair: tuple[str, str]) -> set[tuple[State, tuple[bool, ...]]]:
    """What may come out, in either order. An edit is of the version that was read: nothing may have come before it.

    What is taken back is a write-off that was there before.
    """
    found = set()
    for order in ((0, 1), (1, 0)):
        now, done = state, [False, False]
        for which in order:
            name = pair[which]
            stale = (name == "editar" and any(done)) or (name == "estornar" and state != OFF)
            if now in ACTS[name].ways and not stale:
                now, done[which] = ACTS[name].ways[now], True
        found.add((now, tuple(done)))
    return found


async def _ask(c: httpx2.AsyncClient, name: str, id_: str, baixa: str, version: int) -> httpx2.Response:
    act = ACTS[name]
    path = act.path(id_, baixa)
    if name == "editar":
        return await c.patch(path, json=act.body, headers={"If-Match": str(version)})
    return await c.post(path, json=act.body)


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.timeout(120 + ROUNDS * 30)
async def test_two_people_and_one_imovel_have_one_legal_outcome(cliente, cidade) -> None:
    async with two_administrators(cliente, cidade) as people:
        c, _other = people.values()
        for (state, pair), _round in itertools.product(PAIRS, range(ROUNDS)):
            id_ = (await criado(c, cidade, destinacao=state[1]))["id"]
            baixa = "00000000-0000-4000-8000-000000000000"
            if state == OFF:
                r = await _ask(c, "baixar", id_, "", 1)
                assert r.status_code == 201, r.text
                baixa = r.json()["id"]
            before = (await c.get(f"/api/imoveis/{id_}")).json()
            last = (await c.get("/api/auditoria")).json()[0]["id"]
            asking = zip(pair, people.values(), strict=True)
            answers = await asyncio.gather(*(_ask(who, name, id_, baixa, before["versao"]) for name, who in asking))
            where = (state, pair, [r.text[:200] for r in answers])
            assert {r.status_code for r in answers} <= {200, 201, 404, 412, 422}, where
            done = tuple(r.status_code in (200, 201) for r in answers)
            after = (await c.get(f"/api/imoveis/{id_}")).json()
            assert ((after["estado"], after["destinacao"]), done) in outcomes(state, pair), where
            with psycopg.connect(cidade.conninfo) as conn:
                ((audited, by, open_),) = conn.execute(
                    """select (select count(*) from evento where entidade_id = %(id)s),
                              (select array_agg(u.email order by u.email) from evento e join usuario u on u.id = e.ator_id
                               where entidade_id = %(id)s and e.id > %(last)s),
                              (select count(*) from imovel_baixa where imovel_id = %(id)s and estornada_em is null)""",
                    {"id": id_, "last": last},
                ).fetchall()
            assert (by or []) == sorted(email for email, was_done in zip(people, done, strict=True) if was_done), where
            assert audited == after["versao"], (where, "each version has its record")
            assert after["versao"] - before["versao"] == sum(done), where
            assert open_ == (after["estado"] == "baixado"), where
