"""Finding what a label leads to (查码): the cylinder as it stands, and the rulebook by which it is judged today."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from cylinder_trace.chain import Head
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import local_day
from cylinder_trace.enactment import RulebookState, in_force
from cylinder_trace.rulebook import Rulebook
from cylinder_trace.store.called import Called, cylinders_called
from cylinder_trace.store.question_line import QuestionLine
from cylinder_trace.store.reader import Reader


class Found:
    """A cylinder on file, and the rulebook in force; None where none can decide today."""

    def __init__(self, called: Called, book: Rulebook | None) -> None:
        self._called = called
        self.book = book

    @property
    def head(self) -> Head:
        """Where its chain ends."""
        return Head(self._called.n, self._called.head)

    @cached_property
    def cylinder(self) -> CylinderState:
        """Its state; read from its text only when somebody looks at it, which a redirect does not."""
        return CylinderState.model_validate_json(self._called.state)


class Finder:
    """Asks the database; called by one thread at a time. Nothing about a cylinder is remembered here."""

    def __init__(self, line: QuestionLine, reader: Reader, rulebook_id: str, clock: Callable[[], int]) -> None:
        self._line, self._reader, self._rulebook_id, self._clock = line, reader, rulebook_id, clock
        self._rulebook: tuple[str, RulebookState | None] = ("", None)
        self._book: tuple[object, Rulebook | None] = (None, None)

    def __call__(self, codes: Sequence[str]) -> Mapping[str, Found]:
        """What is on file under each code; codes that lead nowhere are left out."""
        register = cylinders_called(self._line, codes, self._rulebook_id)
        book = self._in_force(register.rulebook_head)
        return {code: Found(called, book) for code, called in register.cylinders.items()}

    def _in_force(self, head: str) -> Rulebook | None:
        day = local_day(self._clock())
        if self._book[0] != (head, day):
            state = self._state(head)
            book = in_force(state, day) if state else None
            self._book = ((head, day), book if book and book.covers(day) else None)
        return self._book[1]

    def _state(self, head: str) -> RulebookState | None:
        if self._rulebook[0] != head:
            state = self._reader.state(f"rulebook/{self._rulebook_id}")
            self._rulebook = (head, state if isinstance(state, RulebookState) else None)
        return self._rulebook[1]
