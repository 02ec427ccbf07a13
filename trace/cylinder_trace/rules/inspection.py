"""Was it inspected, in time, believably? R20–R23 (定期检验)."""

from cylinder_trace.dates import format_month, month_of_day, parse_day, parse_month
from cylinder_trace.rules.case import CylinderCase, Findings, when
from cylinder_trace.rules.deadlines import due_month, last_legal_day, life_end_month


def inspection_overdue(case: CylinderCase) -> Findings | None:
    """R20: today is past the last legal day of the due month. 特设法 40/84; 浙江特设条例 10(二)."""
    due = due_month(case.cylinder, case.book)
    if due is None or case.today <= last_legal_day(due, case.book.inspection):
        return None
    return {"due": format_month(due)}


def inspection_failed(case: CylinderCase) -> Findings | None:
    """R21: the last result is failed. 特设法 84(一); 浙江特设条例 10(三)."""
    inspection = case.cylinder.inspection
    if inspection is None or inspection.result != "failed":
        return None
    return {"inspected": inspection.inspected_month}


def inspection_not_credible(case: CylinderCase) -> Findings | None:
    """R22: dated after it was recorded or after today, before manufacture, or valid longer than the interval."""
    inspection = case.cylinder.inspection
    if inspection is None:
        return None
    inspected, due = parse_month(inspection.inspected_month), inspection.next_due_month
    latest = month_of_day(min(case.today, parse_day(inspection.recorded_on)))
    too_long = due is not None and parse_month(due) > inspected + case.book.inspection.interval_months
    if inspected <= latest and not too_long and not _before_manufacture(case, inspected):
        return None
    return {"inspected": inspection.inspected_month, "due": due or "-"}


def _before_manufacture(case: CylinderCase, inspected: int) -> bool:
    made = case.cylinder.stamp.manufactured_month
    return made is not None and inspected < parse_month(made)


def inspection_mark_absent(case: CylinderCase) -> Findings | None:
    """R23: the filler saw no inspection ring or mark. 浙江特设条例 10(一); check P6."""
    return when("mark_absent" in case.request.findings)


def inspection_due_soon(case: CylinderCase) -> Findings | None:
    """W20: due within the warning days; apply one month before expiry. 特设法 40."""
    due = due_month(case.cylinder, case.book)
    if due is None or due == life_end_month(case.cylinder, case.book):
        return None
    left = last_legal_day(due, case.book.inspection) - case.today
    return {"due": format_month(due)} if 0 <= left <= case.book.inspection.warn_days else None
