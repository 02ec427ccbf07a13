"""Stored decisions taken again: from the recorded inputs and the rulebook of that time, bit for bit.

A decision was taken from its request, the station's facts, the rulebook it names, its own moment, and the cylinder
as it stood after `cylinder_n` entries.  Those are the first of its chain; at a station that had been cut off, the last
of them may be acts of its own (`own_act_ids`) that came into the chain later.  All of it is in the ledger.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cylinder_trace.admission import decide_fill
from cylinder_trace.canonical import canonical_json
from cylinder_trace.cylinder import CylinderState, next_state
from cylinder_trace.decision import Decision
from cylinder_trace.decision_note import inputs_hash
from cylinder_trace.events import Entry, FillDecided, RulebookPublished, parse_entry
from cylinder_trace.rulebook import Rulebook, parse_rulebook

Texts = Callable[[], Iterable[bytes]]
"""Gives all stored entries in the order of the log; called three times."""


@dataclass(frozen=True, slots=True)
class Retaken:
    """A stored decision and the same one taken again; `again` is None if its inputs are not in the ledger."""

    entry: Entry
    stored: Decision
    again: Decision | None
    same_inputs: bool = True
    """Whether the inputs in the ledger are those whose hash was recorded with the decision."""

    @property
    def same(self) -> bool:
        """Whether both are the same, bit for bit, and taken from the same inputs."""
        return self.again is not None and self.same_inputs and _text(self.again) == _text(self.stored)


def retake_decisions(
    texts: Texts, wanted: Callable[[Entry], bool] = lambda _entry: True, candidate: Rulebook | None = None
) -> Iterator[Retaken]:
    """Take every wanted stored decision again, in the order of the log; by `candidate` instead of its own rulebook."""
    past = _remembered(texts(), [event for entry, event in _decisions(texts()) if wanted(entry)])
    for entry, event in _decisions(texts()):
        if wanted(entry):
            yield _retaken(entry, event, past, candidate)


def _text(decision: Decision) -> bytes:
    return canonical_json(decision.model_dump(mode="json", exclude_none=True))


StateKey = tuple[str, int]


@dataclass(slots=True)
class _Past:
    """What the ledger held when the decisions were taken."""

    states: dict[StateKey, CylinderState]
    """A cylinder after so many entries of its chain."""
    own_acts: dict[str, Entry]
    """Acts that a station knew before the ledger did, by id."""
    books: dict[str, Rulebook]


def _key(event: FillDecided) -> StateKey | None:
    decision = event.decision
    if decision.cylinder_id is None or decision.cylinder_n is None:
        return None
    return decision.cylinder_id, decision.cylinder_n - len(event.own_act_ids or ())


def _decisions(texts: Iterable[bytes]) -> Iterator[tuple[Entry, FillDecided]]:
    for text in texts:
        if b'"type":"fill_decided"' in text:
            entry = parse_entry(text)
            if isinstance(event := entry.event(), FillDecided):
                yield entry, event


def _remembered(texts: Iterable[bytes], events: list[FillDecided]) -> _Past:
    needed = {key for event in events if (key := _key(event))}
    own_act_ids = {id for event in events for id in event.own_act_ids or ()}
    cylinders = {cylinder_id for cylinder_id, _n in needed}
    now: dict[str, CylinderState] = {}
    past = _Past({}, {}, {})
    for entry in map(parse_entry, texts):
        kind, _, subject_id = entry.subject.partition("/")
        if kind == "cylinder" and subject_id in cylinders:
            now[subject_id] = state = next_state(now.get(subject_id), entry, entry.event())
            if (subject_id, state.n) in needed:
                past.states[subject_id, state.n] = state
            if entry.id in own_act_ids:
                past.own_acts[entry.id] = entry
        elif kind == "rulebook":
            _remember_book(past, entry)
    return past


def _remember_book(past: _Past, entry: Entry) -> None:
    if isinstance(event := entry.event(), RulebookPublished):
        book = parse_rulebook(event.text)
        past.books[book.name] = book


def _retaken(entry: Entry, event: FillDecided, past: _Past, candidate: Rulebook | None) -> Retaken:
    book, key = candidate or past.books.get(event.decision.rulebook), _key(event)
    cylinder = past.states.get(key) if key else None
    if book is None or (key and cylinder is None):
        return Retaken(entry, event.decision, None)
    if cylinder is not None and event.own_act_ids:
        cylinder = _with_own_acts(cylinder, event.own_act_ids, past)
    again = decide_fill(event.request, cylinder, event.station, book, event.decision.decided_at)
    return Retaken(entry, event.decision, again, _has_inputs(event))


def _has_inputs(event: FillDecided) -> bool:
    own = event.own_act_ids or ()
    return event.inputs_sha256 in (None, inputs_hash(event.request, event.station, event.decision, own))


def _with_own_acts(cylinder: CylinderState, ids: tuple[str, ...], past: _Past) -> CylinderState:
    for act in (past.own_acts[id] for id in ids if id in past.own_acts):
        place = act.model_copy(update={"n": cylinder.n})
        cylinder = next_state(cylinder, place, act.event())
    return cylinder
