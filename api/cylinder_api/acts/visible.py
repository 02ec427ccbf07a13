"""Whose cylinders a caller sees: companies and their stations their own, makers what they made, the others all."""

from cylinder_api.access import Account
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.station import StationState
from cylinder_trace.store.reader import Reader

_AT_STATION = frozenset({"station", "manager", "filler", "checker"})
_MAKERS = frozenset({"maker"})
_NOBODY = ""
"""An owner whom no cylinder has."""


def company_of(reader: Reader, caller: Account) -> str | None:
    """The company whose cylinders the caller is confined to; None for roles that see all."""
    if caller.role == "company":
        return caller.org_id
    if caller.role in _AT_STATION:
        station = reader.state(f"station/{caller.org_id}")
        return (station.company_id if isinstance(station, StationState) else None) or _NOBODY
    return None


def may_see(reader: Reader, caller: Account, cylinder: CylinderState) -> bool:
    """Whether the caller may look at this cylinder and its history."""
    if caller.role in _MAKERS:
        made_by = cylinder.made.maker_id if cylinder.made else None
        return caller.org_id in (cylinder.owner_id, made_by)
    return company_of(reader, caller) in (None, cylinder.owner_id)
