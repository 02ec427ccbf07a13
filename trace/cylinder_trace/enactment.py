"""Which version of a rulebook is in force on a day (施行): versions follow on each other, and none replaces the past.

A version is published ahead of its first day and ends the one before it.  Two versions that would both be in force by
their own words are refused: the second must begin on another day, or after the last day of the first.
"""

from collections.abc import Iterable

from cylinder_trace import events
from cylinder_trace.cylinder import StateError
from cylinder_trace.dates import parse_day
from cylinder_trace.events import Entry
from cylinder_trace.rulebook import Rulebook, RulebookError, parse_rulebook
from cylinder_trace.values import Count, Frozen, Id, LongText


class RulebookState(Frozen):
    """The versions of one rulebook: the newest published, and those before it, oldest first."""

    n: Count
    version: Id
    text: LongText
    earlier: tuple[LongText, ...] | None = None


def next_rulebook_state(state: RulebookState | None, entry: Entry, event: events.Event) -> RulebookState:
    """State of a rulebook after `entry`; raises StateError for another event, or contradicting versions."""
    if not isinstance(event, events.RulebookPublished):
        raise StateError(f"{entry.type} is not an event of a rulebook")
    if state is None:
        return RulebookState(n=entry.n + 1, version=event.version, text=event.text)
    before = _texts(state)
    if (new := _parsed(event.text)) is not None:
        for book in _books(text for text in before if text != event.text):
            _require_one_in_force(book, new)
    earlier = tuple(text for text in before if text != event.text)
    return RulebookState(n=entry.n + 1, version=event.version, text=event.text, earlier=earlier or None)


def text_in_force(state: RulebookState, day: int) -> str | None:
    """The text of the version that decides on a day (ordinal, Beijing); None if no text can be read as a rulebook.

    It is the one that began last; before the first day of all, the first.  Whether it has ended meanwhile is asked by
    the decision itself (`Rulebook.covers`), which then refuses.
    """
    books = {text: book for text in _texts(state) if (book := _parsed(text)) is not None}
    decides = book_on(books.values(), day)
    return next((text for text, book in books.items() if book is decides), None)


def texts_to_come(state: RulebookState, day: int) -> tuple[str, ...]:
    """The texts of the versions that are published already and begin after a day, the next one first."""
    books = {text: book for text in _texts(state) if (book := _parsed(text)) is not None}
    later = [text for text, book in books.items() if parse_day(book.valid_from) > day]
    return tuple(sorted(later, key=lambda text: books[text].valid_from))


def book_on(books: Iterable[Rulebook], day: int) -> Rulebook | None:
    """The version of `books` that decides on a day: the one that began last; before the first day of all, the first."""
    known = sorted(books, key=lambda book: book.valid_from)
    begun = [book for book in known if parse_day(book.valid_from) <= day]
    return begun[-1] if begun else next(iter(known), None)


def in_force(state: RulebookState, day: int) -> Rulebook | None:
    """The version that decides on a day, read."""
    text = text_in_force(state, day)
    return None if text is None else parse_rulebook(text)


def version_named(state: RulebookState, version: str) -> Rulebook | None:
    """The version of this name, in force or not; None if it was never published."""
    return next((book for book in _books(_texts(state)) if book.version == version), None)


def _texts(state: RulebookState) -> tuple[str, ...]:
    return (*(state.earlier or ()), state.text)


def _books(texts: Iterable[str]) -> list[Rulebook]:
    return [book for text in texts if (book := _parsed(text)) is not None]


def _parsed(text: str) -> Rulebook | None:
    try:
        return parse_rulebook(text)
    except RulebookError:
        return None  # kept as history; a ledger takes what was published, and nothing is decided by it


def _require_one_in_force(old: Rulebook, new: Rulebook) -> None:
    if old.version == new.version:
        raise StateError(f"version {new.version} was published with another text; a change is a new version")
    if old.valid_from == new.valid_from:
        raise StateError(f"versions {old.version} and {new.version} both begin on {new.valid_from}")
    first, second = sorted((old, new), key=lambda book: book.valid_from)
    if first.valid_until is not None and first.valid_until >= second.valid_from:
        raise StateError(
            f"version {first.version} is valid until {first.valid_until}, "
            f"and version {second.version} begins on {second.valid_from} already"
        )
