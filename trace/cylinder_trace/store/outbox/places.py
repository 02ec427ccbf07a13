"""Whom an entry concerns (归属): the companies it is about, and the regions (行政区划) in which it happened.

A cylinder's entry concerns who owned it then, a station's its company, and so on down to the lot and the device.  It
happened where the cylinder belongs, and where the stations are that it names.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Table, func, select

from cylinder_trace.audit import StoredEntry
from cylinder_trace.events import OwnershipTransferred
from cylinder_trace.store.tables import EntryRow, SubjectNowRow

_now: Table = SubjectNowRow.__table__  # type: ignore[attr-defined]
_entry: Table = EntryRow.__table__  # type: ignore[attr-defined]
EVERYWHERE = frozenset({"recall", "rulebook", "authority"})
"""Kinds of subjects that lie in no region: every authority is told of them."""
FOR_ALL = frozenset({"rulebook"})
"""Kinds of subjects that every company is told of."""
_AT_ONCE = 500


class Concerned(NamedTuple):
    """Whom an entry concerns."""

    companies: frozenset[str] | None
    """None = all."""
    regions: frozenset[str] | None
    """None = everywhere."""

    def concerns(self, role: str, org_id: str, district: str | None) -> bool:
        """Whether it is told to an organisation: a company of its own things, an authority of its district."""
        if role == "company":
            return self.companies is None or org_id in self.companies
        in_district = any(region.startswith(district or "") for region in self.regions or ())
        return role == "regulator" and (district is None or self.regions is None or in_district)


class _Station(NamedTuple):
    company_id: str | None
    region: str | None


class Places:
    """Finds out whom entries concern; remembers the stations until one of them changes."""

    def __init__(self) -> None:
        self._stations: dict[str, _Station] = {}
        self._as_of: int | None = None

    def of(self, connection: Connection, entries: Sequence[StoredEntry]) -> list[Concerned]:
        """Whom each of the entries concerns."""
        self._look_at_stations(connection)
        told = [orjson.loads(entry.text) for entry in entries]
        named = {_subject_of(one) for one in told}
        states = _states(
            connection, {name for name in named if name.partition("/")[0] in ("cylinder", "lot", "device")}
        )
        moved = _transfers(connection, {name for name in named if name.startswith("cylinder/")}, entries)
        return [
            self._concerned(one, entry.index, states.get(one["subject"], {}), moved.get(one["subject"], ()))
            for one, entry in zip(told, entries, strict=True)
        ]

    def _concerned(
        self, told: Mapping[str, Any], index: int, state: Mapping[str, Any], moved: Sequence[tuple[int, str]]
    ) -> Concerned:
        kind, _, name = told["subject"].partition("/")
        at = {ref.partition("/")[2] for ref in told.get("refs", ()) if ref.startswith("station/")}
        if kind == "cylinder":
            owner = next((former for when, former in moved if when > index), state.get("owner_id"))
            owners = {owner, *(former for when, former in moved if when == index)}
            region = state.get("region")
            regions = {region} if region else self._regions_of(owners)
            return self._named(owners, regions, at)
        if kind in ("lot", "device", "station"):
            station_id = name if kind == "station" else state.get("station_id")
            station = self._stations.get(station_id or "", _Station(None, None))
            return self._named({station.company_id, state.get("company_id")}, {station.region}, at)
        companies = {name} if kind == "company" else set()
        everywhere = None if kind in EVERYWHERE else frozenset(self._regions_of(companies))
        return Concerned(None if kind in FOR_ALL else frozenset(companies), everywhere)

    def _named(self, companies: Iterable[str | None], regions: Iterable[str | None], at: Iterable[str]) -> Concerned:
        also = (self._stations[station].region for station in at if station in self._stations)
        return Concerned(frozenset(filter(None, companies)), frozenset(filter(None, (*regions, *also))))

    def _regions_of(self, companies: Collection[str | None]) -> set[str]:
        return {one.region for one in self._stations.values() if one.region and one.company_id in companies}

    def _look_at_stations(self, connection: Connection) -> None:
        stations = _now.c.kind == "station"
        newest = connection.scalar(select(func.max(_now.c.log_index)).where(stations))
        if newest != self._as_of:
            rows = connection.execute(select(_now.c.subject, _now.c.state).where(stations))
            self._stations = {subject.partition("/")[2]: _station(orjson.loads(state)) for subject, state in rows}
            self._as_of = newest


def _station(state: Mapping[str, Any]) -> _Station:
    return _Station(state.get("company_id"), state.get("region"))


def _subject_of(told: Mapping[str, Any]) -> str:
    subject: str = told["subject"]
    return subject


def _states(connection: Connection, subjects: Collection[str]) -> dict[str, dict[str, Any]]:
    query = select(_now.c.subject, _now.c.state)
    return {
        subject: orjson.loads(state)
        for names in _some(subjects)
        for subject, state in connection.execute(query.where(_now.c.subject.in_(names)))
    }


def _transfers(
    connection: Connection, subjects: Collection[str], entries: Sequence[StoredEntry]
) -> dict[str, list[tuple[int, str]]]:
    """Changes of owner from the first of the entries on: where in the log, and who owned it before."""
    since = entries[0].index if entries else 0
    query = select(_entry.c.subject, _entry.c.log_index, _entry.c.text).order_by(_entry.c.log_index)
    query = query.where(_entry.c.type == OwnershipTransferred.type, _entry.c.log_index >= since)
    moved: dict[str, list[tuple[int, str]]] = {}
    for names in _some(subjects):
        for subject, index, text in connection.execute(query.where(_entry.c.subject.in_(names))):
            moved.setdefault(subject, []).append((index, orjson.loads(bytes(text))["data"]["from_owner_id"]))
    return moved


def _some(keys: Collection[str]) -> Iterable[Sequence[str]]:
    ordered = sorted(keys)
    return (ordered[start : start + _AT_ONCE] for start in range(0, len(ordered), _AT_ONCE))
