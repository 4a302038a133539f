"""Texts in the language of whoever reads them.

Promises: source texts are Portuguese; `locale/en/LC_MESSAGES/sispat.po` has the English ones. The catalogue is read as it
is, so that no compiled one can be older, and by a reader of our own: each start of a worker waits for it, and Babel's takes
four times as long. A text that has no translation is shown in Portuguese (a test keeps the
catalogue complete). The language belongs to the context: of a request (`http.language`) or, where none was set, of the
process (`set_default`).
"""

from __future__ import annotations

import contextlib
import gettext as gettext_module
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeGuard, cast

__all__ = [
    "DOMAIN", "LANGUAGES", "SOURCE", "Language", "LazyText", "_", "as_lazy", "gettext_noop", "is_language", "language",
    "lazy", "load", "ngettext", "of_environment", "primary", "set_default", "source_of", "use", "using",
]  # fmt: skip

Language = Literal["pt-BR", "en"]
LANGUAGES: Mapping[Language, str] = {"pt-BR": "Português", "en": "English"}
"""Each with its own name for itself."""
SOURCE: Language = "pt-BR"
DOMAIN = "sispat"
LOCALE = Path(__file__).parent.parent / "locale"

# A request sets how to find out, because most of them show no text (and none of those pays for it).
_current: ContextVar[Language | Callable[[], Language]] = ContextVar("language")
_default: Language = SOURCE


def is_language(tag: str) -> TypeGuard[Language]:
    """Whether `tag` names one of ours, exactly."""
    return tag in LANGUAGES


def of_environment(environ: Mapping[str, str] = os.environ) -> Language:
    """What SISPAT_LANG says, else the locale (POSIX: LC_ALL, LC_MESSAGES, LANG, the first that is set); else Portuguese."""
    for name in ("SISPAT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if said := environ.get(name, ""):
            return "en" if said.lower().startswith("en") else SOURCE
    return SOURCE


def set_default(chosen: Language) -> None:
    """What counts wherever no context has a language of its own."""
    global _default  # noqa: PLW0603 - of the process, as its locale is
    _default = chosen


def use(chosen: Language | Callable[[], Language]) -> None:
    """Set the language of this context, or what finds it out; that is called at most once."""
    _current.set(chosen)


@contextlib.contextmanager
def using(chosen: Language) -> Iterator[None]:
    """The language inside of the block."""
    token = _current.set(chosen)
    try:
        yield
    finally:
        _current.reset(token)


def language() -> Language:
    """The language in force."""
    chosen = _current.get(_default)
    if callable(chosen):
        chosen = chosen()
        _current.set(chosen)
    return chosen


def primary() -> Literal["pt", "en"]:
    """The language in force without its country, as esteio's own texts name it."""
    return "en" if language() == "en" else "pt"


def _(message: str, /, **variables: Any) -> str:
    """`message` in the language in force; with variables it is a format: `%(name)s` is one, `%%` a percent sign."""
    text = load(language()).gettext(message) if message else ""
    return text % variables if variables else text


def ngettext(one: str, many: str, num: int, /, **variables: Any) -> str:
    """`one` or `many`, by `num`; what is shown of it is a variable, too (templates have it as `%(num)s` by themselves)."""
    text = load(language()).ngettext(one, many, num)
    return text % {"num": num, **variables} if variables else text


def lazy(message: str, /, **variables: Any) -> str:
    """`message`, translated each time it is shown: for what is written once and read by many."""
    return cast("str", LazyText(message, variables))


def gettext_noop(message: str) -> str:
    """`message` as it is, put into the catalogue: for a table whose texts get their variables where they are used."""
    return message


def as_lazy(text: str) -> str:
    """`text` made lazy, unless it is."""
    return lazy(text) if isinstance(text, str) else text


def source_of(text: str) -> str:
    """`text` in Portuguese, for what must not change with the reader: headings that programs look for."""
    with using(SOURCE):
        return str(text)


class LazyText:
    """A text whose language is decided when it is shown. It equals the text it was made from, and nothing else.

    It is no `str`: what would keep its characters - a join, a JSON document - has to say `str(...)`, or fails.
    """

    __slots__ = ("source", "variables")

    def __init__(self, source: str, variables: Mapping[str, Any]) -> None:
        self.source = source
        self.variables = variables

    def __str__(self) -> str:
        return _(self.source, **self.variables)

    def __repr__(self) -> str:
        return f"lazy({self.source!r})"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __bool__(self) -> bool:
        return bool(self.source)

    def __hash__(self) -> int:
        return hash(self.source)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LazyText):
            return self.source == other.source and self.variables == other.variables
        return self.source == other if isinstance(other, str) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return str(self) < str(other)

    def __add__(self, other: str) -> str:
        return str(self) + str(other)

    def __radd__(self, other: str) -> str:
        return other + str(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(str(self), name)


@lru_cache
def load(chosen: Language) -> gettext_module.NullTranslations:
    """The catalogue of a language; reads its file at the first call (tens of milliseconds)."""
    if chosen == SOURCE:
        return gettext_module.NullTranslations()
    with (LOCALE / chosen / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        return _Catalogue(file)


# A keyword and a quoted text, or one that continues the text above it. Comments begin with #.
_LINE = re.compile(r'^(?:(msgid|msgid_plural|msgstr(?:\[\d\])?) )?(".*")$', re.MULTILINE)


class _Catalogue(gettext_module.GNUTranslations):
    """Of a .po as `make messages` writes it: a blank line after each entry, no contexts, nothing fuzzy, English plurals."""

    def _parse(self, fp: Any) -> None:  # gettext's documentation has one override it for other formats
        self.plural = lambda n: int(n != 1)
        self._catalog: dict[str | tuple[str, int], str] = {}
        for entry in fp.read().decode().split("\n\n"):
            texts: dict[str, str] = {}
            kind = ""
            for keyword, quoted in _LINE.findall(entry):
                kind = keyword or kind
                texts[kind] = texts.get(kind, "") + json.loads(quoted)  # Babel escapes as JSON does
            one = texts.get("msgid", "")
            if text := texts.get("msgstr"):
                self._catalog[one] = text
            else:  # what has no translation has neither
                self._catalog |= {(one, n): text for n in (0, 1) if (text := texts.get(f"msgstr[{n}]"))}
