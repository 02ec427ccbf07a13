"""The two clocks of a cylinder: when inspection is due, and when its service life ends. Months since year 0."""

from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import first_day, last_day, parse_month
from cylinder_trace.rulebook import InspectionRules, Rulebook


def due_month(cylinder: CylinderState, book: Rulebook) -> int | None:
    """The month inspection is due: from the last passed inspection, else from manufacture.

    Never later than the end of service life. None when neither date is known.
    """
    interval = book.inspection.interval_months
    inspection, made = cylinder.inspection, cylinder.stamp.manufactured_month
    due: int | None = None
    if inspection and inspection.next_due_month:
        due = parse_month(inspection.next_due_month)
    elif inspection:
        due = parse_month(inspection.inspected_month) + interval
    elif made:
        due = parse_month(made) + interval
    end = life_end_month(cylinder, book)
    return due if due is None or end is None else min(due, end)


def last_legal_day(month: int, rules: InspectionRules) -> int:
    """The last day (ordinal) on which a cylinder due in `month` may be filled."""
    day = first_day(month) if rules.due_precision == "first_day" else last_day(month)
    return day - rules.guard_days


def design_life_end_month(cylinder: CylinderState) -> int | None:
    """The month the stamped design life ends; None if no life is stamped or the date of making is unknown."""
    made, life = cylinder.stamp.manufactured_month, cylinder.stamp.design_life_months
    return parse_month(made) + life if made and life else None


def life_end_month(cylinder: CylinderState, book: Rulebook) -> int | None:
    """The month service life ends for good; None when the date of manufacture is unknown.

    No stated life: 15 years.  Stated life: with a passed evaluation, until the evaluation's end; without one,
    the longest that an evaluation could still grant (until then the cylinder is refused as not evaluated).
    """
    made, life = cylinder.stamp.manufactured_month, cylinder.stamp.design_life_months
    if not made:
        return None
    if not life:
        return parse_month(made) + book.life.unstated_life_months
    longest = max(life, min(life + book.life.extension_months, book.life.longest_life_months))
    if cylinder.evaluated_until:
        return min(parse_month(cylinder.evaluated_until), parse_month(made) + longest)
    return parse_month(made) + longest
