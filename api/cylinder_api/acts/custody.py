"""Who has a cylinder (保管): hand-over signed by both sides (交接), seizure by an authority (查封扣押) and its lifting.

A hand-over is stated by who gives and signed a second time by who takes. It counts as a basis for filling (托管、供用气
合同) from the second signature on. A seized cylinder is handed over by the authority alone, or by whom it gave it to:
to the inspection body, and from there to scrap.
"""

from typing import Annotated

from pydantic import Field

from cylinder_api.acts.common import CylinderAct, append_about, derived_id, find_cylinder, require_not_future
from cylinder_api.refusals import Refused
from cylinder_codes.legacy_forms import ScanForms
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import HandedOver, Released, Seized, state_event
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.values import Evidence, Frozen, Id, Instant, Text
from cylinder_trace.vocabulary.holding import CustodyBasis


class HandOver(CylinderAct):
    """Somebody else has the cylinder from now on (交接); they sign it by accepting."""

    to_holder_id: Id
    place_id: Id | None = None
    basis: CustodyBasis | None = None
    """Why the new holder may fill it (托管、供用气合同); only its owner can say so."""


class Acceptance(Frozen):
    """The new holder signs the hand-over too."""

    occurred_at: Instant


class Seizure(CylinderAct):
    """An authority seals or takes away the cylinder (查封扣押)."""

    document_no: Text
    cause: Text
    place_id: Id | None = None
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=16)] = ()


class SeizureLifting(CylinderAct):
    """An authority lifts its seizure (解除查封)."""

    document_no: Text
    cause: Text


def hand_over(unit: Unit, act: HandOver, holder_id: str, by: str, forms: ScanForms) -> Receipt:
    """Record that `holder_id` gives the cylinder away. Raises Refused for whoever does not have it.

    It touches three where an authority gives away what it seized: whoever had it until then is told too.
    """
    cylinder = find_cylinder(unit, act.code, forms)
    if unit.entry(act.id) is None:
        _require_holder(cylinder, holder_id)
        if act.basis is not None and cylinder.owner_id != holder_id:
            raise Refused("other_owner", "only its owner lets somebody else fill a cylinder")
    if act.to_holder_id == holder_id:
        raise Refused("invalid", "/body/to_holder_id: you have the cylinder already; name who is to have it")
    event = HandedOver(
        from_holder_id=holder_id, to_holder_id=act.to_holder_id, cosigned=False, place_id=act.place_id, basis=act.basis
    )
    return append_about(unit, cylinder, act, event, by=by, refs=_refs(event, cylinder.custodian_id))


def _require_holder(cylinder: CylinderState, holder_id: str) -> None:
    """One has it at a time: who took it last, else its owner; a seized one, whom the authority gave it to, or it."""
    if _is_seized_since(cylinder, cylinder.custody_since or 0):
        _require_authority(cylinder, holder_id)
    elif holder_id != (cylinder.custodian_id or cylinder.owner_id):
        raise Refused("other_holder", "somebody else has the cylinder, as last handed over")


def _is_seized_since(cylinder: CylinderState, at: int) -> bool:
    """Whether a seizure stands that is as young as `at`: what was handed over until then, it takes away."""
    return any(since >= at for mark, since in (cylinder.marks or {}).items() if mark.startswith("seized/"))


def _require_authority(cylinder: CylinderState, holder_id: str) -> None:
    if f"seized/{holder_id}" not in (cylinder.marks or {}):
        raise Refused("other_holder", "the cylinder is seized; only the authority hands it over")


def accept(unit: Unit, handover_id: str, act: Acceptance, holder_id: str, by: str) -> Receipt:
    """Record the second signature under a hand-over to `holder_id`. Raises Refused if not theirs, or over."""
    offered = unit.entry(handover_id)
    event = offered.event() if offered else None
    if offered is None or not isinstance(event, HandedOver) or event.cosigned or event.to_holder_id != holder_id:
        raise Refused("handover_unknown", "no hand-over to you is on file under this id")
    require_not_future(unit, act.occurred_at)
    id = derived_id(handover_id, "accepted")
    if unit.entry(id) is None:
        _require_still_offered(unit.cylinder(offered.subject.partition("/")[2]), event, offered.at)
    signed = event.model_copy(update={"cosigned": True})
    record = state_event(
        signed,
        id=id,
        subject=offered.subject,
        occurred_at=act.occurred_at,
        by=by,
        refs=_refs(event),
        act_id=handover_id,
    )
    return unit.append(record)


def _require_still_offered(cylinder: CylinderState | None, offer: HandedOver, at: int) -> None:
    """Raise Refused where the cylinder was handed on, seized or sold since it was offered at `at`."""
    if cylinder is None or (cylinder.custodian_id, cylinder.custody_since) != (offer.to_holder_id, at):
        raise Refused("cannot_follow", "the cylinder was handed on since; ask for a new hand-over")
    if _is_seized_since(cylinder, at):
        _require_authority(cylinder, offer.from_holder_id)
    if offer.basis is not None and cylinder.owner_id != offer.from_holder_id:
        raise Refused("cannot_follow", "it has another owner since; ask them for a new hand-over")


def _refs(event: HandedOver, custodian_id: str | None = None) -> tuple[str, ...]:
    holders = event.from_holder_id, event.to_holder_id, custodian_id
    return tuple(dict.fromkeys(f"holder/{holder_id}" for holder_id in holders if holder_id))


def seize(unit: Unit, act: Seizure, authority_id: str, by: str, forms: ScanForms) -> Receipt:
    """Record the seizure: the very next check anywhere refuses the cylinder."""
    cylinder = find_cylinder(unit, act.code, forms)
    event = Seized(
        authority_id=authority_id,
        document_no=act.document_no,
        cause=act.cause,
        place_id=act.place_id,
        evidence=act.evidence,
    )
    return append_about(unit, cylinder, act, event, by=by, refs=_of_authority(authority_id, cylinder))


def lift_seizure(unit: Unit, act: SeizureLifting, authority_id: str, by: str, forms: ScanForms) -> Receipt:
    """Record that the authority lifts its seizure; raises Refused where none of its stands."""
    cylinder = find_cylinder(unit, act.code, forms)
    if unit.entry(act.id) is None and f"seized/{authority_id}" not in (cylinder.marks or {}):
        raise Refused("cannot_follow", "no seizure by this authority stands")
    event = Released(authority_id=authority_id, document_no=act.document_no, cause=act.cause)
    return append_about(unit, cylinder, act, event, by=by, refs=_of_authority(authority_id, cylinder))


def _of_authority(authority_id: str, cylinder: CylinderState) -> tuple[str, ...]:
    return f"authority/{authority_id}", f"company/{cylinder.owner_id}"
