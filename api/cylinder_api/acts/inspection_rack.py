"""A whole rack inspected at once (整架检验): one report, one author, exceptions only.

All of the rack is recorded, or nothing and each cylinder's own fault is named: whoever stands before thirty cylinders
mends the one that was scanned wrongly and sends the same rack again.
"""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from cylinder_api.acts.common import derived_id
from cylinder_api.acts.inspection import Inspection, record_verdict
from cylinder_api.refusals import Refused
from cylinder_codes.legacy_forms import ScanForms
from cylinder_trace.cylinder import StateError
from cylinder_trace.store.unit import IdConflict, Receipt, Unit
from cylinder_trace.values import Frozen, Grams, Id, Instant, Month, Text
from cylinder_trace.vocabulary.inspecting import InspectionItem

MOST_CYLINDERS = 100


class RackException(Frozen):
    """A cylinder of the rack that is not as the others: it failed, or was weighed anew."""

    code: Text
    result: Literal["passed", "failed"]
    tare_g: Grams | None = None
    items: Annotated[tuple[InspectionItem, ...], Field(max_length=11)] | None = None
    """The items that it passed, where these are not the rack's."""


class Rack(Frozen):
    """Result of a periodic inspection for every cylinder of a rack (整架检验); all passed that are no exception."""

    id: Id
    """Made by the caller; the act's idempotency key."""
    occurred_at: Instant
    inspected_month: Month
    next_due_month: Month
    report_no: Text
    items: Annotated[tuple[InspectionItem, ...], Field(max_length=11)]
    """The items that were done and passed (检验项目)."""
    codes: Annotated[tuple[Text, ...], Field(min_length=1, max_length=MOST_CYLINDERS)]
    """Every cylinder of the rack, the exceptions too, in any readable form."""
    exceptions: Annotated[tuple[RackException, ...], Field(max_length=MOST_CYLINDERS)] = ()


class Fault(NamedTuple):
    """What keeps one cylinder of the rack from being recorded."""

    pointer: str
    detail: str


def record_rack(unit: Unit, rack: Rack, body_id: str, by: str, forms: ScanForms) -> list[Receipt]:
    """Record the result of every cylinder, in the order of `codes`; raises Refused with each one's fault."""
    _require_the_same_number(unit, rack)
    faults = _faults_of_the_list(rack)
    receipts: list[Receipt] = []
    cylinders: dict[str, int] = {}
    for place, code in enumerate(rack.codes):
        try:
            receipts.append(record_verdict(unit, _inspection_of(rack, place, code), body_id, by, forms))
        except Refused as refusal:
            faults.append(Fault(f"/body/codes/{place}", f"{refusal.code}: {refusal.detail}"))
            continue
        except StateError as error:
            faults.append(Fault(f"/body/codes/{place}", str(error)))
            continue
        first = cylinders.setdefault(receipts[-1].subject, place)
        if first != place:
            faults.append(Fault(f"/body/codes/{place}", f"this is the cylinder of /body/codes/{first} once more"))
    if faults:
        raise Refused("invalid", f"{len(faults)} of {len(rack.codes)} do not fit, nothing was recorded", faults=faults)
    return receipts


def _require_the_same_number(unit: Unit, rack: Rack) -> None:
    """Raise IdConflict for a rack that was sent before with more cylinders, or with fewer."""
    if unit.entry(_id(rack, 0)) is None:
        return
    if unit.entry(_id(rack, len(rack.codes) - 1)) is None or unit.entry(_id(rack, len(rack.codes))) is not None:
        raise IdConflict(f"id {rack.id} is taken by a rack of another number of cylinders")


def _id(rack: Rack, place: int) -> str:
    return derived_id(rack.id, str(place))


def _faults_of_the_list(rack: Rack) -> list[Fault]:
    strangers = [place for place, one in enumerate(rack.exceptions) if one.code not in rack.codes]
    return [Fault(f"/body/exceptions/{place}", "this code is not among the codes of the rack") for place in strangers]


def _inspection_of(rack: Rack, place: int, code: str) -> Inspection:
    other = next((one for one in rack.exceptions if one.code == code), None)
    failed = other is not None and other.result == "failed"
    items = other.items if other is not None and other.items is not None else rack.items
    return Inspection(
        id=_id(rack, place),
        code=code,
        occurred_at=rack.occurred_at,
        inspected_month=rack.inspected_month,
        next_due_month=None if failed else rack.next_due_month,
        result="failed" if failed else "passed",
        report_no=rack.report_no,
        tare_g=other.tare_g if other else None,
        items=() if failed and other and other.items is None else items,
    )
