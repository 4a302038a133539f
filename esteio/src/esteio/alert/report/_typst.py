"""The program that makes the PDF: reads one request from stdin as JSON, writes the PDF to stdout, or the reason to stderr.

It alone imports typst, whose memory goes with it. It needs nothing of Esteio.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

# What the fonts that come with Typst can draw: Latin, Greek, Cyrillic, punctuation, signs. PDF/A has no missing characters.
_UNKNOWN = re.compile(
    "[^\t\n -~\xa0-\xac\xae-\u0377\u0384-\u038a\u038e-\u03a1\u03a3-\u04ff\u1e00-\u1eff\u2010-\u2027\u2030-\u2040"
    "\u2074-\u208e\u20a0-\u20c0\u2100-\u211e\u2153-\u2184\u2190-\u22ff\ufffd]"
)


def _main() -> None:
    request = json.load(sys.stdin)
    _limit_memory(request["memory"])
    try:
        import typst  # after the ceiling was set: what it maps counts
    except ModuleNotFoundError:
        sys.exit('the extra is missing: pip install "esteio[report]"')
    template = Path(request["template"])
    try:
        made = typst.compile(
            str(template),
            root=str(template.parent),
            ignore_system_fonts=True,
            format="pdf",
            sys_inputs={"document": json.dumps(_drawable(request["document"]), ensure_ascii=False)},
            pdf_standards=["a-2a"],
            timestamp=request["at"],
        )
    except typst.TypstError as error:
        sys.exit(f"Typst refused it: {error.message}")
    sys.stdout.buffer.write(made)


def _drawable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNKNOWN.sub("\ufffd", unicodedata.normalize("NFC", value))
    if isinstance(value, dict):
        return {key: _drawable(each) for key, each in value.items()}
    return [_drawable(each) for each in value] if isinstance(value, list) else value


def _limit_memory(most: int) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows; a ceiling below ours is in force already
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _main()
