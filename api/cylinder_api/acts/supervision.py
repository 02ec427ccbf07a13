"""What an authority states about a station (监管): locks on scales."""

from cylinder_api.acts.common import require_not_future
from cylinder_api.refusals import Refused
from cylinder_trace.events import ScaleLocked, ScaleUnlocked, state_event
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.values import Frozen, Id, Instant, Text


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
