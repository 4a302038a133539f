"""A migrated database per test, a small demo city, and the application on top, all real."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from unittest import mock

import httpx2
import pytest
from aplicacao import abrir
from argon2 import PasswordHasher
from leitor import Pessoa
from viacep_falso import ViacepFalso

from esteio.policy import Deadline, Timeout
from esteio.postgres import Dsn
from sispat.cadastros.cep import lookup
from sispat.demo import populate
from sispat.kernel.schema import migrate
from sispat.pessoas import passwords

_numeros = itertools.count(1)
os.environ["SISPAT_LANG"] = "pt-BR"  # commands follow the terminal's locale otherwise, whichever that is


@pytest.fixture(scope="session", autouse=True)
def real_hasher() -> Iterator[PasswordHasher]:
    """What hashes passwords; not in this process, where a thousand tests sign in and each would pay 0.1 s of a processor.

    Services in processes of their own hash as ever, and so replace the hashes made here.
    """
    real, cheap = passwords._HASHER, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with mock.patch.object(passwords, "_HASHER", cheap):
        yield real


@pytest.fixture(scope="session")
def modelo(postgres_server) -> str:
    """Name of a migrated, empty database to copy from."""
    migrate(postgres_server.create_database("modelo"))
    return "modelo"


@pytest.fixture(scope="session")
def _modelo_cidade(postgres_server, modelo) -> str:
    """Name of a database with a small demo city to copy from."""
    populate(postgres_server.create_database("modelo_cidade", template=modelo), size=300)
    return "modelo_cidade"


def _copia(postgres_server, modelo: str) -> Iterator[Dsn]:
    nome = f"sispat_{os.getpid()}_{next(_numeros)}"
    yield postgres_server.create_database(nome, template=modelo)
    postgres_server.drop_database(nome)


@pytest.fixture
def banco(postgres_server, modelo) -> Iterator[Dsn]:
    """A migrated database without data."""
    yield from _copia(postgres_server, modelo)


@pytest.fixture
def cidade(postgres_server, _modelo_cidade) -> Iterator[Dsn]:
    """A migrated database with a demo city of 300 assets."""
    yield from _copia(postgres_server, _modelo_cidade)


Cliente = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]


@pytest.fixture
def cliente(cidade: Dsn) -> Cliente:
    """`async with cliente("gestor@demo.local") as c:` - an HTTP client of the demo city."""
    return lambda email=None, **ajustes: abrir(cidade, email, **ajustes)


@pytest.fixture
def navegar(cidade: Dsn) -> Callable[..., AbstractAsyncContextManager[Pessoa]]:
    """`async with navegar("gestor") as pessoa:` - a browser without a browser, signed in through the form.

    Whoever uses it does not wait long for a database that is away.
    """

    @contextlib.asynccontextmanager
    async def navegando(quem: str | None = None, **ajustes: object) -> AsyncIterator[Pessoa]:
        async with abrir(cidade.with_(pool_timeout=0.5), **ajustes) as http:
            pessoa = Pessoa(http)
            if quem is not None:
                await pessoa.entrar(quem)
            yield pessoa

    return navegando


@pytest.fixture
def sem_pressa(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up of addresses gives ViaCEP as long as a busy machine needs: for tests of what is done with its answer."""
    patient = {Deadline: Deadline(60.0), Timeout: Timeout(30.0)}
    monkeypatch.setattr(lookup, "_POLICIES", tuple(patient.get(type(each), each) for each in lookup._POLICIES))


@pytest.fixture
async def viacep(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ViacepFalso]:
    """A ViaCEP on this machine that does as it is told."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # a proxy of the machine has no business between two of its ports
    async with ViacepFalso() as falso:
        yield falso
