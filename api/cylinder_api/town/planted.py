"""Bad cases planted on purpose (埋设的问题瓶): one way to make each, and how many.

Each maker answers with the scan that must be refused. It either makes a cylinder with a past of its own, or
takes a good empty one that only the scan turns into a case. Nothing else is left to refuse, with one exception
that the law itself makes: whatever has outlived its service life is overdue for inspection as well, because no
inspection is valid beyond the end of life (R24 never comes without R20).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import isqrt

from cylinder_api.town.answer_key import PlantedScan, Prelude
from cylinder_api.town.chronicle import Life
from cylinder_api.town.dice import Dice
from cylinder_api.town.month import printed_link
from cylinder_api.town.organisations import (
    DEMO_COMPANY,
    DEMO_STATION,
    FILLER_OUT_OF_DATE,
    FOREIGN_COMPANY,
    INSPECTION_BODIES,
    REGULATOR,
    SCALE_LOCKED,
    SCALE_OUT_OF_DATE,
    SUSPENDED_STATION,
    Organisations,
)
from cylinder_api.town.pasts import (
    EVALUATED,
    INTERVAL_MONTHS,
    UNSTAMPED,
    Past,
    Ring,
    any_sound_past,
    sound_past,
    with_stamp,
)
from cylinder_api.town.register import Register
from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import make_code
from cylinder_trace.dates import HOUR_MS, first_day, start_of_day_ms
from cylinder_trace.decision import Finding
from cylinder_trace.events import (
    CodeBound,
    CodeVoided,
    Condemned,
    Destroyed,
    Event,
    Flagged,
    FlagKind,
    OwnershipTransferred,
    SentToInspection,
)
from cylinder_trace.reasons import REASONS

_INSPECTED_ONCE = (56, 88)
"""Ages at which sound steel has been inspected at least once and carries a stamped design life."""
_BODY = INSPECTION_BODIES[0]


@dataclass(slots=True)
class Planter:
    """What makers work with: the register, good empty cylinders by station, cylinders that are away."""

    register: Register
    organisations: Organisations
    empties: dict[str, list[Life]]
    away: list[Life]
    """Cylinders of the demonstration station that are filled or at customers."""
    dice: Dice
    scans: list[PlantedScan] = field(default_factory=list)

    def make(self, past: Past, owner_id: str = DEMO_COMPANY) -> Life:
        """A cylinder with a past of its own."""
        return self.register.add(past, owner_id)

    def aged(self, ages: tuple[int, int], stamped: bool) -> Past:
        """A sound past of steel as old as one of `ages`, in months."""
        age = self.dice.between(*ages)
        return sound_past(self.dice, self.register.plan, self.register.next_serial, age, stamped)

    def any_age(self) -> Past:
        """A sound past of any age."""
        return any_sound_past(self.dice, self.register.plan, self.register.next_serial)

    def take(self, station_id: str = DEMO_STATION) -> Life:
        """A good empty cylinder out of a station."""
        return self.empties[station_id].pop()

    def days_ago(self, fewest: int, most: int) -> int:
        """An instant in working hours, so many days before the plan's day."""
        day = self.register.plan.today - self.dice.between(fewest, most)
        return start_of_day_ms(day) + 9 * HOUR_MS + self.dice.below(7 * HOUR_MS)

    def scan(self, life: Life, *reasons: str, station_id: str = DEMO_STATION) -> PlantedScan:
        """The scan of `life` at a scale in good order, to be refused for `reasons`."""
        return replace(
            self.scan_of_text(printed_link(life.code), *reasons, station_id=station_id),
            code=life.code,
            cylinder_id=life.cylinder_id,
            empty_gross_g=life.state.stamp.tare_g + self.dice.below(200),
        )

    def scan_of_text(self, raw_text: str, *reasons: str, station_id: str = DEMO_STATION) -> PlantedScan:
        """The scan of a text that leads to no cylinder."""
        station = self.organisations.station(station_id)
        place = len(self.scans)
        return PlantedScan(
            kind=f"{reasons[0]} {REASONS[reasons[0]].word}",
            raw_text=raw_text,
            code=None,
            cylinder_id=None,
            station_id=station_id,
            scale_id=station.scale_ids[place % len(station.scale_ids)],
            lane=place % len(station.scale_ids) + 1,
            worker_id=station.filler_ids[place % len(station.filler_ids)],
            empty_gross_g=16_500 + self.dice.below(400),
            expected_reasons=reasons,
        )


Maker = Callable[[Planter, int], PlantedScan]
"""Makes the case; the number counts the cases of this kind from 0, for kinds that come in several shapes."""


# --- R01–R05: the code --------------------------------------------------------------------------------------


