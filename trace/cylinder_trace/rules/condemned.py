"""May it still exist? R24–R26 service life (使用年限), R30–R38 marks of authorities (报废、黑气瓶 …)."""

from cylinder_trace.dates import first_day, format_month, month_of_day, parse_month
from cylinder_trace.rules.case import CylinderCase, Findings, because, when
from cylinder_trace.rules.deadlines import design_life_end_month


def service_life_ended(case: CylinderCase) -> Findings | None:
    """R24: the month its life ends has begun. 浙江特设条例 10(四)."""
    end = case.life_end_month
    if end is None or case.today < first_day(end):
        return None
    return {"until": format_month(end)}


def manufacture_date_unknown(case: CylinderCase) -> Findings | None:
    """R25: date of manufacture unreadable, ground off, or yet to come: fit for scrapping. 各地公告; check P4."""
    made = case.cylinder.stamp.manufactured_month
    if "stamp_altered" in case.request.findings:
        return because("stamp_altered")
    return when(made is None or parse_month(made) > month_of_day(case.today))


def not_evaluated(case: CylinderCase) -> Findings | None:
    """R26: design life reached without safety evaluation and changed registration. 特设法 48."""
    end = design_life_end_month(case.cylinder)
    if end is None or case.cylinder.evaluated_until or case.today < first_day(end):
        return None
    return {"until": format_month(end)}


def scrapped(case: CylinderCase) -> Findings | None:
    """R30: condemned, cancelled or destroyed by the record, or bearing a scrap mark. 特设法 84(一)(三); check P13."""
    if case.cylinder.status in ("condemned", "cancelled", "destroyed"):
        return when(True)
    return because("scrap_mark") if "scrap_mark" in case.request.findings else None


def refurbished(case: CylinderCase) -> Findings | None:
    """R31: found to be refurbished (翻新), by an authority or at this scan. 禁止充装翻新气瓶; check P13."""
    return when("refurbished" in case.cylinder.flags or "refurbished" in case.request.findings)


def black_cylinder(case: CylinderCase) -> Findings | None:
    """R32: marked as a black cylinder (黑气瓶). 严禁黑气瓶流入市场."""
    return when("black" in case.cylinder.flags)


def threaded_collar(case: CylinderCase) -> Findings | None:
    """R33: the collar is screwed on (螺丝瓶): not made since 1995, all scrapped by 2011. 各地公告; check P13."""
    technical = case.cylinder.technical
    on_file = technical is not None and technical.collar == "threaded"
    return when(on_file or "threaded_collar" in case.request.findings)


def dual_phase_not_permitted(case: CylinderCase) -> Findings | None:
    """R34: for gas and liquid (气液双相), not painted as such or not filled here at all. GB 5842-2023; check P16."""
    if "dual_phase" in case.request.findings:
        return when(True)
    technical = case.cylinder.technical
    if technical is None or technical.phase != "dual":
        return None
    return when(case.book.condition.dual_phase == "refuse" or not technical.phase_marked)


def maker_not_licensed(case: CylinderCase) -> Findings | None:
    """R35: its maker held no licence when it was made (制造许可). 特设法 84(一); check P3."""
    technical = case.cylinder.technical
    on_file = technical is not None and technical.maker_licensed is False
    return when(on_file or "unlicensed_maker" in case.cylinder.flags)


def recalled(case: CylinderCase) -> Findings | None:
    """R36: belongs to a recalled model, batch or maker's series (召回). 问题瓶产品黑名单."""
    return when("recalled" in case.cylinder.flags or case.cylinder.is_marked("recall"))


def converted(case: CylinderCase) -> Findings | None:
    """R37: converted, or its marks changed (改装、擅改标志). 浙江燃气条例 20(三); 重庆特设条例 30(二); check P4."""
    found = {"converted", "stamp_altered"}.intersection(case.request.findings)
    return when("converted" in case.cylinder.flags or bool(found))


def reported_lost(case: CylinderCase) -> Findings | None:
    """R38: reported lost or stolen (协查), by an authority or its holder, or seized (查封扣押). 大理 2023 方案."""
    if "lost" in case.cylinder.flags or case.cylinder.is_marked("lost"):
        return when(True)
    return because("seized") if case.cylinder.is_marked("seized") else None


def evaluation_due_soon(case: CylinderCase) -> Findings | None:
    """W26: the stated design life ends within the warning days, and an evaluation could extend it. 特设法 48."""
    end = design_life_end_month(case.cylinder)
    if end is None or case.cylinder.evaluated_until or end == case.life_end_month:
        return None
    left = first_day(end) - case.today
    return {"until": format_month(end)} if 0 < left <= case.book.life.evaluation_notice_days else None


def service_life_ends_soon(case: CylinderCase) -> Findings | None:
    """W24: service life ends within the warning days."""
    end = case.life_end_month
    if end is None or not 0 < first_day(end) - case.today <= case.book.inspection.warn_days:
        return None
    return {"until": format_month(end)}
