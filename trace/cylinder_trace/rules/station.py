"""May this station, scale and filler fill at all now? R60–R66 (充装许可、人员、衡器、时钟、数据)."""

from cylinder_trace.dates import HOUR_MS, parse_day
from cylinder_trace.rules.case import Case, Findings, when


def _in_force(until: str | None, today: int) -> bool:
    return until is not None and today <= parse_day(until)


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
    """R63: locked by the regulator."""
    return when(case.station.scale_locked)


def clock_suspect(case: Case) -> Findings | None:
    """R65: station clock too far from trusted time, or nobody can tell."""
    skew = case.station.clock_skew_ms
    return when(skew is None or abs(skew) > case.book.station.clock_skew_max_seconds * 1000)


def data_too_old(case: Case) -> Findings | None:
    """R66: the facts are older than the regulator allows, or from the future."""
    hours = case.book.station.data_max_age_hours
    age = case.now - case.station.data_as_of
    slack = case.book.station.clock_skew_max_seconds * 1000
    return None if -slack <= age <= hours * HOUR_MS else {"hours": hours}
