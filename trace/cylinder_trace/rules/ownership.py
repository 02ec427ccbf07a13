"""Is it the station's to fill? R10–R15 (使用登记、产权), R68 (跨区域充装)."""

from typing import Literal

from cylinder_trace.dates import parse_day
from cylinder_trace.rules.case import CylinderCase, Findings, because, missing, when


def not_owned_by_station(case: CylinderCase) -> Findings | None:
    """R10: neither the station's company's own, nor in its custody on a basis that the rulebook accepts.

    城镇燃气管理条例 18(七); 山东特设条例 24 (自有或者托管); 北京燃气条例 26 (供用气合同范围内).
    """
    basis = case.cylinder.basis_of(case.station.company_id)
    return None if basis in case.book.ownership.basis else {"owner_id": case.cylinder.owner_id}


def not_registered(case: CylinderCase) -> Findings | None:
    """R11: in service longer than the grace period and not registered. 特设法 33, 83."""
    grace = case.book.ownership.registration_grace_days
    if case.cylinder.registration_no or case.today <= parse_day(case.cylinder.in_service_on) + grace:
        return None
    return {"days": grace}


def technical_file_missing(case: CylinderCase) -> Findings | None:
    """R12: product certificate or certificate of supervised making not on file. 特设法 35, 83."""
    technical = case.cylinder.technical
    on_file = _is_present(technical.certificate if technical else None)
    return when(missing(on_file, case.book.ownership.technical_file))


def head_mark_missing(case: CylinderCase) -> Findings | None:
    """R13: the head must bear the filling company's mark, and bears none, or another's. 市场监管总局 2021 通知."""
    made, begin = case.cylinder.stamp.manufactured_month, case.book.ownership.head_mark_from
    if made is None or begin is None or made < begin:
        return None
    technical = case.cylinder.technical
    marked = _is_present(technical.head_mark if technical else None)
    if "head_mark_absent" in case.request.findings or missing(marked, case.book.ownership.head_mark):
        return when(True)
    bearer = technical.head_mark_owner_id if technical else None
    rightful = (None, case.station.company_id, case.cylinder.owner_id)
    return None if bearer in rightful else because("head_mark_of_another", bearer_id=str(bearer))


def _is_present(stated: Literal["present", "missing"] | None) -> bool | None:
    return None if stated is None else stated == "present"


def registered_twice(case: CylinderCase) -> Findings | None:
    """R14: two live registrations of one cylinder, until an authority has settled it. 一瓶一充装单位."""
    return when("double_registered" in case.cylinder.flags)


def transfer_cooling(case: CylinderCase) -> Findings | None:
    """R15: changed hands too recently, or without the old owner's signature (laundering by transfer)."""
    moved, cooling = case.cylinder.transferred_on, case.book.ownership.cooling_days
    if moved is None:
        return None
    if case.cylinder.transfer_cosigned and case.today >= parse_day(moved) + cooling:
        return None
    return {"days": cooling}


def other_region(case: CylinderCase) -> Findings | None:
    """R68: bound to a region other than the one in which this station is licensed. 严禁跨区域充装."""
    bound, here = case.cylinder.region, case.station.region
    if bound is None or bound == here or case.book.ownership.regions == "any":
        return None
    return {"region": bound}
