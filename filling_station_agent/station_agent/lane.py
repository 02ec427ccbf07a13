"""A lane (工位): one scanner, one scale, a filler and a checker; what state it is in, and what the screen shows of it.

    idle ──scan──► scanned ──► deciding ──► permitted ──► filling ──► done ──scan──► scanned …
                      │            ├───────────┴──────────────┼─────► refused ─scan─►
                      │            ├──────────────────────────┼─────► checked ─scan─►
                      └────────────┴───────────┴──────────────┴─────► fault ───scan─►

Any other step is a mistake in the program and raises LaneError: a lane never reaches `filling` but by way of
`permitted`, and `checked` (复秤、充装后检查) never by way of gas.  One task per lane takes scans from its inbox and
walks the path of a scan; a scan that arrives while another is under way is turned away at the door.
"""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from cylinder_codes.stamps import StampReading
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.decision import Decision, Finding
from cylinder_trace.vocabulary.filling import CheckItem
from station_agent.devices.scale import Scale
from station_agent.ticket import Ticket

LaneKind = Literal["fill", "check"]
"""Fills (充装工位), or only weighs full cylinders again and has no valve (复检工位)."""


class LaneState(StrEnum):
    """Where a lane is on the path of a scan."""

    IDLE = "idle"
    SCANNED = "scanned"
    DECIDING = "deciding"
    PERMITTED = "permitted"
    FILLING = "filling"
    DONE = "done"
    CHECKED = "checked"
    """A full cylinder was weighed again and looked at, and may leave."""
    REFUSED = "refused"
    FAULT = "fault"


_READY = (LaneState.IDLE, LaneState.DONE, LaneState.CHECKED, LaneState.REFUSED, LaneState.FAULT)
_STEPS: dict[LaneState, tuple[LaneState, ...]] = {
    LaneState.SCANNED: (LaneState.DECIDING, LaneState.FAULT),
    LaneState.DECIDING: (LaneState.PERMITTED, LaneState.CHECKED, LaneState.REFUSED, LaneState.FAULT),
    LaneState.PERMITTED: (LaneState.FILLING, LaneState.REFUSED, LaneState.FAULT),
    LaneState.FILLING: (LaneState.DONE, LaneState.FAULT),
    **dict.fromkeys(_READY, (LaneState.SCANNED, LaneState.FAULT)),
}


class LaneError(Exception):
    """A step that the lane's states do not allow."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What was stated of the next cylinder before its scan; None where nobody said anything."""

    residue_g: int | None = None
    """Residue (残液) as it was measured."""
    evacuated: bool | None = None
    """Evacuated or purged for its first fill (首充抽真空、置换)."""
    prefill_checked: bool | None = None
    """The list P1 to P17 was gone through (充装前检查)."""
    damaged: bool = False
    """Its code cannot be read any more; the stamp says which one it is (码损坏)."""
    reweigh: bool = False
    """It is full and is weighed again here (复秤), on a lane that otherwise fills."""
    seal_no: str | None = None
    """Number of the seal (封口) put on it."""
    label_no: str | None = None
    """Number of the filling label (充装标签) put on it."""


NOTHING_STATED = Stated()


@dataclass(frozen=True, slots=True)
class Reweigh:
    """A full cylinder weighed again (复秤)."""

    check_id: str
    """The scan under which it was filled."""
    net_g: int
    max_net_g: int
    """The most it may hold; above it the cylinder must be drained and must not leave."""
    filler_id: str
    seal_no: str | None = None
    label_no: str | None = None

    @property
    def within_limit(self) -> bool:
        """Whether it holds no more than it may."""
        return self.net_g <= self.max_net_g