def _unreadable(planter: Planter, index: int) -> PlantedScan:
    code = planter.register.new_code()
    wrong_digits = f"{(int(code[-2:]) + 1) % 97:02d}"
    texts = (
        "6901028075022",  # a goods number
        printed_link(code)[:-3],  # torn label
        code[:-2] + wrong_digits,
        f"HTTPS://QR.SHOP.EXAMPLE/C/{code}",
        code[:9] + "#" + code[10:],  # scratched
    )
    return planter.scan_of_text(texts[index % len(texts)], "R01")


def _unknown(planter: Planter, index: int) -> PlantedScan:
    """In turn: a code of ours that was never put on a cylinder, and one that somebody made up."""
    forger = TagKey("forged", hashlib.sha256(b"not the town's key").digest())
    code = make_code(planter.dice.bytes(10), forger).text if index % 2 else planter.register.new_code()
    return replace(planter.scan_of_text(printed_link(code), "R02"), code=code)


def _seen_at_branch(planter: Planter, index: int) -> PlantedScan:
    return _seen_at(planter, "st_01_1")


def _cloned_code(planter: Planter, index: int) -> PlantedScan:
    return replace(_seen_at(planter, "st_02"), kind="trick cloned_code")


def _seen_at(planter: Planter, station_id: str) -> PlantedScan:
    station = planter.organisations.station(station_id)
    minutes = planter.dice.between(3, 12)
    prelude = Prelude("check_elsewhere", station_id, station.scale_ids[0], 1, station.filler_ids[0], minutes)
    needs = f"the same code checked at {station_id} {minutes} minutes before"
    return replace(planter.scan(planter.take(), "R03"), prelude=prelude, needs=needs)


def _code_voided(planter: Planter, index: int) -> PlantedScan:
    """The label came off and was replaced; somebody scans the old one."""
    life = planter.make(planter.any_age())
    scan = planter.scan(life, "R05")
    at = planter.days_ago(5, 25)
    life.happen(CodeVoided(code=life.code, cause="标签脱落,补发新码"), at, DEMO_COMPANY)
    new_code = planter.register.replace_code(life)
    life.happen(CodeBound(code=new_code), at + HOUR_MS, DEMO_COMPANY)
    return scan


def _revived_scrap(planter: Planter, index: int) -> PlantedScan:
    """Condemned, cut up, its code cancelled; then the code turns up again."""
    life = planter.make(planter.any_age())
    at = planter.days_ago(10, 25)
    picture = hashlib.sha256(f"generated picture {life.cylinder_id}".encode()).hexdigest()
    acts: tuple[Event, ...] = (
        Condemned(body_id=_BODY, cause="瓶体腐蚀超限"),
        Destroyed(body_id=_BODY, method="cut", evidence_sha256=(picture,)),
        CodeVoided(code=life.code, cause="已去功能化"),
    )
    for hours, event in enumerate(acts):
        life.happen(event, at + hours * HOUR_MS, _BODY, (f"body/{_BODY}",))
    return replace(planter.scan(life, "R30", "R05"), kind="trick revived_scrap")


# --- R10–R15: the owner -------------------------------------------------------------------------------------


def _other_owner(planter: Planter, index: int) -> PlantedScan:
    return planter.scan(planter.take(f"st_0{index % 5 + 2}"), "R10")


def _foreign_cylinder(planter: Planter, index: int) -> PlantedScan:
    scan = planter.scan(planter.make(planter.any_age(), FOREIGN_COMPANY), "R10")
    return replace(scan, kind="trick foreign_cylinder")


def _not_registered(planter: Planter, index: int) -> PlantedScan:
    in_service = planter.register.plan.today - planter.dice.between(45, 60)
    past = replace(
        planter.aged((4, 4), stamped=True),
        registration_no=None,
        in_service=in_service,
        registered=in_service + 2,
        coded=in_service + 2,
    )
    return planter.scan(planter.make(past), "R11")


def _bought_lately(planter: Planter, index: int) -> PlantedScan:
    day = planter.register.plan.today - planter.dice.between(3, 14)
    past = replace(planter.any_age(), bought=(f"co_0{index % 6 + 2}", day))
    return planter.scan(planter.make(past), "R15")


def _transfer_laundering(planter: Planter, index: int) -> PlantedScan:
    """A foreign cylinder becomes "ours" the evening before, and its owner never signed."""
    life = planter.make(planter.any_age(), FOREIGN_COMPANY)
    event = OwnershipTransferred(from_owner_id=FOREIGN_COMPANY, to_owner_id=DEMO_COMPANY, cosigned=False)
    at = start_of_day_ms(planter.register.plan.today) - planter.dice.between(90, 170) * 60_000
    refs = (f"company/{FOREIGN_COMPANY}", f"company/{DEMO_COMPANY}")
    life.happen(event, at, DEMO_COMPANY, refs)
    return replace(planter.scan(life, "R15"), kind="trick transfer_laundering")


