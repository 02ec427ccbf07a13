"""The table of damage, as text with bars that Markdown draws as a table, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2

from cylinder_codes.symbols import LEVELS
from damaged_labels.damages import KINDS
from damaged_labels.decoders import DECODERS
from damaged_labels.measure import Row

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def heading(count: int) -> str:
    """When and with what it was measured."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("zxing-cpp", "pillow", "qrcode"))
    today = datetime.now(UTC).date()
    return f"Measured {today}, {count} pictures a kind and level; {versions}, OpenCV {cv2.__version__}."


def table(rows: Sequence[Row]) -> str:
    """The table in Markdown: per cent read at levels L, M, Q, H, one line for a kind and decoder set."""
    lines = ["| damage | level | restorable | " + " | ".join(DECODERS) + " | wrong |", "|---|:-:|--:|" + "--:|" * 5]
    names_zh = {kind.name: kind.name_zh for kind in KINDS}
    for row in sorted(rows, key=_place):
        shares = " | ".join(_share(row, decoder) for decoder in DECODERS)
        within = "–" if row.restorable is None else _percent(row.restorable)
        lines.append(f"| {row.kind} {names_zh[row.kind]} | {row.level} | {within} | {shares} | {row.wrong} |")
    return "\n".join(lines)


def as_json(rows: Sequence[Row], count: int) -> dict[str, Any]:
    """All figures, shares as numbers from 0 to 1."""
    return {
        "measured": heading(count),
        "rows": [{**asdict(row), "missed": row.missed} for row in sorted(rows, key=_place)],
    }


def put_into(path: Path, text: str) -> None:
    """Replace what stands between the two marks in a document."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"{path}: the marks {BEGIN} and {END} are not in it")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def _place(row: Row) -> tuple[int, int]:
    return [kind.name for kind in KINDS].index(row.kind), LEVELS.index(row.level)


def _share(row: Row, decoder: str) -> str:
    share = _percent(row.read[decoder])
    return f"**{share}** missed" if decoder in row.missed else share


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0")
