"""Two people do two things with the same asset at the same time: all pairs, from every state in which one of them is possible.

Each is signed in, at a machine of their own. What comes out is what one after the other would have made of it, in one order
or the other; each change is audited under the name of who was told that it is done; nobody is told of an error of ours.
SISPAT_MOVEMENT_ROUNDS sets how often each pair runs (`make rounds`: 100).
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import psycopg
import pytest
from duas_pessoas import two_administrators

from esteio.postgres import Dsn

ROUNDS = int(os.environ.get("SISPAT_MOVEMENT_ROUNDS", "1"))
Request = Callable[[httpx2.AsyncClient, "Scene"], Awaitable[httpx2.Response]]


@dataclass(frozen=True)
class Act:
    """What somebody asks for: possible in the states `of`, which it makes `to`.

    `open`: it is asked about an open movement. `once`: done, it cannot be done again, though the state stays.
    """

    of: tuple[str, ...]
    to: str
    ask: Request
    open: bool = False
    once: bool = False


@dataclass
class Scene:
    """One asset, and what is open about it."""

    id: str
    numero: int
    para: dict[str, str]
    movements: dict[str, str]

    @property
    def custody(self) -> dict[str, str]:
        return {name: self.para[name] for name in ("local_id", "agente_id")}


def _open(plural: str, ending: str, body: Callable[[Scene], dict[str, Any]]) -> Request:
    """Ask for something about the open movement of a kind; where none is open, about one that is none."""

    async def ask(c: httpx2.AsyncClient, scene: Scene) -> httpx2.Response:
        id_ = scene.movements.get(plural, "00000000-0000-4000-8000-000000000000")
        return await c.post(f"/api/{plural}/{id_}/{ending}", json=body(scene))

    return ask


def _new(plural: str, body: Callable[[Scene], dict[str, Any]]) -> Request:
    async def ask(c: httpx2.AsyncClient, scene: Scene) -> httpx2.Response:
        return await c.post(f"/api/{plural}", json={"numeros": [scene.numero], **body(scene)})

    return ask


DAY = "2026-03-02"
NOTE = {"data": DAY, "circunstancia": "Não estava na sala"}
WRITE_OFF = {"motivo": "erro_cadastro", "data": DAY, "justificativa": "Cadastrado duas vezes"}
LOAN = {"tomador": "Escola estadual", "saida": DAY, "previsao": "2026-03-20", "finalidade": "Feira de ciências"}
IN_USE, LENT, MOVING, SENT, MISSING, OFF = (
    "em_uso", "emprestado", "em_transferencia", "em_manutencao", "nao_localizado", "baixado",
)  # fmt: skip
ACTS = {
    "pedir": Act(
        (IN_USE,), MOVING, _new("transferencias", lambda s: {"destino_id": s.para["destino_id"], "motivo": "Mudança"})
    ),
    "aceitar": Act((MOVING,), IN_USE, _open("transferencias", "aceite", lambda s: s.custody), open=True),
    "recusar": Act((MOVING,), IN_USE, _open("transferencias", "recusa", lambda _: {"observacao": "Quebrado"}), open=True),
    "cancelar": Act((MOVING,), IN_USE, _open("transferencias", "cancelamento", lambda _: {}), open=True),
    "emprestar": Act((IN_USE,), LENT, _new("emprestimos", lambda _: LOAN)),
    "devolver": Act((LENT,), IN_USE, _open("emprestimos", "devolucao", lambda _: {"devolvido_em": DAY}), open=True),
    "prorrogar": Act(
        (LENT,), LENT, _open("emprestimos", "prorrogacao", lambda _: {"previsao": "2099-03-20", "motivo": "Feira adiada"}),
        open=True, once=True,
    ),
    "enviar": Act((IN_USE,), SENT, _new("manutencoes", lambda _: {"problema": "Não liga", "enviado_em": DAY})),
    "concluir": Act(
        (SENT,), IN_USE,
        _open("manutencoes", "conclusao", lambda _: {"concluido_em": DAY, "custo": "1.00", "servico": "Fonte"}), open=True,
    ),
    "faltar": Act((IN_USE,), MISSING, _new("localizacoes/falta", lambda _: NOTE)),
    "encontrar": Act((MISSING,), IN_USE, _new("localizacoes/reencontro", lambda s: NOTE | {"agente_id": s.para["agente_id"]})),
    "baixar": Act((IN_USE, MISSING), OFF, _new("baixas", lambda _: WRITE_OFF)),
    "estornar": Act((OFF,), IN_USE, _open("baixas", "estorno", lambda _: {"estorno": "Não era o mesmo bem"}), open=True),
}  # fmt: skip
# How an asset gets into each state, and which kind of movement is then open.
INTO = {
    IN_USE: None,
    MOVING: ("pedir", "transferencias"),
    LENT: ("emprestar", "emprestimos"),
    SENT: ("enviar", "manutencoes"),
    MISSING: ("faltar", "localizacoes"),
    OFF: ("baixar", "baixas"),
}


def outcomes(state: str, acts: tuple[str, str]) -> set[tuple[str, tuple[bool, ...]]]:
    """What may come out: the state at the end, and whether each was done, in either order.

    What is asked about an open movement cannot be asked about one that the other act opens only now.
    """
    found = set()
    for order in ((0, 1), (1, 0)):
        now, done = state, [False, False]
        for which in order:
            act = ACTS[acts[which]]
            again = act.once and acts[0] == acts[1] and any(done)
            if now in act.of and (not act.open or state in act.of) and not again:
                now, done[which] = act.to, True
        found.add((now, tuple(done)))
    return found


def _rows(cidade: Dsn, sql: str, *values: object) -> list[Any]:
    with psycopg.connect(cidade.conninfo) as conn:
        return conn.execute(sql, values[0] if values and isinstance(values[0], dict) else values).fetchall()


async def _scene(c: httpx2.AsyncClient, cidade: Dsn, state: str, numero: int) -> Scene:
    ((id_, destino, local, agente),) = _rows(
        cidade,
        """select p.id::text, s.id::text, l.id::text, a.id::text from patrimonio p, setor s
           join local l on l.setor_id = s.id join agente a on a.setor_id = s.id
           where p.numero = %s and s.id <> p.setor_id order by s.codigo limit 1""",
        numero,
    )
    scene = Scene(id_, numero, {"destino_id": destino, "local_id": local, "agente_id": agente}, {})
    if into := INTO[state]:
        act, plural = into
        r = await ACTS[act].ask(c, scene)
        assert r.status_code == 201, r.text
        scene.movements[plural] = r.json()["items"][0]["id"]
    return scene


def _bring_back(cidade: Dsn, numero: int) -> None:
    """Put an asset into use, whatever the round before left it in."""
    with psycopg.connect(cidade.conninfo) as conn:
        of_it = "where patrimonio_id = (select id from patrimonio where numero = %s)"
        for closing in (
            "transferencia_item set estado = 'cancelada', decidida_em = now(),"
            " decidida_por = (select id from usuario limit 1)",
            "emprestimo set devolvido_em = saida",
            "manutencao set concluido_em = enviado_em, custo = 0, servico = 'Nada'",
            "baixa set estornada_em = now(), estorno = 'Para outra rodada', estornada_por = registrada_por",
        ):
            conn.execute(f"update {closing} {of_it}", [numero])
        conn.execute("update patrimonio set situacao = 'em_uso' where numero = %s", [numero])


def _chain(cidade: Dsn, id_: str) -> list[tuple[str, str, str]]:
    """Each change of the state, as audited, and who made it."""
    return _rows(
        cidade,
        """select antes->>'situacao', depois->>'situacao', u.email from evento e left join usuario u on u.id = e.ator_id
           where e.entidade_id = %s and antes ? 'situacao' order by e.id""",
        id_,
    )


PAIRS = [
    (state, pair)
    for pair in itertools.combinations_with_replacement(ACTS, 2)
    for state in INTO
    if any(state in ACTS[name].of for name in pair)
]


@pytest.mark.fault
@pytest.mark.untimed
@pytest.mark.timeout(120 + ROUNDS * 60)
async def test_two_people_and_one_asset_have_one_legal_outcome(cliente, cidade) -> None:
    free = [n for (n,) in _rows(cidade, "select numero from patrimonio where situacao = 'em_uso' order by numero")]
    seen: set[tuple[Any, ...]] = set()
    async with two_administrators(cliente, cidade) as people:
        emails, (c, _other) = list(people), people.values()
        for (state, pair), _round in itertools.product(PAIRS, range(ROUNDS)):
            numero = free[0]
            free = [*free[1:], numero]  # the others rest meanwhile
            _bring_back(cidade, numero)
            scene = await _scene(c, cidade, state, numero)
            before = len(_chain(cidade, scene.id))
            asking = zip(pair, people.values(), strict=True)
            answers = await asyncio.gather(*(ACTS[name].ask(person, scene) for name, person in asking))
            where = (state, pair, [r.text[:200] for r in answers])
            assert {r.status_code for r in answers} <= {200, 201, 404, 422}, where
            done = tuple(r.status_code in (200, 201) for r in answers)
            ((now,),) = _rows(cidade, "select situacao from patrimonio where numero = %s", numero)
            assert (now, done) in outcomes(state, pair), where
            chain = _chain(cidade, scene.id)[before:]
            acts = [(name, email) for name, email, was_done in zip(pair, emails, done, strict=True) if was_done]
            moved = [email for name, email in acts if not ACTS[name].once]
            assert sorted(email for *_, email in chain) == sorted(moved), where
            assert _extensions(cidade, scene) == len(acts) - len(moved), where
            assert [a for a, *_ in chain] + [now] == [state] + [b for _, b, _ in chain], (
                "each record follows from the one before"
            )
            assert _open_movements(cidade, scene.id) == ({now} - {IN_USE, MISSING}), where
            seen.add((state, pair, now, done))
    assert len({(state, pair) for state, pair, *_ in seen}) == len(PAIRS)


def _extensions(cidade: Dsn, scene: Scene) -> int:
    """How often the loan of this scene was extended, as audited."""
    loan = scene.movements.get("emprestimos")
    ((number,),) = _rows(
        cidade, "select count(*) from evento where acao = 'prorrogar_emprestimo' and entidade_id = %s::uuid", loan
    )
    return int(number)


def _open_movements(cidade: Dsn, id_: str) -> set[str]:
    """The states that open movements of an asset stand for."""
    found = _rows(
        cidade,
        """select 'em_transferencia' from transferencia_item where patrimonio_id = %(id)s and estado = 'pendente'
           union all select 'emprestado' from emprestimo where patrimonio_id = %(id)s and devolvido_em is null
           union all select 'em_manutencao' from manutencao where patrimonio_id = %(id)s and concluido_em is null
           union all select 'baixado' from baixa where patrimonio_id = %(id)s and estornada_em is null""",
        {"id": id_},
    )
    assert len(found) == len(set(found)), "one of each at most"
    return {state for (state,) in found}
