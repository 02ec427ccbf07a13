"""What an authority states about stations and companies (监管): locks on scales, licences."""

from typing import Annotated, Literal

from pydantic import Field

from cylinder_api.acts.common import require_not_future
from cylinder_api.refusals import Refused
from cylinder_trace.events import LicenceRecorded, ScaleLocked, ScaleUnlocked, state_event
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.values import Day, Evidence, Frozen, Id, Instant, Text
from cylinder_trace.vocabulary.licensing import Standing


class LockAct(Frozen):
    """A scale is locked or unlocked (监管锁秤)."""

    id: Id
    station_id: Id
    scale_id: Id
    locked: bool
    cause: Text
    occurred_at: Instant


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


class LicenceAct(Frozen):
    """A company's licence as given, changed, suspended or revoked (许可变更)."""

    id: Id
    company_id: Id
    """Also an inspection body's id."""
    licence_no: Text
    scope: Literal["making", "filling", "gas_business", "inspection", "transport"]
    valid_from: Day
    valid_until: Day
    standing: Standing = "valid"
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=16)] = ()
    occurred_at: Instant


def record_licence(unit: Unit, act: LicenceAct, authority_id: str, by: str) -> Receipt:
    """Record what the register says of a company's licence from now on."""
    require_not_future(unit, act.occurred_at)
    facts = {name: getattr(act, name) for name in ("licence_no", "scope", "valid_from", "valid_until", "standing")}
    record = state_event(
        LicenceRecorded(authority_id=authority_id, evidence=act.evidence, **facts),
        id=act.id,
        subject=f"company/{act.company_id}",
        occurred_at=act.occurred_at,
        by=by,
        refs=(f"authority/{authority_id}",),
    )
    return unit.append(record)
