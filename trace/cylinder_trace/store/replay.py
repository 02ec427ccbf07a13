"""The read model made anew: entries folded one after another, on their way into a home."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cylinder_trace.chain import EMPTY, Head
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import CodeBound, Entry, Event, RegistrationWithdrawn
from cylinder_trace.store.wire import Values
from cylinder_trace.subjects import SubjectState, format_state, kind_of, next_subject_state


@dataclass(frozen=True, slots=True)
class Item:
    """An entry on its way: its place, its bytes, and what they say."""

    index: int
    text: bytes
    hash: bytes
    entry: Entry


@dataclass(slots=True)
class Changes:
    """What some entries changed in the read model, as rows in the order of the tables' columns."""

    subjects: dict[str, Values] = field(default_factory=dict)
    freed: set[str] = field(default_factory=set)
    """Codes whose rows go, before those in `codes` come."""
    codes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Replay:
    """The read model as far as it has been replayed."""

    heads: dict[str, tuple[Head, int]] = field(default_factory=dict)
    """Where each chain ends, and the index of its last entry."""
    states: dict[str, SubjectState] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)

    def take(self, items: Sequence[Item]) -> Changes:
        """Fold the next entries; raises ValueError if one does not follow."""
        changes = Changes()
        for item in items:
            try:
                self._take(item, changes)
            except ValueError as error:
                raise ValueError(f"entry {item.index}: {error}") from error
        changes.subjects = {name: self._row(name) for name in dict.fromkeys(item.entry.subject for item in items)}
        return changes

    def _take(self, item: Item, changes: Changes) -> None:
        subject, entry = item.entry.subject, item.entry
        head = self.heads.get(subject, (EMPTY, 0))[0]
        if (entry.n, entry.prev) != (head.n, head.hash):
            raise ValueError(f"it does not follow on the entry before it in the chain of {subject}")
        before, event = self.states.get(subject), entry.event()
        self.states[subject] = next_subject_state(before, entry, event)
        self.heads[subject] = Head(entry.n + 1, item.hash.hex()), item.index
        self._take_codes(subject.partition("/")[2], event, before, changes)

    def _take_codes(self, cylinder_id: str, event: Event, before: SubjectState | None, changes: Changes) -> None:
        if isinstance(event, CodeBound):
            if event.code in self.codes:
                changes.freed.add(event.code)
            self.codes[event.code] = changes.codes[event.code] = cylinder_id
        elif isinstance(event, RegistrationWithdrawn) and isinstance(before, CylinderState):
            for code in before.codes:
                if self.codes.pop(code, None):
                    changes.freed.add(code)
                    changes.codes.pop(code, None)

    def _row(self, subject: str) -> Values:
        (head, log_index), state = self.heads[subject], self.states[subject]
        owner_id = state.owner_id if isinstance(state, CylinderState) else None
        return subject, kind_of(subject), head.n, head.hash, log_index, owner_id, format_state(state)
