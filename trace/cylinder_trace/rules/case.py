"""What a rule looks at. A rule answers with its findings (facts for its sentence) or None; it never raises."""

from collections.abc import Callable
from dataclasses import dataclass

from cylinder_trace.cylinder import CylinderState
from cylinder_trace.decision import FillRequest, StationFacts
from cylinder_trace.rulebook import Rulebook

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
    """A case whose code led to a cylinder on file."""

    cylinder: CylinderState


Rule = Callable[[Case], Findings | None]
CylinderRule = Callable[[CylinderCase], Findings | None]


def when(applies: bool) -> Findings | None:
    """Findings of a rule that needs no facts in its sentence."""
    return APPLIES if applies else None
