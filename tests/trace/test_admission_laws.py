"""Laws of the one decision: every reason is told, nothing else decides, and the stricter of two answers holds."""

from typing import Any, get_args

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from cylinder_codes.stamps import StampReading
from cylinder_trace.admission import OF_THE_CYLINDER, OF_THE_STATION, decide_fill, max_net_g, stricter, target_net_g
from cylinder_trace.cylinder import CylinderState, InspectionState, ValveState
from cylinder_trace.dates import DAY_MS, LATEST_INSTANT
from cylinder_trace.decision import Decision, FillRequest, Finding, Refusal, StationFacts
from cylinder_trace.events import Stamp
from cylinder_trace.rulebook import Rulebook, parse_rulebook
from cylinder_trace.values import Frozen
from cylinder_trace.vocabulary.naming import TechnicalFile
from cylinder_trace.vocabulary.supervising import FlagKind
from vectors.admission.cases import base_case, load_cases, rulebook_text, variants

GOOD = base_case()
BOOK = parse_rulebook(rulebook_text("cn-zhejiang"))
"""It limits residue and regions, and asks for the pre-fill check; the base case states that it was made."""
SCAN = GOOD.request.model_copy(update={"prefill_checked": True})
NOW = GOOD.now
assert GOOD.cylinder is not None
CYLINDER: CylinderState = GOOD.cylinder
CODE = CYLINDER.codes[0]
laws = settings(max_examples=150)

Patch = dict[str, Any]
Way = tuple[Patch, Patch]
"""A change of the good cylinder and one of the good scan; what stands inside stamp, inspection, papers is merged."""


def changed(patch: Patch) -> CylinderState:
    return patched(CYLINDER, patch)


INNER: dict[str, Frozen | None] = {
    "stamp": CYLINDER.stamp,
    "inspection": CYLINDER.inspection,
    "technical": TechnicalFile(),
}


def patched(cylinder: CylinderState, patch: Patch) -> CylinderState:
    update = dict(patch)
    for name in INNER.keys() & patch.keys():
        inner: Frozen | None = getattr(cylinder, name) or INNER[name]
        assert inner is not None
        update[name] = inner.model_copy(update=patch[name])
    return cylinder.model_copy(update=update)


def stamped(**update: Any) -> Patch:
    return {"stamp": update}


def inspected(**update: Any) -> Patch:
    return {"inspection": update}


def technical(**update: Any) -> Patch:
    return {"technical": update}


def decide(
    cylinder: CylinderState | None = CYLINDER,
    request: Patch | None = None,
    station: Patch | None = None,
    now: int = NOW,
) -> Decision:
    asked = SCAN.model_copy(update=request or {})
    facts = GOOD.station.model_copy(update=station or {})
    return decide_fill(asked, cylinder, facts, BOOK, now)


OLD_VALVE = ValveState(maker="valves", serial="V1", made_month="1970-01", changed_at=0)

