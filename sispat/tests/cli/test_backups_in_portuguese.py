"""What Esteio says of backups is said in Portuguese by `sispat backup`: every error, every problem, every sentence."""

from __future__ import annotations

import inspect
import string
from pathlib import Path, PurePath
from typing import Any

import pytest

import esteio.backup
import esteio.backup.archive
import esteio.backup.base
import esteio.backup.packing
import esteio.backup.schedule
import esteio.backup.store
import esteio.backup.tools
import esteio.cli.environment
from esteio.backup import DetailCode, ProblemCode
from esteio.backup.store import StoreError
from esteio.errors import EsteioError
from sispat.cli._backup_details import DETAILS, worded
from sispat.cli._backup_errors import ERRORS, in_portuguese
from sispat.cli._backup_words import COMMAND_WORDS

PACOTES = (
    esteio.backup,
    esteio.backup.archive,
    esteio.backup.base,
    esteio.backup.packing,
    esteio.backup.schedule,
    esteio.backup.store,
    esteio.backup.tools,
    esteio.cli.environment,
)


def classes() -> list[type[EsteioError]]:
    """Every public error that is raised as such, and not only a base of others."""
    nomes = {nome: getattr(pacote, nome) for pacote in PACOTES for nome in pacote.__all__}
    erros = [cada for cada in nomes.values() if inspect.isclass(cada) and issubclass(cada, EsteioError)]
    return sorted((erro for erro in erros if not _e_base(erro)), key=lambda erro: erro.__name__)


def _e_base(erro: type[EsteioError]) -> bool:
    return (erro.__doc__ or "").startswith("Base of")


def exemplo(tipo: str, nome: str) -> Any:
    """A value for a parameter, which can be found again in a text."""
    if "Mapping" in tipo:
        return {"lugar": ValueError(f"<{nome}>"), "outro": ValueError("x")}
    if "tuple" in tipo:
        return (f"<{nome}>",)
    if "int" in tipo:
        return 7000 + len(nome)
    return PurePath(f"/<{nome}>/x") if "Path" in tipo else f"<{nome}>"


@pytest.mark.parametrize("classe", classes(), ids=lambda classe: classe.__name__)
def test_every_error_has_a_text_that_loses_no_field(classe: type[EsteioError]) -> None:
    assert any(cada in ERRORS for cada in classe.__mro__)
    parametros = list(inspect.signature(classe).parameters.values())
    dados = {cada.name: exemplo(str(cada.annotation), cada.name) for cada in parametros}
    por_nome = {cada.name for cada in parametros if cada.kind is inspect.Parameter.KEYWORD_ONLY}
    erro = classe(
        *(valor for nome, valor in dados.items() if nome not in por_nome), **{nome: dados[nome] for nome in por_nome}
    )
    dito = in_portuguese(erro)
    for nome, valor in dados.items():
        assert (str(valor) if isinstance(valor, int) else f"<{nome}>") in dito
    assert dito != str(erro)


def test_an_error_nobody_translated_is_told_in_its_own_words() -> None:
    class Novo(EsteioError):
        """New."""

    assert in_portuguese(Novo("it is new")) == "it is new"


def campos(texto: str) -> set[str | None]:
    return {nome for _, nome, _, _ in string.Formatter().parse(texto) if nome}


@pytest.mark.parametrize("problema", ProblemCode, ids=lambda problema: problema.name)
def test_every_problem_has_a_text_with_its_fields(problema: ProblemCode) -> None:
    texto = COMMAND_WORDS.problems[problema.name]
    assert texto != problema.value
    assert campos(texto) == campos(problema.value)


@pytest.mark.parametrize("codigo", DetailCode, ids=lambda codigo: codigo.name)
def test_every_sentence_in_a_field_has_a_text_with_its_fields(codigo: DetailCode) -> None:
    assert campos(DETAILS[codigo.name]) == campos(codigo.value)


def test_a_sentence_is_worded_from_its_code_and_fields() -> None:
    assert worded(DetailCode.ROWS_DIFFER(table='"São João".x', found=3, written=4)) == (
        '"São João".x tem 3 linhas, e não 4'
    )
    assert worded(DetailCode.IN_FILE(file="base.tar.zst", reason=DetailCode.FILE_MISSING())) == (
        "base.tar.zst: está faltando"
    )
    fora = StoreError("/x", "a/b", DetailCode.NO_FILE())
    assert worded(fora.detail) == "lugar /x: objeto 'a/b': não existe tal arquivo; veja o motivo"
    assert worded("FATAL: autenticação falhou") == "FATAL: autenticação falhou"
    assert worded("it is missing") == "it is missing"  # a sentence is not known by its words


def test_the_page_for_bad_days_quotes_what_is_really_said() -> None:
    pagina = (Path(__file__).parents[3] / "docs/how-to/restaurar-sob-pressao.md").read_text()
    esquerda = [linha.split("|")[1] for linha in pagina.splitlines() if linha.startswith("| `")]
    citadas = [citada for celula in esquerda for citada in celula.split("`")[1::2]]
    ditas = " ".join((*DETAILS.values(), *ERRORS.values(), *COMMAND_WORDS.problems.values(), COMMAND_WORDS.wait))
    assert len(citadas) >= 8
    for citada in citadas:
        for parte in citada.replace("ARQUIVO", "...").split("..."):
            assert parte.strip(" :") in ditas
