"""The texts of SISPAT and their catalogue: `make messages` brings sispat/src/sispat/locale up to date.

Promises: a text that is new in the sources is added without a translation, one that is gone is removed, and none is
guessed (nothing becomes fuzzy). The file is sorted and names no lines, so that two people who add texts rarely conflict.
Texts stand in `_("...")`, `lazy("...")`, `ngettext("...", "...", n)`, in `Ui(...)`, in the members of a `Labelled`, in
`Variable(accepts=...)`, in templates, and in the description of the API, which is asked for its own.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

SOURCES = Path(__file__).parent.parent / "sispat" / "src" / "sispat"
CATALOGUE = SOURCES / "locale" / "en" / "LC_MESSAGES" / "sispat.po"

Message = str | tuple[str, str]  # one, or singular and plural

_UI = ("label", "hint", "section", "width", "pattern_hint", "button")
_UI_TEXTS = frozenset(_UI) - {"width"}


def messages() -> dict[Message, str]:
    """Each text of the sources -> the file that has it first."""
    found: dict[Message, str] = {}
    for file in sorted(SOURCES.rglob("*.py")):
        for message in _of_python(ast.parse(file.read_text("utf-8"))):
            found.setdefault(message, file.relative_to(SOURCES).as_posix())
    for file in sorted(SOURCES.rglob("*.html")):
        for message in _of_template(file):
            found.setdefault(message, file.relative_to(SOURCES).as_posix())
    for message in _of_the_api():
        found.setdefault(message, "http/openapi.py")
    return found


def _of_the_api() -> Iterator[str]:
    from esteio.postgres import Dsn
    from sispat.app import create_app
    from sispat.http.openapi import texts_of
    from sispat.settings import Settings

    nowhere = Dsn.parse(
        "postgresql://nobody@127.0.0.1/none"
    )  # an application wants an address, and asks nothing of it yet
    yield from texts_of(create_app(Settings(database_url=nowhere)).openapi())


def _of_python(tree: ast.AST) -> Iterator[Message]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _of_call(node)
        elif isinstance(node, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id == "Labelled" for b in node.bases):
            for line in node.body:
                if isinstance(line, ast.Assign) and isinstance(line.value, ast.Tuple):
                    yield from _texts(line.value.elts[1:])


def _of_call(call: ast.Call) -> Iterator[Message]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name in ("_", "lazy", "gettext", "gettext_noop") and call.args:
        yield from _texts(call.args[:1])
    elif name == "ngettext" and len(call.args) > 1:
        pair = list(_texts(call.args[:2]))
        if len(pair) > 1:
            yield pair[0], pair[1]
    elif name == "Ui":
        given = dict(zip(_UI, call.args, strict=False)) | {k.arg: k.value for k in call.keywords if k.arg}
        yield from _texts([value for key, value in given.items() if key in _UI_TEXTS])
    elif name == "Variable":  # what is allowed is said in errors
        yield from _texts([keyword.value for keyword in call.keywords if keyword.arg == "accepts"])


def _texts(nodes: list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
            yield node.value


def _of_template(file: Path) -> Iterator[Message]:
    options = {"trimmed": "true", "newstyle_gettext": "true", "trim_blocks": "true", "lstrip_blocks": "true"}
    with file.open("rb") as source:
        for _, function, found, _ in babel_extract(
            source, ("_", "gettext", "ngettext"), (), {**options, "silent": "false"}
        ):
            texts = [found] if isinstance(found, str) else [part for part in found if part]  # None: what is no constant
            if function == "ngettext":
                yield texts[0], texts[1]
            else:
                yield texts[0]


def read() -> Catalog:
    """The catalogue as it is stored."""
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="en")


def updated(catalogue: Catalog) -> Catalog:
    """A catalogue of exactly the texts of the sources, with the translations of `catalogue`."""
    new = Catalog(
        "en", header_comment="", project="SISPAT", version="1", msgid_bugs_address=" ", last_translator=" ",
        language_team="English", charset="utf-8", fuzzy=False,
    )  # fmt: skip
    new.creation_date = catalogue.creation_date
    new.revision_date = catalogue.revision_date
    for message, file in messages().items():
        known = catalogue.get(message)
        new.add(message, known.string if known is not None else None, auto_comments=[file])
    return new


def main() -> int:
    """Write the catalogue; 1 where a translation is missing."""
    new = updated(read() if CATALOGUE.exists() else Catalog(locale="en"))
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    with CATALOGUE.open("wb") as file:
        write_po(file, new, sort_output=True, omit_header=False, width=0)
    missing = [each.id for each in new if each.id and not (all(each.string) if each.pluralizable else each.string)]
    for message in missing:
        sys.stdout.write(f"untranslated: {message!r}\n")
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main())
