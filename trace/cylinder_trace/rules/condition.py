"""Is it fit and free to be filled now? R40–R46 pre-fill check (充装前检查), R69 whereabouts (流转)."""

from cylinder_trace.rules.case import CylinderCase, Findings, when


def body_damaged(case: CylinderCase) -> Findings | None:
    """R40: dents, cracks, burns, corrosion seen. Check P10."""
    return when("body_damaged" in case.request.findings)


def valve_damaged(case: CylinderCase) -> Findings | None:
    """R41: valve loose, damaged or of a wrong kind. Check P12."""
    return when("valve_damaged" in case.request.findings)


def tare_drift(case: CylinderCase) -> Findings | None:
    """R46: weight before filling too far from the stamped tare: wrong cylinder, forged tare or residue."""
    empty, tare = case.request.empty_gross_g, case.cylinder.stamp.tare_g
    if abs(empty - tare) <= case.book.fill.tare_drift_g:
        return None
    return {"empty_g": empty, "tare_g": tare}


def not_empty_here(case: CylinderCase) -> Findings | None:
    """R69: by the record it is full, at a customer or away; two fills never without a return between."""
    status = case.cylinder.status
    if status in ("empty", "condemned", "cancelled", "destroyed"):
        return None
    return {"status": status}
