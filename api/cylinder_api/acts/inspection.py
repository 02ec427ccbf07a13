"""What an inspection body states (检验机构): items, valve, result, evaluation, condemning, destruction.

Whether the body may inspect at all is looked up in the register (检验核准) and written into the result.
"""

from typing import Annotated, Literal

from pydantic import Field

from cylinder_api.acts.common import CylinderAct, append_about, find_cylinder
from cylinder_api.acts.inspection_items import (
    all_recorded,
    require_none_failed,
    require_not_passed_yet,
    results_under,
)
from cylinder_api.refusals import Refused
from cylinder_codes.legacy_forms import ScanForms
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import format_month, local_day, local_month, parse_day
from cylinder_trace.events import (
    Condemned,
    Destroyed,
    Evaluated,
    Event,
    Inspected,
    InspectionItemRecorded,
    ValveChanged,
)
from cylinder_trace.standing import CompanyState
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.values import Count, Evidence, Grams, Id, Month, Sha256, Text
from cylinder_trace.vocabulary.inspecting import InspectionItem

LEAST_PICTURES = 3
"""Before with the code visible, during, after."""
Proofs = Annotated[tuple[Evidence, ...], Field(max_length=16)]


class Inspection(CylinderAct):
    """Result of a periodic inspection (定期检验). A passed one names every mandatory item."""

    inspected_month: Month
    next_due_month: Month | None = None
    result: Literal["passed", "failed"]
    report_no: Text
    tare_g: Grams | None = None
    """The tare as weighed anew, if it was."""
    items: Annotated[tuple[InspectionItem, ...], Field(max_length=11)] = ()
    """The items that were done and passed (检验项目)."""


class ItemResult(CylinderAct):
    """One item of an inspection with its reading (检验项目结果); inspector and reviewer are two persons."""

    report_no: Text
    item: InspectionItem
    result: Literal["passed", "failed", "not_applicable"]
    inspector_id: Id
    reviewer_id: Id
    reading: Count | None = None
    unit: Literal["um", "kpa", "ml", "g", "s", "pa"] | None = None
    device_id: Id | None = None
    evidence: Proofs = ()


class ValveChange(CylinderAct):
    """The valve was replaced (阀更换)."""

    removed_serial: Text | None = None
    maker: Text
    serial: Text
    made_month: Month
    evidence: Proofs = ()


class Evaluation(CylinderAct):
    """Safety evaluation at the end of the design life (安全评定)."""

    passed: bool
    valid_until_month: Month | None = None
    """Needed when it was passed."""
    report_no: Text


class Condemnation(CylinderAct):
    """Judged fit for scrapping only (报废判定)."""

    cause: Text


class Destruction(CylinderAct):
    """Made unusable (去功能化), with hashes of the evidence pictures: at least three distinct files."""

    method: Literal["cut", "crushed", "burst"]
    evidence_sha256: Annotated[tuple[Sha256, ...], Field(max_length=32)]


Verdict = Inspection | ItemResult | ValveChange | Evaluation | Condemnation | Destruction
_ACT_FIELDS = set(CylinderAct.model_fields)


def record_verdict(unit: Unit, act: Verdict, body_id: str, by: str, forms: ScanForms) -> Receipt:
    """Record what the inspection body `body_id` states about the cylinder; raises Refused, StateError."""
    cylinder = find_cylinder(unit, act.code, forms)
    if unit.entry(act.id) is None:  # sent again: it was looked at then
        _require_that_it_fits(unit, cylinder, act, body_id)
    event = _event(unit, act, cylinder, body_id)
    return append_about(unit, cylinder, act, event, by=by, refs=(f"body/{body_id}",))


def _require_that_it_fits(unit: Unit, cylinder: CylinderState, act: Verdict, body_id: str) -> None:
    """Raise Refused for what contradicts the items of its report, or the valve on file."""
    match act:
        case Inspection() if act.result == "passed":
            require_none_failed(results_under(unit, cylinder, act.report_no, body_id), act.report_no)
        case ItemResult() if act.result == "failed":
            require_not_passed_yet(unit, cylinder, act.report_no, body_id)
        case ValveChange():
            _require_another_valve(cylinder, act)


def _require_another_valve(cylinder: CylinderState, act: ValveChange) -> None:
    """Raise Refused where the valve that was put in is the one that was there (旧阀当新阀)."""
    before = cylinder.valve
    there = before is not None and (before.maker, before.serial) == (act.maker, act.serial)
    if there or act.serial == act.removed_serial:
        raise Refused("invalid", "/body/serial: this valve was in before; a valve is replaced by another")


def _event(unit: Unit, act: Verdict, cylinder: CylinderState, body_id: str) -> Event:
    facts = {"body_id": body_id, **act.model_dump(exclude=_ACT_FIELDS)}
    match act:
        case Inspection():
            return _inspected(unit, act, cylinder, facts)
        case ItemResult():
            if act.inspector_id == act.reviewer_id:
                raise Refused("same_person", "whoever did the item does not review it; name two persons")
            return InspectionItemRecorded(**facts | {"evidence": act.evidence})
        case ValveChange():
            if act.made_month > format_month(local_month(act.occurred_at)):
                raise Refused("invalid", "/body/made_month: the valve cannot have been made after it was put in")
            return ValveChanged(**facts | {"evidence": act.evidence})
        case Evaluation():
            if act.passed != (act.valid_until_month is not None):
                raise Refused("invalid", "/body/valid_until_month: a passed evaluation has an end, a failed one none")
            return Evaluated(**facts)
        case Condemnation():
            return Condemned(**facts)
        case Destruction():
            return _destroyed(act, facts)


def _inspected(unit: Unit, act: Inspection, cylinder: CylinderState, facts: dict[str, object]) -> Event:
    items, body_id = act.items if act.items or act.result == "passed" else None, str(facts["body_id"])
    if said := unit.entry(act.id):  # sent again: what the register and the ledger said then stands
        found = {name: said.data.get(name) for name in ("body_licensed", "items_recorded")}
    else:
        results = results_under(unit, cylinder, act.report_no, body_id) if act.result == "passed" else {}
        licensed = body_licensed(unit, body_id, act.occurred_at)
        found = {"body_licensed": licensed, "items_recorded": all_recorded(results)}
    return Inspected.model_validate({**facts, "items": items, **found})


def _destroyed(act: Destruction, facts: dict[str, object]) -> Event:
    if len(set(act.evidence_sha256)) < max(LEAST_PICTURES, len(act.evidence_sha256)):
        raise Refused(
            "evidence_missing",
            f"name the hashes of at least {LEAST_PICTURES} pictures, each of another file: before with the code "
            "visible, during, after",
        )
    return Destroyed.model_validate(facts)


def body_licensed(unit: Unit, body_id: str, at: int) -> bool | None:
    """Whether the register shows the body's licence in force on the Beijing day of `at`; None if it shows none at all.

    What silence of the register means, the rulebook says.
    """
    state, day = unit.subject(f"company/{body_id}").state, local_day(at)
    licences = state.licences.values() if isinstance(state, CompanyState) else ()
    scoped = [licence for licence in licences if licence.scope == "inspection"]
    if not scoped:
        return None
    return any(
        licence.standing == "valid" and parse_day(licence.valid_from) <= day <= parse_day(licence.valid_until)
        for licence in scoped
    )
