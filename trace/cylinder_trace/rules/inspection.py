"""Was it inspected, in time, believably? R20–R23 (定期检验)."""

from cylinder_trace.cylinder import InspectionState
from cylinder_trace.dates import format_month, local_month, month_of_day, parse_day, parse_month
from cylinder_trace.rules.case import CylinderCase, Findings, because, missing, when
from cylinder_trace.rules.deadlines import last_legal_day


def inspection_overdue(case: CylinderCase) -> Findings | None:
    """R20: today is past the last legal day of the due month. 特设法 40/84; 浙江特设条例 10(二)."""
    due = case.due_month
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
    """R22: a mark that differs, months that cannot be true, an item or a new valve lacking, a body without licence."""
    inspection = case.cylinder.inspection
    if "mark_differs" in case.request.findings:
        return because("mark_differs")
    if inspection is None:
        return None
    facts: Findings = {"inspected": inspection.inspected_month, "due": inspection.next_due_month or "-"}
    if not _months_fit(inspection, case):
        return facts
    return _lacking(inspection, case, facts)


def _lacking(inspection: InspectionState, case: CylinderCase, facts: Findings) -> Findings | None:
    """What an inspection should have had and did not: each item and a new valve (缺项漏项), a licensed body."""
    rules = case.book.inspection
    if inspection.result == "passed":
        if missing(inspection.items_complete, rules.items):
            return because("inspection_items_missing", **facts)
        if missing(inspection.items_recorded, rules.item_records):
            return because("inspection_items_unrecorded", **facts)
        if (put_in := _valve_kept_since(inspection, case)) is not None:
            return because("valve_not_replaced", since=format_month(put_in), **facts)
    unlicensed = missing(inspection.body_licensed, rules.body_licence)
    return because("inspection_body_not_licensed", **facts) if unlicensed else None


def _months_fit(inspection: InspectionState, case: CylinderCase) -> bool:
    """Not dated after it was recorded or after today, not before manufacture, not valid longer than the interval."""
    inspected, due = parse_month(inspection.inspected_month), inspection.next_due_month
    made = case.cylinder.stamp.manufactured_month
    latest = month_of_day(min(case.today, parse_day(inspection.recorded_on)))
    too_long = due is not None and parse_month(due) > inspected + case.book.inspection.interval_months
    return inspected <= latest and not too_long and (made is None or inspected >= parse_month(made))


def _valve_kept_since(inspection: InspectionState, case: CylinderCase) -> int | None:
    """The month since which its valve was in at the inspection that had to replace it (按规定更换瓶阀)."""
    valve, most = case.cylinder.valve, case.book.inspection.valve_kept_months
    if valve is None or most is None:
        return None
    put_in = local_month(valve.changed_at)
    return put_in if parse_month(inspection.inspected_month) - put_in >= most else None


def inspection_mark_absent(case: CylinderCase) -> Findings | None:
    """R23: the filler saw no inspection ring or mark. 浙江特设条例 10(一); check P6."""
    return when("mark_absent" in case.request.findings)


def inspection_due_soon(case: CylinderCase) -> Findings | None:
    """W20: due within the warning days; apply one month before expiry. 特设法 40."""
    due = case.due_month
    if due is None or due == case.life_end_month:
        return None
    left = last_legal_day(due, case.book.inspection) - case.today
    return {"due": format_month(due)} if 0 <= left <= case.book.inspection.warn_days else None
