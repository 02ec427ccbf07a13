"""The makers of the planted cases (埋设的问题瓶), grouped as an inspector thinks.

Each maker answers with the scan that must be refused. It either makes a cylinder with a past of its own, or takes a
good empty one that only the scan turns into a case. Nothing else is left to refuse, with one exception that the law
itself makes: whatever has outlived its service life is overdue for inspection as well, because no inspection is valid
beyond the end of life (R24 never comes without R20). The number handed to a maker counts the cases of its kind from 0,
for kinds that come in several shapes.
"""

import hashlib
from dataclasses import replace

from cylinder_api.town.answer_key import PlantedScan, Prelude
from cylinder_api.town.month import printed_link
from cylinder_api.town.organisations import (
    DEMO_COMPANY,
    FILLER_OUT_OF_DATE,
    FOREIGN_COMPANY,
    INSPECTION_BODIES,
    REGULATOR,
    SCALE_LOCKED,
    SCALE_OUT_OF_DATE,
    SUSPENDED_STATION,
)
from cylinder_api.town.pasts import (
    EVALUATED,
    INTERVAL_MONTHS,
    UNSTAMPED,
    Past,
    Ring,
    with_stamp,
)
from cylinder_api.town.planter import Maker, Planter
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
    Seized,
    SentToInspection,
)
from cylinder_trace.vocabulary.naming import TechnicalFile

_INSPECTED_ONCE = (56, 88)
"""Ages at which sound steel has been inspected at least once and carries a stamped design life."""
_SINCE_HEAD_MARKS = (8, 40)
"""Ages of steel that was made after June 2021, in any town from 2025 on."""
_BODY = INSPECTION_BODIES[0]


# --- R01–R06: the code --------------------------------------------------------------------------------------


def unreadable(planter: Planter, index: int) -> PlantedScan:
    """R01, in turn: another thing's code, a torn label, wrong check digits, another site's link, a scratch."""
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


def unknown(planter: Planter, index: int) -> PlantedScan:
    """R02, in turn: a code of ours that was never put on a cylinder, and one that somebody made up."""
    forger = TagKey("forged", hashlib.sha256(b"not the town's key").digest())
    code = make_code(planter.dice.bytes(10), forger).text if index % 2 else planter.register.new_code()
    return replace(planter.scan_of_text(printed_link(code), "R02"), code=code)


def seen_at_branch(planter: Planter, index: int) -> PlantedScan:
    """R03: the same code was at the branch of the same company minutes ago."""
    return _seen_at(planter, "st_01_1")


def cloned_code(planter: Planter, index: int) -> PlantedScan:
    """R03: the same code was at another company's station minutes ago."""
    return replace(_seen_at(planter, "st_02"), kind="trick cloned_code")


def _seen_at(planter: Planter, station_id: str) -> PlantedScan:
    station = planter.organisations.station(station_id)
    minutes = planter.dice.between(3, 12)
    prelude = Prelude("check_elsewhere", station_id, station.scale_ids[0], 1, station.filler_ids[0], minutes)
    needs = f"the same code checked at {station_id} at most {minutes} minutes before"
    return replace(planter.scan(planter.take(), "R03"), prelude=prelude, needs=needs)


def code_voided(planter: Planter, index: int) -> PlantedScan:
    """R05: the label came off and was replaced; somebody scans the old one."""
    life = planter.make(planter.any_age())
    scan = planter.scan(life, "R05")
    at = planter.days_ago(5, 25)
    life.happen(CodeVoided(code=life.code, cause="标签脱落,补发新码"), at, DEMO_COMPANY)
    new_code = planter.register.replace_code(life)
    life.happen(CodeBound(code=new_code), at + HOUR_MS, DEMO_COMPANY)
    return scan


def replaced_tag(planter: Planter, index: int) -> PlantedScan:
    """R06: the label came off and was replaced, without a request and without an approval; the new one is scanned."""
    life = planter.make(planter.any_age())
    at = planter.days_ago(5, 25)
    life.happen(CodeVoided(code=life.code, cause="标签脱落"), at, DEMO_COMPANY)
    life.happen(CodeBound(code=planter.register.replace_code(life)), at + HOUR_MS, DEMO_COMPANY)
    return planter.scan(life, "R06")


