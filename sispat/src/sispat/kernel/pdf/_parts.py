"""A document that is drawn in parts, because as one it would need too much memory, and more than one processor could help.

Promises: the pages of all parts, in order, are one PDF/A-2b, as each part is; each page says its number and how many there
are. A part cannot know them while others are drawn beside it: they are drawn in the end, on empty pages, and laid over.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING

from sispat.kernel.pdf._renderer import PdfRenderer

if TYPE_CHECKING:
    import pikepdf

__all__ = ["joined", "numbers", "pages_of"]

_TEMPLATE = "kernel/pdf/numeros.typ"


def pages_of(pdf: bytes) -> int:
    """How many pages it has."""
    with _opened(pdf) as document:
        return len(document.pages)


async def numbers(
    renderer: PdfRenderer, pages: int, at: dt.datetime, *, title: str, author: str, landscape: bool
) -> bytes:
    """So many pages, empty but for their numbers, which stand where those of whole documents do."""
    said = {"titulo": title, "autor": author, "deitado": landscape, "paginas": pages}
    return await renderer.render(_TEMPLATE, said, at, part=True)


def joined(parts: Sequence[bytes], numbered: bytes) -> bytes:
    """The pages of `parts` in the first one's document, each below its page of `numbered`. Blocks."""
    whole = _opened(parts[0])
    # What a page refers to is read when the whole is written: until then they stay open.
    others = [_opened(part) for part in parts[1:]]
    for other in others:
        whole.pages.extend(other.pages)
    with _opened(numbered) as over:
        _lay_over(whole, over)
        return _written(whole)


def _lay_over(whole: pikepdf.Pdf, numbered: pikepdf.Pdf) -> None:
    """Each page of `numbered` over one of `whole`: as `Page.add_overlay`, whose names are random and no two files the same."""
    import pikepdf

    before, after = whole.make_stream(b"q\n"), whole.make_stream(b"\nQ /Numero Do\n")
    for page, number in zip(whole.pages, numbered.pages, strict=True):
        resources = copy(page.resources)  # perhaps of several pages
        drawn = copy(resources.get("/XObject", pikepdf.Dictionary()))
        drawn.Numero = whole.copy_foreign(number.as_form_xobject())
        resources.XObject = drawn
        page.obj.Resources = resources
        page.contents_add(before, prepend=True)
        page.contents_add(after)


def _opened(pdf: bytes) -> pikepdf.Pdf:
    import pikepdf  # late: only long documents have parts

    return pikepdf.open(io.BytesIO(pdf))


def _written(document: pikepdf.Pdf) -> bytes:
    import pikepdf

    written = io.BytesIO()
    document.save(written, object_stream_mode=pikepdf.ObjectStreamMode.generate, deterministic_id=True)
    return written.getvalue()
