"""What an inspection body states (检验机构): inspection, condemning, destruction."""

from typing import Annotated, Literal

from pydantic import Field

from cylinder_api.acts.common import CylinderAct, append_about, find_cylinder
from cylinder_codes.legacy_forms import ScanForms
from cylinder_trace.events import Condemned, Destroyed, Event, Inspected
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.values import Grams, Month, Sha256, Text


class Inspection(CylinderAct):
    """Result of a periodic inspection (定期检验)."""

    inspected_month: Month
    next_due_month: Month | None = None
    result: Literal["passed", "failed"]
    report_no: Text
    tare_g: Grams | None = None
    """The tare as weighed anew, if it was."""

    def event(self, body_id: str) -> Event:
        """What the body states."""
        return Inspected(body_id=body_id, **self.model_dump(exclude=_ACT_FIELDS))


class Condemnation(CylinderAct):
    """Judged fit for scrapping only (报废判定)."""

    cause: Text

    def event(self, body_id: str) -> Event:
        """What the body states."""
        return Condemned(body_id=body_id, cause=self.cause)


class Destruction(CylinderAct):
    """Made unusable (去功能化), with hashes of the evidence pictures."""

    method: Literal["cut", "crushed", "burst"]
    evidence_sha256: Annotated[tuple[Sha256, ...], Field(max_length=32)]

    def event(self, body_id: str) -> Event:
        """What the body states."""
        return Destroyed(body_id=body_id, method=self.method, evidence_sha256=self.evidence_sha256)


_ACT_FIELDS = set(CylinderAct.model_fields)


def record_verdict(
    unit: Unit, act: Inspection | Condemnation | Destruction, body_id: str, by: str, forms: ScanForms
) -> Receipt:
    """Record what the inspection body `body_id` states about the cylinder."""
    cylinder = find_cylinder(unit, act.code, forms)
    return append_about(unit, cylinder, act, act.event(body_id), by=by, refs=(f"body/{body_id}",))
