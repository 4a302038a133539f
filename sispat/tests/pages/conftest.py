"""A browser without a browser: a client that keeps cookies, reads forms and sends them back."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest
from leitor import Pessoa

from esteio.postgres import Dsn


@pytest.fixture
def cidade(cidade: Dsn) -> Dsn:
    """The demo city, for people who do not wait long for a database that is away."""
    return cidade.with_(pool_timeout=0.5)


@pytest.fixture
def navegar(cliente) -> Callable[..., AbstractAsyncContextManager[Pessoa]]:
    """`async with navegar("gestor") as pessoa:` - somebody with our cookies, signed in through the form."""

    @contextlib.asynccontextmanager
    async def abrir(quem: str | None = None, **ajustes: object) -> AsyncIterator[Pessoa]:
        async with cliente(**ajustes) as http:
            pessoa = Pessoa(http)
            if quem is not None:
                await pessoa.entrar(quem)
            yield pessoa

    return abrir
