"""Forms that are sent while what serves them is killed: the person sees what became of each, and each is done once.

Who gets no answer sends the same form again, as a browser does when the page is loaded again; who gets a page that says that
nothing was saved sends what that page offers. Nobody is told that nothing was saved of what was saved.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from carga import corpo_de_bem, entrar, matar, trabalhadores
from leitor import Formulario, Pessoa, Tela
from processos import SEM_LIMITES, Service, pasta_de_dados

pytestmark = [pytest.mark.fault, pytest.mark.untimed, pytest.mark.timeout(300)]

PATIENCE = 90.0  # seconds, of a person before a form
DAY = "02/03/2026"
LOAN = {"tomador": "Escola", "saida": DAY, "previsao": DAY, "finalidade": "Feira"}


@pytest.fixture(scope="module")
def servico() -> Iterator[Service]:
    with (
        pasta_de_dados() as dados,
        Service("--demo", "--size", "20", SISPAT_DATA_DIR=str(dados), **SEM_LIMITES) as real,
    ):
        real.pronto()
        yield real
        assert real.encerrar() == 0


@dataclass(frozen=True)
class Act:
    """What is sent by a form, and what its page says once it is done."""

    action: str  # as audited
    path: str  # of the form; of one that decides about what was done before, its end
    typed: dict[str, str]
    says: str


def first_acts(body: dict[str, Any]) -> list[Act]:
    """One for each of four assets."""
    ask = {"destino_id": body["setor_id"], "agente_id": body["agente_id"], "motivo": "Mudança de sala"}
    return [
        Act("pedir_transferencia", "/transferencias/nova", ask, "Transferência pedida."),
        Act("emprestar", "/emprestimos/novo", LOAN, "Empréstimo registrado."),
        Act(
            "enviar_para_manutencao", "/manutencoes/nova", {"problema": "Não liga"}, "Envio para manutenção registrado."
        ),
        Act(
            "baixar",
            "/baixas/nova/erro_cadastro",
            {"data": DAY, "justificativa": "Em duplicidade"},
            "Baixa registrada.",
        ),
    ]


def then_acts(body: dict[str, Any]) -> list[Act]:
    """What ends them."""
    return [
        Act("aceitar_transferencia", "/aceitar", {"local_id": body["local_id"]}, "os bens mudaram de carga"),
        Act("devolver_emprestimo", "/devolver", {"devolvido_em": DAY}, "Devolução registrada"),
        Act("concluir_manutencao", "/concluir", {"custo": "1,00", "servico": "Fonte"}, "Manutenção concluída"),
        Act("estornar_baixa", "/estornar", {"estorno": "Não era o mesmo"}, "Baixa desfeita"),
    ]


@dataclass
class Desk:
    """Somebody with several forms open at once, and what they were told."""

    person: Pessoa
    api: httpx2.AsyncClient
    seen: Counter[str] = field(default_factory=Counter)

    async def open(self, path: str) -> Formulario:
        """The form at `path`, once the service answers."""
        while True:
            with suppress(httpx2.HTTPError):
                page = await self.person.ver(path)
                if page.estado == 200:
                    return page.formulario(path.partition("?")[0])
            await asyncio.sleep(0.1)

    async def send(self, act: Act, form: Formulario, asset: str) -> Tela:
        """Send it until a page says that it is done; that page."""
        typed = act.typed
        while True:
            try:
                page = await self.person.mandar(form, **typed)
            except httpx2.HTTPError:
                self.seen["no answer"] += 1
                await asyncio.sleep(0.05)
                continue
            if page.estado == 200:
                assert act.says in page.texto, page.texto
                self.seen["done"] += 1
                return page
            assert page.estado == 503, page.texto
            self.seen["refused"] += 1
            if "Nada foi gravado" in page.texto:
                assert act.action not in await self.history(asset), "it was told that nothing was saved"
            offered = [each for each in page.formularios if each.acao == form.acao]
            form, typed = (offered[0], {}) if offered else (form, typed)
            await asyncio.sleep(0.1)

    async def history(self, asset: str) -> list[str]:
        """What was done with an asset, the first act first."""
        while True:
            with suppress(httpx2.HTTPError):
                answer = await self.api.get(f"/api/patrimonios/{asset}/historico")
                if answer.is_success:
                    return [event["acao"] for event in reversed(answer.json())]
            await asyncio.sleep(0.1)


@asynccontextmanager
async def desk(servico: Service) -> AsyncIterator[Desk]:
    async with (
        entrar(servico, "admin@demo.local") as api,
        httpx2.AsyncClient(base_url=servico.endereco(), timeout=60) as http,
    ):
        person = Pessoa(http)
        await person.entrar("admin")
        yield Desk(person, api)


@pytest.mark.parametrize("victim", ["workers", "PostgreSQL"])
async def test_who_sends_a_form_while_everything_dies_is_told_that_it_was_done_and_it_was_once(
    servico, capsys, victim
) -> None:
    async with desk(servico) as at, asyncio.timeout(PATIENCE * 2):
        body = await corpo_de_bem(at.api)
        assets = [(await at.api.post("/api/patrimonios", json=body)).json() for _ in range(4)]
        acts = first_acts(body)
        paths = [f"{act.path}?bem={asset['numero']}" for act, asset in zip(acts, assets, strict=True)]
        for following in (then_acts(body), []):
            forms = [await at.open(path) for path in paths]
            sent = [
                asyncio.create_task(at.send(act, form, asset["id"]))
                for act, form, asset in zip(acts, forms, assets, strict=True)
            ]
            await asyncio.sleep(random.uniform(0, 0.04))  # the moment of the fault
            matar(*(trabalhadores(servico) if victim == "workers" else servico.postgres()[:1]))
            pages = await asyncio.gather(*sent)
            acts = following
            paths = [
                next(link for link in page.links if link.endswith(act.path))
                for act, page in zip(acts, pages, strict=False)
            ]
        histories = [await at.history(asset["id"]) for asset in assets]
    pairs = zip(first_acts(body), then_acts(body), strict=True)
    assert histories == [["criar", first.action, then.action] for first, then in pairs], "each once"
    assert at.seen["done"] == 8
    with capsys.disabled():
        print(f"\n    kill -9 of {victim} under eight forms: {dict(at.seen)}, each done once")
