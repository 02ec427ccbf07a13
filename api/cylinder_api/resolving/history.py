"""The public history (公开履历): months and kinds of what happened to a cylinder, of what anybody may know.

Filling, inspecting, naming and scrapping are the acts of companies and bodies that are answerable for it.  Left out is
whatever tells where it was between: sales, deliveries, returns and hand-overs trace a household; checks at the scale
bear the filler; losses and seizures are an authority's business while they last, and show in the verdict.  Fillings
are counted by the month, so that nobody's cooking is read from them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from cylinder_api.resolving.words import Words
from cylinder_trace import events
from cylinder_trace.audit import StoredEntry
from cylinder_trace.dates import format_month, local_month, parse_month
from cylinder_trace.values import Count, Frozen

PUBLIC: Mapping[str, Words] = {
    events.CylinderMade.type: Words("制造", "made"),
    events.CylinderRegistered.type: Words("建档", "put on file"),
    events.UseRegistered.type: Words("使用登记", "registered for use"),
    events.RegistrationCancelled.type: Words("注销登记", "registration cancelled"),
    events.CodeBound.type: Words("赋码", "given a code"),
    events.CodeVoided.type: Words("旧码停用", "an old code ended"),
    events.RetagApproved.type: Words("批准换标", "new label approved"),
    events.OwnershipTransferred.type: Words("产权变更", "changed owners"),
    events.Filled.type: Words("充装", "filled"),
    events.ValveChanged.type: Words("更换瓶阀", "valve changed"),
    events.Inspected.type: Words("定期检验", "inspected"),
    events.Evaluated.type: Words("安全评定", "evaluated"),
    events.Condemned.type: Words("判废", "condemned"),
    events.Destroyed.type: Words("去功能化", "destroyed"),
    events.Recalled.type: Words("列入召回", "recalled"),
    events.RecallLifted.type: Words("解除召回", "recall lifted"),
    events.Corrected.type: Words("更正记录", "record corrected"),
}
"""Kinds of events that the public may see, and what they are called."""
NOT_PUBLIC = frozenset(
    event.type
    for event in (
        events.RegistrationWithdrawn, events.RetagRequested, events.RetagRefused, events.HandedOver,
        events.PrefillChecked, events.FillDecided, events.FillStarted, events.PostfillChecked, events.Reweighed,
        events.LeftStation, events.Sold, events.SafetyChecked, events.Returned, events.SentToInspection,
        events.InspectionItemRecorded, events.Flagged, events.FlagCleared, events.Seized, events.Released,
        events.ReportedLost, events.Found, events.DisputeRaised, events.DisputeResolved,
    )
)  # fmt: skip
"""Kinds of events in a cylinder's chain that the public does not see."""
CERTIFIED = (events.Inspected.type, events.Evaluated.type)
"""What an inspection body answers for with a report."""
MOST_LINES = 120
"""The newest that are shown; ten years of a busy cylinder."""
_FACTS = ("body_id", "result", "passed", "next_due_month", "valid_until_month", "report_no")
_RESULTS: Mapping[object, Words] = {
    "passed": Words("合格", "passed"), True: Words("合格", "passed"),
    "failed": Words("不合格", "failed"), False: Words("不合格", "failed"),
}  # fmt: skip


class HistoryLine(Frozen):
    """What happened in one month, once or several times."""

    month: str
    kind: str
    """The event's word, as in `docs/events.md`."""
    zh: str
    en: str
    times: Count = 1
    body_id: str | None = None
    """The inspection body that answers for it."""
    report_no: str | None = None
    next_due_month: str | None = None


class PublicHistory(Frozen):
    """The newest first."""

    code: str
    lines: tuple[HistoryLine, ...]
    earlier: Count
    """How many lines came before these and are not shown."""


class _Event(NamedTuple):
    month: int
    kind: str
    facts: tuple[tuple[str, Any], ...]


def public_history(code: str, rows: Iterable[StoredEntry], kinds: Iterable[str] = PUBLIC) -> PublicHistory:
    """The history of the cylinder called `code` from its chain, oldest row first: those of `kinds` that are public."""
    wanted = PUBLIC.keys() & set(kinds)
    counted = Counter(_event_of(row) for row in rows if row.type in wanted)
    lines = tuple(_line(event, times) for event, times in reversed(counted.items()))
    newest_first = sorted(lines, key=lambda line: line.month, reverse=True)
    return PublicHistory(
        code=code, lines=tuple(newest_first[:MOST_LINES]), earlier=max(len(newest_first) - MOST_LINES, 0)
    )


def _event_of(row: StoredEntry) -> _Event:
    month = local_month(min(row.occurred_at, row.recorded_at))
    if row.type not in CERTIFIED:
        return _Event(month, row.type, ())
    data = orjson.loads(row.text)["data"]
    month = parse_month(data.get("inspected_month", format_month(month)))
    return _Event(month, row.type, tuple((name, data[name]) for name in _FACTS if name in data))


def _line(event: _Event, times: int) -> HistoryLine:
    facts, called = dict(event.facts), PUBLIC[event.kind]
    result = facts.get("result", facts.get("passed"))
    if event.kind in CERTIFIED:
        called = Words(f"{called.zh}{_RESULTS[result].zh}", f"{called.en}, {_RESULTS[result].en}")
    return HistoryLine(
        month=format_month(event.month), kind=event.kind, zh=called.zh, en=called.en, times=times,
        body_id=facts.get("body_id"), report_no=facts.get("report_no"),
        next_due_month=facts.get("next_due_month") or facts.get("valid_until_month"),
    )  # fmt: skip
