"""Gas goes in: check, decision, fill, check again, re-weigh (充装).

A fill starts with `FillStarted` and ends with `Filled`, which tells the whole of it.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cylinder_trace.decision import Decision, FillRequest, StationFacts
from cylinder_trace.values import Count, Evidence, Frozen, Grams, Id, Instant, LongText, Sha256, Text


class CheckItem(Frozen):
    """One item of a check list, P1 to P17 before and Q1 to Q6 after the fill, and whether it is in order."""

    item: Id
    passed: bool
    remark: Text | None = None


CheckItems = Annotated[tuple[CheckItem, ...], Field(max_length=40)]


class PrefillChecked(Frozen):
    """The look at the cylinder before gas flows, item by item (充装前检查). 特种设备安全法 49."""

    type: ClassVar[str] = "prefill_checked"
    check_id: Id
    """The scan it belongs to; the same id as of the decision."""
    station_id: Id
    worker_id: Id
    items: CheckItems
    passed: bool
    evidence: tuple[Evidence, ...] = ()


class FillDecided(Frozen):
    """A decision whether gas may flow (准充决定), with everything it was taken from.

    A refused scan of an unreadable or unknown code has no cylinder; its subject is then the station.
    """

    type: ClassVar[str] = "fill_decided"
    request: FillRequest
    station: StationFacts
    decision: Decision
    decided_by: Literal["service", "station"]
    own_act_ids: tuple[Id, ...] | None = None
    """The station's own acts that the ledger had not shown it yet: the last of the `cylinder_n` entries known."""
    inputs_sha256: Sha256 | None = None
    """Hash of all that it was taken from (``decision_note``)."""
    replica_id: Id | None = None
    """Which replica a station decided from, ``<station>.<version>``; absent where the service decided."""
    note: LongText | None = None
    """The decision signed by whoever took it."""


class FillStarted(Frozen):
    """The valve was opened under a permit (充装开始). A start without a `filled` behind it is a fill cut short."""

    type: ClassVar[str] = "fill_started"
    check_id: Id
    station_id: Id
    scale_id: Id
    lane: Count
    worker_id: Id
    lot_id: Id | None = None
    """The gas lot it is filled from (气质批次)."""
    empty_gross_g: Grams


class Filled(Frozen):
    """Gas went in (充装), under the permit of decision `check_id`; this is also the fill's end (充装结束)."""

    type: ClassVar[str] = "filled"
    check_id: Id
    station_id: Id
    scale_id: Id
    lane: Count
    worker_id: Id
    started_at: Instant
    ended_at: Instant
    empty_gross_g: Grams
    full_gross_g: Grams
    net_g: Grams
    """Gas in the cylinder after the fill, residue included, against the stamped tare."""
    ended_because: Literal["limit_reached", "stopped", "fault"]


class PostfillChecked(Frozen):
    """The look at the full cylinder (充装后检查): leaks, valve, labels, seal; by another person than the filler."""

    type: ClassVar[str] = "postfill_checked"
    check_id: Id
    station_id: Id
    worker_id: Id
    items: CheckItems
    passed: bool
    seal_no: Text | None = None
    """Number of the seal (封口)."""
    label_no: Text | None = None
    """Number of the filling label (充装标签)."""
    evidence: tuple[Evidence, ...] = ()


class Reweighed(Frozen):
    """The full cylinder is weighed again, on another scale (复秤). 逐瓶复验."""

    type: ClassVar[str] = "reweighed"
    check_id: Id
    station_id: Id
    scale_id: Id
    worker_id: Id
    full_gross_g: Grams
    net_g: Grams
    within_limit: bool
    """Whether it holds no more than it may; if not, gas must come out before the cylinder leaves."""