# Each refusal and the changes that bring it about, by the rule's words; the first brings about nothing else but ALSO.
WAYS: dict[str, list[Way]] = {
    "R30": [({"status": "condemned"}, {}), ({}, {"findings": ("scrap_mark",)})],
    "R05": [({"voided_codes": (CODE,)}, {})],
    "R32": [({"flags": ("black",)}, {})],
    "R31": [({"flags": ("refurbished",)}, {}), ({}, {"findings": ("refurbished",)})],
    "R37": [({"flags": ("converted",)}, {}), ({}, {"findings": ("converted",)})],
    "R36": [({"flags": ("recalled",)}, {}), ({"marks": {"recall/r": NOW}}, {})],
    "R35": [({"flags": ("unlicensed_maker",)}, {}), (technical(maker_licensed=False), {})],
    "R33": [(technical(collar="threaded"), {}), ({}, {"findings": ("threaded_collar",)})],
    "R34": [(technical(phase="dual", phase_marked=False), {}), ({}, {"findings": ("dual_phase",)})],
    "R24": [
        ({"evaluated_until": "2026-11", **stamped(manufactured_month="2021-06", design_life_months=60)}, {}),
        ({"evaluated_until": None, **stamped(manufactured_month="2014-11", design_life_months=96)}, {}),
    ],
    "R25": [(stamped(manufactured_month=None), {}), ({}, {"findings": ("stamp_altered",)})],
    "R21": [(inspected(result="failed"), {})],
    "R13": [({}, {"findings": ("head_mark_absent",)}), (technical(head_mark="missing"), {})],
    "R38": [({"flags": ("lost",)}, {}), ({"marks": {"seized/a": NOW}}, {})],
    "R03": [({"last_seen_station_id": "station-2", "last_seen_at": NOW - 1}, {}), ({"flags": ("cloned",)}, {})],
    "R04": [({}, {"findings": ("stamp_mismatch",)}), ({}, {"stamp_seen": StampReading(serial="another")})],
    "R06": [({"unapproved_codes": (CODE,)}, {}), ({}, {"findings": ("tag_refitted",)})],
    "R14": [({"flags": ("double_registered",)}, {})],
    "R22": [
        (inspected(body_licensed=False), {}),
        (inspected(inspected_month="2026-05", next_due_month="2030-06"), {}),
        (inspected(result="passed", items_recorded=False), {}),
        ({"valve": OLD_VALVE, **inspected(result="passed")}, {}),
        ({}, {"findings": ("mark_differs",)}),
    ],
    "R10": [({"owner_id": "company-2"}, {})],
    "R15": [({"transferred_on": "2026-11-22"}, {}), ({"transferred_on": "2020-01-01", "transfer_cosigned": False}, {})],
    "R68": [({"region": "elsewhere"}, {})],
    "R69": [({"status": "at_customer"}, {})],
    "R20": [(inspected(inspected_month="2022-10", next_due_month="2026-10"), {})],
    "R26": [
        ({"evaluated_until": None, **stamped(manufactured_month="2021-06", design_life_months=60)}, {}),
        ({"evaluated_until": None, **stamped(manufactured_month="2014-11", design_life_months=96)}, {}),
    ],
    "R23": [({}, {"findings": ("mark_absent",)})],
    "R40": [({}, {"findings": ("body_damaged",)})],
    "R41": [({}, {"findings": ("valve_damaged",)})],
    "R42": [({}, {"findings": ("fittings_missing",)})],
    "R44": [({}, {"evacuated": False}), ({}, {"findings": ("not_evacuated",)})],
    "R46": [
        ({}, {"empty_gross_g": 18_000}),
        ({}, {"findings": ("tare_unclear",)}),
        (stamped(tare_g=14_849), {"empty_gross_g": 14_849}),
    ],
    "R45": [({}, {"residue_g": 1_001, "empty_gross_g": 17_501})],
    "R43": [({}, {"findings": ("marking_wrong",)})],
    "R64": [({}, {"prefill_checked": False})],
    "R11": [({"registration_no": None}, {})],
    "R12": [(technical(certificate="missing"), {})],
}
BRINGS: dict[str, Way] = {code: ways[0] for code, ways in WAYS.items()}
ALSO = {"R24": {"R20"}}
"""Service life takes the inspection's deadline with it: due = min(inspection, end of life)."""
AT_THE_STATION: dict[str, Patch] = {
    "R60": {"licence_suspended": True},
    "R61": {"worker_certified_until": None},
    "R62": {"scale_verified_until": "2026-11-21"},
    "R63": {"scale_locked": True},
    "R50": {"lot_product": "industrial_propane"},
    "R51": {"lot_standing": "blocked"},
    "R65": {"clock_skew_ms": None},
    "R66": {"data_as_of": NOW - 4 * DAY_MS},
    "R67": {"journal_writable": False},
}


