"""Where an authority acts (辖区): on stations, licences, certificates, registrations and disputes of its own district.

A station lies where its licence says, a cylinder where its own region says, else where its owner's stations are; a
company and a person where their stations are. Flags, seizures and recalls are not asked: a bad cylinder is marked
where it is found. Reading is nationwide, because cylinders travel.
"""

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import select

from cylinder_api.access import Account, require_district
from cylinder_trace.events import DisputeResolved, Flagged
from cylinder_trace.lots import LotState
from cylinder_trace.station import StationState
from cylinder_trace.store.tables import SubjectNowRow
from cylinder_trace.store.unit import Receipt, Unit

_now = SubjectNowRow.__table__  # type: ignore[attr-defined]


def in_district(caller: Account, work: Callable[..., Receipt]) -> Callable[..., Receipt]:
    """`work`, which is undone where what it was stated about lies in another authority's district."""

    def run(unit: Unit, *others: Any) -> Receipt:
        receipt = work(unit, *others)
        if caller.district is not None and not receipt.replayed and not _is_about_a_flag(unit, receipt):
            require_subject_in_district(unit, caller, receipt.subject)
        return receipt

    return run


def require_subject_in_district(unit: Unit, caller: Account, subject: str) -> None:
    """Raise Refused where a subject of the ledger lies in another district. A unit that raises leaves nothing."""
    regions = _regions_of(unit, subject)
    if regions is not None and not any(_lies_in(caller, region) for region in regions):
        require_district(caller, next(iter(sorted(regions)), None), subject)


def _lies_in(caller: Account, region: str) -> bool:
    return caller.district is None or region.startswith(caller.district)


def _is_about_a_flag(unit: Unit, receipt: Receipt) -> bool:
    """A flag may be set anywhere, so its second person looks at it from anywhere: which authority, is asked there."""
    entry = unit.entry(receipt.id)
    if entry is None or entry.type != DisputeResolved.type:
        return False
    dispute = unit.entry(str(entry.data["dispute_id"]))
    about = unit.entry(str(dispute.data["about_id"])) if dispute else None
    return about is not None and about.type == Flagged.type


def _regions_of(unit: Unit, subject: str) -> Collection[str] | None:
    """The regions in which a subject lies; None for what lies in none: a company before its first station."""
    kind, _, name = subject.partition("/")
    match kind:
        case "station":
            return _regions([unit.station(name)])
        case "cylinder":
            cylinder = unit.cylinder(name)
            own = cylinder.region if cylinder else None
            return {own} if own else _regions(_stations_saying(unit, cylinder.owner_id if cylinder else ""))
        case "device":
            device = unit.device(name)
            return _regions([unit.station(device.station_id)] if device else [])
        case "lot":
            lot = unit.subject(subject).state
            station_id = lot.station_id if isinstance(lot, LotState) else None
            return _regions([unit.station(station_id)] if station_id else [])
        case "company" | "worker":
            return _regions(_stations_saying(unit, name)) or None
    return None


def _regions(stations: Collection[StationState | None]) -> set[str]:
    return {station.region for station in stations if station is not None and station.region}


def _stations_saying(unit: Unit, name: str) -> list[StationState]:
    """The stations of a company, or those where a person fills."""
    named = _now.c.state.contains(f'"{name}"', autoescape=True)
    rows = unit.connection.execute(select(_now.c.subject).where(_now.c.kind == "station", named))
    found = [unit.station(row.subject.partition("/")[2]) for row in rows]
    return [one for one in found if one is not None and (one.company_id == name or name in one.workers)]


def require_station_in_district(unit: Unit, caller: Account, station_id: str | None) -> None:
    """Raise Refused for a station on file that lies in another district: nobody takes it over by a new licence."""
    if station_id is not None and unit.station(station_id) is not None:
        require_subject_in_district(unit, caller, f"station/{station_id}")


def first_in_district(caller: Account, station_id: str | None, work: Callable[..., Receipt]) -> Callable[..., Receipt]:
    """`in_district`, for an act that may itself say where the station lies: it must have lain there before too."""
    checked = in_district(caller, work)

    def run(unit: Unit, *others: Any) -> Receipt:
        require_station_in_district(unit, caller, station_id)
        return checked(unit, *others)

    return run
