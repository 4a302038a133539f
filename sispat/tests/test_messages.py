"""Every text has its English, and every text that people read is in the catalogue."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.messages import SOURCES, messages, read

from sispat.cli._serve import _REFUSALS
from sispat.kernel import i18n
from sispat.kernel.i18n import _, lazy, ngettext, using

_VARIABLE = re.compile(r"%\((\w+)\)s|%%")


def _ids(message: str | tuple[str, str]) -> tuple[str, ...]:
    return message if isinstance(message, tuple) else (message,)


def test_the_catalogue_has_exactly_the_texts_of_the_sources_translated() -> None:
    """`make messages` brings it up to date and lists what has no English."""
    catalogue = {m.id: m for m in read() if m.id}
    texts = {m if isinstance(m, str) else m[0]: m for m in messages()}
    stored = {id_ if isinstance(id_, str) else id_[0] for id_ in catalogue}
    assert texts.keys() - stored == set(), "not in the catalogue: make messages"
    assert stored - texts.keys() == set(), "in no source any more: make messages"
    untranslated = [m.id for m in catalogue.values() if not all(_ids(m.string)) or m.fuzzy]
    assert untranslated == []


def test_the_service_reads_the_catalogue_as_babel_does() -> None:
    """By a reader of its own, because Babel's is slow: each text has the same English, in singular and plural."""
    english = i18n.load("en")
    for message in read():
        if isinstance(message.id, tuple):
            assert [english.ngettext(*message.id, n) for n in (1, 2, 0)] == [message.string[k] for k in (0, 1, 1)]
        elif message.id:
            assert english.gettext(message.id) == message.string
    assert "\n" in english.gettext(""), "the header of the catalogue"


def test_a_translation_uses_the_variables_of_its_text_and_formats() -> None:
    for message in read():
        if not message.id:
            continue
        known = {name for text in _ids(message.id) for name in _VARIABLE.findall(text)}
        for text in (*_ids(message.id), *_ids(message.string)):
            assert set(_VARIABLE.findall(text)) <= known, message.id
            assert not known or "%" not in _VARIABLE.sub("", text), (
                f"beside a variable a percent sign is doubled: {text}"
            )
        if isinstance(message.id, str):
            assert set(_VARIABLE.findall(message.string)) == known, message.id


def test_the_language_of_a_text_is_decided_when_it_is_shown() -> None:
    text = lazy("Em uso")
    assert (f"{text}", str(text), text == "Em uso") == ("Em uso", "Em uso", True)
    with using("en"):
        assert (f"{text}", _("Em uso"), text == "Em uso") == ("In use", "In use", True)
    with pytest.raises(TypeError, match="str instance"):
        "".join([text])  # loud, instead of Portuguese for everybody


def test_a_text_without_a_translation_is_shown_in_portuguese() -> None:
    with using("en"):
        assert _("Isto ninguém traduziu, %(who)s.", who="Ana") == "Isto ninguém traduziu, Ana."
        assert ngettext("%(num)s coisa", "%(num)s coisas", 2, num=2) == "2 coisas"
    assert str(lazy("")) == ""


_JINJA = re.compile(r"\{#.*?#\}|\{% *trans\b.*?\{% *endtrans *%\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_READ_ALOUD = re.compile(r'\b(?:placeholder|aria-label|title|alt|data-rotulo)="([^"]*[^\W\d_]{2}[^"]*)"')
_NAMES = {"entrada", "SISPAT", "API", "R$", "SHA-256", "Authorization: Bearer", "width=device-width, initial-scale=1"}


@pytest.mark.parametrize("file", sorted(SOURCES.rglob("*.html")), ids=lambda file: file.name)
def test_a_template_has_no_text_outside_of_the_catalogue(file: Path) -> None:
    bare = _JINJA.sub("\0", file.read_text("utf-8"))
    texts = [part.strip(" ·\n") for part in re.split(r"<[^>]*>|\0", re.sub(r'[\w-]+="[^"]*"', "", bare))]
    attributes = [text for text in _READ_ALOUD.findall(bare) if "\0" not in text]
    assert [text for text in (*texts, *attributes) if re.search(r"[^\W\d_]{2}", text) and text not in _NAMES] == []


# What only Portuguese sentences have; no identifier of ours has a blank.
_SENTENCE = re.compile(
    r"[ãõç]|\w [áéêóà] |(?<![.\w])(?:não|nenhum|uma?|para|de|da|dos|das|em|que|foi|está|são|ou|ao) ", re.IGNORECASE
)
_MARKS = {"_", "lazy", "ngettext", "gettext_noop", "Ui"}
# Not in the catalogue: logs, the API's description, SQL, data; the commands of backups and the doctor's findings, which
# Esteio has in English; the meaning of settings, which is on a page.
_ELSEWHERE = re.compile(
    r"^(migrations|demo)/|(^|/)sql(/|\.py$)"
    r"|^(app|cli/(_notices|_backup_words|_backup_errors|_backup_details|_doctor_words|_metrics_words)|settings/_(tables|model)|cadastros/cep/(address|viacep)"
    r"|http/openapi|importacao/columns|kernel/patches)\.py$"
)
_CALLS = {"route", "warning", "error", "info", "exception", "example", "OutageWords", "failed", "Variable"}
_KNOWN = {
    "cli/_serve.py": {text for both in _REFUSALS.values() for text in both},  # Esteio has them in English
    "kernel/i18n.py": {"Português"},
    "settings/_readers.py": {"duração", "quantidade/duração"},  # units
    "kernel/devices.py": {"$ninguém"},
    "pessoas/passwords.py": {"senha de ninguém"},
    "termos/content.py": {"março", " de "},  # of dates on paper, which are Portuguese
    "pessoas/operator.py": {"linha de comando"},
}


def _unmarked(node: ast.AST, in_call: bool = False) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue  # a docstring
        if isinstance(child, ast.Call):
            name = child.func.id if isinstance(child.func, ast.Name) else getattr(child.func, "attr", "")
            if name in _MARKS | _CALLS:
                continue
        if isinstance(child, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id == "Labelled" for b in child.bases):
            continue
        if isinstance(child, ast.Constant) and isinstance(child.value, str) and _SENTENCE.search(child.value):
            yield child.value
        yield from _unmarked(child)


def test_a_portuguese_sentence_of_the_sources_is_in_the_catalogue() -> None:
    """Else who reads English reads it in Portuguese: put it into `_()` or `lazy()`."""
    found = {}
    for file in sorted(SOURCES.rglob("*.py")):
        name = file.relative_to(SOURCES).as_posix()
        if not _ELSEWHERE.search(name):
            texts = set(_unmarked(ast.parse(file.read_text("utf-8")))) - _KNOWN.get(name, set()) - {"não"}
            if texts:
                found[name] = texts
    assert found == {}
