"""Papers: PDFs by Typst, made in a process of its own.

Promises: `PdfRenderer.render` makes the same bytes of the same data, moment and `engine`, in whichever process, time zone and
year. What people typed reaches Typst as JSON, never as its source, so that markup in it is text. The process that draws has a
ceiling on its memory and a limit on its time; what goes over either ends that process and nothing else.
"""

from sispat.kernel.pdf._arms import Arms, letterhead, read_arms
from sispat.kernel.pdf._parts import joined, numbers, pages_of
from sispat.kernel.pdf._renderer import PdfBusy, PdfFailed, PdfRenderer, engine
from sispat.kernel.pdf._text import drawable

__all__ = [
    "Arms", "PdfBusy", "PdfFailed", "PdfRenderer", "drawable", "engine", "joined", "letterhead", "numbers", "pages_of",
    "read_arms",
]  # fmt: skip
