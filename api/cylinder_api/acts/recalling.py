"""Recalls (召回) by maker, model, batch, months of making or gas lot, down to each cylinder and its last holder.

Opening a recall marks what is on file under it, some cylinders at a time, each with an entry of its own under the
recall's act; whatever is registered while it is open is marked in the same moment. The same opening sent again
goes on where it was cut off, and marks what came since. Closing it lifts every mark.
"""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, Field, model_validator
from sqlalchemy import Engine, select

from cylinder_api.acts.common import derived_id, require_not_future
from cylinder_api.acts.pages import all_entries
from cylinder_api.refusals import Refused
from cylinder_trace.cylinder import CylinderState, Status
from cylinder_trace.events import (
    Entry,
    Event,
    FillDecided,
    Filled,
    FillStarted,
    GasLotBlocked,
    RecallClosed,
    Recalled,
    RecallLifted,
    RecallOpened,
    parse_entry,
    state_event,
)
from cylinder_trace.lots import LotState
from cylinder_trace.recalls import RecallState, falls_under
from cylinder_trace.store.cylinders import cylinders_that_say
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.tables import SubjectNowRow
from cylinder_trace.store.unit import Hints, Receipt, Unit
from cylinder_trace.values import Evidence, Frozen, Id, Instant, Month, Text

MARKED_AT_ONCE = 200
"""Cylinders that one transaction marks."""
LISTED = 1000
"""Cylinders that an answer lists; the rest is read page by page."""
_now = SubjectNowRow.__table__  # type: ignore[attr-defined]


class Recall(Frozen):
    """A recall is opened (召回). What is absent does not narrow it; a maker or a gas lot is needed."""

    id: Id
    """Made by the caller; the recall's id from now on."""
    maker: Text | None = None
    model: Text | None = None
    batch_no: Text | None = None
    made_from: Month | None = None
    made_to: Month | None = None
    lot_id: Id | None = None
    """Cylinders whose last fill came from this gas lot (气质批次)."""
    cause: Text
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=16)] = ()
    occurred_at: Instant

    @model_validator(mode="after")
    def _names_something(self) -> "Recall":
        if self.maker is None and self.lot_id is None:
            raise ValueError("name a maker or a gas lot")
        if self.made_from is not None and self.made_to is not None and self.made_from > self.made_to:
            raise ValueError("made_from lies after made_to, so that nothing would be recalled")
        return self


class Closing(Frozen):
    """A recall is over (解除召回)."""

    cause: Text
    occurred_at: Instant


class LastHolder(BaseModel):
    """Where a cylinder was last known to be; ids only."""

    kind: Literal["customer", "station", "on_the_way", "inspection_body", "custodian", "unknown"]
    customer_id: str | None = None
    point_id: str | None = None
    station_id: str | None = None
    holder_id: str | None = None


class Affected(BaseModel):
    """A cylinder under a recall."""

    cylinder_id: str
    code: str | None
    status: Status
    owner_id: str
    last_holder: LastHolder


class RecallFound(BaseModel):
    """How many cylinders fall under a recall, and the first of them; `next` goes into `after` for more."""

    recall_id: str
    cylinders: int
    marked: int
    """Marked by this call; the others were marked before. Zero in a dry run."""
    batch_unknown: int
    """Cylinders that fall under all the rest, but whose batch nobody has stated: they are not marked."""
    items: list[Affected]


class AffectedPage(BaseModel):
    """A page of the cylinders that a recall marked; `next` goes into `after`, and is null on the last."""

    items: list[Affected]
    next: str | None


class Found(NamedTuple):
    """The cylinders that fall under a recall."""

    cylinders: list[CylinderState]
    batch_unknown: int


# --- what falls under it --------------------------------------------------------------------------------------


def scope_of(act: Recall, issuer_id: str, maker_id: str | None = None) -> RecallState:
    """The recall as it will be once opened; `maker_id` where a maker calls back what it made."""
    if maker_id is not None and act.lot_id is not None:
        raise Refused("not_allowed", "a maker calls cylinders back; a gas lot is recalled by an authority")
    scope = act.model_dump(exclude={"id", "cause", "evidence", "occurred_at"})
    return RecallState(recall_id=act.id, n=1, issuer_id=issuer_id, maker_id=maker_id, **scope)


def find_cylinders(engine: Engine, reader: Reader, recall: RecallState) -> Found:
    """Every cylinder on file that falls under the recall."""
    if recall.lot_id is not None:
        known = [reader.state(subject) for subject in sorted(_filled_from(reader, recall.lot_id))]
        around: Iterable[CylinderState] = [state for state in known if isinstance(state, CylinderState)]
    else:
        around = cylinders_that_say(engine, str(recall.maker))
    any_batch = recall.model_copy(update={"batch_no": None})
    found, unknown = list[CylinderState](), 0
    for cylinder in around:
        if falls_under(recall, cylinder):
            found.append(cylinder)
        elif falls_under(any_batch, cylinder) and (cylinder.made is None or cylinder.made.batch_no is None):
            unknown += 1
    return Found(found, unknown)


