"""What is asked before gas may flow, and what is answered: FillRequest, StationFacts, Decision.

These are the inputs and the output of ``admission.decide_fill``.  They are stored whole in the ledger
(event ``fill_decided``), so that every decision can be taken again years later, bit for bit.
"""

from typing import Literal

from cylinder_codes.stamps import StampReading
from cylinder_trace.values import Count, Day, Frozen, Grams, Id, Instant, RawScan, Text

Outcome = Literal["ALLOW", "WARN", "DENY"]
Finding = Literal[
    "stamp_mismatch",
    "mark_absent",
    "mark_differs",
    "body_damaged",
    "valve_damaged",
    "tag_refitted",
    "stamp_altered",
    "refurbished",
    "scrap_mark",
    "head_mark_absent",
    "threaded_collar",
    "dual_phase",
    "converted",
    "fittings_missing",
    "marking_wrong",
    "not_evacuated",
    "tare_unclear",
]
"""What the filler saw on the steel before filling (充装前检查), each an item of the list P1 to P17:
钢印不符 P1 · 无检验标识、检验标记与记录不符 P6 · 瓶体损伤 P10 · 瓶阀不合规 P12 · 标签有换贴痕迹 P1 · 钢印打磨补打 P4 ·
翻新 P13 · 报废标记 P13 · 无封头凹印 P17 · 螺纹护罩 P13 · 气液双相未标明 P16 · 改装 P4 ·
护罩底座手轮缺损 P11 · 颜色字样不符 P5 · 无余压或未抽真空 P8 P9 · 皮重不清 P14.
"""


class FillRequest(Frozen):
    """One scan at one scale: the question "may this cylinder be filled here, now?" (准充请求)."""

    check_id: Id
    """Made at the scale at the moment of the scan; the idempotency key of the whole act."""
    raw_scan: RawScan
    code: Text | None = None
    """The canonical code read from `raw_scan`; absent when nothing readable arrived."""
    unreadable_because: Text | None = None
    station_id: Id
    scale_id: Id
    lane: Count
    boot_id: Id
    worker_id: Id | None = None
    findings: tuple[Finding, ...] = ()
    stamp_seen: StampReading | None = None
    """What a device read from the steel (钢印读数); absent when none did."""
    medium: Literal["lpg"] = "lpg"
    empty_gross_g: Grams
    """Weight on the scale before gas flows: the cylinder with its residue."""
    requested_at: Instant
    # What follows is absent where the station does not state it.
    lot_id: Id | None = None
    """The gas lot in the tank that feeds this scale (气质批次)."""
    residue_g: Grams | None = None
    """Residue (残液) as measured before the fill."""
    evacuated: bool | None = None
    """Whether the cylinder was evacuated or purged for its first fill (首充抽真空、置换)."""
    prefill_checked: bool | None = None
    """Whether the list P1 to P17 was gone through for this scan (充装前检查记录); exceptions are `findings`."""


class StandingLock(Frozen):
    """A regulator's lock that stops the scale of the request (监管锁停)."""

    target: Literal["station", "lane", "scale"]
    authority_id: Id
    until: Instant | None = None
    proof: Literal["signed", "unverified"]
    """Whether whoever decides has verified the authority's signature; the lock counts either way."""


class StationFacts(Frozen):
    """What is known of the station, scale, worker and clock at the moment of the decision."""

    station_id: Id
    company_id: Id | None = None
    """The owner of record whose cylinders may be filled here; absent when the station is unknown."""
    licence_valid_until: Day | None = None
    licence_suspended: bool = False
    scale_verified_until: Day | None = None
    scale_locked: bool = False
    worker_certified_until: Day | None = None
    clock_skew_ms: int | None = None
    """Station clock minus trusted clock; absent when it cannot be told, which is refused (R65)."""
    data_as_of: Instant
    """When the facts used were last known to be complete (数据时间)."""
    # What follows is absent where it is not known; the rulebook says what that means.
    region: Text | None = None
    """Where the station is licensed to fill (充装区域)."""
    lot_product: Literal["lpg", "industrial_propane", "other"] | None = None
    lot_standing: Literal["released", "blocked", "not_released"] | None = None
    """Whether the gas lot of the request may be filled (气质批次放行)."""
    journal_writable: bool | None = None
    """Whether what is decided can be written down (审计可写)."""
    on_dead_list: bool | None = None
    """Whether the scanned code, which leads to no cylinder here, may be on the list of dead and black codes."""
    busy_lane: Count | None = None
    """Another lane of the station at which the same cylinder is under way; absent = at none."""
    lock: StandingLock | None = None
    """Why `scale_locked`, where a regulator's own statement says so."""
    clock_unchecked_ms: int | None = None
    """After a restart of the machine without a network (重启未核): how far its clock stands beyond the last moment at
    which the time was known, negative if before what was recorded since; `clock_skew_ms` is then the last one known."""


class Refusal(Frozen):
    """One reason that applies, with the facts that make its sentence concrete."""

    code: str
    word: str
    detail: dict[str, str | int] = {}


class Decision(Frozen):
    """The answer (准充决定): outcome, all reasons, the most that may be filled, and what it was based on."""

    check_id: Id
    outcome: Outcome
    reasons: tuple[Refusal, ...] = ()
    """All refusals that apply; the first is the one the person at the scale can act on."""
    warnings: tuple[Refusal, ...] = ()
    cylinder_id: Id | None = None
    cylinder_n: Count | None = None
    """How many entries of the cylinder's chain the deciding side knew."""
    max_net_g: Grams | None = None
    """The legal maximum of gas in the cylinder: the least of all limits; absent on DENY."""
    target_net_g: Grams | None = None
    """Where the scale shuts the valve: the commercial fill, never above `max_net_g`."""
    rulebook: str
    """``id@version`` of the rulebook applied."""
    data_as_of: Instant
    decided_at: Instant
    start_before: Instant | None = None
    """The permit's last moment to start filling; absent on DENY."""
    on_trial: tuple[Refusal, ...] | None = None
    """What rules on trial (试行) would have refused; nobody is refused for it. Absent when there is nothing."""

    @property
    def permits(self) -> bool:
        """Whether gas may flow: ALLOW or WARN."""
        return self.outcome != "DENY"

    @property
    def codes(self) -> tuple[str, ...]:
        """The refusal codes alone, in order."""
        return tuple(reason.code for reason in self.reasons)