# --- R20–R26: inspection and service life -------------------------------------------------------------------


def _overdue(planter: Planter, index: int) -> PlantedScan:
    """The inspection that fell due one month ago or more was never made."""
    stamped = index % 2 == 0
    past = planter.aged(_INSPECTED_ONCE if stamped else UNSTAMPED, stamped)
    latest = planter.register.plan.this_month - INTERVAL_MONTHS - 1
    rings = tuple(ring for ring in past.rings if ring.inspected <= latest)
    return planter.scan(planter.make(replace(past, rings=rings)), "R20")


def _failed(planter: Planter, index: int) -> PlantedScan:
    past = planter.aged(_INSPECTED_ONCE, stamped=True)
    return planter.scan(planter.make(_last_ring(past, passed=False, next_due=None)), "R21")


def _not_credible(planter: Planter, index: int) -> PlantedScan:
    """In turn: a ring valid for six years, and one older than the steel."""
    if index % 2 == 0:
        past = planter.aged(_INSPECTED_ONCE, stamped=True)
        past = _last_ring(past, next_due=past.rings[-1].inspected + 72)
    else:
        past = planter.aged((8, 20), stamped=True)
        day = first_day(planter.register.plan.this_month - 3) + planter.dice.below(25)
        ring = Ring(past.made - 2, past.made - 2 + INTERVAL_MONTHS, day)
        past = replace(past, rings=(ring,))
    return planter.scan(planter.make(past), "R22")


def _future_dated_ring(planter: Planter, index: int) -> PlantedScan:
    """The ring was struck before its month had begun."""
    plan = planter.register.plan
    month = plan.this_month + planter.dice.between(1, 2)
    ring = Ring(month, month + INTERVAL_MONTHS, plan.today - planter.dice.between(5, 20))
    past = planter.aged(_INSPECTED_ONCE, stamped=True)
    scan = planter.scan(planter.make(replace(past, rings=(*past.rings[:-1], ring))), "R22")
    return replace(scan, kind="trick future_dated_ring")


def _life_ended(planter: Planter, index: int) -> PlantedScan:
    """In turn: older than 15 years, and evaluated but beyond the evaluation's end."""
    if index % 2 == 0:
        past = planter.aged((181, 200), stamped=False)
    else:
        past = planter.aged(EVALUATED, stamped=True)
        past = replace(past, evaluated_until=planter.register.plan.this_month - 2)
    return planter.scan(planter.make(past), "R24", "R20")


def _date_ground_off(planter: Planter, index: int) -> PlantedScan:
    past = planter.aged(_INSPECTED_ONCE, stamped=True)
    return planter.scan(planter.make(with_stamp(past, manufactured_month=None, design_life_months=None)), "R25")


def _not_evaluated(planter: Planter, index: int) -> PlantedScan:
    past = replace(planter.aged(EVALUATED, stamped=True), evaluated_until=None)
    return planter.scan(planter.make(past), "R26")


def _last_ring(past: Past, passed: bool = True, next_due: int | None = None) -> Past:
    ring = replace(past.rings[-1], passed=passed, next_due=next_due)
    return replace(past, rings=(*past.rings[:-1], ring))


# --- R30–R38: marks -----------------------------------------------------------------------------------------


def _condemned(planter: Planter, index: int) -> PlantedScan:
    life = planter.make(planter.any_age())
    event = Condemned(body_id=_BODY, cause="壁厚不足")
    life.happen(event, planter.days_ago(4, 25), _BODY, (f"body/{_BODY}",))
    return planter.scan(life, "R30")


def _flagged(reason: str, flag: FlagKind, cause: str) -> Maker:
    def make(planter: Planter, index: int) -> PlantedScan:
        life = planter.make(planter.any_age())
        picture = hashlib.sha256(f"generated evidence {life.cylinder_id}".encode()).hexdigest()
        event = Flagged(flag=flag, authority_id=REGULATOR, cause=cause, evidence_sha256=(picture,))
        life.happen(event, planter.days_ago(2, 25), REGULATOR, (f"authority/{REGULATOR}",))
        return planter.scan(life, reason)

    return make


# --- R40–R69: condition, station, whereabouts ---------------------------------------------------------------


def _found(reason: str, finding: Finding) -> Maker:
    def make(planter: Planter, index: int) -> PlantedScan:
        return replace(planter.scan(planter.take(), reason), findings=(finding,))

    return make


def _tare_drift(planter: Planter, index: int) -> PlantedScan:
    """In turn: far too heavy (residue, or another cylinder), and far too light."""
    life = planter.take()
    drift = planter.dice.between(1_500, 2_500) if index % 2 == 0 else -planter.dice.between(800, 1_200)
    return replace(planter.scan(life, "R46"), empty_gross_g=life.state.stamp.tare_g + drift)


