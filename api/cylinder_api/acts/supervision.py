"""What an authority states (监管): marks on cylinders, and locks on scales."""

from typing import Annotated

from pydantic import Field

from cylinder_api.acts.common import CylinderAct, append_about, find_cylinder, require_not_future
from cylinder_api.refusals import Refused
from cylinder_codes.legacy_forms import ScanForms
from cylinder_trace.events import Event, FlagCleared, Flagged, FlagKind, ScaleLocked, ScaleUnlocked, state_event
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.values import Frozen, Id, Instant, Sha256, Text


class FlagAct(CylinderAct):
    """A mark on a cylinder (标记)."""

    flag: FlagKind
    cause: Text
    evidence_sha256: Annotated[tuple[Sha256, ...], Field(max_length=32)] = ()


class FlagClearing(CylinderAct):
    """A mark is lifted (撤销标记)."""

    flag: FlagKind
    cause: Text


class LockAct(Frozen):
    """A scale is locked or unlocked (监管锁秤)."""

    id: Id
    station_id: Id
    scale_id: Id
    locked: bool
    cause: Text
    occurred_at: Instant


def set_flag(unit: Unit, act: FlagAct | FlagClearing, authority_id: str, by: str, forms: ScanForms) -> Receipt:
    """Record that the authority marks the cylinder, or lifts the mark."""
    cylinder = find_cylinder(unit, act.code, forms)
    event: Event
    if isinstance(act, FlagAct):
        event = Flagged(flag=act.flag, authority_id=authority_id, cause=act.cause, evidence_sha256=act.evidence_sha256)
    else:
        event = FlagCleared(flag=act.flag, authority_id=authority_id, cause=act.cause)
    refs = (f"authority/{authority_id}", f"company/{cylinder.owner_id}")
    return append_about(unit, cylinder, act, event, by=by, refs=refs)


def lock_scale(unit: Unit, act: LockAct, authority_id: str, by: str) -> Receipt:
    """Record that the authority locks or unlocks a scale of a station on file."""
    if unit.station(act.station_id) is None:
        raise Refused("station_unknown", f"no station {act.station_id} is on file")
    require_not_future(unit, act.occurred_at)
    kind = ScaleLocked if act.locked else ScaleUnlocked
    event = kind(scale_id=act.scale_id, authority_id=authority_id, cause=act.cause)
    record = state_event(
        event,
        id=act.id,
        subject=f"station/{act.station_id}",
        occurred_at=act.occurred_at,
        by=by,
        refs=(f"authority/{authority_id}",),
    )
    return unit.append(record)
