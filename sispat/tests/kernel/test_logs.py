"""The two formats of the log."""

from __future__ import annotations

import json
import logging
import logging.config
import sys

import structlog

from esteio.correlation import request_id
from sispat.kernel.logs import dict_config, formatter


def registro(mensagem: str, *valores: object, **mais: object) -> logging.LogRecord:
    feito = logging.getLogger("sispat.teste").makeRecord(
        "sispat.teste", logging.WARNING, "arquivo.py", 1, mensagem, valores, None, extra=mais
    )
    try:
        raise ValueError("a causa")
    except ValueError:
        feito.exc_info = sys.exc_info()
    return feito


def test_text_is_for_people() -> None:
    primeira = formatter("text").format(registro("esperando por %s", "banco")).splitlines()[0]
    assert primeira.endswith("WARNING esperando por banco")


def test_json_is_one_object_per_line_with_its_context() -> None:
    try:
        with structlog.contextvars.bound_contextvars(requisicao="r-1"):
            linha = formatter("json").format(registro("esperando por %s", "São José", tentativa=2))
    finally:
        structlog.reset_defaults()
    assert "\n" not in linha
    lido = json.loads(linha)
    assert lido["message"] == "esperando por São José"
    assert (lido["level"], lido["logger"]) == ("warning", "sispat.teste")
    assert (lido["tentativa"], lido["requisicao"]) == (2, "r-1")
    assert lido["exception"][0]["exc_value"] == "a causa"
    assert lido["timestamp"].endswith("Z")


def test_json_has_the_names_of_the_request_in_every_line_of_it() -> None:
    ajustes = dict_config(format_="json")
    made = logging.config.DictConfigurator(ajustes).configure_filter(ajustes["filters"]["ids"])
    assert ajustes["handlers"]["stderr"]["filters"] == ["ids"]
    token = request_id.set("r-9")
    try:
        feito = registro("dito")
        assert made.filter(feito)
    finally:
        request_id.reset(token)
    try:
        lido = json.loads(formatter("json").format(feito))
    finally:
        structlog.reset_defaults()
    assert lido["request_id"] == "r-9"
    assert "trace_id" not in lido


def test_one_line_per_request_is_never_written() -> None:
    assert dict_config()["loggers"]["uvicorn.access"]["level"] == "CRITICAL"
    assert dict_config()["loggers"]["httpx2"]["level"] == "WARNING"
