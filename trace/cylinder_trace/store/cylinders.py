"""Going through the cylinders on file by what their state says, in pages: a fleet does not fit into memory at once."""

import json
from collections.abc import Iterator

from sqlalchemy import Engine, select

from cylinder_trace.cylinder import CylinderState
from cylinder_trace.store.tables import SubjectNowRow

_now = SubjectNowRow.__table__  # type: ignore[attr-defined]
_PAGE = 1000


def cylinders_that_say(engine: Engine, text: str, after: str = "") -> Iterator[CylinderState]:
    """Cylinders behind the subject `after` whose state holds the string `text`, by subject.

    Upper and lower case are the same. `text` may stand anywhere in a string of the state: the caller looks again.
    """
    said = json.dumps(text, ensure_ascii=False)[1:-1]
    query = select(_now.c.subject, _now.c.state).where(_now.c.kind == "cylinder")
    query = query.where(_now.c.state.icontains(said, autoescape=True)).order_by(_now.c.subject).limit(_PAGE)
    while True:
        with engine.connect() as connection:
            rows = connection.execute(query.where(_now.c.subject > after)).all()
        yield from (CylinderState.model_validate_json(row.state) for row in rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1].subject