def _filled_from(reader: Reader, lot_id: str) -> set[str]:
    """Subjects whose last fill came from the lot."""
    station_id = station_of_lot(reader, lot_id)
    named, checks, last = json.dumps(lot_id).encode(), set[str](), dict[str, tuple[int, str]]()
    for word in (FillDecided.type, FillStarted.type):
        for entry in _at_station(reader, station_id, word, named):
            said = entry.data.get("request", entry.data)
            checks |= {str(said["check_id"])} if said.get("lot_id") == lot_id else set()
    for entry in _at_station(reader, station_id, Filled.type, b""):
        last[entry.subject] = max(last.get(entry.subject, (0, "")), (entry.at, str(entry.data["check_id"])))
    return {subject for subject, (_at, check_id) in last.items() if check_id in checks}


def station_of_lot(reader: Reader, lot_id: str) -> str:
    """The station into whose tank the lot went; raises Refused for one that never came."""
    lot = reader.state(f"lot/{lot_id}")
    if not isinstance(lot, LotState) or lot.station_id is None:
        raise Refused("lot_unknown", f"no gas lot {lot_id} was received into this ledger")
    return lot.station_id


def _at_station(reader: Reader, station_id: str, word: str, holding: bytes) -> Iterator[Entry]:
    rows = all_entries(partial(reader.by_ref, f"station/{station_id}", word))
    return (parse_entry(row.text) for row in rows if holding in row.text)


# --- opening, marking, closing --------------------------------------------------------------------------------


def open_recall(unit: Unit, act: Recall, issuer_id: str, by: str, maker_id: str | None = None) -> Receipt:
    """Record that the recall is open; a recalled gas lot is blocked with it. The cylinders are marked by `mark`."""
    require_not_future(unit, act.occurred_at)
    opened = RecallOpened(issuer_id=issuer_id, maker_id=maker_id, **{name: getattr(act, name) for name in _SCOPE})
    receipt = _append(unit, opened, act.id, f"recall/{act.id}", act.occurred_at, by, act.id)
    if act.lot_id is not None:
        blocked, id = GasLotBlocked(blocked_by=issuer_id, cause=act.cause), derived_id(act.id, "blocked")
        _append(unit, blocked, id, f"lot/{act.lot_id}", act.occurred_at, by, act.id)
    return receipt


_SCOPE = ("maker", "model", "batch_no", "made_from", "made_to", "lot_id", "cause", "evidence")


def mark(unit: Unit, recall_id: str, cylinder_ids: list[str], cause: str, by: str) -> int:
    """Mark those of the cylinders that are not marked yet; how many that were. None once the recall is closed."""
    recall = unit.subject(f"recall/{recall_id}").state
    if isinstance(recall, RecallState) and not recall.open:
        return 0
    unit.prefetch(Hints(ids=[_marking_id(recall_id, cylinder_id) for cylinder_id in cylinder_ids]))
    unmarked = [one for one in cylinder_ids if unit.entry(_marking_id(recall_id, one)) is None and _is_there(unit, one)]
    for cylinder_id in unmarked:
        event, id = Recalled(recall_id=recall_id, cause=cause), _marking_id(recall_id, cylinder_id)
        _append(unit, event, id, f"cylinder/{cylinder_id}", unit.now, by, recall_id)
    return len(unmarked)


def _is_there(unit: Unit, cylinder_id: str) -> bool:
    """Whether it is still on file: an import may have been taken back since the recall found it."""
    cylinder = unit.cylinder(cylinder_id)
    return cylinder is not None and cylinder.status != "withdrawn"


def mark_registered(unit: Unit, cylinder_ids: Iterable[str], by: str) -> None:
    """Mark what was registered in this unit and falls under an open recall of a maker."""
    recalls = [recall for recall in _open_recalls(unit) if recall.lot_id is None]
    for cylinder_id in cylinder_ids if recalls else ():
        cylinder = unit.cylinder(cylinder_id)
        for recall in recalls:
            if cylinder is not None and falls_under(recall, cylinder):
                mark(unit, recall.recall_id, [cylinder_id], "登记时已在召回范围内 registered under an open recall", by)


def mark_filled(unit: Unit, cylinder_id: str, lot_id: str, by: str) -> None:
    """Mark a cylinder whose last fill, as recorded in this unit, came from a gas lot that is recalled.

    A recalled lot is blocked, so that only a blocked one is looked up: stations tell many fills at once.
    """
    lot, cylinder = unit.subject(f"lot/{lot_id}").state, unit.cylinder(cylinder_id)
    if not isinstance(lot, LotState) or lot.standing != "blocked" or cylinder is None:
        return
    for recall in _open_recalls(unit):
        if recall.lot_id == lot_id and falls_under(recall, cylinder):
            mark(
                unit, recall.recall_id, [cylinder_id], "补传的充装来自召回的批次 a fill told late came from the lot", by
            )


def _open_recalls(unit: Unit) -> list[RecallState]:
    """Recalls that were open before this batch. One opened in this very batch looks at what is on file after it."""
    rows = unit.connection.execute(select(_now.c.state).where(_now.c.kind == "recall"))
    recalls = [RecallState.model_validate_json(row.state) for row in rows]
    return [recall for recall in recalls if recall.open]


