"""Charts as SVG, without scripts and without styles in attributes: classes of the page's sheet colour them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10

from esteio.health.series import Interval, Point, State

Moments = Sequence[tuple[float, str, str]]
"""When, the class of its line, and what happened."""

__all__ = ["line_chart", "strip"]

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 140, 46, 18
_MOST_POINTS = 320  # a screen shows no more; of several in one place the greatest is drawn
_SLOTS = 60
_GAP = 3.0  # times the usual distance of two points: there the line is broken
_WORST = (State.DOWN, State.DEGRADED, State.MAINTENANCE, State.UNKNOWN, State.UP)


def strip(intervals: Sequence[Interval], since: float, now: float, label: str, slots: int = _SLOTS) -> str:
    """How something stood: one bar for each part of the time, in the colour of the worst that was in it."""
    width = (now - since) / slots
    worst = ["unknown"] * slots
    for state in reversed(_WORST):
        for interval in intervals:
            if interval.state is state:
                first = max(0, floor((interval.since - since) / width))
                last = min(slots, ceil((interval.until - since) / width))
                worst[first:last] = [state.value] * max(0, last - first)
    bars = "".join(
        f'<rect class="{kind}" x="{slot * 4}" y="{_top(kind)}" width="3" height="{16 - _top(kind)}"/>'
        for slot, kind in enumerate(worst)
    )
    return f'<svg class="strip" viewBox="0 0 {slots * 4} 16" role="img" aria-label="{escape(label)}">{bars}</svg>'


def _top(kind: str) -> int:
    """Bars differ in height as well: colour alone says nothing to those who don't see it."""
    return {"up": 4, "degraded": 2, "down": 0, "maintenance": 7}.get(kind, 12)


def line_chart(
    lines: Sequence[tuple[str, Sequence[Point]]], since: float, now: float, label: str, ticks: tuple[str, str],
    marks: Moments = (),
) -> str:  # fmt: skip
    """Lines of class `line1`, `line2`, ... over the same time; `ticks` are written at the ends of the axis.

    `marks` are upright lines.
    """
    top = _ceiling(max((point.average for _, points in lines for point in points), default=0.0))
    drawn = [f'<path class="line{n}" d="{_path(points, since, now, top)}"/>' for n, (_, points) in enumerate(lines, 1)]
    axis = "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{_LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        for value in (0.0, top / 2, top)
        for y in [_y(value, top)]
    )
    base = _HEIGHT - 4
    upright = "".join(
        f'<line class="mark {kind}" x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{_HEIGHT - _BOTTOM}">'
        f"<title>{escape(what)}</title></line>"
        for at, kind, what in marks
        for x in [_LEFT + (_WIDTH - _LEFT) * (at - since) / (now - since)]
    )
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">{axis}{upright}'
        f'<text class="tick" x="{_LEFT}" y="{base}">{escape(ticks[0])}</text>'
        f'<text class="tick" x="{_WIDTH}" y="{base}" text-anchor="end">{escape(ticks[1])}</text>{"".join(drawn)}</svg>'
    )


def _y(value: float, top: float) -> float:
    return 6 + (_HEIGHT - _BOTTOM - 6) * (1 - value / top)


def _ceiling(value: float) -> float:
    """The next of 1, 2, 5, 10, 20 ... above."""
    if value <= 0:
        return 1.0
    size = 10.0 ** floor(log10(value))
    return next(size * step for step in (1, 2, 5, 10) if size * step >= value)


def _path(points: Sequence[Point], since: float, now: float, top: float) -> str:
    per_pixel = (now - since) / _MOST_POINTS
    places: dict[int, Point] = {}
    for point in points:
        place = int((point.at - since) / per_pixel)
        if place not in places or places[place].average < point.average:
            places[place] = point
    parts, before = [], float("-inf")
    for point in places.values():
        x = _LEFT + (_WIDTH - _LEFT) * (point.at + point.seconds / 2 - since) / (now - since)
        broken = point.at - before > _GAP * max(point.seconds, per_pixel)
        parts.append(f"{'M' if broken else 'L'}{min(x, _WIDTH):.1f} {_y(point.average, top):.1f}")
        if broken:
            parts.append("h0.5")  # a point alone is seen, too
        before = point.at
    return "".join(parts)
