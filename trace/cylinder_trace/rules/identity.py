"""Is this the cylinder its code says? R01–R06 (一瓶一码)."""

from cylinder_codes.stamps import compare_stamps
from cylinder_trace.dates import MINUTE_MS
from cylinder_trace.rules.case import Case, CylinderCase, Findings, because, when


def code_unreadable(case: Case) -> Findings | None:
    """R01: no code could be read. 一瓶一码;重庆市特种设备安全条例 29."""
    if case.request.code is not None:
        return None
    return {"why": case.request.unreadable_because or "empty"}


def cylinder_unknown(case: Case) -> Findings | None:
    """R02: the code is well formed, but no cylinder is on file under it here. 特设法 35, 49."""
    if case.station.on_dead_list:
        return because("on_dead_list")
    return when(case.request.code is not None)


def code_seen_elsewhere(case: CylinderCase) -> Findings | None:
    """R03: the same code was at another station too recently to be one cylinder, is at another lane of this one now, or
    an authority found it doubled.

    电子标识唯一性.
    """
    if "cloned" in case.cylinder.flags:
        return because("cloned")
    if case.station.busy_lane is not None:
        return because("at_another_lane", lane=case.station.busy_lane)
    return _seen_too_recently(case)


def _seen_too_recently(case: CylinderCase) -> Findings | None:
    cylinder, request = case.cylinder, case.request
    if cylinder.last_seen_at is None or cylinder.last_seen_station_id in (None, request.station_id):
        return None
    minutes = abs(request.requested_at - cylinder.last_seen_at) // MINUTE_MS
    if minutes >= case.book.identity.travel_minutes:
        return None
    return {"minutes": minutes, "station_id": str(cylinder.last_seen_station_id)}


def stamp_mismatch(case: CylinderCase) -> Findings | None:
    """R04: the filler, or a device that read the steel, found it to differ from the file. 特设法 49; check P1."""
    differ: tuple[str, ...] = ()
    if seen := case.request.stamp_seen:
        differ = compare_stamps(case.cylinder.stamp, seen, case.book.identity.stamp_tare_tolerance_g).differ
    if differ:
        return {"stamp_fields": " ".join(differ)}
    return when("stamp_mismatch" in case.request.findings)


def code_voided(case: CylinderCase) -> Findings | None:
    """R05: a dead code was scanned: a scrapped cylinder came back. 特设法 48."""
    return when(case.request.code in case.cylinder.voided_codes)


def tag_not_approved(case: CylinderCase) -> Findings | None:
    """R06: a tag replaced without approval, asked to be replaced, or seen to be refitted. 上海 2010 通告;check P1."""
    code, cylinder = case.request.code, case.cylinder
    if code in (cylinder.unapproved_codes or ()):
        return because("tag_replaced")
    if code in (cylinder.retags or {}).values():
        return because("tag_request_open")
    return when("tag_refitted" in case.request.findings)
