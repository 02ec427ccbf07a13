"""What was recorded item by item under a report (检验项目), held against the result that the body states (缺项漏项)."""

from typing import TypeVar

from cylinder_api.refusals import Refused
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import Inspected, InspectionItemRecorded
from cylinder_trace.store.unit import Unit
from cylinder_trace.vocabulary.inspecting import MANDATORY_ITEMS

UnderReport = TypeVar("UnderReport", Inspected, InspectionItemRecorded)


def results_under(unit: Unit, cylinder: CylinderState, report_no: str, body_id: str) -> dict[str, str]:
    """Item → its result under this report; of an item that was done again, the later one."""
    items = _under_report(unit, cylinder, report_no, body_id, InspectionItemRecorded)
    return {item.item: item.result for item in items}


def require_none_failed(results: dict[str, str], report_no: str) -> None:
    """Raise Refused where an item failed under the report, and was not done again since."""
    if failed := sorted(item for item, result in results.items() if result == "failed"):
        raise Refused("cannot_follow", f"under report {report_no} these items failed: {', '.join(failed)}")


def all_recorded(results: dict[str, str]) -> bool | None:
    """Whether every mandatory item is on record as passed; None where none was recorded by itself."""
    return all(results.get(item) == "passed" for item in MANDATORY_ITEMS) if results else None


def require_not_passed_yet(unit: Unit, cylinder: CylinderState, report_no: str, body_id: str) -> None:
    """Raise Refused where the report says 合格 already: an item that fails after that is another inspection."""
    told = _under_report(unit, cylinder, report_no, body_id, Inspected)
    if told and told[-1].result == "passed":
        raise Refused(
            "cannot_follow",
            f"report {report_no} says passed already; state under a new report that the cylinder failed",
        )


def _under_report(
    unit: Unit, cylinder: CylinderState, report_no: str, body_id: str, kind: type[UnderReport]
) -> list[UnderReport]:
    """What the body stated under the report, in the order in which it occurred."""
    history = unit.told_between(f"cylinder/{cylinder.cylinder_id}", -1, cylinder.n)
    stated = (event for _, event in sorted(history, key=lambda told: told.entry.at))
    return [
        event
        for event in stated
        if isinstance(event, kind) and (event.report_no, event.body_id) == (report_no, body_id)
    ]
