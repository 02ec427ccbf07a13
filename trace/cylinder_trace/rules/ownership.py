"""Is it the station's to fill? R10–R15 (使用登记、产权)."""

from cylinder_trace.dates import parse_day
from cylinder_trace.rules.case import CylinderCase, Findings


def not_owned_by_station(case: CylinderCase) -> Findings | None:
    """R10: the owner of record is not the station's company. 城镇燃气管理条例 18(七)."""
    if case.station.company_id == case.cylinder.owner_id:
        return None
    return {"owner_id": case.cylinder.owner_id}


def not_registered(case: CylinderCase) -> Findings | None:
    """R11: in service longer than the grace period and not registered. 特设法 33, 83."""
    grace = case.book.ownership.registration_grace_days
    in_service = parse_day(case.cylinder.in_service_on)
    if case.cylinder.registration_no or case.today <= in_service + grace:
        return None
    return {"days": grace}


def transfer_cooling(case: CylinderCase) -> Findings | None:
    """R15: changed hands too recently, or without the old owner's signature (laundering by transfer)."""
    moved, cooling = case.cylinder.transferred_on, case.book.ownership.cooling_days
    if moved is None:
        return None
    if case.cylinder.transfer_cosigned and case.today >= parse_day(moved) + cooling:
        return None
    return {"days": cooling}
