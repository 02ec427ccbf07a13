"""The state check: each entry is an event that can happen where it stands, and the read model is what they add up to.

The one place where the ledger's own code is used: what an event *means* has one home.
"""

from collections.abc import Iterable, Mapping
from zlib import crc32

import orjson

from cylinder_trace.auditing.stored import Fault, StoredEntry, StoredEvent
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import CodeBound, Event, RegistrationWithdrawn, parse_entry_and_event
from cylinder_trace.subjects import SubjectState, format_state, next_subject_state, parse_state

Code = tuple[str, str]
"""A code and the id of the cylinder it leads to."""
FoldState = tuple[dict[str, str], list[Code]]
_ABOUT_CODES = (CodeBound.type, RegistrationWithdrawn.type)


class Fold:
    """The states of the subjects of one shard; with one shard, of all."""

    def __init__(self, shard: int = 0, shards: int = 1) -> None:
        self._shard, self._shards = shard, shards
        self.states: dict[str, SubjectState] = {}
        self.changed: set[str] = set()
        """Subjects with an entry since the fold began or was taken up again."""
        self.codes: set[Code] = set()
        """Each code that was bound, and the cylinder it leads to."""

    def take(self, rows: Iterable[StoredEntry | StoredEvent]) -> list[Fault]:
        """Fold the next rows, all of them of this shard; a fault for each that cannot be."""
        faults: list[Fault] = []
        for row in rows:
            try:
                self._fold(row)
            except ValueError as error:
                faults.append(Fault("state_mismatch", row.subject, row.index, "data", str(error)[:200]))
        return faults

    def is_mine(self, subject: str) -> bool:
        """Whether the subject belongs to this shard."""
        return shard_of(subject, self._shards) == self._shard

    def _fold(self, row: StoredEntry | StoredEvent) -> None:
        subject = row.subject
        self.changed.add(subject)
        entry, event = parse_entry_and_event(row.text, row.type)
        before = self.states.get(subject)
        self.states[subject] = next_subject_state(before, entry, event)
        if entry.type in _ABOUT_CODES:
            self._take_codes(subject, event, before)

    def _take_codes(self, subject: str, event: Event, before: SubjectState | None) -> None:
        if isinstance(event, CodeBound):
            self.codes.add((event.code, subject.partition("/")[2]))
        elif isinstance(before, CylinderState):  # withdrawn: the registration was a mistake and gives them back
            self.codes.difference_update([(code, before.cylinder_id) for code in before.codes])

    def compare_codes(self, stored: Iterable[Code]) -> list[Code]:
        """Codes of this shard's cylinders on which what is stored and what was told differ."""
        mine = {code for code in stored if self.is_mine(f"cylinder/{code[1]}")}
        return sorted(mine ^ self.codes)

    def compare(self, read_model: Mapping[str, str], since: int = 0) -> list[str]:
        """Subjects of this shard whose stored state differs; with `since`, the read model holds only changed ones."""
        expected = {*self.changed} if since else {*self.states}
        stored = {subject for subject in read_model if self.is_mine(subject)}
        return sorted(subject for subject in expected | stored if not self._fits(subject, read_model.get(subject)))

    def _fits(self, subject: str, stored: str | None) -> bool:
        state = self.states.get(subject)
        if state is None or stored is None:
            return False
        folded = format_state(state)
        return stored == folded or _same_json(stored, folded)

    def as_json(self) -> FoldState:
        """The states and codes, to be taken up again."""
        return {subject: format_state(state) for subject, state in self.states.items()}, sorted(self.codes)

    def take_up(self, saved: FoldState) -> None:
        """Go on from `as_json`; raises ValueError."""
        states, codes = saved
        for subject, text in states.items():
            if self.is_mine(subject):
                self.states[subject] = parse_state(subject, text)
        self.codes = {(code, cylinder) for code, cylinder in codes if self.is_mine(f"cylinder/{cylinder}")}


def shard_of(subject: str, shards: int) -> int:
    """Which of so many shards folds the subject."""
    return crc32(subject.encode(errors="replace")) % shards


def _same_json(stored: str, folded: str) -> bool:
    try:
        return bool(orjson.loads(stored) == orjson.loads(folded))
    except ValueError:
        return False
