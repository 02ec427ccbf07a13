"""May it still exist? R24–R26 service life (使用年限), R30–R38 marks of authorities (报废、黑气瓶 …)."""

from cylinder_trace.dates import first_day, format_month, month_of_day, parse_month
from cylinder_trace.rules.case import CylinderCase, Findings, when
from cylinder_trace.rules.deadlines import design_life_end_month, life_end_month


def service_life_ended(case: CylinderCase) -> Findings | None:
    """R24: the month its life ends has begun. 浙江特设条例 10(四)."""
    end = life_end_month(case.cylinder, case.book)
    if end is None or case.today < first_day(end):
        return None
    return {"until": format_month(end)}


def manufacture_date_unknown(case: CylinderCase) -> Findings | None:
    """R25: date of manufacture unreadable, ground off, or yet to come: treated as fit for scrapping."""
    made = case.cylinder.stamp.manufactured_month
    return when(made is None or parse_month(made) > month_of_day(case.today))


def not_evaluated(case: CylinderCase) -> Findings | None:
    """R26: design life reached without safety evaluation and changed registration. 特设法 48."""
    end = design_life_end_month(case.cylinder)
    if end is None or case.cylinder.evaluated_until or case.today < first_day(end):
        return None
    return {"until": format_month(end)}


def scrapped(case: CylinderCase) -> Findings | None:
    """R30: condemned, cancelled or destroyed. 特设法 84(一)(三)."""
    return when(case.cylinder.status in ("condemned", "cancelled", "destroyed"))


def refurbished(case: CylinderCase) -> Findings | None:
    """R31: found to be refurbished (翻新)."""
    return when("refurbished" in case.cylinder.flags)


def black_cylinder(case: CylinderCase) -> Findings | None:
    """R32: marked as a black cylinder (黑气瓶)."""
    return when("black" in case.cylinder.flags)


def recalled(case: CylinderCase) -> Findings | None:
    """R36: belongs to a recalled model, batch or maker's series (召回)."""
    return when("recalled" in case.cylinder.flags or case.cylinder.is_marked("recall"))


def reported_lost(case: CylinderCase) -> Findings | None:
    """R38: reported lost or stolen (协查), by an authority or its holder."""
    return when("lost" in case.cylinder.flags or case.cylinder.is_marked("lost"))


def service_life_ends_soon(case: CylinderCase) -> Findings | None:
    """W24: service life ends within the warning days."""
    end = life_end_month(case.cylinder, case.book)
    if end is None or not 0 < first_day(end) - case.today <= case.book.inspection.warn_days:
        return None
    return {"until": format_month(end)}
