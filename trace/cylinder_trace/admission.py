"""The ONE decision: may this cylinder be filled here, now?  Run unchanged by the service and by the station.

Rules of the decision:
  1. Pure: same request, cylinder, station, rulebook and moment give the same answer, bit for bit, for ever.
  2. Every rule is asked and every reason that applies is returned; nothing stops at the first hit.
  3. The first reason is the one the person at the scale can act on: what to do with *this* cylinder comes
     before what a manager must mend.
  4. What cannot be told is refused with its own reason, never allowed.
  5. A rule on trial (试行) refuses nobody: what it would have refused is recorded beside the answer.
  6. There is no privilege, no override, no switch: a DENY is lifted by a new fact in the ledger.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import local_day
from cylinder_trace.decision import Decision, FillRequest, Outcome, Refusal, StationFacts
from cylinder_trace.reasons import REASONS, WARNINGS, Reason
from cylinder_trace.rulebook import Rulebook
from cylinder_trace.rules import condemned, condition, identity, inspection, ownership, station
from cylinder_trace.rules.case import Case, CylinderCase, CylinderRule, Findings, Rule
from cylinder_trace.rules.deadlines import due_month, life_end_month
from cylinder_trace.values import built

WITHOUT_CYLINDER: Mapping[str, Rule] = {
    "R01": identity.code_unreadable,
    "R02": identity.cylinder_unknown,
}
"""Asked when no cylinder is on file under the scan."""

OF_THE_CYLINDER: Mapping[str, CylinderRule] = {
    # to the red rack
    "R30": condemned.scrapped,
    "R05": identity.code_voided,
    "R32": condemned.black_cylinder,
    "R31": condemned.refurbished,
    "R37": condemned.converted,
    "R36": condemned.recalled,
    "R35": condemned.maker_not_licensed,
    "R33": condemned.threaded_collar,
    "R34": condemned.dual_phase_not_permitted,
    "R24": condemned.service_life_ended,
    "R25": condemned.manufacture_date_unknown,
    "R21": inspection.inspection_failed,
    "R13": ownership.head_mark_missing,
    # hold, somebody looks
    "R38": condemned.reported_lost,
    "R03": identity.code_seen_elsewhere,
    "R04": identity.stamp_mismatch,
    "R06": identity.tag_not_approved,
    "R14": ownership.registered_twice,
    "R22": inspection.inspection_not_credible,
    "R10": ownership.not_owned_by_station,
    "R15": ownership.transfer_cooling,
    "R68": ownership.other_region,
    "R69": condition.not_empty_here,
    # to the inspection body
    "R20": inspection.inspection_overdue,
    "R26": condemned.not_evaluated,
    "R23": inspection.inspection_mark_absent,
    "R40": condition.body_damaged,
    "R41": condition.valve_damaged,
    "R42": condition.fittings_missing,
    "R44": condition.not_evacuated,
    "R46": condition.tare_drift,
    # mend at the rack
    "R45": condition.residue_not_drawn_off,
    "R43": condition.marking_wrong,
    "R64": condition.prefill_check_missing,
    # correct the file
    "R11": ownership.not_registered,
    "R12": ownership.technical_file_missing,
}
"""Asked of a cylinder on file, in the order in which reasons are returned."""

OF_THE_STATION: Mapping[str, Rule] = {
    "R60": station.licence_invalid,
    "R61": station.filler_not_certified,
    "R62": station.scale_not_verified,
    "R63": station.scale_locked,
    "R50": station.wrong_medium,
    "R51": station.lot_not_released,
    "R65": station.clock_suspect,
    "R66": station.data_too_old,
    "R67": station.journal_not_writable,
}
"""Asked of station, gas, scale, filler, clock and data at every scan."""

WARNINGS_OF_THE_CYLINDER: Mapping[str, CylinderRule] = {
    "W20": inspection.inspection_due_soon,
    "W24": condemned.service_life_ends_soon,
    "W26": condemned.evaluation_due_soon,
}
"""Filling is permitted; the person is told what is coming."""

OF_THE_RECORD = frozenset({
    "R03", "R05", "R06", "R11", "R12", "R13", "R14", "R15", "R20", "R21", "R22", "R24", "R25", "R26", "R30", "R31",
    "R32", "R33", "R34", "R35", "R36", "R37", "R38", "R46",
})  # fmt: skip
"""Those of `OF_THE_CYLINDER` that the record alone can answer, with nobody looking at the steel and no station asking;
of R03 and R46 only the part that the record holds."""
_RULES_OF_THE_RECORD = {code: rule for code, rule in OF_THE_CYLINDER.items() if code in OF_THE_RECORD}

_TARGET_BELOW_LIMIT_G = 50
"""The scale may overshoot its stop weight by a few grams; the target keeps that below the legal limit."""


def decide_fill(
    request: FillRequest,
    cylinder: CylinderState | None,
    station_facts: StationFacts,
    book: Rulebook,
    now: int,
) -> Decision:
    """Decide whether `cylinder` may be filled as `request` asks, at `now` (UTC ms).

    `cylinder` is None when the scan led to no cylinder on file; without a code no scan leads to one, and one whose
    registration was withdrawn is not on file.  The answer carries all reasons.
    """
    if cylinder is None or request.code is None or cylinder.status == "withdrawn":
        case = Case(request, station_facts, book, now, local_day(now))
        return _decision(case, None, (*_asked(WITHOUT_CYLINDER, case), *_asked(OF_THE_STATION, case)), ())
    clocks = due_month(cylinder, book), life_end_month(cylinder, book)
    about = CylinderCase(request, station_facts, book, now, local_day(now), cylinder, *clocks)
    reasons = (*_asked(OF_THE_CYLINDER, about), *_asked(OF_THE_STATION, about))
    return _decision(about, cylinder, reasons, tuple(_asked(WARNINGS_OF_THE_CYLINDER, about, WARNINGS)))


class Judgement(NamedTuple):
    """What the record alone says of a cylinder (凭档案判定): the decision without scale, station and filler."""

    outcome: Outcome
    reasons: tuple[Refusal, ...]
    warnings: tuple[Refusal, ...]


def judge_record(cylinder: CylinderState, code: str, book: Rulebook, now: int) -> Judgement:
    """Judge `cylinder`, to which `code` leads, at `now` (UTC ms) by the rules of `decide_fill`, no less and no more.

    ALLOW is no permission to fill: that takes a scan at a scale.
    """
    request, facts = _as_its_owner_would_ask(cylinder, code, now)
    clocks = due_month(cylinder, book), life_end_month(cylinder, book)
    case = CylinderCase(request, facts, book, now, local_day(now), cylinder, *clocks)
    found = tuple(_asked(_RULES_OF_THE_RECORD, case))
    on_trial = _on_trial(case, found)
    reasons = tuple(reason for reason in found if reason not in on_trial)
    warnings = () if reasons else tuple(_asked(WARNINGS_OF_THE_CYLINDER, case, WARNINGS))
    return Judgement("DENY" if reasons else "WARN" if warnings else "ALLOW", reasons, warnings)


def _as_its_owner_would_ask(cylinder: CylinderState, code: str, now: int) -> tuple[FillRequest, StationFacts]:
    """The question of a station of its owner's that saw it last, over an empty cylinder with which nothing is wrong."""
    station_id = cylinder.last_seen_station_id or cylinder.owner_id
    request = FillRequest(
        check_id="record", raw_scan=code, code=code, station_id=station_id, scale_id="none", lane=1, boot_id="none",
        empty_gross_g=cylinder.stamp.tare_g, requested_at=now,
    )  # fmt: skip
    facts = StationFacts(station_id=station_id, company_id=cylinder.owner_id, data_as_of=now, region=cylinder.region)
    return request, facts


