"""A year of a generated town as stored entries, with oddities of which the number is known: nobody's real data.

Each cylinder has its own station, is filled six times and sold at a door each time; every fourth is inspected, and of
those one in sixty is scrapped. Stations lose their line for a day a month and upload in the evening. Written straight
as canonical text, because an author's checks take longer than detection.
"""

import heapq
import random
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import orjson

from benchmarks.rows import samples
from benchmarks.rows.deciding import national_rulebook
from cylinder_trace.admission import decide_fill
from cylinder_trace.chain import NO_PREVIOUS
from cylinder_trace.dates import DAY_MS, HOUR_MS, MINUTE_MS, format_month, local_month, parse_day, start_of_day_ms
from cylinder_trace.events import FillDecided
from cylinder_trace.merkle import leaf_hash
from cylinder_trace.vocabulary.inspecting import MANDATORY_ITEMS

START = start_of_day_ms(parse_day("2025-01-01"))
STATIONS = 8
_BODIES = 3
_TURNS, _BETWEEN = 6, 60
"""Fills of a cylinder in the year, and the days from one to the next."""
_OFFLINE_EVERY = 30
_REJECT_ONE_IN = 60
_INSPECTED_ONE_IN = 4
_MILL, _COPIES, _NIGHT, _OF_EACH = 2_001, 20, 25, 5

PLANTED = {
    "two_places": _OF_EACH,
    "filled_twice": 2 * _OF_EACH,  # a fill at a customer's has no return before it either
    "many_fills": _OF_EACH,
    "duplicate_serial": _OF_EACH,
    "after_its_end": _OF_EACH,
    "filled_at_customer": _OF_EACH,
    "moved_back_and_forth": _OF_EACH,
    "known_late": 2 * _OF_EACH,  # told before the flag, and told by a station after it
    "inspection_rate": 1,
    "inspection_readings": 1,
    "no_rejects": _MILL // 500,
    "ring_ahead": _OF_EACH,
    "mass_balance": _OF_EACH,
    "night_fills": _OF_EACH,
    "worker_in_two_places": _OF_EACH,
}
"""Signals of each kind that the oddities leave, by the national rulebook."""


class _Told(NamedTuple):
    """What is told, in the order of the log."""

    recorded_at: int
    subject: str
    type: str
    at: int
    by: str
    refs: tuple[str, ...]
    data: dict[str, Any]


def town_year(cylinders: int, *, odd: bool) -> Iterator[tuple[bytes, bytes]]:
    """Stored texts and their hashes in the order of the log, some 51 for each of `cylinders`."""
    lives = [_life(number) for number in range(cylinders)]
    lives += [_lots(station, cylinders) for station in range(STATIONS)]
    lives += [iter(sorted(odd_one)) for odd_one in _oddities(cylinders)] if odd else []
    heads: dict[str, tuple[int, str]] = {}
    for number, told in enumerate(heapq.merge(*lives, key=_order)):
        n, prev = heads.get(told.subject, (0, NO_PREVIOUS))
        fields = told._asdict()
        fields["occurred_at"] = fields.pop("at")
        text = orjson.dumps({**fields, "id": f"act-{number}", "n": n, "prev": prev, "v": 1}, None, orjson.OPT_SORT_KEYS)
        digest = leaf_hash(text)
        heads[told.subject] = n + 1, digest.hex()
        yield text, digest


def _order(told: _Told) -> tuple[int, str]:
    return told.recorded_at, told.subject


# --- a plain life -------------------------------------------------------------------------------------------


