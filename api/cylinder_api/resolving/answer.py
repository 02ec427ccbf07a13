"""The public answer (公众查询): what anybody may know who stands beside the cylinder, made from its record alone.

No person, no door, no delivery: where it has been between two fillings would tell of the household it went to.
"""

from typing import Any, NamedTuple

from cylinder_api.resolving.asking import Label
from cylinder_api.resolving.finding import Found
from cylinder_api.resolving.words import (
    ASK_LATER,
    COMPARE,
    CONDITIONS,
    IN_ORDER,
    NO_RULEBOOK,
    Verdict,
    Words,
    next_of,
    told_of,
)
from cylinder_codes.identifiers import format_code_human
from cylinder_trace.admission import Judgement, judge_record
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import format_day, format_month, local_day
from cylinder_trace.decision import Outcome
from cylinder_trace.rules.deadlines import due_month, life_end_month
from cylinder_trace.values import Frozen, Grams, Instant

_VERDICTS: dict[Outcome, Verdict] = {"ALLOW": "in_order", "WARN": "due_soon", "DENY": "not_to_be_filled"}
_SHOWN_OF_SERIAL = 4


class PublicReason(Frozen):
    """One reason of the verdict."""

    code: str
    """As in the list of refusals and warnings: `R20`, `W20`."""
    zh: str
    en: str


class LastInspection(Frozen):
    """The periodic inspection that holds."""

    month: str
    passed: bool


class LastFill(Frozen):
    """Day, station and net mass of the last filling; not the person at the scale."""

    day: str
    station_id: str | None
    net_g: Grams | None


class PublicAnswer(Frozen):
    """Whether the cylinder is in order, and the facts by which anybody can compare it with the steel."""

    code: str
    """The code that was asked for, as it is printed for people."""
    verdict: Verdict
    sentence_zh: str
    sentence_en: str
    next_zh: str
    next_en: str
    reasons: tuple[PublicReason, ...]
    """All of them; the first is what the sentence says."""
    condition_zh: str
    condition_en: str
    owner_id: str
    model: str
    maker: str
    serial_end: str
    """The last characters of the serial in the steel, to be compared; the whole of it is on the steel alone."""
    made_month: str | None
    water_volume_ml: int
    tare_g: Grams
    max_fill_g: Grams
    last_inspection: LastInspection | None
    next_inspection_month: str | None
    use_until_month: str | None
    recalled: bool
    last_fill: LastFill | None
    as_of: Instant
    """When the register was asked."""


class _Said(NamedTuple):
    verdict: Verdict
    sentence: Words
    next: Words
    reasons: tuple[PublicReason, ...]


def public_answer(label: Label, found: Found, now: int) -> PublicAnswer:
    """What the public is told of the cylinder to which a label leads, at `now` (UTC ms)."""
    cylinder, book = found.cylinder, found.book
    judged = judge_record(cylinder, label.code.text, book, now) if book else None
    said = _said(judged)
    due = due_month(cylinder, book) if book else None
    end = life_end_month(cylinder, book) if book else None
    return PublicAnswer(
        code=format_code_human(label.code),
        verdict=said.verdict,
        sentence_zh=said.sentence.zh, sentence_en=said.sentence.en,
        next_zh=said.next.zh, next_en=said.next.en,
        reasons=said.reasons,
        next_inspection_month=None if due is None else format_month(due),
        use_until_month=None if end is None else format_month(end),
        as_of=now,
        **_facts(cylinder),
    )  # fmt: skip


def _said(judged: Judgement | None) -> _Said:
    """The verdict, one sentence and one next step. Without rules nothing is said, least of all that all is well."""
    if judged is None:
        return _Said("cannot_tell", NO_RULEBOOK, ASK_LATER, ())
    told = judged.reasons or judged.warnings
    reasons = tuple(PublicReason(code=one.code, **told_of(one)._asdict()) for one in told)
    if not told:
        return _Said(_VERDICTS[judged.outcome], IN_ORDER, COMPARE, ())
    return _Said(_VERDICTS[judged.outcome], told_of(told[0]), next_of(told[0]), reasons)


def _facts(cylinder: CylinderState) -> dict[str, Any]:
    stamp, condition = cylinder.stamp, CONDITIONS[cylinder.status]
    return {
        "condition_zh": condition.zh, "condition_en": condition.en,
        "owner_id": cylinder.owner_id,
        "model": stamp.model, "maker": stamp.maker, "serial_end": stamp.serial[-_SHOWN_OF_SERIAL:],
        "made_month": stamp.manufactured_month, "water_volume_ml": stamp.water_volume_ml,
        "tare_g": stamp.tare_g, "max_fill_g": stamp.max_fill_g,
        "last_inspection": _last_inspection(cylinder),
        "recalled": "recalled" in cylinder.flags or cylinder.is_marked("recall"),
        "last_fill": _last_fill(cylinder),
    }  # fmt: skip


def _last_inspection(cylinder: CylinderState) -> LastInspection | None:
    last = cylinder.inspection
    return LastInspection(month=last.inspected_month, passed=last.result == "passed") if last else None


def _last_fill(cylinder: CylinderState) -> LastFill | None:
    if cylinder.last_filled_at is None:
        return None
    day = format_day(local_day(cylinder.last_filled_at))
    return LastFill(day=day, station_id=cylinder.last_filled_station_id, net_g=cylinder.last_net_g)