def joined(first: Patch, second: Patch) -> Patch | None:
    """Both changes at once; None where they speak about the same fact and cannot both hold."""
    both = {**first, **second}
    for name in first.keys() & second.keys():
        one, other = first[name], second[name]
        if isinstance(one, tuple):
            both[name] = (*one, *other)
        elif isinstance(one, dict):
            if (inner := joined(one, other)) is None:
                return None
            both[name] = inner
        elif one != other:
            return None
    return both


def codes_of(way: Way) -> tuple[str, ...]:
    return decide(changed(way[0]), way[1]).codes


def both_ways(first: Way, second: Way) -> Way | None:
    facts, scan = joined(first[0], second[0]), joined(first[1], second[1])
    return None if facts is None or scan is None else (facts, scan)


def test_the_good_cylinder_is_permitted() -> None:
    assert decide().outcome == "ALLOW"


def test_every_refusal_of_cylinder_and_station_can_be_brought_about() -> None:
    assert set(WAYS) == set(OF_THE_CYLINDER)
    assert set(AT_THE_STATION) == set(OF_THE_STATION)


@pytest.mark.parametrize("code", BRINGS)
def test_one_fact_brings_about_its_own_refusal_and_no_other(code: str) -> None:
    assert set(codes_of(BRINGS[code])) - ALSO.get(code, set()) == {code}


PAIRS = [(first, second) for first in BRINGS for second in BRINGS if first < second]


@pytest.mark.parametrize(("first", "second"), PAIRS, ids="-".join)
def test_of_every_two_refusals_of_a_cylinder_both_are_told(first: str, second: str) -> None:
    met = [
        (one, other, codes_of(both))
        for one in WAYS[first]
        for other in WAYS[second]
        if (both := both_ways(one, other)) is not None
    ]
    one, other, codes = next(found for found in met if {first, second} <= set(found[2]))
    assert set(codes) == {*codes_of(one), *codes_of(other)}, "together they bring about what each brings about alone"
    assert list(codes) == [code for code in OF_THE_CYLINDER if code in codes], "in the order of acting"


@pytest.mark.parametrize("code", AT_THE_STATION)
@pytest.mark.parametrize("of_cylinder", BRINGS)
def test_what_is_wrong_at_the_station_is_told_after_what_is_wrong_with_it(of_cylinder: str, code: str) -> None:
    facts, scan = BRINGS[of_cylinder]
    codes = decide(changed(facts), scan, AT_THE_STATION[code]).codes
    assert codes[-1] == code
    assert of_cylinder in codes[:-1]


STATION_PAIRS = [(first, second) for first in AT_THE_STATION for second in AT_THE_STATION if first < second]


@pytest.mark.parametrize(("first", "second"), STATION_PAIRS, ids="-".join)
def test_of_every_two_refusals_of_a_station_both_are_told_with_or_without_a_cylinder(first: str, second: str) -> None:
    station = AT_THE_STATION[first] | AT_THE_STATION[second]
    assert set(decide(station=station).codes) == {first, second}
    assert set(decide(None, station=station).codes) == {"R02", first, second}
    assert set(decide(None, {"code": None}, station).codes) == {"R01", first, second}


def test_everything_wrong_at_the_station_is_told_at_once_with_or_without_a_cylinder() -> None:
    everything: Patch = {}
    for change in AT_THE_STATION.values():
        everything |= change
    assert decide(station=everything).codes == tuple(AT_THE_STATION)
    assert decide(None, station=everything).codes == ("R02", *AT_THE_STATION)


@pytest.mark.parametrize("case", load_cases("R01", "R02"), ids=lambda case: f"{case.file}: {case.name}")
def test_a_scan_that_leads_to_no_cylinder_is_never_admitted(case: Any) -> None:
    decision = decide_fill(case.request, None, case.station, case.book, case.now)
    assert not decision.permits
    assert (decision.cylinder_id, decision.max_net_g, decision.start_before) == (None, None, None)


# --- laws over drawn facts ------------------------------------------------------------------------------------

