"""Is it fit and free to be filled now? R40–R46, R64 pre-fill check (充装前检查), R69 whereabouts (流转)."""

from cylinder_trace.dates import first_day, format_day, format_month, local_day, parse_day, parse_month
from cylinder_trace.rules.case import CylinderCase, Findings, because, missing, when


def body_damaged(case: CylinderCase) -> Findings | None:
    """R40: dents, cracks, burns, corrosion seen. Check P10."""
    return when("body_damaged" in case.request.findings)


def valve_damaged(case: CylinderCase) -> Findings | None:
    """R41: valve loose, damaged, of a wrong kind, or beyond its life. GB 7512; check P12."""
    if "valve_damaged" in case.request.findings:
        return when(True)
    return _valve_life_over(case) or _angle_valve(case)


def _valve_life_over(case: CylinderCase) -> Findings | None:
    valve, life = case.cylinder.valve, case.book.condition.valve_life_months
    if valve is None or life is None:
        return None
    end = parse_month(valve.made_month) + life
    return because("valve_life_over", until=format_month(end)) if case.today >= first_day(end) else None


def _angle_valve(case: CylinderCase) -> Findings | None:
    """Whether its valve does not close by itself (直阀角阀), and such ones are filled no more."""
    technical, rules = case.cylinder.technical, case.book.condition
    if technical is None or technical.valve != "angle" or rules.angle_valve_ban_from is None:
        return None
    largest = rules.angle_valve_ban_up_to_ml
    concerned = largest is None or case.cylinder.stamp.water_volume_ml <= largest
    begun = case.today >= parse_day(rules.angle_valve_ban_from)
    return because("angle_valve", since=rules.angle_valve_ban_from) if concerned and begun else None


def fittings_missing(case: CylinderCase) -> Findings | None:
    """R42: collar, foot ring, hand wheel or bolts missing or broken (护罩、底座、附件缺损). Check P11."""
    return when("fittings_missing" in case.request.findings)


def marking_wrong(case: CylinderCase) -> Findings | None:
    """R43: colour, lettering or the filling company's sign not as prescribed. Check P5."""
    return when("marking_wrong" in case.request.findings)


def not_evacuated(case: CylinderCase) -> Findings | None:
    """R44: no pressure left in it, or neither evacuated nor purged for its first fill. Check P8, P9."""
    if "not_evacuated" in case.request.findings:
        return when(True)
    return when(missing(case.request.evacuated, case.book.condition.evacuation) and _is_first_fill(case))


def _is_first_fill(case: CylinderCase) -> bool:
    """Whether it was never filled, or not since its last inspection; one on the day of the inspection does not tell."""
    filled_at, inspection = case.cylinder.last_filled_at, case.cylinder.inspection
    if filled_at is None:
        return True
    return inspection is not None and format_day(local_day(filled_at)) <= inspection.recorded_on


def residue_not_drawn_off(case: CylinderCase) -> Findings | None:
    """R45: more residue (残液) than permitted; it is drawn off first. 浙江燃气条例 20(六); check P15."""
    residue, most = case.request.residue_g, case.book.condition.residue_max_g
    if residue is None or most is None or residue <= most:
        return None
    return {"residue_g": residue, "most_g": most}


def tare_drift(case: CylinderCase) -> Findings | None:
    """R46: tare illegible or too light for the model, or the weight less its residue too far from it. Check P14."""
    empty, tare = case.request.empty_gross_g - (case.request.residue_g or 0), case.cylinder.stamp.tare_g
    facts: Findings = {"empty_g": empty, "tare_g": tare}
    if "tare_unclear" in case.request.findings:
        return because("tare_unclear", **facts)
    return _tare_below_model(case) or (facts if abs(empty - tare) > case.book.fill.tare_drift_g else None)


def _tare_below_model(case: CylinderCase) -> Findings | None:
    """Whether the tare on file is too light for its model, so that a scale that agrees with it proves nothing."""
    stamp, least = case.cylinder.stamp, case.book.fill.tare_least_percent
    model = case.book.models.get(stamp.model)
    if model is None or model.tare_g is None or stamp.tare_g * 100 >= model.tare_g * least:
        return None
    return because("tare_below_model", tare_g=stamp.tare_g, model=stamp.model, model_tare_g=model.tare_g)


def prefill_check_missing(case: CylinderCase) -> Findings | None:
    """R64: nobody stated that the list P1 to P17 was gone through (充装前检查记录). 特设法 49, 85(一)."""
    return when(missing(case.request.prefill_checked, case.book.condition.prefill_check))


def not_empty_here(case: CylinderCase) -> Findings | None:
    """R69: by the record it is full, at a customer or away; two fills never without a return between."""
    status = case.cylinder.status
    if status in ("empty", "condemned", "cancelled", "destroyed"):
        return None
    return {"status": status}