def revived_scrap(planter: Planter, index: int) -> PlantedScan:
    """R30 with R05: condemned, cut up, its code cancelled; then the code turns up again."""
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


def other_owner(planter: Planter, index: int) -> PlantedScan:
    """R10: a good cylinder of another company of the town."""
    return planter.scan(planter.take(f"st_0{index % 5 + 2}"), "R10")


def foreign_cylinder(planter: Planter, index: int) -> PlantedScan:
    """R10: a good cylinder of a company of another city."""
    scan = planter.scan(planter.make(planter.any_age(), FOREIGN_COMPANY), "R10")
    return replace(scan, kind="trick foreign_cylinder")


def not_registered(planter: Planter, index: int) -> PlantedScan:
    """R11: in service for more than 30 days, without use registration."""
    in_service = planter.register.plan.today - planter.dice.between(45, 60)
    past = replace(
        planter.aged((4, 4), stamped=True),
        registration_no=None,
        in_service=in_service,
        registered=in_service + 2,
        coded=in_service + 2,
    )
    return planter.scan(planter.make(past), "R11")


def without_papers(planter: Planter, index: int) -> PlantedScan:
    """R12: somebody looked for its product certificate, and it is not there."""
    past = replace(planter.any_age(), technical=TechnicalFile(certificate="missing"))
    return planter.scan(planter.make(past), "R12")


def without_head_mark(planter: Planter, index: int) -> PlantedScan:
    """R13, in turn: made since June 2021, and the head bears no filling company's mark, or another company's."""
    technical = TechnicalFile(head_mark="missing")
    if index % 2:
        technical = TechnicalFile(head_mark="present", head_mark_owner_id=FOREIGN_COMPANY)
    past = replace(planter.aged(_SINCE_HEAD_MARKS, stamped=True), technical=technical)
    return planter.scan(planter.make(past), "R13")


def bought_lately(planter: Planter, index: int) -> PlantedScan:
    """R15: both owners signed, and the waiting time is still running."""
    day = planter.register.plan.today - planter.dice.between(3, 14)
    past = replace(planter.any_age(), bought=(f"co_0{index % 6 + 2}", day))
    return planter.scan(planter.make(past), "R15")


def transfer_laundering(planter: Planter, index: int) -> PlantedScan:
    """R15: a foreign cylinder becomes "ours" the evening before, and its owner never signed."""
    life = planter.make(planter.any_age(), FOREIGN_COMPANY)
    event = OwnershipTransferred(from_owner_id=FOREIGN_COMPANY, to_owner_id=DEMO_COMPANY, cosigned=False)
    at = start_of_day_ms(planter.register.plan.today) - planter.dice.between(90, 170) * 60_000
    refs = (f"company/{FOREIGN_COMPANY}", f"company/{DEMO_COMPANY}")
    life.happen(event, at, DEMO_COMPANY, refs)
    return replace(planter.scan(life, "R15"), kind="trick transfer_laundering")


# --- R20–R26: inspection and service life -------------------------------------------------------------------


def overdue(planter: Planter, index: int) -> PlantedScan:
    """R20: the inspection that fell due one month ago or more was never made."""
    stamped = index % 2 == 0
    past = planter.aged(_INSPECTED_ONCE if stamped else UNSTAMPED, stamped)
    latest = planter.register.plan.this_month - INTERVAL_MONTHS - 1
    rings = tuple(ring for ring in past.rings if ring.inspected <= latest)
    return planter.scan(planter.make(replace(past, rings=rings)), "R20")


def failed(planter: Planter, index: int) -> PlantedScan:
    """R21: the last inspection failed."""
    past = planter.aged(_INSPECTED_ONCE, stamped=True)
    return planter.scan(planter.make(_last_ring(past, passed=False, next_due=None)), "R21")


