"""What comes in as bytes and goes out as text, without a server."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sispat.app import SLICES
from sispat.http import submission
from sispat.http.resume import local_path
from sispat.http.slices import Site
from sispat.kernel import formats
from sispat.ui.fields import FormField


@given(st.binary(max_size=200))
def test_any_body_can_be_read_as_a_form(corpo: bytes) -> None:
    for nome, valor in submission._pairs(corpo):
        (nome + valor).encode()  # no lone surrogates: it can be shown, carried and sent again


@given(st.text(max_size=40))
def test_the_way_after_signing_in_is_always_local(caminho: str) -> None:
    local = local_path(caminho)
    assert local.startswith("/")
    assert not local.startswith(("//", "/\\"))
    assert "\n" not in local
    assert "\r" not in local


def test_passwords_and_our_own_fields_are_not_carried_on() -> None:
    envio = submission.Submission({"nome": "x", "password": "segredo", "_csrf": "t", "_chave": "c", "_rever": "1"})
    assert envio.typed() == {"nome": "x"}


def test_the_same_data_sent_twice_is_the_same_and_other_data_is_not() -> None:
    um = submission.Submission({"a": "1", "b": "2", "_csrf": "x"})
    assert um.digest("/p") == submission.Submission({"b": "2", "a": "1", "_csrf": "y"}).digest("/p")
    assert um.digest("/p") != submission.Submission({"a": "12", "b": ""}).digest("/p")
    assert um.digest("/p") != um.digest("/q")


@pytest.mark.parametrize(
    ("caminho", "sim"),
    [
        ("/patrimonios/novo", True),
        ("/agentes/00000000-0000-4000-8000-000000000000/editar", True),
        ("/setores/novo", True),
        ("/sair", False),
        ("/entrar", False),
        ("/api/patrimonios", False),
        ("/patrimonios", False),
    ],
)
def test_only_forms_can_be_taken_up_again(caminho: str, sim: bool) -> None:
    assert Site(SLICES).resumable(caminho) is sim


@pytest.mark.parametrize(
    ("achado", "esperado"),
    [
        (formats.money("1234567.5"), "1.234.567,50"),
        (formats.money("mil"), "mil"),
        (formats.date("2026-01-31"), "31/01/2026"),
        (formats.date("31 de janeiro"), "31 de janeiro"),
        (formats.decimal(1001), "1.001"),
        (formats.moment("2026-02-01T02:05:00+00:00", "America/Sao_Paulo"), "31/01/2026 às 23:05"),
        (formats.moment(dt.datetime(2026, 2, 1, 2, 5, tzinfo=dt.UTC), "America/Manaus"), "31/01/2026 às 22:05"),
        (formats.plate_number(42), "000042"),
        (formats.plate_number(12345678), "12345678"),
        (formats.cpf_cnpj("12ABC34501DE35"), "12.ABC.345/01DE-35"),
        (formats.cpf_cnpj("52998224725"), "529.982.247-25"),
        (formats.cpf_cnpj(None), ""),
        (formats.printable("a\x00b\x07c\td"), "a\ufffdb\ufffdc\td"),
        (FormField("data_aquisicao", "", "date").read("1/2/2026"), "2026-02-01"),
        (FormField("data_aquisicao", "", "date").read("amanhã"), "amanhã"),
        (FormField("residual_pct", "", "decimal").read("12,5"), "12.5"),
        (FormField("codigo", "", "code").read(" semed "), "SEMED"),
    ],
)
def test_values_are_written_and_read_as_in_brazil(achado: str, esperado: str) -> None:
    assert achado == esperado
