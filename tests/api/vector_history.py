"""The past that gives a ledger the facts of an admission vector: who stated what, and when.

A vector says what is known at the moment of a scan. A service knows nothing but what was recorded, so the same facts
are told here as events, in the order in which they happened.
"""

from collections.abc import Iterator
from itertools import pairwise

from cylinder_trace import events
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import parse_day, start_of_day_ms
from cylinder_trace.decision import Decision, FillRequest, StationFacts
from cylinder_trace.events import Event
from cylinder_trace.vocabulary.inspecting import MANDATORY_ITEMS
from vectors.admission.cases import Case

Told = tuple[int, Event]
"""An event and the moment at which it happened and was recorded, UTC ms."""
_LONG_AGO = 978_307_200_000
"""Before anything in the vectors happened: 2001."""


def can_be_told(case: Case) -> bool:
    """Whether any events lead a service to the facts of the case.

    What the service takes from nobody: its own clock against the station's, the age of its own data, its own disk, what
    is at a station's other lanes; nor anything ahead of its clock.  No event licenses a station without a date
    or a company; neither a passed inspection with a missing item nor a dead code bound again is recorded.
    """
    facts, inspection = case.station, case.cylinder.inspection if case.cylinder else None
    own = facts.clock_skew_ms is None or facts.data_as_of != case.now or facts.journal_writable is False
    own = own or facts.busy_lane is not None or facts.clock_unchecked_ms is not None
    ahead = case.cylinder and (case.cylinder.last_seen_at or 0) > case.now
    unlicensed = facts.licence_valid_until is None or facts.company_id is None
    incomplete = inspection and inspection.result == "passed" and inspection.items_complete is False
    revived = case.cylinder and set(case.cylinder.codes) & set(case.cylinder.voided_codes)
    return not (own or unlicensed or incomplete or revived or ahead)


def told_of_station(case: Case) -> Iterator[Event]:
    """What is recorded about the station."""
    facts, request = case.station, case.request
    assert facts.company_id
    assert facts.licence_valid_until
    yield events.StationLicensed(
        company_id=facts.company_id,
        licence_no="L1",
        valid_until=facts.licence_valid_until,
        suspended=facts.licence_suspended,
        region=facts.region or "nowhere in the vectors",
    )
    if facts.scale_verified_until:
        yield events.ScaleVerified(scale_id=request.scale_id, valid_until=facts.scale_verified_until)
    if lock := facts.lock:
        scale_id = request.scale_id if lock.target == "scale" else None
        lane = request.lane if lock.target == "lane" else None
        yield events.FillingLocked(
            target=lock.target,
            lane=lane,
            scale_id=scale_id,
            authority_id=lock.authority_id,
            cause="演示",
            until=lock.until,
        )
    elif facts.scale_locked:
        yield events.ScaleLocked(scale_id=request.scale_id, authority_id="authority-1", cause="演示")
    if facts.worker_certified_until and request.worker_id:
        yield events.WorkerCertified(worker_id=request.worker_id, valid_until=facts.worker_certified_until)


def told_of_lot(case: Case) -> Iterator[Event]:
    """What is recorded about the gas lot that the request names; nothing of one that nobody has on file."""
    facts = case.station
    if facts.lot_product is None:
        return
    yield events.GasLotReceived(
        station_id=case.request.station_id,
        supplier_id="supplier-1",
        product=facts.lot_product,
        mass_g=20_000_000,
        document_no="D1",
    )
    if facts.lot_standing == "released":
        yield events.GasLotReleased(released_by="worker-1", report_no="R1")
    elif facts.lot_standing == "blocked":
        yield events.GasLotBlocked(blocked_by="authority-1", cause="二甲醚")


def told_of_cylinder(cylinder: CylinderState, request: FillRequest) -> list[Told]:
    """What is recorded about the cylinder, in the order in which it happened."""
    parts = (_codes, _owners, _inspections, _marks, _valve, _fills, _sightings, _whereabouts)
    told = [item for part in parts for item in part(cylinder, request)]
    return [(_LONG_AGO, _registration(cylinder)), *sorted(told, key=lambda item: item[0])]


def _registration(cylinder: CylinderState) -> Event:
    return events.CylinderRegistered(
        stamp=cylinder.stamp,
        owner_id="company-of-before" if cylinder.transferred_on else cylinder.owner_id,
        registration_no=cylinder.registration_no,
        in_service_on=cylinder.in_service_on,
        technical=cylinder.technical,
        region=cylinder.region,
    )


def _codes(cylinder: CylinderState, request: FillRequest) -> Iterator[Told]:
    unapproved = cylinder.unapproved_codes or ()
    rightful = [*cylinder.voided_codes, *(code for code in cylinder.codes if code not in unapproved)]
    if rightful:
        yield _LONG_AGO + 1, events.CodeBound(code=rightful[0])
    for old, new in pairwise(rightful):  # each took the place of the one before it, with an approval
        asked = f"retag.{old}"
        yield _LONG_AGO + 2, events.RetagRequested(old_code=old, cause="标签脱落", stamp_serial_seen="A1")
        yield (
            _LONG_AGO + 2,
            events.RetagApproved(request_id=asked, old_code=old, new_code=new, approver_id="authority-1"),
        )
        yield _LONG_AGO + 2, events.CodeBound(code=new)
    if rightful and not cylinder.codes:
        yield _LONG_AGO + 3, events.CodeVoided(code=rightful[-1], cause="注销")
    for code in unapproved:
        yield _LONG_AGO + 3, events.CodeBound(code=code)
    for old in (cylinder.retags or {}).values():
        yield _LONG_AGO + 4, events.RetagRequested(old_code=old, cause="标签破损", stamp_serial_seen="A1")