def close_recall(unit: Unit, recall_id: str, act: Closing, issuer_id: str, by: str) -> Receipt:
    """Record that the recall is over; raises Refused for another authority's. The marks are lifted by `lift`."""
    recall = unit.subject(f"recall/{recall_id}").state
    if not isinstance(recall, RecallState):
        raise Refused("recall_unknown", "no recall is on file under this id")
    if recall.issuer_id != issuer_id:
        raise Refused("other_authority", f"the recall is {recall.issuer_id}'s, which alone closes it")
    require_not_future(unit, act.occurred_at)
    event = RecallClosed(issuer_id=issuer_id, cause=act.cause)
    id = derived_id(recall_id, "closed")
    return _append(unit, event, id, f"recall/{recall_id}", act.occurred_at, by, recall_id)


def lift(unit: Unit, recall_id: str, cylinder_ids: list[str], cause: str, by: str) -> int:
    """Lift the recall's mark from those of the cylinders that bear it; how many that were."""
    lifted = 0
    for cylinder_id in cylinder_ids:
        cylinder = unit.cylinder(cylinder_id)
        if cylinder is not None and cylinder.status != "withdrawn" and f"recall/{recall_id}" in (cylinder.marks or {}):
            event, id = RecallLifted(recall_id=recall_id, cause=cause), derived_id(recall_id, f"{cylinder_id}.lifted")
            _append(unit, event, id, f"cylinder/{cylinder_id}", unit.now, by, recall_id)
            lifted += 1
    return lifted


def _marking_id(recall_id: str, cylinder_id: str) -> str:
    return derived_id(recall_id, f"{cylinder_id}.recalled")


def _append(unit: Unit, event: Event, id: str, subject: str, at: int, by: str, act_id: str) -> Receipt:
    return unit.append(
        state_event(event, id=id, subject=subject, occurred_at=at, by=by, refs=(f"recall/{act_id}",), act_id=act_id)
    )


# --- who had them last ----------------------------------------------------------------------------------------


def marked_by(engine: Engine, recall_id: str, after: str = "") -> Iterator[CylinderState]:
    """Cylinders that bear the recall's mark, or bore it, by subject."""
    mark = f"recall/{recall_id}"
    for cylinder in cylinders_that_say(engine, mark, after):
        if mark in (cylinder.marks or {}) or mark in (cylinder.lifted or {}):
            yield cylinder


def list_affected(
    engine: Engine, reader: Reader, recall_id: str, after: str, limit: int, issuer_id: str | None = None
) -> AffectedPage:
    """A page of the cylinders that the recall marked, with their last holders; raises Refused for no recall.

    `issuer_id` is given for who sees recalls of its own alone.
    """
    recall = reader.state(f"recall/{recall_id}")
    if not isinstance(recall, RecallState):
        raise Refused("recall_unknown", "no recall is on file under this id")
    if issuer_id not in (None, recall.issuer_id):
        raise Refused("other_authority", f"the recall is {recall.issuer_id}'s; a maker sees its own")
    found = list(islice(marked_by(engine, recall_id, after and f"cylinder/{after}"), limit + 1))
    more = found[limit - 1].cylinder_id if len(found) > limit else None
    return AffectedPage(items=affected(reader, found[:limit]), next=more)


def affected(reader: Reader, cylinders: Iterable[CylinderState]) -> list[Affected]:
    """The cylinders with their last holders."""
    return [
        Affected(
            cylinder_id=cylinder.cylinder_id,
            code=next((code for code in cylinder.codes if ":" not in code), None),
            status=cylinder.status,
            owner_id=cylinder.owner_id,
            last_holder=_last_holder(reader, cylinder),
        )
        for cylinder in cylinders
    ]


def _last_holder(reader: Reader, cylinder: CylinderState) -> LastHolder:
    entries = [parse_entry(row.text) for row in reader.history(f"cylinder/{cylinder.cylinder_id}")]
    seen = max(
        (entry for entry in entries if entry.type in _HOLDING), key=lambda entry: (entry.at, entry.n), default=None
    )
    if seen is None:
        return LastHolder(kind="unknown")
    kind, fields = _HOLDING[seen.type]
    return LastHolder(kind=kind, **{name: seen.data[said] for name, said in fields.items()})


Kind = Literal["customer", "station", "on_the_way", "inspection_body", "custodian", "unknown"]
_HOLDING: dict[str, tuple[Kind, dict[str, str]]] = {
    "sold": ("customer", {"customer_id": "customer_id", "point_id": "point_id"}),
    "returned": ("station", {"station_id": "station_id"}),
    "filled": ("station", {"station_id": "station_id"}),
    "fill_started": ("station", {"station_id": "station_id"}),
    "left_station": ("on_the_way", {"station_id": "station_id"}),
    "sent_to_inspection": ("inspection_body", {"holder_id": "body_id"}),
    "handed_over": ("custodian", {"holder_id": "to_holder_id"}),
}
"""Event → who has it afterwards, and where the event says so."""
