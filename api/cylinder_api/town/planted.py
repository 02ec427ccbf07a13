"""Which bad cases are planted in a town (埋设的问题瓶), and how many of each."""

from dataclasses import dataclass
from math import isqrt

from cylinder_api.town import cases
from cylinder_api.town.answer_key import PlantedScan
from cylinder_api.town.planter import Maker, Planter


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
    Case(5, False, cases.unreadable),
    Case(4, False, cases.unknown),
    Case(2, False, cases.seen_at_branch),
    Case(2, False, cases.cloned_code),
    Case(3, False, cases.found("stamp_mismatch", "R04")),
    Case(2, True, cases.code_voided),
    Case(2, True, cases.replaced_tag),
    Case(1, False, cases.found("tag_refitted", "R06")),
    Case(3, True, cases.revived_scrap),
    Case(5, False, cases.other_owner),
    Case(2, True, cases.foreign_cylinder),
    Case(3, True, cases.not_registered),
    Case(2, True, cases.without_papers),
    Case(2, True, cases.without_head_mark),
    Case(2, True, cases.flagged("R14", "double_registered", "两家单位先后登记")),
    Case(2, True, cases.bought_lately),
    Case(2, True, cases.transfer_laundering),
    Case(8, True, cases.overdue),
    Case(3, True, cases.failed),
    Case(2, True, cases.not_credible),
    Case(3, True, cases.future_dated_ring),
    Case(3, False, cases.found("mark_absent", "R23")),
    Case(4, True, cases.life_ended),
    Case(2, True, cases.date_ground_off),
    Case(1, False, cases.found("stamp_altered", "R37", "R25")),
    Case(4, True, cases.not_evaluated),
    Case(3, True, cases.condemned),
    Case(1, False, cases.found("scrap_mark", "R30")),
    Case(2, True, cases.flagged("R31", "refurbished", "钢印打磨重打")),
    Case(3, True, cases.flagged("R32", "black", "黑窝点查扣")),
    Case(2, True, cases.screwed_collar),
    Case(2, True, cases.dual_phase),
    Case(2, True, cases.unlicensed_maker),
    Case(2, True, cases.flagged("R37", "converted", "瓶体改装")),
    Case(2, True, cases.flagged("R36", "recalled", "该批次阀座渗漏召回")),
    Case(2, True, cases.flagged("R38", "lost", "车辆失窃协查")),
    Case(2, True, cases.seized),
    Case(3, False, cases.found("body_damaged", "R40")),
    Case(3, False, cases.found("valve_damaged", "R41")),
    Case(2, False, cases.found("fittings_missing", "R42")),
    Case(2, False, cases.found("marking_wrong", "R43")),
    Case(1, False, cases.found("not_evacuated", "R44")),
    Case(4, False, cases.tare_drift),
    Case(2, False, cases.suspended_station),
    Case(2, False, cases.uncertified_filler),
    Case(2, False, cases.scale_out_of_date),
    Case(2, False, cases.scale_locked),
    Case(4, False, cases.away),
    Case(1, True, cases.in_inspection),
    Case(3, False, cases.one_code_many_fills),
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
