"""Stored decisions taken again: from the recorded inputs and the rulebook of that time, bit for bit.

A decision was taken from its request, the station's facts, the rulebook it names, its own moment, and the cylinder
as it stood after `cylinder_n` entries of its chain.  All of that is in the ledger, so the ledger alone is enough.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cylinder_trace.admission import decide_fill
from cylinder_trace.cylinder import CylinderState, next_state
from cylinder_trace.decision import Decision
from cylinder_trace.events import Entry, FillDecided, RulebookPublished, parse_entry
from cylinder_trace.rulebook import Rulebook, parse_rulebook

Texts = Callable[[], Iterable[bytes]]
"""Gives all stored entries in the order of the log; called twice."""


@dataclass(frozen=True, slots=True)
class Retaken:
    """A stored decision and the same one taken again; `again` is None if its inputs are not in the ledger."""

    entry: Entry
    stored: Decision
    again: Decision | None

    @property
    def same(self) -> bool:
        """Whether both are the same, bit for bit."""
        return self.again is not None and self.again.model_dump_json() == self.stored.model_dump_json()


def retake_decisions(texts: Texts, wanted: Callable[[Entry], bool] = lambda _entry: True) -> Iterator[Retaken]:
    """Take every wanted stored decision again, in the order of the log."""
    needed = {key for entry, event in _decisions(texts()) if wanted(entry) and (key := _key(event))}
    states, books = _snapshots(texts(), needed)
    for entry, event in _decisions(texts()):
        if wanted(entry):
            yield Retaken(entry, event.decision, _again(event, states, books))


StateKey = tuple[str, int]


def _key(event: FillDecided) -> StateKey | None:
    decision = event.decision
    if decision.cylinder_id is None or decision.cylinder_n is None:
        return None
    return decision.cylinder_id, decision.cylinder_n


def _decisions(texts: Iterable[bytes]) -> Iterator[tuple[Entry, FillDecided]]:
    for text in texts:
        if b'"type":"fill_decided"' in text:
            entry = parse_entry(text)
            if isinstance(event := entry.event(), FillDecided):
                yield entry, event


def _snapshots(
    texts: Iterable[bytes], needed: set[StateKey]
) -> tuple[dict[StateKey, CylinderState], dict[str, Rulebook]]:
    cylinders = {cylinder_id for cylinder_id, _n in needed}
    now: dict[str, CylinderState] = {}
    states: dict[StateKey, CylinderState] = {}
    books: dict[str, Rulebook] = {}
    for entry in map(parse_entry, texts):
        kind, _, subject_id = entry.subject.partition("/")
        if kind == "cylinder" and subject_id in cylinders:
            now[subject_id] = state = next_state(now.get(subject_id), entry, entry.event())
            if (subject_id, state.n) in needed:
                states[subject_id, state.n] = state
        elif isinstance(event := entry.event() if kind == "rulebook" else None, RulebookPublished):
            book = parse_rulebook(event.text)
            books[book.name] = book
    return states, books


def _again(event: FillDecided, states: dict[StateKey, CylinderState], books: dict[str, Rulebook]) -> Decision | None:
    book, key = books.get(event.decision.rulebook), _key(event)
    cylinder = states.get(key) if key else None
    if book is None or (key and cylinder is None):
        return None
    return decide_fill(event.request, cylinder, event.station, book, event.decision.decided_at)
