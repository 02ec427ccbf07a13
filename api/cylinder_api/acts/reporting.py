"""What a holder reports of a cylinder (送检、丢失、找回), and what an authority registers (使用登记、注销)."""

from typing import Annotated

from pydantic import Field

from cylinder_api.acts.common import CylinderAct, append_about, find_cylinder, require_owner
from cylinder_api.refusals import Refused
from cylinder_codes.legacy_forms import ScanForms
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import Event, Found, RegistrationCancelled, ReportedLost, SentToInspection, UseRegistered
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.values import Day, Evidence, Id, Text

Proofs = Annotated[tuple[Evidence, ...], Field(max_length=16)]


class Sending(CylinderAct):
    """The cylinder left for the inspection body (送检)."""

    body_id: Id


class Loss(CylinderAct):
    """Its holder reports the cylinder lost or stolen (丢失)."""

    cause: Text
    report_no: Text | None = None
    """Number of the report to the police (报案号)."""


class Finding(CylinderAct):
    """A cylinder reported lost was found (找回)."""

    cause: Text
    place_id: Id | None = None


class UseRegistration(CylinderAct):
    """The authority gives a cylinder on file its use registration (使用登记)."""

    registration_no: Text
    registered_on: Day
    evidence: Proofs = ()


class Cancellation(CylinderAct):
    """The use registration is cancelled for ever (注销), as of a scrapped cylinder."""

    receipt_no: Text
    """Number of the authority's receipt (注销回执)."""
    cause: Text
    evidence: Proofs = ()


def report(unit: Unit, act: Sending | Loss | Finding, holder_id: str, by: str, forms: ScanForms) -> Receipt:
    """Record what its owner or holder reports. Raises Refused for anybody else's cylinder, or a loss never reported."""
    cylinder = find_cylinder(unit, act.code, forms)
    known = unit.entry(act.id) is not None
    if holder_id != cylinder.custodian_id:
        require_owner(unit, act, cylinder, holder_id)
    if isinstance(act, Finding) and not known and f"lost/{holder_id}" not in (cylinder.marks or {}):
        raise Refused("cannot_follow", "you have not reported this cylinder lost; who did reports it found")
    return append_about(unit, cylinder, act, _reported(act, holder_id), by=by, refs=_refs(cylinder, holder_id))


def _reported(act: Sending | Loss | Finding, holder_id: str) -> Event:
    match act:
        case Sending():
            return SentToInspection(body_id=act.body_id)
        case Loss():
            return ReportedLost(holder_id=holder_id, cause=act.cause, report_no=act.report_no)
        case Finding():
            return Found(holder_id=holder_id, cause=act.cause, place_id=act.place_id)


def _refs(cylinder: CylinderState, holder_id: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((f"company/{cylinder.owner_id}", f"company/{holder_id}")))


def register_use(
    unit: Unit, act: UseRegistration | Cancellation, authority_id: str, by: str, forms: ScanForms
) -> Receipt:
    """Record that the authority registers the cylinder's use, or cancels that for ever; raises Refused, StateError."""
    cylinder = find_cylinder(unit, act.code, forms)
    event: Event
    if isinstance(act, UseRegistration):
        facts = {name: getattr(act, name) for name in ("registration_no", "registered_on", "evidence")}
        event = UseRegistered(authority_id=authority_id, **facts)
    else:
        facts = {name: getattr(act, name) for name in ("receipt_no", "cause", "evidence")}
        event = RegistrationCancelled(authority_id=authority_id, **facts)
    refs = (f"authority/{authority_id}", f"company/{cylinder.owner_id}")
    return append_about(unit, cylinder, act, event, by=by, refs=refs)