MONTHS = st.sampled_from(
    "0001-01 2007-01 2011-11 2014-11 2018-11 2022-10 2022-11 2022-12 2026-10 2026-11 2026-12 2030-05 9998-12".split()
)
DAYS = st.sampled_from("0001-01-01 2022-06-01 2026-10-23 2026-11-21 2026-11-22 9998-12-31".split())
INSTANTS = st.sampled_from([0, NOW - 40 * DAY_MS, NOW - 30 * 60_000, NOW - 1, NOW, NOW + 1, LATEST_INSTANT])
GRAMS = st.sampled_from([0, 1, 49, 50, 14_500, 14_900, 16_500, 17_001, 2_000_000])
STAMPS = st.builds(
    Stamp,
    maker=st.just("maker"),
    serial=st.just("A1"),
    model=st.sampled_from(["YSP35.5", "YSP118", "unheard of"]),
    manufactured_month=st.none() | MONTHS,
    tare_g=GRAMS,
    water_volume_ml=st.sampled_from([1, 4_700, 35_500, 118_000, 2_000_000]),
    max_fill_g=GRAMS,
    design_life_months=st.sampled_from([None, 0, 96, 144, 2**53 - 1]),
)
INSPECTIONS = st.builds(
    InspectionState,
    inspected_month=MONTHS,
    next_due_month=st.none() | MONTHS,
    result=st.sampled_from(["passed", "failed"]),
    recorded_on=DAYS,
    items_complete=st.sampled_from([None, True, False]),
    body_licensed=st.sampled_from([None, True, False]),
    items_recorded=st.sampled_from([None, True, False]),
)
PAPERS = st.builds(
    TechnicalFile,
    certificate=st.sampled_from([None, "present", "missing"]),
    maker_licensed=st.sampled_from([None, True, False]),
    head_mark=st.sampled_from([None, "present", "missing"]),
    head_mark_owner_id=st.sampled_from([None, "company-1", "company-2"]),
    collar=st.sampled_from([None, "welded", "threaded"]),
    phase=st.sampled_from([None, "gas", "liquid", "dual"]),
    phase_marked=st.sampled_from([None, True, False]),
    valve=st.sampled_from([None, "self_closing", "angle"]),
)
MARKS = st.sampled_from([None, {}, {"seized/a": 1}, {"lost/company-1": 1}, {"recall/r": 1, "seized/a": 2}])
CYLINDERS = st.builds(
    CylinderState,
    cylinder_id=st.just("cyl_1"),
    n=st.just(3),
    stamp=STAMPS,
    owner_id=st.sampled_from(["company-1", "company-2"]),
    registration_no=st.sampled_from([None, "EXAMPLE-0001"]),
    in_service_on=DAYS,
    codes=st.just((CODE,)),
    voided_codes=st.sampled_from([(), (CODE,)]),
    transferred_on=st.none() | DAYS,
    transfer_cosigned=st.booleans(),
    inspection=st.none() | INSPECTIONS,
    evaluated_until=st.none() | MONTHS,
    flags=st.lists(st.sampled_from(get_args(FlagKind)), unique=True).map(tuple),
    status=st.sampled_from(["empty", "filled", "at_customer", "in_inspection", "condemned", "destroyed", "withdrawn"]),
    status_since=INSTANTS,
    last_seen_station_id=st.sampled_from([None, "station-1", "station-2"]),
    last_seen_at=st.none() | INSTANTS,
    last_filled_at=st.none() | INSTANTS,
    technical=st.none() | PAPERS,
    marks=MARKS,
    valve=st.sampled_from([None, OLD_VALVE]),
    region=st.sampled_from([None, "here", "elsewhere"]),
    custodian_id=st.sampled_from([None, "company-1", "company-2"]),
    custody_basis=st.sampled_from([None, "entrusted", "supply_contract"]),
    unapproved_codes=st.sampled_from([None, (CODE,)]),
    retags=st.sampled_from([None, {"request-1": CODE}]),
)
NEAR_GOOD = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(sorted(BRINGS)) for name in ("first", "second", "third")}
).map(lambda chosen: sorted(set(chosen.values())))
REQUESTS = st.builds(
    FillRequest,
    check_id=st.just("check-1"),
    raw_scan=st.text(max_size=10),
    code=st.sampled_from([None, CODE]),
    station_id=st.just("station-1"),
    scale_id=st.just("scale-1"),
    lane=st.integers(0, 9),
    boot_id=st.just("boot-1"),
    worker_id=st.sampled_from([None, "worker-1"]),
    findings=st.lists(st.sampled_from(get_args(Finding)), unique=True, max_size=3).map(tuple),
    stamp_seen=st.none()
    | st.builds(
        StampReading,
        serial=st.sampled_from([None, CYLINDER.stamp.serial, "another"]),
        tare_g=st.sampled_from([None, CYLINDER.stamp.tare_g, CYLINDER.stamp.tare_g + 1]),
    ),
    empty_gross_g=GRAMS,
    requested_at=INSTANTS,
    lot_id=st.sampled_from([None, "lot-1"]),
    residue_g=st.none() | GRAMS,
    evacuated=st.sampled_from([None, True, False]),
    prefill_checked=st.sampled_from([None, True, False]),
)
STATIONS = st.builds(
    StationFacts,
    station_id=st.just("station-1"),
    company_id=st.sampled_from([None, "company-1"]),
    licence_valid_until=st.none() | DAYS,
    licence_suspended=st.booleans(),
    scale_verified_until=st.none() | DAYS,
    scale_locked=st.booleans(),
    worker_certified_until=st.none() | DAYS,
    clock_skew_ms=st.sampled_from([None, 0, -120_001, 120_000]),
    clock_unchecked_ms=st.sampled_from([None, None, -1, 0, 7_199_999, 7_200_000]),
    data_as_of=INSTANTS,
    region=st.sampled_from([None, "here"]),
    lot_product=st.sampled_from([None, "lpg", "industrial_propane", "other"]),
    lot_standing=st.sampled_from([None, "released", "blocked", "not_released"]),
    journal_writable=st.sampled_from([None, True, False]),
)
MOMENTS = st.sampled_from([0, NOW, NOW + 9 * DAY_MS, NOW + 4_000 * DAY_MS])
EVERY_BOOK = [parse_rulebook(rulebook_text(name)) for name in ("cn-default", "cn-shandong", "cn-beijing", *variants())]
BOOKS = st.sampled_from([BOOK, *EVERY_BOOK])