def not_credible(planter: Planter, index: int) -> PlantedScan:
    """R22, in turn: a ring valid for six years, and one older than the steel."""
    if index % 2 == 0:
        past = planter.aged(_INSPECTED_ONCE, stamped=True)
        past = _last_ring(past, next_due=past.rings[-1].inspected + 72)
    else:
        past = planter.aged((8, 20), stamped=True)
        day = first_day(planter.register.plan.this_month - 3) + planter.dice.below(25)
        ring = Ring(past.made - 2, past.made - 2 + INTERVAL_MONTHS, day)
        past = replace(past, rings=(ring,))
    return planter.scan(planter.make(past), "R22")


def future_dated_ring(planter: Planter, index: int) -> PlantedScan:
    """R22: the ring was struck before its month had begun."""
    plan = planter.register.plan
    month = plan.this_month + planter.dice.between(1, 2)
    ring = Ring(month, month + INTERVAL_MONTHS, plan.today - planter.dice.between(5, 20))
    past = planter.aged(_INSPECTED_ONCE, stamped=True)
    scan = planter.scan(planter.make(replace(past, rings=(*past.rings[:-1], ring))), "R22")
    return replace(scan, kind="trick future_dated_ring")


def life_ended(planter: Planter, index: int) -> PlantedScan:
    """R24 with R20, in turn: older than 15 years, and evaluated but beyond the evaluation's end."""
    if index % 2 == 0:
        past = planter.aged((181, 200), stamped=False)
    else:
        past = planter.aged(EVALUATED, stamped=True)
        past = replace(past, evaluated_until=planter.register.plan.this_month - 2)
    return planter.scan(planter.make(past), "R24", "R20")


def date_ground_off(planter: Planter, index: int) -> PlantedScan:
    """R25: no date of manufacture can be read."""
    past = planter.aged(_INSPECTED_ONCE, stamped=True)
    return planter.scan(planter.make(with_stamp(past, manufactured_month=None, design_life_months=None)), "R25")


def not_evaluated(planter: Planter, index: int) -> PlantedScan:
    """R26: past its design life without evaluation."""
    past = replace(planter.aged(EVALUATED, stamped=True), evaluated_until=None)
    return planter.scan(planter.make(past), "R26")


def _last_ring(past: Past, passed: bool = True, next_due: int | None = None) -> Past:
    ring = replace(past.rings[-1], passed=passed, next_due=next_due)
    return replace(past, rings=(*past.rings[:-1], ring))


# --- R30–R38: marks -----------------------------------------------------------------------------------------


def condemned(planter: Planter, index: int) -> PlantedScan:
    """R30: condemned, and still about with its living code."""
    life = planter.make(planter.any_age())
    event = Condemned(body_id=_BODY, cause="壁厚不足")
    life.happen(event, planter.days_ago(4, 25), _BODY, (f"body/{_BODY}",))
    return planter.scan(life, "R30")


def flagged(reason: str, flag: FlagKind, cause: str) -> Maker:
    """R03, R14, R31, R32, R35, R36, R37, R38: marked by an authority."""

    def make(planter: Planter, index: int) -> PlantedScan:
        life = planter.make(planter.any_age())
        picture = hashlib.sha256(f"generated evidence {life.cylinder_id}".encode()).hexdigest()
        event = Flagged(flag=flag, authority_id=REGULATOR, cause=cause, evidence_sha256=(picture,))
        life.happen(event, planter.days_ago(2, 25), REGULATOR, (f"authority/{REGULATOR}",))
        return planter.scan(life, reason)

    return make


def screwed_collar(planter: Planter, index: int) -> PlantedScan:
    """R33: the register says that its collar is screwed on."""
    past = replace(planter.aged(UNSTAMPED, stamped=False), technical=TechnicalFile(collar="threaded"))
    return planter.scan(planter.make(past), "R33")


def dual_phase(planter: Planter, index: int) -> PlantedScan:
    """R34, in turn: for gas and liquid and not painted as such, and nobody knows how it is painted."""
    marked = False if index % 2 == 0 else None
    past = replace(planter.any_age(), technical=TechnicalFile(phase="dual", phase_marked=marked))
    return planter.scan(planter.make(past), "R34")