def _suspended_station(planter: Planter, index: int) -> PlantedScan:
    scan = planter.scan(planter.take("st_07"), "R60", station_id=SUSPENDED_STATION)
    return replace(scan, needs=f"a scan at {SUSPENDED_STATION}, whose licence is suspended; over HTTP")


def _uncertified_filler(planter: Planter, index: int) -> PlantedScan:
    scan = planter.scan(planter.take(), "R61")
    needs = f"{FILLER_OUT_OF_DATE} signed on, whose certificate has run out"
    return replace(scan, worker_id=FILLER_OUT_OF_DATE, needs=needs)


def _scale_out_of_date(planter: Planter, index: int) -> PlantedScan:
    needs = f"a scan at {SCALE_OUT_OF_DATE}, whose verification has run out"
    return replace(planter.scan(planter.take(), "R62"), scale_id=SCALE_OUT_OF_DATE, lane=9, needs=needs)


def _scale_locked(planter: Planter, index: int) -> PlantedScan:
    needs = f"a scan at {SCALE_LOCKED}, which the regulator has locked"
    return replace(planter.scan(planter.take(), "R63"), scale_id=SCALE_LOCKED, lane=10, needs=needs)


def _away(planter: Planter, index: int) -> PlantedScan:
    """By the record it is full in the station, or at a customer."""
    return planter.scan(planter.away.pop(index % 2 - 1), "R69")


def _in_inspection(planter: Planter, index: int) -> PlantedScan:
    life = planter.make(planter.any_age())
    life.happen(SentToInspection(body_id=_BODY), planter.days_ago(3, 10), DEMO_COMPANY, (f"body/{_BODY}",))
    return planter.scan(life, "R69")


def _one_code_many_fills(planter: Planter, index: int) -> PlantedScan:
    """A good code is scanned again right after its fill, with another empty cylinder on the scale."""
    scan = planter.scan(planter.take(), "R69")
    prelude = Prelude("fill_here", scan.station_id, scan.scale_id, scan.lane, scan.worker_id, 0)
    needs = "the same code scanned and filled at this scale just before"
    return replace(scan, kind="trick one_code_many_fills", prelude=prelude, needs=needs)


# --- how many -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """How common a case is, whether it takes a cylinder made for it, and how it is made."""

    weight: int
    """How many there are in a town of 1,000 cylinders; others have as the square root of their size."""
    own_cylinder: bool
    make: Maker

    def count(self, cylinders: int) -> int:
        """How many of these a town of so many cylinders has: at least one."""
        return max(1, self.weight * isqrt(cylinders * 1000) // 1000)


CASES = (
    Case(5, False, _unreadable),
    Case(4, False, _unknown),
    Case(2, False, _seen_at_branch),
    Case(2, False, _cloned_code),
    Case(3, False, _found("R04", "stamp_mismatch")),
    Case(2, True, _code_voided),
    Case(3, True, _revived_scrap),
    Case(5, False, _other_owner),
    Case(2, True, _foreign_cylinder),
    Case(3, True, _not_registered),
    Case(2, True, _bought_lately),
    Case(2, True, _transfer_laundering),
    Case(8, True, _overdue),
    Case(3, True, _failed),
    Case(2, True, _not_credible),
    Case(3, True, _future_dated_ring),
    Case(3, False, _found("R23", "mark_absent")),
    Case(4, True, _life_ended),
    Case(2, True, _date_ground_off),
    Case(4, True, _not_evaluated),
    Case(3, True, _condemned),
    Case(2, True, _flagged("R31", "refurbished", "钢印打磨重打")),
    Case(3, True, _flagged("R32", "black", "黑窝点查扣")),
    Case(2, True, _flagged("R36", "recalled", "该批次阀座渗漏召回")),
    Case(2, True, _flagged("R38", "lost", "车辆失窃协查")),
    Case(3, False, _found("R40", "body_damaged")),
    Case(3, False, _found("R41", "valve_damaged")),
    Case(4, False, _tare_drift),
    Case(2, False, _suspended_station),
    Case(2, False, _uncertified_filler),
    Case(2, False, _scale_out_of_date),
    Case(2, False, _scale_locked),
    Case(4, False, _away),
    Case(1, True, _in_inspection),
    Case(3, False, _one_code_many_fills),
)
"""Every refusal that a town can show, and the tricks."""


def own_cylinders(cylinders: int) -> int:
    """How many of a town's cylinders are made as planted cases."""
    return sum(case.count(cylinders) for case in CASES if case.own_cylinder)


def plant(planter: Planter) -> tuple[PlantedScan, ...]:
    """Make all cases; what is left in `planter.empties` afterwards is good."""
    for case in CASES:
        for index in range(case.count(planter.register.plan.cylinders)):
            planter.scans.append(case.make(planter, index))
    return tuple(planter.scans)