@settings(max_examples=400)
@given(REQUESTS, st.none() | CYLINDERS, STATIONS, BOOKS, MOMENTS)
@example(SCAN, changed(stamped(max_fill_g=0)), GOOD.station, BOOK, NOW)
def test_whatever_the_facts_are_there_is_an_answer_and_it_is_the_same_again(
    request: FillRequest, cylinder: CylinderState | None, station: StationFacts, book: Rulebook, now: int
) -> None:
    decision = decide_fill(request, cylinder, station, book, now)
    again = decide_fill(
        FillRequest.model_validate_json(request.model_dump_json()),
        CylinderState.model_validate_json(cylinder.model_dump_json()) if cylinder else None,
        StationFacts.model_validate_json(station.model_dump_json()),
        book,
        now,
    )
    assert again == decision
    assert again.model_dump_json() == decision.model_dump_json()
    assert decision.permits == (not decision.reasons)
    assert (decision.outcome == "WARN") == (decision.permits and bool(decision.warnings))
    assert (decision.max_net_g is None) == (not decision.permits)
    assert (decision.start_before is None) == (not decision.permits)
    assert len(set(decision.codes)) == len(decision.codes)


@settings(max_examples=400)
@given(REQUESTS, CYLINDERS, STATIONS, MOMENTS)
def test_nothing_admits_a_cylinder_that_a_deadline_or_a_mark_stops(
    request: FillRequest, cylinder: CylinderState, station: StationFacts, now: int
) -> None:
    stamp, inspection = cylinder.stamp, cylinder.inspection
    stops = (
        cylinder.status in ("condemned", "destroyed", "withdrawn")
        or (request.stamp_seen is not None and request.stamp_seen.serial == "another")
        or cylinder.flags
        or stamp.manufactured_month is None
        or (inspection is not None and inspection.result == "failed")
        or (now >= NOW and stamp.manufactured_month <= "2007-01")
        or (now >= NOW and inspection is not None and (inspection.next_due_month or "9") < "2026-11")
        or (now >= NOW and inspection is None and stamp.manufactured_month < "2022-11")
        or (now <= NOW and inspection is not None and inspection.inspected_month > "2026-11")
        or (now >= NOW and stamp.design_life_months == 96 and stamp.manufactured_month <= "2014-11")
        or CODE in cylinder.voided_codes
        or request.code is None
    )
    assume(stops)
    assert not decide_fill(request, cylinder, station, BOOK, now).permits


