"""The lists around a fill (充装前检查 P1–P17、充装后检查 Q1–Q6): people show exceptions, the whole list is recorded.

What nobody found wrong is in order: whoever shows the card "list gone through" states it for every item.  Items that a
rule answers (in date, owned, not black) are taken from the decision.
"""

from collections.abc import Collection, Mapping

from cylinder_trace.decision import Decision, Finding
from cylinder_trace.fill_acts import POSTFILL, PREFILL
from cylinder_trace.vocabulary.filling import CheckItem

ITEMS_OF_FINDING: Mapping[Finding, tuple[str, ...]] = {
    "stamp_mismatch": ("P1",),
    "tag_refitted": ("P1",),
    "stamp_altered": ("P4",),
    "converted": ("P4",),
    "marking_wrong": ("P5",),
    "mark_absent": ("P6",),
    "mark_differs": ("P6",),
    "not_evacuated": ("P8", "P9"),
    "body_damaged": ("P10",),
    "fittings_missing": ("P11",),
    "valve_damaged": ("P12",),
    "refurbished": ("P13",),
    "scrap_mark": ("P13",),
    "threaded_collar": ("P13",),
    "tare_unclear": ("P14",),
    "dual_phase": ("P16",),
    "head_mark_absent": ("P17",),
}
"""What the filler saw → items of the list."""

_ITEM_OF_REASON: Mapping[str, str] = {
    **dict.fromkeys(("R01", "R02", "R03", "R04", "R05", "R06"), "P1"),
    **dict.fromkeys(("R10", "R11", "R12", "R14", "R15"), "P2"),
    "R13": "P17",
    "R35": "P3",
    **dict.fromkeys(("R25", "R37"), "P4"),
    "R43": "P5",
    **dict.fromkeys(("R20", "R21", "R22", "R23"), "P6"),
    **dict.fromkeys(("R24", "R26"), "P7"),
    "R44": "P9",
    "R40": "P10",
    "R42": "P11",
    "R41": "P12",
    **dict.fromkeys(("R30", "R31", "R32", "R33", "R36", "R38"), "P13"),
    "R46": "P14",
    "R45": "P15",
    **dict.fromkeys(("R34", "R50"), "P16"),
}
"""Refusal → the item that it answers; licence, people, scale, clock and data are no items of the list."""

ITEM_OF_FAULT: Mapping[str, str] = {
    "leaking": "Q2",
    "valve_damaged": "Q2",
    "bulging": "Q3",
    "body_damaged": "Q3",
    "fittings_missing": "Q4",
    "labels_missing": "Q5",
    "marking_wrong": "Q5",
}
"""What the checker saw on the full cylinder → item. The cards of before the fill serve here too."""


def prefill_items(findings: Collection[Finding], decision: Decision) -> tuple[CheckItem, ...]:
    """P1 to P17, each in order unless it was shown or found not to be; the remark names the finding or the refusal."""
    wrong: dict[str, list[str]] = {}
    for finding in findings:
        for item in ITEMS_OF_FINDING[finding]:
            wrong.setdefault(item, []).append(finding)
    for code in (*decision.codes, *(refusal.code for refusal in decision.on_trial or ())):
        if answered := _ITEM_OF_REASON.get(code):
            wrong.setdefault(answered, []).append(code)
    return _listed(PREFILL, wrong)


def postfill_items(faults: Collection[str], *, within_limit: bool) -> tuple[CheckItem, ...]:
    """Q1 to Q6: the second weight, what the checker saw; Q6 holds because nobody may check the own fill."""
    wrong: dict[str, list[str]] = {} if within_limit else {"Q1": ["over_limit"]}
    for fault in faults:
        wrong.setdefault(ITEM_OF_FAULT[fault], []).append(fault)
    return _listed(POSTFILL, wrong)


def not_in_order(items: Collection[CheckItem]) -> tuple[CheckItem, ...]:
    """The exceptions of a list, all that a screen or a ticket shows of it."""
    return tuple(item for item in items if not item.passed)


def _listed(lines: Mapping[str, object], wrong: Mapping[str, list[str]]) -> tuple[CheckItem, ...]:
    return tuple(
        CheckItem(item=line, passed=line not in wrong, remark=" ".join(wrong[line]) if line in wrong else None)
        for line in lines
    )
