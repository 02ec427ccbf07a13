"""The past of a cylinder: steel, registration, code, inspections (钢印、登记、赋码、定检), and how it is told.

A *sound* past leaves nothing to refuse: made within the last 15 years, registered, inspected every four years,
and more than 70 days from every deadline on the day of the plan. Steel of the last seven years carries a
stamped design life of 96 months; older steel carries none; a few cylinders past 96 months were evaluated
(安全评定) in time. All months are counted back from the month of the plan.
"""

from dataclasses import dataclass, replace
from typing import Literal

from cylinder_api.town.chronicle import Life
from cylinder_api.town.dice import Dice
from cylinder_api.town.organisations import INSPECTION_BODIES
from cylinder_api.town.plan import TownPlan
from cylinder_trace.dates import HOUR_MS, MINUTE_MS, first_day, format_day, format_month, start_of_day_ms
from cylinder_trace.events import (
    CodeBound,
    CylinderRegistered,
    Evaluated,
    Event,
    Inspected,
    OwnershipTransferred,
    Stamp,
)
from cylinder_trace.vocabulary.naming import TechnicalFile

INTERVAL_MONTHS = 48
DESIGN_LIFE_MONTHS = 96
LONGEST_LIFE_MONTHS = 144
_CLEAR_MONTHS = 4
"""A deadline in the fourth month from now is at least 89 days away, whatever day of the month it is."""
_LATEST_INSPECTION = 3
"""Months before the plan's month; the register that was taken over is that old."""
_CODING_MONTHS = (30, 5)
"""Older cylinders got their code in a campaign between so many months before the plan and so many."""
STAMPED, EVALUATED, UNSTAMPED = (4, 88), (100, 130), (93, 172)
"""Ages in months of sound cylinders: with a stamped design life, evaluated beyond it, without one."""
_AGES = ((STAMPED, 58), (EVALUATED, 3), (UNSTAMPED, 39))


@dataclass(frozen=True, slots=True)
class Model:
    """A cylinder model (型号): masses in grams, volume in millilitres."""

    name: str
    water_volume_ml: int
    max_fill_g: int
    tare_g: int
    tare_spread_g: int


YSP35_5 = Model("YSP35.5", 35_500, 14_900, 16_500, 300)
YSP118 = Model("YSP118", 118_000, 49_500, 47_000, 900)
YSP12 = Model("YSP12", 12_000, 5_000, 6_500, 150)
MODEL_MIX = (
    (YSP35_5, 62),
    (YSP118, 19),
    (YSP12, 11),
    (Model("YSP4.7", 4_700, 1_900, 3_400, 100), 3),
    (Model("YSP23.5", 23_500, 9_800, 13_000, 250), 3),
    (Model("YSP26.2", 26_200, 11_000, 13_500, 250), 2),
)
_MAKERS = tuple(f"演示钢瓶{letter}厂" for letter in "甲乙丙丁戊己")


@dataclass(frozen=True, slots=True)
class Ring:
    """One periodic inspection: month on the ring, next due month, and the day it was really reported."""

    inspected: int
    next_due: int | None
    day: int
    passed: bool = True
    tare_g: int | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """All that is told of a cylinder before the month of trade. Months since year 0, days as ordinals."""

    made: int
    stamp: Stamp
    in_service: int
    registered: int
    registration_no: str | None
    coded: int
    rings: tuple[Ring, ...]
    evaluated_until: int | None = None
    bought: tuple[str, int] | None = None
    """Previous owner, and the day of a transfer that both owners signed."""
    technical: TechnicalFile | None = None
    """Papers and make; None on the stock that was taken over, at which nobody ever looked."""


def any_sound_past(dice: Dice, plan: TownPlan, serial: int) -> Past:
    """A past that leaves nothing to refuse, of an age as common as it is in a town."""
    ages = dice.weighted(_AGES)
    return sound_past(dice, plan, serial, dice.between(*ages), stamped=ages != UNSTAMPED)


def sound_past(dice: Dice, plan: TownPlan, serial: int, age: int, stamped: bool) -> Past:
    """The past of steel `age` months old; beyond 96 months, stamped steel has been evaluated in time."""
    made = plan.this_month - age
    model = dice.weighted(MODEL_MIX)
    in_service = first_day(made + 1) + dice.below(28)
    registered = in_service + dice.between(1, 20)
    campaign = first_day(plan.this_month - dice.between(*reversed(_CODING_MONTHS))) + dice.below(28)
    stamp = _stamp(dice, model, serial, made, stamped)
    return Past(
        made=made,
        stamp=stamp,
        in_service=in_service,
        registered=registered,
        registration_no=f"演示登字{serial:07d}",
        coded=max(registered, campaign) if age > _CODING_MONTHS[0] else registered,
        rings=_rings(dice, plan, made, stamp.tare_g),
        evaluated_until=made + LONGEST_LIFE_MONTHS if stamped and age > DESIGN_LIFE_MONTHS else None,
    )