AnyCase = TypeVar("AnyCase", bound=Case)
_REFUSAL_FIELDS, _DECISION_FIELDS = set(Refusal.model_fields), set(Decision.model_fields)


def _asked(
    rules: Mapping[str, Callable[[AnyCase], Findings | None]],
    case: AnyCase,
    catalogue: Mapping[str, Reason] = REASONS,
) -> list[Refusal]:
    return [
        built(Refusal, {"code": code, "word": catalogue[code].word, "detail": {**findings}}, _REFUSAL_FIELDS)
        for code, rule in rules.items()
        if (findings := rule(case)) is not None
    ]


def _on_trial(case: Case, reasons: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    """Those of `reasons` that are only tried out at this station; never one of the safety core (`ShadowRules`)."""
    shadow = case.book.shadow
    if not shadow.rules or (shadow.regions and case.station.region not in shadow.regions):
        return ()
    return tuple(reason for reason in reasons if reason.code in shadow.rules)


def _decision(
    case: Case,
    cylinder: CylinderState | None,
    found: tuple[Refusal, ...],
    warnings: tuple[Refusal, ...],
) -> Decision:
    on_trial = _on_trial(case, found)
    reasons = tuple(reason for reason in found if reason not in on_trial) if on_trial else found
    permitted = not reasons and cylinder is not None
    outcome: Outcome = "DENY" if not permitted else "WARN" if warnings else "ALLOW"
    limit = max_net_g(cylinder, case.book) if permitted and cylinder else None
    return built(
        Decision,
        {
            "check_id": case.request.check_id,
            "outcome": outcome,
            "reasons": reasons,
            "warnings": warnings,
            "cylinder_id": cylinder.cylinder_id if cylinder else None,
            "cylinder_n": cylinder.n if cylinder else None,
            "max_net_g": limit,
            "target_net_g": target_net_g(cylinder, case.book, limit) if limit is not None and cylinder else None,
            "rulebook": case.book.name,
            "data_as_of": case.station.data_as_of,
            "decided_at": case.now,
            "start_before": case.now + case.book.fill.permit_start_seconds * 1000 if permitted else None,
            "on_trial": on_trial or None,
        },
        _DECISION_FIELDS,
    )


def max_net_g(cylinder: CylinderState, book: Rulebook) -> int:
    """The most gas the cylinder may hold, in grams: the least of 0.42·V, the stamp, and nominal + tolerance.

    0.42·V is rounded down to 100 g, as the stamps are: 35.5 L gives 14,900 g.
    """
    by_volume = book.fill.coefficient_g_per_l * cylinder.stamp.water_volume_ml // 100_000 * 100
    limits = [by_volume, cylinder.stamp.max_fill_g]
    if model := book.models.get(cylinder.stamp.model):
        limits.append(model.nominal_g + model.tolerance_g)
    return min(limits)


def target_net_g(cylinder: CylinderState, book: Rulebook, limit: int) -> int:
    """Where the scale shuts the valve: the commercial fill of the model, a little below `limit`, the legal one."""
    below_limit = max(0, limit - _TARGET_BELOW_LIMIT_G)
    model = book.models.get(cylinder.stamp.model)
    return min(model.nominal_g, below_limit) if model else below_limit


def stricter(own: Decision, other: Decision) -> Decision:
    """The stricter of two decisions about one scan, its reasons joined, its limits the lower ones."""
    strict, loose = (other, own) if _RANK[other.outcome] > _RANK[own.outcome] else (own, other)
    return strict.model_copy(
        update={
            "reasons": _joined(strict.reasons, loose.reasons),
            "warnings": _joined(strict.warnings, loose.warnings),
            "max_net_g": _lower(strict.max_net_g, loose.max_net_g) if strict.permits else None,
            "target_net_g": _lower(strict.target_net_g, loose.target_net_g) if strict.permits else None,
            "start_before": _lower(strict.start_before, loose.start_before) if strict.permits else None,
            "on_trial": _joined(strict.on_trial or (), loose.on_trial or ()) or None,
        }
    )


_RANK: Mapping[Outcome, int] = {"ALLOW": 0, "WARN": 1, "DENY": 2}


def _joined(first: tuple[Refusal, ...], second: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    known = {refusal.code for refusal in first}
    return (*first, *(refusal for refusal in second if refusal.code not in known))


def _lower(first: int | None, second: int | None) -> int | None:
    return min((value for value in (first, second) if value is not None), default=None)
