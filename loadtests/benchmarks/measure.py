"""How a row is measured: both sides in one run, in alternating order, the median of an odd number of rounds.

A figure alone says more about the machine than about the program, so each row is a ratio: ours against what a user
would have instead (kind `usual`), another library (`peer`), or the least the same work can cost (`bound`).
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, NamedTuple

Better = Literal["higher", "lower"]
Kind = Literal["bound", "peer", "usual"]
Sizes = Literal["usual", "both", "large"]
Round = Callable[[], float]
"""Does one round of work and returns its figure in the row's unit."""


class BenchError(Exception):
    """A row cannot be measured here; the message says why and what to do."""


class PeerMissing(BenchError):
    """Another library that a row compares with cannot be had here: nothing is wrong with us, the run goes on."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured: rounds per row, and how large a round is."""

    name: str
    repeats: int
    factor: float

    def count(self, usual: float) -> int:
        """`usual` things in a round of the usual size, more or fewer at another."""
        return max(1, round(usual * self.factor))


QUICK = Scale("quick", repeats=5, factor=0.1)
USUAL = Scale("usual", repeats=7, factor=1.0)
LARGE = Scale("large", repeats=7, factor=10.0)


class Pair(NamedTuple):
    """The two sides of a row, ready to be run: same data, same disk, same durability."""

    ours: Round
    other: Round


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table. `name` is stable: results of different days are compared by it."""

    name: str
    unit: str
    better: Better
    goal: float
    """A bound on ours ÷ other: at least this when higher is better, at most this when lower is."""
    kind: Kind
    against: str
    """What `other` is, for people."""
    prepare: Callable[[Scale], AbstractContextManager[Pair]]
    """Sets both sides up and tears them down; raises BenchError when that cannot be done here."""
    sizes: Sizes = "usual"
    """Where it says something, and is measured unless it is named in full, which measures it at any size."""


@dataclass(frozen=True, slots=True)
class Result:
    """A measured row, as it stands in the results file."""

    name: str
    unit: str
    ours: float
    other: float
    ratio: float
    better: Better
    goal: float
    kind: Kind
    met: bool
    repeats: int
    spread: tuple[float, float]
    """Lowest and highest ratio of all rounds."""


class Unmeasured(NamedTuple):
    """A row that was asked for and could not be measured."""

    name: str
    why: str


class _Measured(NamedTuple):
    ratio: float
    ours: float
    other: float


def measure(row: Row, scale: Scale) -> Result:
    """Warm both sides up, then run them in alternating order; the round with the median ratio is the answer."""
    with row.prepare(scale) as pair:
        pair.ours()
        pair.other()
        rounds = sorted(_round(pair, ours_first=turn % 2 == 0) for turn in range(scale.repeats))
    median = rounds[len(rounds) // 2]
    return Result(
        name=row.name,
        unit=row.unit,
        ours=median.ours,
        other=median.other,
        ratio=median.ratio,
        better=row.better,
        goal=row.goal,
        kind=row.kind,
        met=meets(median.ratio, row.goal, row.better),
        repeats=len(rounds),
        spread=(rounds[0].ratio, rounds[-1].ratio),
    )


def meets(ratio: float, goal: float, better: Better) -> bool:
    """Whether `ratio` (ours ÷ other) reaches `goal`."""
    return ratio >= goal if better == "higher" else ratio <= goal


def _round(pair: Pair, *, ours_first: bool) -> _Measured:
    if ours_first:
        ours = pair.ours()
        other = pair.other()
    else:
        other = pair.other()
        ours = pair.ours()
    return _Measured(ours / other, ours, other)


def per_second(count: int, action: Callable[[], object]) -> float:
    """How often a second `action` can be done, over `count` times."""
    started = time.perf_counter()
    for _ in range(count):
        action()
    return count / (time.perf_counter() - started)


def microseconds(count: int, action: Callable[[], object]) -> float:
    """What one `action` takes, over `count` times."""
    return 1e6 / per_second(count, action)
