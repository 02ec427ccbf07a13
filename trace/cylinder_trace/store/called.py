"""The cylinders to which codes lead, as they stand at this moment: two small queries for many codes."""

from collections.abc import Sequence
from typing import NamedTuple

from cylinder_trace.store.question_line import ANY_OF_THEM, Question, QuestionLine
from cylinder_trace.store.tables import CodeRow, SubjectNowRow

_NOW, _CODE = SubjectNowRow.__tablename__, CodeRow.__tablename__
_BY_CODES = (
    f"SELECT {_CODE}.code, {_NOW}.n, {_NOW}.head, {_NOW}.state FROM {_CODE} "  # noqa: S608
    f"JOIN {_NOW} ON {_NOW}.subject = 'cylinder/' || {_CODE}.cylinder_id WHERE {_CODE}.code {ANY_OF_THEM}"
)
_HEAD_OF = f"SELECT head FROM {_NOW} WHERE subject = $1"  # noqa: S608


class Called(NamedTuple):
    """A cylinder on file: the stored text of its state, and where its chain ends."""

    n: int
    head: str
    state: str


class Register(NamedTuple):
    """What is on file under some codes, and where the chain of a rulebook ended then; empty where it has none."""

    cylinders: dict[str, Called]
    rulebook_head: str


def cylinders_called(line: QuestionLine, codes: Sequence[str], rulebook_id: str) -> Register:
    """The cylinders to which `codes` lead, alive or dead; codes under which nothing is on file are left out."""
    rows, heads = line.ask(Question(_BY_CODES, codes), Question(_HEAD_OF, f"rulebook/{rulebook_id}"))
    return Register({code: Called(n, head, state) for code, n, head, state in rows}, heads[0][0] if heads else "")
