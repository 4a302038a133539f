"""A mail server on this machine, whoever sends to it, and a city in which something waits for the gestor."""

from __future__ import annotations

import datetime as dt
import email
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.policy import default
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from esteio.postgres import Database, Dsn
from esteio.testing import ManualClock
from sispat.avisos.sending import City, MailSender, Post
from sispat.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[3] / "esteio/tests/alert"))
from receivers import MailReceiver, mail_receiver

__all__ = [
    "BASE",
    "DIA",
    "HORA",
    "MailReceiver",
    "correspondencia",
    "mail_receiver",
    "postos",
    "relogio",
    "so_o_gestor",
    "url",
]

BASE = "https://patrimonio.cidade.gov.br"
HORA, DIA = 3600.0, 86400.0
MANHA = dt.datetime(2026, 3, 2, 6, 0, tzinfo=ZoneInfo("America/Sao_Paulo"))  # a Monday, an hour before the digest


def url(port: int) -> str:
    """Of the server, as SISPAT_MAIL_URL has it."""
    return f"mailto://127.0.0.1:{port}?from=sispat@cidade.gov.br"


def relogio() -> ManualClock:
    """A Monday, an hour before the digest."""
    return ManualClock(time=MANHA.timestamp())


def correspondencia(servidor: MailReceiver) -> list[tuple[str, str, str]]:
    """What was taken: to whom, subject, text."""
    cartas = [email.message_from_string(texto, policy=default) for texto in servidor.mails]
    return [(str(c["To"]), str(c["Subject"]), _text(c)) for c in cartas]


def _text(carta: Any) -> str:
    corpo = carta.get_body(("plain",))
    assert corpo is not None, carta
    return str(corpo.get_content()).replace("\r\n", "\n")


def so_o_gestor(cidade: Dsn) -> None:
    """Everybody else wants no mails; the row of each is as if the service had run since Sunday."""
    with psycopg.connect(cidade.conninfo) as conn:
        conn.execute(
            """insert into aviso (usuario_id, quando, resumo_de)
               select id, case when papel = 'gestor' then 'diario' else 'nunca' end, %s from usuario""",
            [MANHA - dt.timedelta(days=1)],
        )


@asynccontextmanager
async def postos(cidade: Dsn, porta: int, relogio: ManualClock, **ajustes: Any) -> AsyncIterator[MailSender]:
    """Who sends, as the service's process of jobs has it."""
    settings = Settings(
        database_url=cidade, public_url=BASE, mail_url=url(porta), city_name="Cidade de Teste", **ajustes
    )
    async with Database(cidade, min_size=1, settings={"role": "sispat_app"}, leak_after=None) as db:
        yield MailSender(db, City.of(settings), Post(url(porta)).send, relogio)
