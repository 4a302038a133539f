"""QR codes as SVG."""

from __future__ import annotations

import io

import segno

__all__ = ["qr_svg"]


def qr_svg(text: str, border: int = 4, *, quickly: bool = False) -> str:
    """`text` as a QR code that is still read with 15 % of it dirty (level M); `border` in modules, 4 by ISO/IEC 18004.

    `quickly`: with one of the eight masks, which readers take whichever it is, instead of the one with the least large areas;
    comparing them was measured to take four fifths of the time.
    """
    drawn = io.BytesIO()
    segno.make(text, error="m", boost_error=False, micro=False, mask=3 if quickly else None).save(
        drawn, kind="svg", xmldecl=False, svgclass=None, lineclass=None, border=border
    )
    return drawn.getvalue().decode()
