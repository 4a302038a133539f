"""The look-up of addresses: answers while ViaCEP does, gives up in time while it does not, leaves it alone then."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest
from processos import ambiente
from viacep_falso import FALHAS, ViacepFalso

from esteio.testing import run_virtual
from sispat.cadastros.cep import CepLookup, CepUnavailable, PostalAddress
from sispat.cadastros.cep.address import read
from sispat.cadastros.cep.errors import ViacepFailed
from sispat.kernel.errors import InvalidData

PRACA = PostalAddress("01001000", "Praça da Sé", "Sé", "São Paulo", "SP")
LIMITE = 1.5  # seconds; 1 is promised, the rest is for a busy machine


@pytest.fixture
async def consulta(viacep: ViacepFalso) -> AsyncIterator[CepLookup]:
    """A look-up that has already loaded its HTTP client."""
    montada = CepLookup.build(viacep.url)
    await montada._opened()
    yield montada
    await montada.close()


def indice(consulta: CepLookup, tipo: str) -> dict[str, object]:
    return next(dict(s.values) for s in consulta.pipeline.snapshot().policies if s.kind == tipo)


@pytest.mark.parametrize("digitado", ["01001000", "01001-000", " 01.001-000 "])
@pytest.mark.usefixtures("sem_pressa")
async def test_a_cep_is_found_however_it_is_typed(consulta, viacep, digitado) -> None:
    assert await consulta.find(digitado) == PRACA
    assert viacep.pedidos == ["/ws/01001000/json/"]


@pytest.mark.parametrize(
    "digitado", ["", "0100100", "010010000", "abcdefgh", "01001-00\x00", "../../x", "０１００１０００"]
)
async def test_what_is_no_cep_is_refused_without_asking(consulta, viacep, digitado) -> None:
    with pytest.raises(InvalidData, match="8 algarismos"):
        await consulta.find(digitado)
    assert viacep.pedidos == []


@pytest.mark.parametrize("modo", ["desconhecido", "desconhecido em texto", "malformado"])
@pytest.mark.usefixtures("sem_pressa")
async def test_an_unknown_cep_is_an_answer_and_never_opens_the_circuit(consulta, viacep, modo) -> None:
    await viacep.ser(modo)
    for n in range(8):
        assert await consulta.find(f"0100100{n}") is None
    assert len(set(viacep.pedidos)) == 8  # a slow machine may ask one of them twice
    assert consulta.pipeline.circuit.state == "closed"


@pytest.mark.usefixtures("sem_pressa")
async def test_a_city_with_one_cep_has_no_street(consulta, viacep) -> None:
    await viacep.ser("cidade")
    assert await consulta.find("01001000") == PostalAddress("01001000", "", "", "São Paulo", "SP")


@pytest.mark.usefixtures("sem_pressa")
async def test_an_answer_is_not_asked_for_again_the_same_day(consulta, viacep) -> None:
    for _ in range(5):
        await consulta.find("01001000")
    assert len(viacep.pedidos) == 1


@pytest.mark.usefixtures("sem_pressa")
async def test_a_short_retry_after_is_waited_for(consulta, viacep) -> None:
    await viacep.ser("429 uma vez")
    assert await consulta.find("01001000") == PRACA
    assert len(viacep.pedidos) == 2


async def test_a_long_retry_after_ends_the_attempts_and_is_passed_on(consulta, viacep) -> None:
    await viacep.ser("429")
    with pytest.raises(CepUnavailable) as erro:
        await consulta.find("01001000")
    assert erro.value.retry_after == 30
    assert len(viacep.pedidos) == 1


@pytest.mark.fault
@pytest.mark.parametrize("modo", FALHAS)
async def test_however_it_fails_the_answer_is_there_in_time_then_it_is_left_alone(consulta, viacep, modo) -> None:
    await viacep.ser(modo)
    tempos = []
    for n in range(8):
        inicio = time.perf_counter()
        with pytest.raises(CepUnavailable, match="à mão") as erro:
            await consulta.find(f"0100100{n}")
        tempos.append(time.perf_counter() - inicio)
        assert erro.value.retry_after > 0
    print(f"{modo}: slowest {max(tempos):.3f} s, with the circuit open {tempos[-1] * 1000:.2f} ms")
    assert max(tempos) < LIMITE
    assert consulta.pipeline.circuit.state == "open"
    assert tempos[-1] < 0.1
    antes = len(viacep.pedidos)
    with pytest.raises(CepUnavailable):
        await consulta.find("01001009")
    assert len(viacep.pedidos) == antes <= 6


@pytest.mark.fault
async def test_many_at_once_on_a_silent_viacep_all_answer_in_time_and_free_their_places(consulta, viacep) -> None:
    await viacep.ser("mudo")
    inicio = time.perf_counter()
    fins = await asyncio.gather(*(consulta.find(f"{n:08}") for n in range(200)), return_exceptions=True)
    durou = time.perf_counter() - inicio
    print(f"200 at once: {durou:.3f} s")
    assert {type(fim) for fim in fins} == {CepUnavailable}
    assert durou < LIMITE
    assert indice(consulta, "bulkhead")["taken"] == 0
    assert len(viacep.pedidos) <= 40


async def test_when_it_comes_back_so_does_the_look_up(consulta, viacep) -> None:
    await viacep.ser("500")
    for n in range(5):
        with pytest.raises(CepUnavailable):
            await consulta.find(f"0100100{n}")
    await viacep.ser("ok")
    consulta.pipeline.circuit.reset()
    assert await consulta.find("01001000") == PRACA


async def test_switched_off_it_says_so_and_asks_nobody() -> None:
    consulta = CepLookup.build(None)
    assert not consulta.is_on
    with pytest.raises(CepUnavailable, match="desligada") as erro:
        await consulta.find("01001000")
    assert erro.value.retry_after is None
    await consulta.close()


async def test_an_address_of_the_service_that_makes_no_sense_is_an_absent_service() -> None:
    consulta = CepLookup.build("http://[")
    for _ in range(2):
        with pytest.raises(CepUnavailable):
            await consulta.find("01001000")
    await consulta.close()


def test_making_the_application_loads_no_http_client() -> None:
    codigo = "import sys, sispat.app, sispat.cadastros.cep; sys.exit('httpx2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", codigo], env=ambiente(), check=False).returncode == 0


class Fonte:
    """Answers or fails, as `estado` says, without any network."""

    def __init__(self) -> None:
        self.estado = "ok"
        self.pedidos = 0

    async def find(self, cep: str) -> PostalAddress | None:
        self.pedidos += 1
        if self.estado == "mudo":
            await asyncio.sleep(3600)
        if self.estado == "fora":
            raise ViacepFailed("fora")
        return PRACA

    async def close(self) -> None:
        self.estado = "fechada"


def em_tempo_virtual(cena) -> None:
    async def principal(relogio) -> None:
        fonte = Fonte()

        async def abrir() -> Fonte:
            return fonte

        await cena(relogio, fonte, CepLookup(abrir, relogio))

    run_virtual(principal)


def test_a_silent_source_costs_two_short_waits_not_the_whole_deadline() -> None:
    async def cena(relogio, fonte, consulta) -> None:
        fonte.estado = "mudo"
        inicio = relogio.monotonic()
        with pytest.raises(CepUnavailable):
            await consulta.find("01001000")
        assert 0.8 <= relogio.monotonic() - inicio <= 0.85
        assert fonte.pedidos == 2

    em_tempo_virtual(cena)


@pytest.mark.parametrize("estado", ["fora", "mudo"])
def test_what_was_known_is_still_known_while_the_source_fails_but_not_for_ever(estado) -> None:
    async def cena(relogio, fonte, consulta) -> None:
        assert await consulta.find("01001000") == PRACA
        fonte.estado = estado
        await relogio.sleep_async(2 * 86_400)
        assert await consulta.find("01001000") == PRACA
        assert indice(consulta, "cache")["stale"] == 1
        await relogio.sleep_async(29 * 86_400)
        with pytest.raises(CepUnavailable):
            await consulta.find("01001000")

    em_tempo_virtual(cena)


def test_an_open_circuit_is_probed_after_half_a_minute_and_closes_on_one_answer() -> None:
    async def cena(relogio, fonte, consulta) -> None:
        fonte.estado = "fora"
        for _ in range(10):
            with pytest.raises(CepUnavailable):
                await consulta.find("01001000")
        assert consulta.pipeline.circuit.state == "open"
        antes, fonte.estado = fonte.pedidos, "ok"
        with pytest.raises(CepUnavailable) as erro:
            await consulta.find("01001000")
        assert fonte.pedidos == antes
        assert 0 < erro.value.retry_after <= 33
        await relogio.sleep_async(34)
        assert await consulta.find("01001000") == PRACA
        assert consulta.pipeline.circuit.state == "closed"

    em_tempo_virtual(cena)


def test_closing_closes_the_source_and_it_can_be_opened_again() -> None:
    async def cena(relogio, fonte, consulta) -> None:
        await consulta.find("01001000")
        await consulta.close()
        assert fonte.estado == "fechada"
        assert await consulta.find("20040020") == PRACA

    em_tempo_virtual(cena)


@pytest.mark.parametrize(
    "corpo",
    [
        b"", b"null", b"[]", b"{}", b'"texto"', b"{" * 1000, b"[" * 100_000, b"\xff\xfe", b'{"cep": 1001000}',
        b'{"cep":"01001-000","logradouro":null,"bairro":"","localidade":"X","uf":"SP"}',
        b'{"cep":"01001-000","logradouro":"","bairro":"","localidade":"","uf":"SP"}',
        b'{"cep":"01001-000","logradouro":"","bairro":"","localidade":"X","uf":"SPX"}',
        b'{"cep":"01001-000","logradouro":"a\\u0000b","bairro":"","localidade":"X","uf":"SP"}',
        b'{"cep":"20040-020","logradouro":"","bairro":"","localidade":"X","uf":"SP"}',
    ],
)  # fmt: skip
def test_what_is_no_address_is_a_failure_of_the_service(corpo) -> None:
    with pytest.raises(ViacepFailed):
        read(corpo, "01001000")
