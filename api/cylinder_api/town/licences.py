"""The rulebook, and what makes a station fit to fill: licence, verified scales, certified fillers."""

from cylinder_api.town.chronicle import Chronicle
from cylinder_api.town.organisations import (
    DEMO_STATION,
    FILLER_OUT_OF_DATE,
    REGION,
    REGULATOR,
    SCALE_LOCKED,
    SCALE_OUT_OF_DATE,
    SUSPENDED_STATION,
    Organisations,
    Station,
)
from cylinder_api.town.plan import TownPlan
from cylinder_trace.dates import HOUR_MS, format_day, start_of_day_ms
from cylinder_trace.events import (
    RulebookPublished,
    ScaleLocked,
    ScaleVerified,
    StationLicensed,
    WorkerCertified,
    state_event,
)

_LICENSED_DAYS_AGO, _LICENCE_DAYS = 800, 1461
_VERIFIED_DAYS_AGO, _VERIFICATION_DAYS = 90, 365
_CERTIFIED_DAYS_AGO, _CERTIFICATE_DAYS = 400, 1461
_OUT_SINCE_DAYS = 90
"""So many days before the plan's day, whatever has run out or is suspended did so."""


def publish_rulebook(chronicle: Chronicle, plan: TownPlan) -> None:
    """The rulebook comes first into the ledger: every decision of the town quotes it."""
    book = chronicle.book
    event = RulebookPublished(rulebook_id=book.rulebook_id, version=book.version, text=plan.rulebook_text)
    record = state_event(
        event,
        id=f"rulebook.{book.rulebook_id}.{book.version}",
        subject=f"rulebook/{book.rulebook_id}",
        occurred_at=plan.go_live_at - HOUR_MS,
        by=REGULATOR,
    )
    chronicle.add(record, 0)


def put_stations_in_order(chronicle: Chronicle, plan: TownPlan, organisations: Organisations) -> None:
    """License every station, verify its scales, certify its fillers; then what is not in order on purpose."""
    for station in organisations.stations:
        _license(chronicle, plan, station, _LICENSED_DAYS_AGO, suspended=False)
        for scale_id in station.scale_ids:
            _verify(chronicle, plan, station.station_id, scale_id, _VERIFIED_DAYS_AGO)
        for filler_id in station.filler_ids:
            _certify(chronicle, plan, station.station_id, filler_id, _CERTIFIED_DAYS_AGO)
        if station.station_id == SUSPENDED_STATION:
            _license(chronicle, plan, station, _OUT_SINCE_DAYS, suspended=True)
    _verify(chronicle, plan, DEMO_STATION, SCALE_OUT_OF_DATE, _VERIFICATION_DAYS + _OUT_SINCE_DAYS)
    _verify(chronicle, plan, DEMO_STATION, SCALE_LOCKED, _VERIFIED_DAYS_AGO)
    _certify(chronicle, plan, DEMO_STATION, FILLER_OUT_OF_DATE, _CERTIFICATE_DAYS + _OUT_SINCE_DAYS)
    locked = ScaleLocked(scale_id=SCALE_LOCKED, authority_id=REGULATOR, cause="监督检查发现擅自调整零点")
    chronicle.add_to_station(DEMO_STATION, locked, _morning(plan, _OUT_SINCE_DAYS), REGULATOR)


def _license(chronicle: Chronicle, plan: TownPlan, station: Station, days_ago: int, suspended: bool) -> None:
    event = StationLicensed(
        company_id=station.company_id,
        licence_no=f"演示充装字{station.station_id}",
        valid_until=format_day(plan.today - _LICENSED_DAYS_AGO + _LICENCE_DAYS),
        suspended=suspended,
        region=REGION,
    )
    chronicle.add_to_station(station.station_id, event, _morning(plan, days_ago), REGULATOR)


def _verify(chronicle: Chronicle, plan: TownPlan, station_id: str, scale_id: str, days_ago: int) -> None:
    valid_until = format_day(plan.today - days_ago + _VERIFICATION_DAYS)
    event = ScaleVerified(scale_id=scale_id, valid_until=valid_until)
    chronicle.add_to_station(station_id, event, _morning(plan, days_ago), REGULATOR)


def _certify(chronicle: Chronicle, plan: TownPlan, station_id: str, worker_id: str, days_ago: int) -> None:
    valid_until = format_day(plan.today - days_ago + _CERTIFICATE_DAYS)
    event = WorkerCertified(worker_id=worker_id, valid_until=valid_until)
    chronicle.add_to_station(station_id, event, _morning(plan, days_ago), REGULATOR)


def _morning(plan: TownPlan, days_ago: int) -> int:
    return start_of_day_ms(plan.today - days_ago) + 9 * HOUR_MS
