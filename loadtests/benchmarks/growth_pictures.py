"""The curves of growth as pictures (SVG) and as a table: what a row of figures hides, a line shows."""

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from benchmarks.growth import CURVES, Curve, Point

_WIDE, _HIGH = 420, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 20, 40, 34
_INK, _LINE, _GRID = "#333", "#0b6", "#ddd"
_FONT = "system-ui, 'Noto Sans CJK SC', 'Microsoft YaHei', sans-serif"


def write_pictures(points: Sequence[Point], folder: Path) -> list[Path]:
    """One picture for each curve; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for curve in CURVES:
        path = folder / f"growth-{curve.name.replace('_', '-')}.svg"
        path.write_text(picture(curve, points), encoding="utf-8")
        written.append(path)
    return written


def table(points: Sequence[Point]) -> str:
    """The figures as a Markdown table, each with how many Ed25519 verifies it is where it is a time."""
    heads = "".join(f" {point.entries:,} |" for point in points)
    lines = [f"| what | unit |{heads}", f"|---|---|{'---:|' * len(points)}"]
    for curve in CURVES:
        cells = "".join(f" {_cell(curve, point)} |" for point in points)
        lines.append(f"| {curve.en} {curve.zh} | {curve.unit} |{cells}")
    return "\n".join(lines) + "\n"


def picture(curve: Curve, points: Sequence[Point]) -> str:
    """The curve: entries to the right, each size a tenfold of the one before; the figure upwards, from nothing."""
    most = _round_up(max(point.figures[curve.name] for point in points))
    places = [(_x(point, points), _y(point.figures[curve.name], most)) for point in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{_LINE}"/>'
        f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{_short(point.figures[curve.name])}</text>'
        f'<text x="{x:.1f}" y="{_HIGH - 14}" text-anchor="middle">{point.entries:,}</text>'
        for (x, y), point in zip(places, points, strict=True)
    )
    grid = "".join(_grid_line(part, most) for part in (0.0, 0.5, 1.0))
    title = escape(f"{curve.zh} {curve.en} ({curve.unit})")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {_HIGH}" font-family="{_FONT}" font-size="11" '
        f'fill="{_INK}" role="img" aria-label="{title}"><rect width="{_WIDE}" height="{_HIGH}" fill="#fff"/>'
        f'<text x="{_LEFT}" y="18" font-size="13">{title}</text>{grid}'
        f'<polyline points="{line}" fill="none" stroke="{_LINE}" stroke-width="2"/>{marks}</svg>\n'
    )


def _grid_line(part: float, most: float) -> str:
    y = _y(part * most, most)
    return (
        f'<line x1="{_LEFT}" x2="{_WIDE - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_GRID}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(part * most)}</text>'
    )


def _x(point: Point, points: Sequence[Point]) -> float:
    first, last = math.log10(points[0].entries), math.log10(points[-1].entries)
    part = (math.log10(point.entries) - first) / ((last - first) or 1)
    margin = 30
    return _LEFT + margin + part * (_WIDE - _LEFT - _RIGHT - 2 * margin)


def _y(figure: float, most: float) -> float:
    return _HIGH - _BOTTOM - figure / most * (_HIGH - _TOP - _BOTTOM)


def _round_up(figure: float) -> float:
    """The next 1, 2 or 5 with noughts that leaves room above the line."""
    power: float = 10.0 ** math.floor(math.log10(figure * 1.25))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= figure * 1.25)


def _cell(curve: Curve, point: Point) -> str:
    figure = point.figures[curve.name]
    in_us = {"ms": 1000.0, "µs": 1.0}.get(curve.unit)
    return (
        _short(figure) if in_us is None else f"{_short(figure)} ({_short(figure * in_us / point.verify_us)} verifies)"
    )


def _short(figure: float) -> str:
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"
