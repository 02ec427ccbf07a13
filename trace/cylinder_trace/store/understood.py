"""Reading back what is stored, in a time when two versions of the program write to one database (并行升级).

A newer version may have written an event or a state that this one does not know.  Such a chain is left alone: nothing
is decided, appended or listed on half of its story, and whoever asks comes again and finds the newer version.
"""

from cylinder_trace.audit import StoredEntry
from cylinder_trace.events import Entry, Event, parse_entry_and_event
from cylinder_trace.merkle import leaf_hash
from cylinder_trace.store.database import StoreError
from cylinder_trace.subjects import SubjectState, parse_state
from cylinder_trace.suite import Suite


class NotUnderstood(StoreError):
    """What is stored was written by a newer version of the program, or changed behind its back."""


def state_of(subject: str, text: str) -> SubjectState:
    """The state of `subject` in its stored JSON; raises NotUnderstood."""
    try:
        return parse_state(subject, text)
    except ValueError as error:
        raise NotUnderstood(
            f"what the ledger holds of {subject} was written by a newer version of this service; try again"
        ) from error


def entry_of(text: bytes, type_word: str = "") -> tuple[Entry, Event]:
    """A stored entry and its event; raises NotUnderstood."""
    try:
        return parse_entry_and_event(text, type_word)
    except ValueError as error:
        raise NotUnderstood("an entry was written by a newer version of this service; try again") from error


def is_as_recorded(stored: StoredEntry, suite: Suite) -> bool:
    """Whether an entry that nobody here understands is a newer version's, and not one that somebody has changed."""
    return leaf_hash(stored.text, suite) == stored.hash
