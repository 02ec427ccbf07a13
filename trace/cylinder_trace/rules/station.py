"""May this station, scale and filler fill at all now? R50–R51 gas (气质), R60–R67 (许可、人员、衡器、时钟、数据)."""

from cylinder_trace.dates import HOUR_MS, format_minute, parse_day
from cylinder_trace.rules.case import Case, Findings, because, missing, when


def _in_force(until: str | None, today: int) -> bool:
    return until is not None and today <= parse_day(until)


def wrong_medium(case: Case) -> Findings | None:
    """R50: the tank that feeds this scale holds another gas than the cylinder's. 山东特设条例 24; check P16."""
    product = case.station.lot_product
    return None if product in (None, case.request.medium) else {"product": str(product)}


def lot_not_released(case: Case) -> Findings | None:
    """R51: the gas lot is blocked or not released (二甲醚、加臭), or not named where it must be. 严禁掺混二甲醚."""
    standing, named = case.station.lot_standing, case.request.lot_id
    released = standing == "released" if standing or named else None
    return when(missing(released, case.book.station.gas_lot))


def licence_invalid(case: Case) -> Findings | None:
    """R60: filling licence missing, run out or suspended. 特设法 49, 85."""
    station = case.station
    return when(station.licence_suspended or not _in_force(station.licence_valid_until, case.today))


def filler_not_certified(case: Case) -> Findings | None:
    """R61: nobody signed on, or no certificate in force. 特设法 86."""
    return when(not _in_force(case.station.worker_certified_until, case.today))


def scale_not_verified(case: Case) -> Findings | None:
    """R62: the scale's verification is missing or has run out."""
    return when(not _in_force(case.station.scale_verified_until, case.today))


def scale_locked(case: Case) -> Findings | None:
    """R63: the regulator has locked the scale, its lane or the station. 监管远程锁秤."""
    lock = case.station.lock
    if lock is None:
        return when(case.station.scale_locked)
    facts = {"target": lock.target, "authority_id": lock.authority_id, "proof": lock.proof}
    return (
        because("locked", **facts)
        if lock.until is None
        else because("locked_until", **facts, until=format_minute(lock.until))
    )


def clock_suspect(case: Case) -> Findings | None:
    """R65: station clock too far from trusted time, or nobody can tell, or not checked for too long after a restart."""
    station, rules = case.station, case.book.station
    skew, unchecked = station.clock_skew_ms, station.clock_unchecked_ms
    if unchecked is not None and not 0 <= unchecked < rules.clock_unchecked_hours * HOUR_MS:
        return when(True)
    return when(skew is None or abs(skew) > rules.clock_skew_max_seconds * 1000)


def data_too_old(case: Case) -> Findings | None:
    """R66: the facts are older than the regulator allows, or from the future, or the rulebook is not in force today."""
    hours = case.book.station.data_max_age_hours
    age = case.now - case.station.data_as_of
    slack = case.book.station.clock_skew_max_seconds * 1000
    if not -slack <= age <= hours * HOUR_MS:
        return {"hours": hours}
    return None if case.book.covers(case.today) else because("rulebook_not_in_force", hours=hours)


def journal_not_writable(case: Case) -> Findings | None:
    """R67: what is decided cannot be written down, so it is not permitted (无记录不充装). 特设法 85(一)."""
    return when(case.station.journal_writable is False)
