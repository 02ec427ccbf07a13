"""What a rule looks at. A rule answers with its findings (facts for its sentence) or None; it never raises."""

from collections.abc import Callable
from dataclasses import dataclass

from cylinder_trace.cylinder import CylinderState
from cylinder_trace.decision import FillRequest, StationFacts
from cylinder_trace.rulebook import Rulebook, Stated

Findings = dict[str, str | int]
APPLIES: Findings = {}
"""The rule applies and its sentence needs no facts."""


@dataclass(frozen=True, slots=True)
class Case:
    """One scan to be judged at one moment; `today` is a Beijing day ordinal, `now` UTC milliseconds."""

    request: FillRequest
    station: StationFacts
    book: Rulebook
    now: int
    today: int


@dataclass(frozen=True, slots=True)
class CylinderCase(Case):
    """A case whose code led to a cylinder on file, with its two clocks (``deadlines``), which several rules ask."""

    cylinder: CylinderState
    due_month: int | None
    life_end_month: int | None


Rule = Callable[[Case], Findings | None]
CylinderRule = Callable[[CylinderCase], Findings | None]


def because(cause: str, **facts: str | int) -> Findings:
    """Findings of a rule that applies for another cause than its usual one; the cause has a sentence of its own."""
    return {**facts, "because": cause}


def missing(shown: bool | None, stated: Stated) -> bool:
    """Whether something was looked for and not found, or never stated where the rulebook requires it (存量气瓶)."""
    return shown is False or (shown is None and stated == "required")


def when(applies: bool) -> Findings | None:
    """Findings of a rule that needs no facts in its sentence."""
    return APPLIES if applies else None
