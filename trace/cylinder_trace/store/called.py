"""The cylinders to which codes lead, as they stand at this moment: one question for many codes, two small queries."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, literal, select

from cylinder_trace.store.question_line import QuestionLine
from cylinder_trace.store.tables import CodeRow, SubjectNowRow

_now = SubjectNowRow.__table__  # type: ignore[attr-defined]
_code = CodeRow.__table__  # type: ignore[attr-defined]
_BY_CODES = (
    select(_code.c.code, _now.c.n, _now.c.head, _now.c.state)
    .join(_now, _now.c.subject == literal("cylinder/").concat(_code.c.cylinder_id))
    .where(_code.c.code.in_(bindparam("codes", expanding=True)))
)
_HEAD_OF = select(_now.c.head).where(_now.c.subject == bindparam("subject"))


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

    def question(connection: Connection) -> tuple[Sequence[Any], str | None]:
        rows = connection.execute(_BY_CODES, {"codes": codes}).all()
        return rows, connection.scalar(_HEAD_OF, {"subject": f"rulebook/{rulebook_id}"})

    rows, head = line.ask(question)
    return Register({code: Called(n, head, state) for code, n, head, state in rows}, head or "")
