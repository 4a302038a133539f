"""A badge: two words side by side, as SVG. Pure."""

from __future__ import annotations

from html import escape

from esteio.health.series import State

__all__ = ["badge"]

# White on each has a contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3).
_COLOURS = {State.UP: "#1a7f45", State.DOWN: "#b3261e", State.MAINTENANCE: "#3a5fa8", State.UNKNOWN: "#5c6268"}
_CHARACTER, _PADDING = 6.6, 12  # pixels; the width of a character of this font, on average


def badge(label: str, text: str, state: State) -> str:
    """`label` on grey, `text` on the colour of `state`."""
    left, right = (round(len(each) * _CHARACTER) + _PADDING for each in (label, text))
    colour, width = _COLOURS.get(state, _COLOURS[State.UNKNOWN]), left + right
    name = escape(f"{label}: {text}")
    words = "".join(
        f'<text x="{begin + size / 2:g}" y="14" textLength="{size - _PADDING}">{escape(word)}</text>'
        for begin, size, word in ((0, left, label), (left, right, text))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{name}">'
        f"<title>{name}</title>"
        f'<rect width="{width}" height="20" rx="3" fill="#4a4f55"/>'
        f'<path d="M{left} 0h{right - 3}q3 0 3 3v14q0 3-3 3H{left}z" fill="{colour}"/>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">{words}</g></svg>\n'
    )
