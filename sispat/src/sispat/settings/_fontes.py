"""Reading the sources, strongest last, and remembering which one each value came from.

pydantic alone checks the values: pydantic-settings reads sources too, but does not tell afterwards where a value
came from, which is the first thing one asks when a service does not do what its `.env` says.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream
from pydantic import ValidationError

from sispat.kernel.i18n import _
from sispat.settings._erros import ConfiguracaoInvalida, Problema
from sispat.settings._modelo import Settings
from sispat.settings._origem import Origem
from sispat.settings._variavel import da, permitido

__all__ = ["Origem", "carregar"]

CARRIED_PREFIX = "SISPAT_"
_CAMPOS = {variavel.nome: nome for nome, campo in Settings.model_fields.items() if (variavel := da(campo))}


def carregar(
    env: Mapping[str, str] | None = None,
    env_file: Path | None = None,
    linha: Mapping[str, Any] | None = None,
) -> Settings:
    """Read and check everything; raises `ConfiguracaoInvalida` with all that is wrong.

    Without `env` the process environment counts, and `.env` of the working directory below it; an `env` that is
    given counts alone. `linha` has values of the command line by field name; None there means not given. An empty
    variable counts as not set.
    """
    if env is None:
        env, env_file = os.environ, env_file or Path(".env")
    arquivo = _ler_arquivo(env_file) if env_file is not None else {}
    valores: dict[str, Any] = {}
    origens: dict[str, Origem] = {}
    for origem, fonte in ((Origem.ARQUIVO, arquivo), (Origem.AMBIENTE, env)):
        for nome, campo in _CAMPOS.items():
            if fonte.get(nome, ""):
                valores[campo], origens[campo] = fonte[nome], origem
    for campo, valor in (linha or {}).items():
        if valor is not None:
            valores[campo], origens[campo] = valor, Origem.LINHA
    avisos = (*_desconhecidas(env, Origem.AMBIENTE), *_desconhecidas(arquivo, Origem.ARQUIVO))
    try:
        return Settings(**valores, origens=origens, avisos=avisos)
    except ValidationError as erro:
        raise ConfiguracaoInvalida(_problemas(erro, valores, origens)) from None


def _ler_arquivo(arquivo: Path) -> dict[str, str]:
    try:
        with arquivo.open(encoding="utf-8") as texto:
            partes = list(parse_stream(texto))
    except (FileNotFoundError, IsADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as erro:
        raise ConfiguracaoInvalida(
            (Problema(str(arquivo), "…", _("arquivo"), str(erro), _("um texto em UTF-8 que se possa ler")),)
        ) from erro
    ruins = tuple(
        Problema(
            _("%(file)s, linha %(line)s", file=arquivo, line=parte.original.line),
            "…",
            _("arquivo"),
            _("não se entende"),
            _("NOME=valor"),
        )
        for parte in partes
        if parte.error
    )
    if ruins:
        raise ConfiguracaoInvalida(ruins)
    return {parte.key: parte.value for parte in partes if parte.key and parte.value}


def _desconhecidas(fonte: Mapping[str, str], origem: Origem) -> Iterable[str]:
    for nome in sorted(fonte):
        if nome.startswith(CARRIED_PREFIX) and nome not in _CAMPOS:
            perto = difflib.get_close_matches(nome, _CAMPOS, 1)
            told = {"name": nome, "origin": origem.label}
            unknown = _("%(name)s (%(origin)s) não é uma configuração do SISPAT e não tem efeito.", **told)
            yield f"{unknown} {_('Você quis dizer %(name)s?', name=perto[0])}" if perto else unknown


def _problemas(
    erro: ValidationError, valores: Mapping[str, Any], origens: Mapping[str, Origem]
) -> tuple[Problema, ...]:
    achados: dict[str, Problema] = {}
    for detalhe in erro.errors(include_url=False, include_input=False):
        # A rule between two values has no place of its own; see Settings.
        nome = str(detalhe["loc"][0]) if detalhe["loc"] else "session_idle"
        campo = Settings.model_fields[nome]
        variavel = da(campo)
        assert variavel is not None
        causa = detalhe.get("ctx", {}).get("error")
        motivo = str(causa) if isinstance(causa, ValueError) else ""
        if not detalhe["loc"]:
            motivo = _("é mais longa do que SISPAT_SESSION_MAX")
        achados.setdefault(
            nome,
            Problema(
                nome=variavel.nome,
                valor="***" if variavel.secreta else str(valores.get(nome, campo.get_default())),
                origem=origens.get(nome, Origem.PADRAO).label,
                motivo=motivo,
                permitido=permitido(campo),
            ),
        )
    return tuple(achados.values())
