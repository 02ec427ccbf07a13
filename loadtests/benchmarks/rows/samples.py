"""One good cylinder, the station it is filled at, and the question whether it may be: generated, nobody's real data."""

from cylinder_trace.cylinder import CylinderState, InspectionState
from cylinder_trace.dates import parse_day, start_of_day_ms
from cylinder_trace.decision import FillRequest, StationFacts
from cylinder_trace.events import CylinderRegistered, Filled, Record, Stamp, state_event

NOW = start_of_day_ms(parse_day("2026-11-22")) + 10 * 3_600_000
CODE = "7K2M9QRT4XWZB8NDPVHC3J5E42"
_STAMP = Stamp(
    maker="示例制造单位",
    serial="A22050001",
    model="YSP35.5",
    manufactured_month="2022-05",
    tare_g=16_500,
    water_volume_ml=35_500,
    max_fill_g=14_900,
    design_life_months=96,
)


def cylinder() -> CylinderState:
    """A cylinder that may be filled at `NOW`."""
    return CylinderState(
        cylinder_id="cyl_00000000000000000000000001",
        n=4,
        stamp=_STAMP,
        owner_id="company-1",
        registration_no="EXAMPLE-0001",
        in_service_on="2022-06-01",
        codes=(CODE,),
        inspection=InspectionState(
            inspected_month="2026-05", next_due_month="2030-05", result="passed", recorded_on="2026-05-20"
        ),
        status_since=NOW - 86_400_000,
    )


def station_facts() -> StationFacts:
    """A station in order."""
    return StationFacts(
        station_id="station-1",
        company_id="company-1",
        licence_valid_until="2029-12-31",
        scale_verified_until="2029-12-31",
        worker_certified_until="2029-12-31",
        clock_skew_ms=0,
        data_as_of=NOW,
    )


def fill_request() -> FillRequest:
    """The question at the scale."""
    return FillRequest(
        check_id="check-0001",
        raw_scan=f"HTTPS://ID.PINGLIAN.EXAMPLE/C/{CODE}\r",
        code=CODE,
        station_id="station-1",
        scale_id="scale-1",
        lane=1,
        boot_id="boot-1",
        worker_id="worker-1",
        empty_gross_g=16_600,
        requested_at=NOW,
    )


def registration(number: int) -> Record:
    """Cylinder `number` is put on file."""
    event = CylinderRegistered(
        stamp=_STAMP, owner_id="company-1", registration_no=f"EXAMPLE-{number:06d}", in_service_on="2022-06-01"
    )
    return state_event(event, id=f"reg-{number}", subject=_subject(number), occurred_at=NOW, by="company-1")


def fill(number: int, cylinder_number: int) -> Record:
    """Fill `number` of all, of cylinder `cylinder_number`."""
    event = Filled(
        check_id=f"check-{number}",
        station_id="station-1",
        scale_id="scale-1",
        lane=1,
        worker_id="worker-1",
        started_at=NOW + number,
        ended_at=NOW + number + 60_000,
        empty_gross_g=16_600,
        full_gross_g=31_000,
        net_g=14_500,
        ended_because="limit_reached",
    )
    return state_event(
        event,
        id=f"fill-{number}",
        subject=_subject(cylinder_number),
        occurred_at=NOW + number + 60_000,
        by="station-1",
        refs=("station/station-1", "worker/worker-1"),
    )


def _subject(number: int) -> str:
    return f"cylinder/cyl_{number:026d}"