def unlicensed_maker(planter: Planter, index: int) -> PlantedScan:
    """R35: the register says that its maker held no licence."""
    past = replace(planter.any_age(), technical=TechnicalFile(maker_licensed=False))
    return planter.scan(planter.make(past), "R35")


def seized(planter: Planter, index: int) -> PlantedScan:
    """R38: an authority has seized it, and it turns up at a scale."""
    life = planter.make(planter.any_age())
    event = Seized(authority_id=REGULATOR, document_no=f"演示查封{index:04d}", cause="流动经营查获")
    life.happen(event, planter.days_ago(2, 25), REGULATOR, (f"authority/{REGULATOR}",))
    return planter.scan(life, "R38")


# --- R40–R69: condition, station, whereabouts ---------------------------------------------------------------


def found(finding: Finding, *reasons: str) -> Maker:
    """What the filler saw on the steel, shown by a card."""

    def make(planter: Planter, index: int) -> PlantedScan:
        return replace(planter.scan(planter.take(), *reasons), findings=(finding,))

    return make


def tare_drift(planter: Planter, index: int) -> PlantedScan:
    """R46, in turn: far too heavy (residue, or another cylinder), and far too light."""
    life = planter.take()
    drift = planter.dice.between(1_500, 2_500) if index % 2 == 0 else -planter.dice.between(800, 1_200)
    return replace(planter.scan(life, "R46"), empty_gross_g=life.state.stamp.tare_g + drift)


def suspended_station(planter: Planter, index: int) -> PlantedScan:
    """R60: the station's licence is suspended."""
    scan = planter.scan(planter.take("st_07"), "R60", station_id=SUSPENDED_STATION)
    return replace(scan, needs=f"a scan at {SUSPENDED_STATION}, whose licence is suspended; over HTTP")


def uncertified_filler(planter: Planter, index: int) -> PlantedScan:
    """R61: the filler's certificate has run out."""
    scan = planter.scan(planter.take(), "R61")
    needs = f"{FILLER_OUT_OF_DATE} signed on, whose certificate has run out"
    return replace(scan, worker_id=FILLER_OUT_OF_DATE, needs=needs)


def scale_out_of_date(planter: Planter, index: int) -> PlantedScan:
    """R62: the scale's verification has run out."""
    needs = f"a scan at {SCALE_OUT_OF_DATE}, whose verification has run out"
    return replace(planter.scan(planter.take(), "R62"), scale_id=SCALE_OUT_OF_DATE, lane=9, needs=needs)


def scale_locked(planter: Planter, index: int) -> PlantedScan:
    """R63: the regulator has locked the scale."""
    needs = f"a scan at {SCALE_LOCKED}, which the regulator has locked"
    return replace(planter.scan(planter.take(), "R63"), scale_id=SCALE_LOCKED, lane=10, needs=needs)


def away(planter: Planter, index: int) -> PlantedScan:
    """R69: by the record it is full in the station, or at a customer."""
    return planter.scan(planter.away.pop(index % 2 - 1), "R69")


def in_inspection(planter: Planter, index: int) -> PlantedScan:
    """R69: sent to the inspection body and not back."""
    life = planter.make(planter.any_age())
    life.happen(SentToInspection(body_id=_BODY), planter.days_ago(3, 10), DEMO_COMPANY, (f"body/{_BODY}",))
    return planter.scan(life, "R69")


def one_code_many_fills(planter: Planter, index: int) -> PlantedScan:
    """R69: a good code is scanned again right after its fill, with another empty cylinder on the scale."""
    scan = planter.scan(planter.take(), "R69")
    prelude = Prelude("fill_here", scan.station_id, scan.scale_id, scan.lane, scan.worker_id, 0)
    needs = "the same code scanned and filled at this scale just before"
    return replace(scan, kind="trick one_code_many_fills", prelude=prelude, needs=needs)
