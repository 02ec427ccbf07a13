"""The read model made anew: entries folded one after another, on their way into a home."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cylinder_trace.chain import EMPTY, Head
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import CodeBound, Entry, Event, RegistrationWithdrawn
from cylinder_trace.subjects import SubjectState, format_state, kind_of, next_subject_state


@dataclass(frozen=True, slots=True)
class Item:
    """An entry on its way: its place, its bytes, and what they say."""

    index: int
    text: bytes
    hash: bytes
    entry: Entry


@dataclass(slots=True)
class Replay:
    """The read model as far as it has been replayed."""

    heads: dict[str, tuple[Head, int]] = field(default_factory=dict)
    """Where each chain ends, and the index of its last entry."""
    states: dict[str, SubjectState] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)

    def take(self, item: Item) -> None:
        """Fold the next entry; raises ValueError if it does not follow."""
        subject, entry = item.entry.subject, item.entry
        head = self.heads.get(subject, (EMPTY, 0))[0]
        if (entry.n, entry.prev) != (head.n, head.hash):
            raise ValueError(f"it does not follow on the entry before it in the chain of {subject}")
        before, event = self.states.get(subject), entry.event()
        self.states[subject] = next_subject_state(before, entry, event)
        self.heads[subject] = Head(entry.n + 1, item.hash.hex()), item.index
        self._take_codes(subject.partition("/")[2], event, before)

    def _take_codes(self, cylinder_id: str, event: Event, before: SubjectState | None) -> None:
        if isinstance(event, CodeBound):
            self.codes[event.code] = cylinder_id
        elif isinstance(event, RegistrationWithdrawn) and isinstance(before, CylinderState):
            for code in before.codes:
                self.codes.pop(code, None)

    def subject_rows(self) -> Iterator[dict[str, Any]]:
        """The rows of the read model."""
        return map(self._subject_row, self.states)

    def code_rows(self) -> Iterator[dict[str, Any]]:
        """Which cylinder each code leads to."""
        return ({"code": code, "cylinder_id": cylinder_id} for code, cylinder_id in self.codes.items())

    def _subject_row(self, subject: str) -> dict[str, Any]:
        (head, log_index), state = self.heads[subject], self.states[subject]
        return {
            "subject": subject,
            "kind": kind_of(subject),
            "n": head.n,
            "head": head.hash,
            "log_index": log_index,
            "owner_id": state.owner_id if isinstance(state, CylinderState) else None,
            "state": format_state(state),
        }
