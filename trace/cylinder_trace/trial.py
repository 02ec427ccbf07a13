"""A candidate rulebook tried on decisions that were taken (试算): what it would have changed, where, and for whom.

Nothing is recorded and nobody is refused.  Each stored decision is taken again from its own inputs, once by the
rulebook of that time and once by the candidate: a change of the rules' code is not taken for a change of the numbers.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cylinder_trace.decision import Decision
from cylinder_trace.events import Entry
from cylinder_trace.redecide import Texts, retake_decisions
from cylinder_trace.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Change:
    """A decision that would have come out differently."""

    check_id: str
    station_id: str
    cylinder_id: str | None
    decided_at: int
    before: Decision
    after: Decision

    @property
    def newly_refused(self) -> bool:
        """Gas flowed, or might have, and would not have by the candidate."""
        return self.before.permits and not self.after.permits

    @property
    def newly_permitted(self) -> bool:
        """It was refused, and would not have been by the candidate."""
        return not self.before.permits and self.after.permits

    @property
    def added(self) -> tuple[str, ...]:
        """Refusals that the candidate adds."""
        return tuple(code for code in self.after.codes if code not in self.before.codes)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Refusals that the candidate lets go."""
        return tuple(code for code in self.before.codes if code not in self.after.codes)


@dataclass(slots=True)
class Trial:
    """What a candidate would have changed, gathered as the decisions go by."""

    decisions: int = 0
    not_in_ledger: int = 0
    """Decisions whose inputs the ledger does not hold whole; they were not tried."""
    changes: list[Change] = field(default_factory=list)

    def by_station(self) -> dict[str, Counter[str]]:
        """Station → how many of its scans would newly be refused or permitted, or change in reasons or mass only."""
        found: dict[str, Counter[str]] = {}
        for change in self.changes:
            found.setdefault(change.station_id, Counter())[_kind(change)] += 1
        return dict(sorted(found.items()))

    def by_reason(self) -> Counter[str]:
        """``+R45`` a refusal that the candidate adds, ``-R20`` one that it lets go → how often."""
        signs = (f"{sign}{code}" for change in self.changes for sign, code in _signed(change))
        return Counter(signs)

    def cylinders(self) -> list[str]:
        """Cylinders of which at least one scan would be permitted or refused differently."""
        verdicts = (change for change in self.changes if change.newly_refused or change.newly_permitted)
        return sorted({change.cylinder_id for change in verdicts if change.cylinder_id is not None})


def try_rulebook(texts: Texts, candidate: Rulebook, wanted: Callable[[Entry], bool] = lambda _entry: True) -> Trial:
    """Take every wanted stored decision again by `candidate`; `texts` gives all stored entries in order."""
    trial = Trial()
    for taken in retake_decisions(texts, wanted, candidate):
        trial.decisions += 1
        if taken.again is None or taken.tried is None:
            trial.not_in_ledger += 1
        elif _answer(taken.again) != _answer(taken.tried):
            trial.changes.append(_change(taken.event.request.station_id, taken.again, taken.tried))
    return trial


def _answer(decision: Decision) -> tuple[object, ...]:
    return decision.outcome, decision.codes, decision.max_net_g, decision.target_net_g


def _change(station_id: str, before: Decision, after: Decision) -> Change:
    return Change(before.check_id, station_id, before.cylinder_id, before.decided_at, before, after)


def _kind(change: Change) -> str:
    if change.newly_refused:
        return "newly_refused"
    return "newly_permitted" if change.newly_permitted else "other"


def _signed(change: Change) -> Iterator[tuple[str, str]]:
    yield from (("+", code) for code in change.added)
    yield from (("-", code) for code in change.dropped)