def _life(number: int) -> Iterator[_Told]:
    """A cylinder's year in the order of the log: turns do not overlap."""
    chance, station = random.Random(number), f"st_{number % STATIONS}"  # the same town every time
    subject = _cylinder(number)
    yield _registered(subject, f"A{number:08d}", START + number % DAY_MS)
    to_inspect = number % _INSPECTED_ONE_IN == 0
    for turn in range(_TURNS):
        at = START + (1 + turn * _BETWEEN + number * 7 % 50) * DAY_MS + _hour(chance)
        if turn and not (to_inspect and turn == _TURNS // 2):
            yield _returned(subject, station, at - 3 * HOUR_MS)
        yield from sorted([*_fill(subject, station, at, chance), *_sale(subject, station, at, number)], key=_order)
        if to_inspect and turn == _TURNS // 2 - 1:
            rejected = number // _INSPECTED_ONE_IN // _BODIES % _REJECT_ONE_IN == 0
            yield from _inspection(subject, station, number, at + 6 * DAY_MS, chance, rejected=rejected)
            if rejected:
                return


def _hour(chance: random.Random) -> int:
    """In a shift, 6 to 22 h; one in fifty by night."""
    if chance.random() < 0.02:
        return chance.randrange(3 * HOUR_MS, 5 * HOUR_MS)
    return chance.randrange(6 * HOUR_MS, 22 * HOUR_MS)


def _registered(subject: str, serial: str, at: int) -> _Told:
    registration = samples.registration(0).data
    data = {**registration, "registration_no": serial, "stamp": {**registration["stamp"], "serial": serial}}
    return _Told(at, subject, "cylinder_registered", at, "company-1", (), data)


def _at_station(subject: str, word: str, at: int, station: str, data: dict[str, Any]) -> _Told:
    """Told by a station: at once, or in the evening of a day without a line, in the order in which it occurred."""
    day, moment = divmod(at - START, DAY_MS)
    offline = (day + int(station[3:]) * 3) % _OFFLINE_EVERY == 0
    recorded = START + day * DAY_MS + DAY_MS - HOUR_MS // 2 + moment // 100 if offline else at + 900
    return _Told(recorded, subject, word, at, station, (f"station/{station}",), data)


def _returned(subject: str, station: str, at: int) -> _Told:
    return _at_station(subject, "returned", at, station, {"station_id": station})


def _fill(subject: str, station: str, at: int, chance: random.Random) -> list[_Told]:
    """Checked, decided, filled, checked again, out of the gate."""
    shift, lane = ("night", "early", "late")[(at - START) % DAY_MS // (8 * HOUR_MS)], chance.randrange(1, 4)
    worker, check = f"fl_{station}_{shift}_{lane}", f"chk_{subject[13:]}_{at}"
    net_g = chance.randrange(14_300, 14_700)
    common = {"check_id": check, "station_id": station, "worker_id": worker}
    on_scale = {**common, "scale_id": f"sc_{station}_{lane}", "lane": lane, "empty_gross_g": 16_600}
    weights = {"full_gross_g": 16_500 + net_g, "net_g": net_g, "ended_because": "limit_reached"}
    filled = {**on_scale, "started_at": at - MINUTE_MS, "ended_at": at, **weights}
    before = {**common, "items": _items("P", 17), "passed": True}
    behind = {**common, "items": _items("Q", 6), "passed": True, "seal_no": f"S{at}"}
    gone = {"station_id": station, "worker_id": f"dw_{station}"}
    told = [
        ("prefill_checked", -2 * MINUTE_MS, before),
        ("fill_decided", -90_000, _decided(check, station, worker, lane, at - 90_000)),
        ("fill_started", -MINUTE_MS, on_scale),
        ("filled", 0, filled),
        ("postfill_checked", 40_000, behind),
        ("left_station", HOUR_MS, gone),
    ]
    return [_at_station(subject, word, at + after, station, data) for word, after, data in told]


def _items(letter: str, count: int) -> list[dict[str, Any]]:
    return [{"item": f"{letter}{number}", "passed": True} for number in range(1, count + 1)]


def _decided(check: str, station: str, worker: str, lane: int, at: int) -> dict[str, Any]:
    data = _decision()
    scan = {"check_id": check, "station_id": station, "worker_id": worker, "lane": lane, "requested_at": at}
    return {
        **data,
        "request": {**data["request"], **scan},
        "station": {**data["station"], "station_id": station, "data_as_of": at},
        "decision": {**data["decision"], "check_id": check, "data_as_of": at, "decided_at": at},
    }


@cache
def _decision() -> dict[str, Any]:
    request, facts = samples.fill_request(), samples.station_facts()
    decision = decide_fill(request, samples.cylinder(), facts, national_rulebook(), samples.NOW)
    event = FillDecided(request=request, station=facts, decision=decision, decided_by="service")
    return event.model_dump(mode="json", exclude_none=True)


def _sale(subject: str, station: str, filled_at: int, number: int) -> list[_Told]:
    """At a door some hours after the fill; told by the deliverer's phone, which has its own line."""
    at, customer = filled_at + 5 * HOUR_MS, f"cu_{number % 9_000}"
    order = {"order_no": f"so-{at}", "customer_id": customer, "worker_id": f"dw_{station}"}
    data = {**order, "point_id": f"pt_{station}", "identity_commitment": NO_PREVIOUS, "safety_check_passed": True}
    return [_Told(at + 500, subject, "sold", at, f"pt_{station}", (f"customer/{customer}",), data)]


def _inspection(
    subject: str, station: str, number: int, at: int, chance: random.Random, *, rejected: bool
) -> Iterator[_Told]:
    body, report = f"ib_{number // _INSPECTED_ONE_IN % _BODIES}", f"report-{number}"
    yield _returned(subject, station, at)
    yield _at_body(subject, "sent_to_inspection", at + DAY_MS, body, {"body_id": body})
    at += 3 * DAY_MS
    for place, item in enumerate(sorted(MANDATORY_ITEMS)):
        persons = {"inspector_id": "in_1", "reviewer_id": "in_2"}
        thin = rejected and item == "wall_thickness"
        reading = {"reading": chance.randrange(2_300, 2_700), "unit": "um"} if item == "wall_thickness" else {}
        found = {"item": item, "result": "failed" if thin else "passed", **reading}
        data = {"body_id": body, "report_no": report, **found, **persons}
        yield _at_body(subject, "inspection_item_recorded", at + place * MINUTE_MS, body, data)
    yield _at_body(subject, "inspected", at + HOUR_MS, body, _inspected(body, report, at, rejected=rejected))
    if rejected:
        yield _at_body(subject, "condemned", at + 2 * HOUR_MS, body, {"body_id": body, "cause": "wall_thickness"})
        cut = {"body_id": body, "method": "cut", "evidence_sha256": [NO_PREVIOUS] * 3}
        yield _at_body(subject, "destroyed", at + DAY_MS, body, cut)


def _at_body(subject: str, word: str, at: int, body: str, data: dict[str, Any]) -> _Told:
    return _Told(at + 1_000, subject, word, at, body, (f"body/{body}",), data)


def _inspected(body: str, report: str, at: int, *, rejected: bool = False, ahead: int = 0) -> dict[str, Any]:
    month = local_month(at) + ahead
    data = {"body_id": body, "report_no": report, "inspected_month": format_month(month), "body_licensed": True}
    if rejected:
        return {**data, "result": "failed", "items": sorted(MANDATORY_ITEMS - {"wall_thickness"})}
    return {**data, "result": "passed", "items": sorted(MANDATORY_ITEMS), "next_due_month": format_month(month + 48)}


def _lots(station: int, cylinders: int) -> Iterator[_Told]:
    """Gas each week, a fifth more than is filled."""
    mass_g = cylinders // STATIONS * _TURNS * 15_000 * 12 // 10 // 52 + 10_000_000
    for week in range(52):
        yield _lot(f"st_{station}", START + week * 7 * DAY_MS, mass_g)


def _lot(station: str, at: int, mass_g: int) -> _Told:
    data = {"station_id": station, "supplier_id": "su_1", "product": "lpg", "mass_g": mass_g, "document_no": f"d{at}"}
    return _Told(at + 100, f"lot/lot_{station}_{at}", "gas_lot_received", at, station, (f"station/{station}",), data)


def _cylinder(number: int) -> str:
    return f"cylinder/cyl_{number:026d}"


# --- oddities -----------------------------------------------------------------------------------------------


def _oddities(cylinders: int) -> Iterator[list[_Told]]:
    """Each about cylinders and, where it counts those, stations and bodies of its own, so that none adds to another."""
    chance = random.Random(0)
    numbers = iter(range(cylinders, 10 * (cylinders + _MILL)))
    for turn in range(_OF_EACH):
        at = START + (100 + 20 * turn) * DAY_MS + 12 * HOUR_MS
        for make in (
            _cloned,
            _filled_twice,
            _at_customer,
            _filled_often,
            _revived,
            _moved,
            _flagged,
            _flagged_before_told,
        ):
            yield make(_cylinder(next(numbers)), at, chance)
        yield [_registered(_cylinder(next(numbers)), f"A{turn:08d}", at)]
        yield [_at_body(_cylinder(next(numbers)), "inspected", at, "ib_x", _inspected("ib_x", "r", at, ahead=1))]
        yield _fill(_cylinder(next(numbers)), "st_90", at, chance)
        yield _one_certificate([_cylinder(next(numbers)) for _ in range(2)], at, chance)
        yield _by_night([_cylinder(next(numbers)) for _ in range(_NIGHT)], at, chance)
    yield [_lot("st_90", START, 1_000)]
    yield _mill([_cylinder(next(numbers)) for _ in range(_MILL)], START + 200 * DAY_MS)
    yield _copied_readings([_cylinder(next(numbers)) for _ in range(_COPIES)], START + 200 * DAY_MS)


def _cloned(subject: str, at: int, chance: random.Random) -> list[_Told]:
    first = _fill(subject, "st_1", at, chance)
    second = _fill(subject, "st_2", at + 10 * MINUTE_MS, chance)
    return [*first, *(told for told in second if told.type == "fill_decided")]


def _filled_twice(subject: str, at: int, chance: random.Random) -> list[_Told]:
    return [told for days in (0, 30) for told in _fill(subject, "st_1", at + days * DAY_MS, chance)]


def _at_customer(subject: str, at: int, chance: random.Random) -> list[_Told]:
    return [*_filled_twice(subject, at, chance), *_sale(subject, "st_1", at, 1)]


def _filled_often(subject: str, at: int, chance: random.Random) -> list[_Told]:
    times = [at, at + 3 * HOUR_MS, at + 6 * HOUR_MS]
    fills = [told for time in times for told in _fill(subject, "st_1", time, chance)]
    return [*fills, *(_returned(subject, "st_1", time + 2 * HOUR_MS) for time in times)]


def _revived(subject: str, at: int, chance: random.Random) -> list[_Told]:
    end = _at_body(subject, "condemned", at, "ib_x", {"body_id": "ib_x", "cause": "wall_thickness"})
    again = _fill(subject, "st_1", at + 9 * DAY_MS, chance)
    return [end, *(told for told in again if told.type == "fill_decided")]


def _moved(subject: str, at: int, chance: random.Random) -> list[_Told]:
    there = {"from_owner_id": "co_1", "to_owner_id": "co_2", "cosigned": False}
    back = {"from_owner_id": "co_2", "to_owner_id": "co_1", "cosigned": False}
    moves = [(at - DAY_MS, there), (at + DAY_MS, back)]
    told = [_Told(moment, subject, "ownership_transferred", moment, "co_1", (), data) for moment, data in moves]
    return [*told, *_fill(subject, "st_1", at, chance)]


def _flagged(subject: str, at: int, chance: random.Random) -> list[_Told]:
    flag = _flag(subject, at + 10 * DAY_MS)
    return [*_fill(subject, "st_1", at, chance), *_sale(subject, "st_1", at, 1), flag]


def _flagged_before_told(subject: str, at: int, chance: random.Random) -> list[_Told]:
    late = [told._replace(recorded_at=told.at + 2 * DAY_MS) for told in _fill(subject, "st_1", at, chance)]
    return [*late, _flag(subject, at + DAY_MS)]


def _flag(subject: str, at: int) -> _Told:
    data = {"flag": "black", "authority_id": "au_1", "cause": "generated"}
    return _Told(at, subject, "flagged", at, "au_1", (), data)


def _one_certificate(subjects: list[str], at: int, chance: random.Random) -> list[_Told]:
    fills = [*_fill(subjects[0], "st_1", at, chance), *_fill(subjects[1], "st_2", at, chance)]
    return [told._replace(data={**told.data, "worker_id": "fl_lent"}) for told in fills if told.type == "filled"]


def _by_night(subjects: list[str], at: int, chance: random.Random) -> list[_Told]:
    midnight = at - 12 * HOUR_MS
    times = range(midnight + HOUR_MS, midnight + 4 * HOUR_MS, 5 * MINUTE_MS)
    return [
        told for subject, time in zip(subjects, times, strict=False) for told in _fill(subject, "st_91", time, chance)
    ]


def _mill(subjects: list[str], at: int) -> list[_Told]:
    return [
        _at_body(subject, "inspected", at + place * 10_000, "ib_mill", _inspected("ib_mill", f"m{place}", at))
        for place, subject in enumerate(subjects)
    ]


def _copied_readings(subjects: list[str], at: int) -> list[_Told]:
    data = {"body_id": "ib_copy", "report_no": "r", "item": "wall_thickness", "result": "passed"}
    persons = {"reading": 2_500, "unit": "um", "inspector_id": "in_1", "reviewer_id": "in_2"}
    return [
        _at_body(subject, "inspection_item_recorded", at + place * MINUTE_MS, "ib_copy", {**data, **persons})
        for place, subject in enumerate(subjects)
    ]
