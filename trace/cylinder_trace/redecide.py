"""Stored decisions taken again: from the recorded inputs and the rulebook of that time, bit for bit.

A decision was taken from its request, the station's facts, the rulebook it names, its own moment, and the cylinder
as it stood after `cylinder_n` entries.  Those are the first of its chain; at a station that had been cut off, the last
of them may be acts of its own (`own_act_ids`) that came into the chain later.  All of it is in the ledger; so is the
key of each device that may have signed.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from cylinder_trace.admission import decide_fill
from cylinder_trace.cylinder import CylinderState, next_state
from cylinder_trace.decision import Decision
from cylinder_trace.decision_note import Signers, inputs_hash
from cylinder_trace.events import (
    DeviceEnrolled,
    DeviceRevoked,
    Entry,
    Event,
    EventError,
    FillDecided,
    RulebookPublished,
    parse_entry_and_event,
)
from cylinder_trace.rulebook import Rulebook, RulebookError, parse_rulebook
from cylinder_trace.values import plain

Texts = Callable[[], Iterable[bytes]]
"""Gives all stored entries in the order of the log; called twice."""


@dataclass(frozen=True, slots=True)
class Retaken:
    """A stored decision and the same one taken again; `again` is None if its inputs are not in the ledger."""

    text: bytes
    """The entry as it is stored."""
    entry: Entry
    event: FillDecided
    again: Decision | None
    note_fault: str | None = None
    """What is wrong with the note in which somebody stands by it; None if nothing is, or nobody asked."""
    tried: Decision | None = None
    """The same by a candidate rulebook, if one is tried."""

    @property
    def stored(self) -> Decision:
        """The decision as it was taken."""
        return self.event.decision

    @property
    def same_inputs(self) -> bool:
        """Whether the inputs in the ledger are those whose hash was recorded with the decision."""
        event = self.event
        hashed = inputs_hash(event.request, event.station, event.decision, event.own_act_ids or ())
        return event.inputs_sha256 in (None, hashed)

    @property
    def same(self) -> bool:
        """Whether both are the same, bit for bit, and taken from the same inputs."""
        if self.again is None or not self.same_inputs:
            return False
        # Quotes in a value are escaped, so these bytes stand in the text as that one field or not at all.
        return b'"decision":%b,' % _text(self.again) in self.text


def retake_decisions(
    texts: Texts,
    wanted: Callable[[Entry], bool] = lambda _entry: True,
    candidate: Rulebook | None = None,
    signers: Signers | None = None,
) -> Iterator[Retaken]:
    """Take every wanted stored decision again by the rulebook of its time, in the order of the log.

    With a `candidate` each is tried by that too; with `signers` its note is checked, and devices are enrolled there
    and cut off as they come.  Raises ValueError for an entry that cannot be read.
    """
    past = _Past(_named_in(texts()), signers)
    for text in texts():
        subject, type_word = _subject_and_type(text)
        if not (_DECISION in text or subject in past.named.subjects or type_word in _ABOUT_ALL):
            continue
        entry, event = parse_entry_and_event(text, type_word.decode())
        if isinstance(event, FillDecided) and wanted(entry):
            yield _retaken(text, entry, event, past, candidate)
        past.take(entry, event)


def _text(decision: Decision) -> bytes:
    # The canonical text, without the walk for what has none: it is compared with one that is recorded already.
    return orjson.dumps(plain(decision), option=orjson.OPT_SORT_KEYS)


StateKey = tuple[str, int]
_DECISION = b'"type":"fill_decided"'
_ABOUT_ALL = frozenset(cls.type.encode() for cls in (RulebookPublished, DeviceEnrolled, DeviceRevoked))
_SUBJECT, _TYPE = b'"subject":"', b'","type":"'


def _subject_and_type(text: bytes) -> tuple[bytes, bytes]:
    # In the alphabetical order of the names nothing but `type` and `v` follows on the entry's own subject.
    subject, _, rest = text[text.rfind(_SUBJECT) + len(_SUBJECT) :].partition(_TYPE)
    return subject, rest.partition(b'"')[0]


@dataclass(slots=True)
class _Named:
    """What the decisions of a ledger name."""

    subjects: set[bytes] = field(default_factory=set)
    """Cylinders that a decision is about."""
    earlier: set[StateKey] = field(default_factory=set)
    """States that a decision was taken from although the chain had grown: its station had been cut off."""
    own_act_ids: set[str] = field(default_factory=set)


_USUAL = re.compile(rb'"cylinder_id":"([^"]+)","cylinder_n":([0-9]+),.+,"n":([0-9]+),"occurred_at":', re.DOTALL)
"""A decision about a cylinder: its id, how much of its chain was known, and where in that chain the decision stands."""


def _named_in(texts: Iterable[bytes]) -> _Named:
    named = _Named()
    for text in texts:
        if _DECISION not in text:
            continue
        usual = _USUAL.search(text)
        # Nearly all were taken from the whole chain as it stood; it takes less to see that than to read them.
        if usual and usual[2] == usual[3] and b'"own_act_ids":' not in text:
            named.subjects.add(b"cylinder/" + usual[1])
        else:
            _take_names(text, named)
    return named


def _take_names(text: bytes, named: _Named) -> None:
    try:
        entry = orjson.loads(text)
        _take_names_of(entry["data"], entry["n"], named)
    except (KeyError, TypeError, AttributeError) as error:
        raise EventError(f"a stored decision cannot be read: {error!r}") from error


def _take_names_of(data: dict[str, Any], n: int, named: _Named) -> None:
    decision, own = data.get("decision", {}), data.get("own_act_ids") or []
    named.own_act_ids.update(own)
    if (cylinder_id := decision.get("cylinder_id")) is None:
        return
    named.subjects.add(f"cylinder/{cylinder_id}".encode())
    if (known := decision.get("cylinder_n", 0) - len(own)) != n:
        named.earlier.add((cylinder_id, known))


@dataclass(slots=True)
class _Past:
    """What the ledger held up to a point, as far as its decisions name it."""

    named: _Named
    signers: Signers | None
    now: dict[str, CylinderState] = field(default_factory=dict)
    earlier: dict[StateKey, CylinderState] = field(default_factory=dict)
    own_acts: dict[str, Entry] = field(default_factory=dict)
    """Acts that a station knew before the ledger did, by id."""
    books: dict[str, Rulebook] = field(default_factory=dict)

    def take(self, entry: Entry, event: Event) -> None:
        """Fold an entry."""
        kind, _, subject_id = entry.subject.partition("/")
        if kind == "cylinder":
            self.now[subject_id] = state = next_state(self.now.get(subject_id), entry, event)
            if (subject_id, state.n) in self.named.earlier:
                self.earlier[subject_id, state.n] = state
            if entry.id in self.named.own_act_ids:
                self.own_acts[entry.id] = entry
        elif isinstance(event, RulebookPublished):
            with suppress(RulebookError):  # what cannot be read never decided anything
                book = parse_rulebook(event.text)
                self.books[book.name] = book
        elif self.signers:
            self._take_key(subject_id, event, self.signers)

    def _take_key(self, device_id: str, event: Event, signers: Signers) -> None:
        if isinstance(event, DeviceEnrolled):
            signers.enrol(device_id, event)
        elif isinstance(event, DeviceRevoked):
            signers.cut_off(device_id)

    def state(self, key: StateKey) -> CylinderState | None:
        """A cylinder after so many entries of its chain."""
        state = self.now.get(key[0])
        return state if state is not None and state.n == key[1] else self.earlier.get(key)


def _key(event: FillDecided) -> StateKey | None:
    decision = event.decision
    if decision.cylinder_id is None or decision.cylinder_n is None:
        return None
    return decision.cylinder_id, decision.cylinder_n - len(event.own_act_ids or ())


def _retaken(text: bytes, entry: Entry, event: FillDecided, past: _Past, candidate: Rulebook | None) -> Retaken:
    book, key = past.books.get(event.decision.rulebook), _key(event)
    cylinder = past.state(key) if key else None
    fault = past.signers.fault_in(entry, event) if past.signers else None
    if book is None or (key and cylinder is None):
        return Retaken(text, entry, event, None, fault)
    if cylinder is not None and event.own_act_ids:
        cylinder = _with_own_acts(cylinder, event.own_act_ids, past)
    again = _by(book, event, cylinder)
    tried = _by(candidate, event, cylinder) if candidate else None
    return Retaken(text, entry, event, again, fault, tried)


def _by(book: Rulebook, event: FillDecided, cylinder: CylinderState | None) -> Decision:
    return decide_fill(event.request, cylinder, event.station, book, event.decision.decided_at)


def _with_own_acts(cylinder: CylinderState, ids: tuple[str, ...], past: _Past) -> CylinderState:
    for act in (past.own_acts[id] for id in ids if id in past.own_acts):
        place = act.model_copy(update={"n": cylinder.n})
        cylinder = next_state(cylinder, place, act.event())
    return cylinder