def with_stamp(past: Past, **changes: str | int | None) -> Past:
    """The same past with something else stamped into the steel."""
    return replace(past, stamp=past.stamp.model_copy(update=changes))


def _stamp(dice: Dice, model: Model, serial: int, made: int, stamped: bool) -> Stamp:
    spread = model.tare_spread_g // 10
    return Stamp(
        maker=dice.pick(_MAKERS),
        serial=f"{made // 12 % 100:02d}{serial:07d}",
        model=model.name,
        manufactured_month=format_month(made),
        tare_g=model.tare_g + 10 * dice.between(-spread, spread),
        water_volume_ml=model.water_volume_ml,
        max_fill_g=model.max_fill_g,
        design_life_months=DESIGN_LIFE_MONTHS if stamped else None,
    )


def _rings(dice: Dice, plan: TownPlan, made: int, tare_g: int) -> tuple[Ring, ...]:
    """Inspections up to two months before they were due, the last one early enough to be clear of the next."""
    rings: list[Ring] = []
    last = made
    while last + INTERVAL_MONTHS < plan.this_month + _CLEAR_MONTHS:
        last = min(last + INTERVAL_MONTHS - dice.below(3), plan.this_month - _LATEST_INSPECTION)
        weighed = tare_g - 10 * dice.below(8) if dice.per_mille(200) else None
        rings.append(Ring(last, last + INTERVAL_MONTHS, first_day(last) + dice.below(25), tare_g=weighed))
    return tuple(rings)


def tell_past(life: Life, past: Past, owner_id: str) -> None:
    """State everything in `past` about `life`, in the order in which it happened."""
    first_owner = past.bought[0] if past.bought else owner_id
    registration = CylinderRegistered(
        stamp=past.stamp,
        owner_id=first_owner,
        registration_no=past.registration_no,
        in_service_on=format_day(past.in_service),
        technical=past.technical,
    )
    life.happen(registration, _morning(past.registered), first_owner, (f"company/{first_owner}",))
    acts = [(past.coded, _code_bound(life)), *_transfer(past, owner_id), *_evaluation(past)]
    acts += [(ring.day, _inspected(ring, past)) for ring in past.rings]
    for place, (day, event) in enumerate(sorted(acts, key=lambda act: act[0])):
        life.happen(event, _morning(day) + (place + 1) * MINUTE_MS, _author(event, owner_id), _refs(event))


def _morning(day: int) -> int:
    return start_of_day_ms(day) + 10 * HOUR_MS


def _code_bound(life: Life) -> Event:
    return CodeBound(code=life.code)


def _transfer(past: Past, owner_id: str) -> list[tuple[int, Event]]:
    if past.bought is None:
        return []
    event = OwnershipTransferred(from_owner_id=past.bought[0], to_owner_id=owner_id, cosigned=True)
    return [(past.bought[1], event)]


def _evaluation(past: Past) -> list[tuple[int, Event]]:
    if past.evaluated_until is None:
        return []
    event = Evaluated(
        body_id=INSPECTION_BODIES[0],
        passed=True,
        valid_until_month=format_month(past.evaluated_until),
        report_no=f"演示评字{past.stamp.serial}",
    )
    return [(first_day(past.made + DESIGN_LIFE_MONTHS - 1), event)]


def _inspected(ring: Ring, past: Past) -> Event:
    result: Literal["passed", "failed"] = "passed" if ring.passed else "failed"
    return Inspected(
        body_id=INSPECTION_BODIES[int(past.stamp.serial) % len(INSPECTION_BODIES)],
        inspected_month=format_month(ring.inspected),
        next_due_month=format_month(ring.next_due) if ring.next_due else None,
        result=result,
        report_no=f"演示检字{past.stamp.serial}-{ring.inspected % 1000}",
        tare_g=ring.tare_g,
    )


def _author(event: Event, owner_id: str) -> str:
    return event.body_id if isinstance(event, Inspected | Evaluated) else owner_id


def _refs(event: Event) -> tuple[str, ...]:
    match event:
        case Inspected() | Evaluated():
            return (f"body/{event.body_id}",)
        case OwnershipTransferred():
            return (f"company/{event.from_owner_id}", f"company/{event.to_owner_id}")
        case _:
            return ()
