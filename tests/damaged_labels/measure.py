"""Measure a kind of damage at a level: how many of the damaged labels each decoder reads, and rightly."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cylinder_codes.identifiers import Code, format_code_human
from cylinder_codes.reading import read_scan
from cylinder_codes.symbols import Level
from damaged_labels.damages import KINDS, Kind, sample
from damaged_labels.decoders import DECODERS, OPENCV, ZXING, found_in

GOALS = {("patch 15 %", "H"), ("patch 10 %", "Q"), ("patch 15 %, version 7", "H"), ("patch 10 %, version 7", "Q")}
LEAST = {ZXING: 0.99, OPENCV: 0.75}
"""What is wanted of a patch of 15 % at level H and of 10 % at level Q."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: shares of ``count`` pictures, and how often a decoder gave another text."""

    kind: str
    level: Level
    count: int
    read: dict[str, float]
    wrong: int
    typed: float
    """The text under the symbol, typed in, gives the code."""
    restorable: float | None
    """Within what error correction can restore at all; None where that cannot be counted."""

    @property
    def missed(self) -> list[str]:
        """The decoders that read less than is wanted here."""
        if (self.kind, self.level) not in GOALS:
            return []
        return [decoder for decoder, least in LEAST.items() if self.read[decoder] < least]


def kind_named(name: str) -> Kind:
    """Return the kind of damage of this name."""
    return next(kind for kind in KINDS if kind.name == name)


def measure(name: str, level: Level, count: int) -> Row:
    """Damage ``count`` labels, always the same ones, and let every decoder look at each."""
    return _row(name, level, [_look(kind_named(name), level, number) for number in range(count)])


def _look(kind: Kind, level: Level, number: int) -> tuple[dict[str, bool], int, bool, bool | None]:
    damaged = sample(kind, level, number)
    found = found_in(damaged.picture)
    right = {decoder: texts == [damaged.plate.link] for decoder, texts in found.items()}
    wrong = sum(any(text != damaged.plate.link for text in texts) for texts in found.values())
    typed: object = read_scan(format_code_human(damaged.plate.code))
    return right, wrong, typed == Code(damaged.plate.code.text), damaged.restorable


def _row(name: str, level: Level, looks: Iterable[tuple[dict[str, bool], int, bool, bool | None]]) -> Row:
    looks = list(looks)
    read: Counter[str] = Counter(decoder for right, *_ in looks for decoder, is_right in right.items() if is_right)
    count = len(looks)
    restorable = [each for *_, each in looks if each is not None]
    return Row(
        kind=name,
        level=level,
        count=count,
        read={decoder: read[decoder] / count for decoder in DECODERS},
        wrong=sum(wrong for _, wrong, _, _ in looks),
        typed=sum(typed for _, _, typed, _ in looks) / count,
        restorable=sum(restorable) / count if restorable else None,
    )