CORE = [way for code, ways in WAYS.items() if "R20" <= code <= "R38" for way in ways]
"""Overdue, failed, not credible, outlived, scrapped, refurbished, black …: the safety core, R20 to R38."""


@settings(max_examples=500)
@given(
    st.sampled_from(CORE),
    REQUESTS,
    CYLINDERS | st.just(CYLINDER),
    STATIONS | st.just(GOOD.station),
    BOOKS,
    st.sampled_from([NOW, NOW + 8 * DAY_MS, NOW + 4_000 * DAY_MS]),
)
def test_nothing_whatever_admits_a_cylinder_of_the_safety_core(
    way: Way, request: FillRequest, cylinder: CylinderState, station: StationFacts, book: Rulebook, now: int
) -> None:
    asked = request.model_copy(update=way[1])
    assert not decide_fill(asked, patched(cylinder, way[0]), station, book, now).permits


@settings(max_examples=300)
@given(st.sampled_from(CORE), BOOKS)
def test_a_cylinder_of_the_safety_core_that_is_good_in_all_else_is_refused_by_every_rulebook(
    way: Way, book: Rulebook
) -> None:
    (code,) = {code for code, ways in WAYS.items() for one in ways if one is way}
    decision = decide_fill(SCAN.model_copy(update=way[1]), changed(way[0]), GOOD.station, book, NOW)
    assert code in decision.codes


@laws
@given(NEAR_GOOD, st.lists(st.sampled_from(sorted(AT_THE_STATION)), unique=True))
def test_only_what_nothing_speaks_against_is_admitted(brought: list[str], at_station: list[str]) -> None:
    facts: dict[str, Any] | None = {}
    scan: dict[str, Any] | None = {}
    for code in brought:
        assert facts is not None
        assert scan is not None
        facts, scan = joined(facts, BRINGS[code][0]), joined(scan, BRINGS[code][1])
        assume(facts is not None and scan is not None)
    station = {name: value for code in at_station for name, value in AT_THE_STATION[code].items()}
    decision = decide(changed(facts or {}), scan, station)
    assert decision.permits == (not brought and not at_station)
    assert {*brought, *at_station} <= set(decision.codes)


@laws
@given(CYLINDERS, REQUESTS, STATIONS, st.randoms(use_true_random=False))
def test_the_order_in_which_facts_are_listed_changes_nothing(
    cylinder: CylinderState, request: FillRequest, station: StationFacts, random: Any
) -> None:
    flags, findings = list(cylinder.flags), list(request.findings)
    random.shuffle(flags)
    random.shuffle(findings)
    shuffled = decide_fill(
        request.model_copy(update={"findings": tuple(findings)}),
        cylinder.model_copy(update={"flags": tuple(flags)}),
        station,
        BOOK,
        NOW,
    )
    assert shuffled == decide_fill(request, cylinder, station, BOOK, NOW)


@laws
@given(CYLINDERS)
def test_the_target_lies_below_the_most_that_any_limit_allows(cylinder: CylinderState) -> None:
    most, stamp = max_net_g(cylinder, BOOK), cylinder.stamp
    assert most <= stamp.max_fill_g
    assert most * 1_000 <= 420 * stamp.water_volume_ml
    assert most % 100 == 0 or most == stamp.max_fill_g
    assert 0 <= target_net_g(cylinder, BOOK, most) <= max(0, most - 50)
    if stamp.model in BOOK.models:
        model = BOOK.models[stamp.model]
        assert most <= model.nominal_g + model.tolerance_g


