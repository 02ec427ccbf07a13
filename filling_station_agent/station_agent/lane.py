"""A lane (充装工位): one scanner, one scale, one filler; what state it is in, and what the screen shows of it.

    idle ──scan──► scanned ──► deciding ──► permitted ──► filling ──► done ──scan──► scanned …
                      │            ├────────────────────────────────► refused ─scan─►
                      └────────────┴───────────┴─────────────┴──────► fault ───scan─►

Any other step is a mistake in the program and raises LaneError: a lane never reaches `filling` but by way of
`permitted`.  One task per lane takes scans from its inbox and walks the path of a scan; a scan that arrives while
another is under way is turned away at the door.
"""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum

from cylinder_codes.stamps import StampReading
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.decision import Decision, Finding
from station_agent.devices.scale import Scale


class LaneState(StrEnum):
    """Where a lane is on the path of a scan."""

    IDLE = "idle"
    SCANNED = "scanned"
    DECIDING = "deciding"
    PERMITTED = "permitted"
    FILLING = "filling"
    DONE = "done"
    REFUSED = "refused"
    FAULT = "fault"


_READY = (LaneState.IDLE, LaneState.DONE, LaneState.REFUSED, LaneState.FAULT)
_STEPS: dict[LaneState, tuple[LaneState, ...]] = {
    LaneState.SCANNED: (LaneState.DECIDING, LaneState.FAULT),
    LaneState.DECIDING: (LaneState.PERMITTED, LaneState.REFUSED, LaneState.FAULT),
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


NOTHING_STATED = Stated()


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


@dataclass(slots=True)
class Lane:
    """One lane. `number` is the digit its scanner types."""

    number: int
    scale_id: str
    scale: Scale
    worker_id: str | None = None
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

    def take_stamp(self) -> StampReading | None:
        """The last reading of a stamp, which belongs to the cylinder now scanned and to no other."""
        seen, self.stamp_seen = self.stamp_seen, None
        return seen

    def take_stated(self) -> Stated:
        """What was stated so far, which belongs to the cylinder now scanned and to no other."""
        stated, self.stated = self.stated, NOTHING_STATED
        return stated
