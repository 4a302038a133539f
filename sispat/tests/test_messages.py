"""Every text has its English, and every text that people read is in the catalogue."""

from __future__ import annotations

import re

import pytest
from tools.messages import messages, read

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
    assert i18n.load("en").gettext("") != "", "the header of the catalogue"
    assert str(lazy("")) == ""