# --- the stricter of two answers --------------------------------------------------------------------------------

CODES = st.lists(st.sampled_from(["R10", "R20", "R30", "R63"]), unique=True)
RANK = {"ALLOW": 0, "WARN": 1, "DENY": 2}


def answer(codes: list[str], warnings: list[str], mass: int, seconds: int) -> Decision:
    permitted = not codes
    return Decision(
        check_id="check-1",
        outcome="DENY" if codes else "WARN" if warnings else "ALLOW",
        reasons=tuple(Refusal(code=code, word=code) for code in codes),
        warnings=tuple(Refusal(code=code, word=code) for code in warnings),
        cylinder_id="cyl_1",
        max_net_g=mass if permitted else None,
        target_net_g=mass - 50 if permitted else None,
        rulebook="cn-default@2026.1",
        data_as_of=NOW,
        decided_at=NOW,
        start_before=NOW + seconds * 1000 if permitted else None,
    )


ANSWERS = st.builds(
    answer,
    CODES,
    st.lists(st.sampled_from(["W20", "W24"]), unique=True),
    st.sampled_from([9_800, 14_000, 14_900]),
    st.sampled_from([60, 180]),
)


@laws
@given(ANSWERS, ANSWERS)
def test_the_stricter_answer_is_never_looser_than_either(own: Decision, other: Decision) -> None:
    both = stricter(own, other)
    assert RANK[both.outcome] == max(RANK[own.outcome], RANK[other.outcome])
    assert set(both.codes) == {*own.codes, *other.codes}
    assert len(both.codes) == len(set(both.codes))
    assert {w.code for w in both.warnings} == {w.code for w in (*own.warnings, *other.warnings)}
    for limit in ("max_net_g", "target_net_g", "start_before"):
        limits = [value for answer in (own, other) if (value := getattr(answer, limit)) is not None]
        assert getattr(both, limit) == (min(limits) if both.permits else None)


@laws
@given(ANSWERS, ANSWERS)
def test_whoever_is_asked_first_the_same_holds(own: Decision, other: Decision) -> None:
    one, two = stricter(own, other), stricter(other, own)
    assert (one.outcome, set(one.codes)) == (two.outcome, set(two.codes))
    assert (one.max_net_g, one.target_net_g, one.start_before) == (two.max_net_g, two.target_net_g, two.start_before)
    assert stricter(one, own) == stricter(one, other) == one


@laws
@given(ANSWERS)
def test_two_answers_that_agree_are_that_answer(own: Decision) -> None:
    assert stricter(own, own) == own


@pytest.mark.parametrize("case", load_cases("R20", "R63"), ids=lambda case: f"{case.file}: {case.name}")
def test_a_refusal_by_either_side_shuts_the_valve(case: Any) -> None:
    own = decide_fill(case.request, case.cylinder, case.station, case.book, case.now)
    permit = decide()
    for both in (stricter(own, permit), stricter(permit, own)):
        assert both.outcome == own.outcome
        assert both.codes == own.codes


@pytest.mark.parametrize(("tare_g", "codes"), [(16_600, ()), (16_601, ("R04",)), (16_400, ()), (16_399, ("R04",))])
def test_how_far_a_stamped_tare_may_lie_from_the_file_stands_in_the_rulebook(
    tare_g: int, codes: tuple[str, ...]
) -> None:
    tolerant = BOOK.model_copy(update={"identity": BOOK.identity.model_copy(update={"stamp_tare_tolerance_g": 100})})
    asked = SCAN.model_copy(update={"stamp_seen": StampReading(tare_g=tare_g)})
    assert decide_fill(asked, CYLINDER, GOOD.station, tolerant, NOW).codes == codes
