"""What comes in as bytes and goes out as text, without a server."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sispat.pages import _envio, _formatos
from sispat.pages._campos import Campo
from sispat.pages._retomada import caminho_local, retomavel


@given(st.binary(max_size=200))
def test_any_body_can_be_read_as_a_form(corpo: bytes) -> None:
    for nome, valor in _envio._pares(corpo):
        (nome + valor).encode()  # no lone surrogates: it can be shown, carried and sent again


@given(st.text(max_size=40))
def test_the_way_after_signing_in_is_always_local(caminho: str) -> None:
    local = caminho_local(caminho)
    assert local.startswith("/")
    assert not local.startswith(("//", "/\\"))
    assert "\n" not in local
    assert "\r" not in local


def test_passwords_and_our_own_fields_are_not_carried_on() -> None:
    envio = _envio.Envio({"nome": "x", "password": "segredo", "_csrf": "t", "_chave": "c", "_rever": "1"})
    assert envio.digitado() == {"nome": "x"}


def test_the_same_data_sent_twice_is_the_same_and_other_data_is_not() -> None:
    um = _envio.Envio({"a": "1", "b": "2", "_csrf": "x"})
    assert um.resumo("/p") == _envio.Envio({"b": "2", "a": "1", "_csrf": "y"}).resumo("/p")
    assert um.resumo("/p") != _envio.Envio({"a": "12", "b": ""}).resumo("/p")
    assert um.resumo("/p") != um.resumo("/q")


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
    assert retomavel(caminho) is sim


@pytest.mark.parametrize(
    ("achado", "esperado"),
    [
        (_formatos.moeda("1234567.5"), "1.234.567,50"),
        (_formatos.moeda("mil"), "mil"),
        (_formatos.data("2026-01-31"), "31/01/2026"),
        (_formatos.data("31 de janeiro"), "31 de janeiro"),
        (_formatos.decimal(1001), "1.001"),
        (_formatos.momento("2026-02-01T02:05:00+00:00", "America/Sao_Paulo"), "31/01/2026 às 23:05"),
        (_formatos.momento(dt.datetime(2026, 2, 1, 2, 5, tzinfo=dt.UTC), "America/Manaus"), "31/01/2026 às 22:05"),
        (_formatos.numero_do_bem(42), "000042"),
        (_formatos.numero_do_bem(12345678), "12345678"),
        (_formatos.documento("12ABC34501DE35"), "12.ABC.345/01DE-35"),
        (_formatos.documento("52998224725"), "529.982.247-25"),
        (_formatos.documento(None), ""),
        (_formatos.visivel("a\x00b\x07c\td"), "a\ufffdb\ufffdc\td"),
        (Campo("data_aquisicao", "data").lido("1/2/2026"), "2026-02-01"),
        (Campo("data_aquisicao", "data").lido("amanhã"), "amanhã"),
        (Campo("residual_pct", "decimal").lido("12,5"), "12.5"),
        (Campo("codigo", "codigo").lido(" semed "), "SEMED"),
    ],
)
def test_values_are_written_and_read_as_in_brazil(achado: str, esperado: str) -> None:
    assert achado == esperado