def _owners(cylinder: CylinderState, request: FillRequest) -> Iterator[Told]:
    if cylinder.transferred_on:
        sold = events.OwnershipTransferred(
            from_owner_id="company-of-before", to_owner_id=cylinder.owner_id, cosigned=cylinder.transfer_cosigned
        )
        yield _day(cylinder.transferred_on), sold
    if cylinder.custodian_id:
        handed = events.HandedOver(
            from_holder_id=cylinder.owner_id,
            to_holder_id=cylinder.custodian_id,
            cosigned=True,
            basis=cylinder.custody_basis,
        )
        yield cylinder.custody_since or _LONG_AGO, handed


def _inspections(cylinder: CylinderState, request: FillRequest) -> Iterator[Told]:
    if inspection := cylinder.inspection:
        inspected = events.Inspected(
            body_id="body-1",
            inspected_month=inspection.inspected_month,
            next_due_month=inspection.next_due_month,
            result=inspection.result,
            report_no="I1",
            items=tuple(sorted(MANDATORY_ITEMS)) if inspection.items_complete else None,
            items_recorded=inspection.items_recorded,
            body_licensed=inspection.body_licensed,
        )
        yield _day(inspection.recorded_on), inspected
    if cylinder.evaluated_until:
        until = cylinder.evaluated_until
        yield (
            _LONG_AGO + 5,
            events.Evaluated(body_id="body-1", passed=True, valid_until_month=until, report_no="E1"),
        )


def _marks(cylinder: CylinderState, request: FillRequest) -> Iterator[Told]:
    for flag in cylinder.flags:
        yield _LONG_AGO + 6, events.Flagged(flag=flag, authority_id="authority-1", cause="演示")
    for mark, at in (cylinder.marks or {}).items():
        yield at, _mark(mark)
    for mark, at in (cylinder.lifted or {}).items():
        yield at - 1, _mark(mark)
        yield at, _lifting(mark)


def _mark(mark: str) -> Event:
    kind, _, by = mark.partition("/")
    match kind:
        case "seized":
            return events.Seized(authority_id=by, document_no="S1", cause="演示")
        case "lost":
            return events.ReportedLost(holder_id=by, cause="演示")
    return events.Recalled(recall_id=by, cause="演示")


def _lifting(mark: str) -> Event:
    kind, _, by = mark.partition("/")
    match kind:
        case "seized":
            return events.Released(authority_id=by, document_no="S1", cause="演示")
        case "lost":
            return events.Found(holder_id=by, cause="演示")
    return events.RecallLifted(recall_id=by, cause="演示")


def _valve(cylinder: CylinderState, request: FillRequest) -> Iterator[Told]:
    if valve := cylinder.valve:
        changed = events.ValveChanged(
            body_id="body-1", maker=valve.maker, serial=valve.serial, made_month=valve.made_month
        )
        yield valve.changed_at, changed


def _fills(cylinder: CylinderState, request: FillRequest) -> Iterator[Told]:
    if cylinder.last_filled_at is None:
        return
    at, net_g = cylinder.last_filled_at, cylinder.last_net_g or 0
    tare_g = cylinder.stamp.tare_g
    filled = events.Filled(
        check_id="earlier", station_id=request.station_id, scale_id="scale-1", lane=1, worker_id="worker-1",
        started_at=at - 60_000, ended_at=at, empty_gross_g=tare_g, full_gross_g=tare_g + net_g, net_g=net_g,
        ended_because="limit_reached",
    )  # fmt: skip
    yield at, filled
    yield at + 1, events.Returned(station_id=request.station_id)


def _sightings(cylinder: CylinderState, request: FillRequest) -> Iterator[Told]:
    at, place = cylinder.last_seen_at, cylinder.last_seen_station_id
    if at is None or place is None:
        return
    asked = request.model_copy(
        update={"check_id": f"{request.check_id}.before", "station_id": place, "requested_at": at}
    )
    facts = StationFacts(station_id=place, data_as_of=at)
    refused = Decision(
        check_id=asked.check_id, outcome="DENY", rulebook="cn-default@2026.1", data_as_of=at, decided_at=at
    )
    yield at, events.FillDecided(request=asked, station=facts, decision=refused, decided_by="service")


def _whereabouts(cylinder: CylinderState, request: FillRequest) -> Iterator[Told]:
    here, at = request.station_id, cylinder.status_since
    moved: dict[str, Event] = {
        "filled": events.FillStarted(
            check_id="earlier", station_id=here, scale_id="scale-1", lane=1, worker_id="worker-1", empty_gross_g=0
        ),
        "in_delivery": events.LeftStation(station_id=here, worker_id="worker-9"),
        "at_customer": events.Sold(
            order_no="O1", point_id="point-1", worker_id="worker-9", customer_id="customer-1",
            identity_commitment="0" * 64, safety_check_passed=True,
        ),
        "in_inspection": events.SentToInspection(body_id="body-1"),
        "condemned": events.Condemned(body_id="body-1", cause="壁厚不足"),
        "destroyed": events.Destroyed(body_id="body-1", method="cut", evidence_sha256=("0" * 64,) * 3),
    }  # fmt: skip
    if cylinder.status in moved:
        yield at, moved[cylinder.status]


def _day(day: str) -> int:
    return start_of_day_ms(parse_day(day))