@dataclass(slots=True)
class Shift:
    """What was done at a lane since its people signed on (本班)."""

    since: int
    """UTC ms."""
    first_fill: int = 0
    """How many fills of the station were before it."""
    fills: int = 0
    net_g: int = 0
    """Gas filled, as the sum of the gains on the scale."""
    refusals: int = 0
    faults: int = 0
    checks: int = 0
    """Full cylinders weighed again and looked at."""
    to_drain: int = 0
    """Of these, how many held too much."""
    alarms: int = 0
    """Whoever raises an alarm about this lane counts it here."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """The page that one shift leaves to the next (交接班)."""

    lane: int
    at: int
    worker_id: str | None
    checker_id: str | None
    shift: Shift
    unsent: int
    """Records that the service has not answered for (待传)."""
    disputed: int
    open_fills: int
    """Fills of the station that began and have no end on record."""
    not_reweighed: tuple[str, ...]
    """Cylinders filled at the station and not weighed again since, by cylinder id (未复秤)."""
    lot_id: str | None
    stock_g: int | None
    """What the tank of that lot holds, as somebody read it (罐存)."""


@dataclass(slots=True)
class LaneView:
    """What the screen shows of a lane besides its state."""

    code: str | None = None
    cylinder: CylinderState | None = None
    decision: Decision | None = None
    message: tuple[str, str] | None = None
    """A sentence in Chinese and in English."""
    gross_g: int | None = None
    empty_gross_g: int | None = None
    stop_at_gross_g: int | None = None
    net_g: int | None = None
    ticket: Ticket | None = None
    """The rack ticket (挂牌票) of a refusal or of a failed check."""
    list_items: tuple[CheckItem, ...] = ()
    """The list that was recorded of this cylinder, P1 to P17 or Q1 to Q6; its lines read `fill_acts.PREFILL` and
    `POSTFILL`. Only what is not in order needs showing."""
    reweigh: Reweigh | None = None
    """The second weight of a full cylinder, once it is known."""


@dataclass(slots=True)
class Lane:
    """One lane. `number` is the digit its scanner types."""

    number: int
    scale_id: str
    scale: Scale
    worker_id: str | None = None
    """The filler (充装人)."""
    checker_id: str | None = None
    """The checker (检查人), who is never the filler."""
    kind: LaneKind = "fill"
    next_badge: Literal["filler", "checker"] = "filler"
    """Whose badge is read next; a check lane has no filler."""
    asks_pin_of: str | None = None
    """Who typed a worker id and is to type the PIN: what is typed then is not shown."""
    shift: Shift | None = None
    """Since when somebody is signed on, and what was done since; None while nobody is."""
    handover: HandOver | None = None
    """The last hand-over page."""
    touched_at: int = 0
    """When somebody last did something here, on the steady clock."""
    stock_g: int | None = None
    """What the tank behind this lane holds, as it was read and stated last (罐存)."""
    faults_after: list[str] = field(default_factory=list)
    """What the checker saw on the full cylinder that is scanned next (充装后检查), words of `words.FAULTS_AFTER`."""
    findings: list[Finding] = field(default_factory=list)
    """What the filler saw on the next cylinder (充装前检查)."""
    stamp_seen: StampReading | None = None
    """What a device read from the steel of the next cylinder (钢印读数)."""
    stated: Stated = NOTHING_STATED
    lot_id: str | None = None
    """The gas lot in the tank behind this lane (气质批次), until another one is named."""
    view: LaneView = field(default_factory=LaneView)
    _state: LaneState = LaneState.IDLE
    _inbox: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    _became_ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def state(self) -> LaneState:
        """Where the lane is."""
        return self._state

    @property
    def is_ready(self) -> bool:
        """Whether a scan would be taken now."""
        return self._state in _READY

    def move(self, to: LaneState) -> None:
        """Take a step; raises LaneError for one that the states do not allow."""
        if to not in _STEPS[self._state]:
            raise LaneError(f"lane {self.number} cannot go from {self._state} to {to}")
        self._state = to
        if self.is_ready:
            self._became_ready.set()

    async def ready(self) -> None:
        """Wait until nothing is under way."""
        while not self.is_ready:
            self._became_ready.clear()
            await self._became_ready.wait()

    def offer(self, raw_scan: str) -> bool:
        """Hand a scan to the lane's task; False if another one is under way."""
        if not self.is_ready:
            return False
        self.move(LaneState.SCANNED)
        self._inbox.put_nowait(raw_scan)
        return True

    @property
    def has_scan(self) -> bool:
        """Whether a scan was taken that its task has not begun with."""
        return not self._inbox.empty()

    async def next_scan(self) -> str:
        """Wait for a scan."""
        return await self._inbox.get()

    def take_findings(self) -> tuple[Finding, ...]:
        """The findings so far, which belong to the cylinder now scanned and to no other."""
        findings = tuple(dict.fromkeys(self.findings))
        self.findings.clear()
        return findings

    def take_faults_after(self) -> tuple[str, ...]:
        """What was seen on the full cylinder now scanned, and on no other."""
        faults = tuple(dict.fromkeys(self.faults_after))
        self.faults_after.clear()
        return faults

    def take_stamp(self) -> StampReading | None:
        """The last reading of a stamp, which belongs to the cylinder now scanned and to no other."""
        seen, self.stamp_seen = self.stamp_seen, None
        return seen

    def take_stated(self) -> Stated:
        """What was stated so far, which belongs to the cylinder now scanned and to no other."""
        stated, self.stated = self.stated, NOTHING_STATED
        return stated
