"""The lookout (值守): lets the watch see what the lanes see, and tells, counts and records its alarms.

It looks through the lanes' own scales: each reading passes it on its way, also those of a fill, and while nothing is
under way it reads twice a second itself.  What was scanned, decided, filled and handed over it hears as everybody does.
An alarm is told at once and written as soon as the journal takes it; no lane waits for it, and none opens by it.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from cylinder_codes.base32 import encode_base32
from cylinder_trace.events import AlarmRaised
from cylinder_trace.rulebook import WatchRules
from station_agent.clock import TrustedClock
from station_agent.devices.scale import Scale, ScaleFault, ScaleReading
from station_agent.journal import JournalBroken
from station_agent.lane import HandOver, Lane, LaneState
from station_agent.recorder import Recorder, Tell
from station_agent.replica import Replica
from station_agent.watch import (
    Alarm,
    FillSeen,
    LaneFacts,
    LaneWatch,
    ScanSeen,
    TankLevels,
    mass_balance,
    reweigh_missing,
)

_LOOK_S = 0.5
_LOST_S = 2.0  # a scale that does not answer is asked less often: its link is shared
_WRITE_AGAIN_S = 1.0


class SeenScale:
    """A lane's scale that shows each reading to the watch as well."""

    def __init__(self, scale: Scale, seen: Callable[[ScaleReading], None]) -> None:
        self._scale = scale
        self._seen = seen
        self.open_valve = scale.open_valve
        self.refresh = scale.refresh
        self.shut_valve = scale.shut_valve

    @property
    def overshoot_g(self) -> int:
        """As of the scale."""
        return self._scale.overshoot_g

    async def read(self) -> ScaleReading:
        """Weigh and look at the valve."""
        reading = await self._scale.read()
        self._seen(reading)
        return reading


@dataclass(slots=True)
class _Tank:
    """A gas lot's tank since its level was stated."""

    at: int
    level_g: int
    filled_g: int = 0


@dataclass(frozen=True, slots=True)
class _Raised:
    """An alarm on its way into the journal."""

    id: str
    event: AlarmRaised


class Lookout:
    """Everything that one station's watch sees and says."""

    def __init__(
        self,
        station_id: str,
        replica: Replica,
        clock: TrustedClock,
        tell: Tell,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self._station_id = station_id
        self._replica = replica
        self._clock = clock
        self._tell = tell
        self._random_bits = random_bits
        self._watches: dict[int, LaneWatch] = {}
        self._scanned: dict[int, str] = {}
        self._tanks: dict[str, _Tank] = {}
        self._raised: deque[_Raised] = deque()
        self._news, self._none_left = asyncio.Event(), asyncio.Event()

    # ------------------------------------------------------------ seeing

    def attach(self, lane: Lane) -> None:
        """See what this lane's scale says from now on."""
        self._watches[lane.number] = LaneWatch()
        lane.scale = SeenScale(lane.scale, partial(self._see, lane))

    async def look_for_ever(self, lane: Lane) -> None:
        """Read the lane's scale while nothing else does."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if lane.is_ready:
                try:
                    await lane.scale.read()
                except ScaleFault:
                    await asyncio.sleep(_LOST_S)

    def _see(self, lane: Lane, reading: ScaleReading) -> None:
        watch = self._watches[lane.number]
        self._raise(lane, watch.see(self._clock.now(), reading, self._facts(lane), self._rules()))

    def _facts(self, lane: Lane) -> LaneFacts:
        view = lane.view
        return LaneFacts(
            filling=lane.state is LaneState.FILLING,
            permitted=lane.state is LaneState.PERMITTED,
            check_id=self._scanned.get(lane.number),
            cylinder_id=view.cylinder.cylinder_id if view.cylinder else None,
            empty_gross_g=view.empty_gross_g,
        )

    def _rules(self) -> WatchRules:
        known = self._replica.known
        return known.book_at(self._clock.likely_now()).watch if known else WatchRules()

    # ------------------------------------------------------------ hearing

    def hear(self, event: str, lane: Lane | None, fields: dict[str, Any]) -> None:
        """Tell on what is told, and think about it."""
        self._tell(event, lane, fields)
        if lane is None or lane.number not in self._watches:
            return
        match event:
            case "scanned":
                self._scanned[lane.number] = fields["check_id"]
                self._watches[lane.number].scanned()
            case "decided":
                self._hear_decided(lane, fields)
            case "filled":
                self._hear_filled(lane, fields)
            case "handover" if lane.handover is not None:
                self._hear_handover(lane, lane.handover)

    def _hear_decided(self, lane: Lane, fields: dict[str, Any]) -> None:
        cylinder, empty_gross_g = lane.view.cylinder, lane.view.empty_gross_g
        if cylinder is None or empty_gross_g is None:
            return
        here = cylinder.status == "filled" and cylinder.last_filled_station_id == self._station_id
        scan = ScanSeen(
            check_id=fields["check_id"],
            cylinder_id=cylinder.cylinder_id,
            tare_g=cylinder.stamp.tare_g,
            empty_gross_g=empty_gross_g,
            filled_at=cylinder.last_filled_at if here else None,
            filled_net_g=cylinder.last_net_g or 0,
        )
        self._raise(lane, self._watches[lane.number].decided(self._clock.now(), scan, self._rules()))

    def _hear_filled(self, lane: Lane, fields: dict[str, Any]) -> None:
        if lane.lot_id in self._tanks:
            self._tanks[lane.lot_id].filled_g += fields["full_gross_g"] - fields["empty_gross_g"]
        decision = lane.view.decision
        if decision is None or decision.max_net_g is None or decision.check_id != fields["check_id"]:
            return
        fill = FillSeen(
            check_id=fields["check_id"],
            cylinder_id=fields["cylinder_id"],
            started_at=fields["started_at"],
            net_g=fields["net_g"],
            max_net_g=decision.max_net_g,
        )
        self._raise(lane, self._watches[lane.number].filled(self._clock.now(), fill, self._rules()))

    def _hear_handover(self, lane: Lane, page: HandOver) -> None:
        rules, missing = self._rules(), len(page.not_reweighed)
        self._raise(lane, reweigh_missing(page.shift.since, page.at, page.shift.fills, missing, rules), page)
        if page.lot_id is None or page.stock_g is None:
            return
        before = self._tanks.get(page.lot_id)
        self._tanks[page.lot_id] = _Tank(page.at, page.stock_g)
        if before is not None:
            levels = TankLevels(page.lot_id, before.at, before.level_g, page.stock_g)
            self._raise(lane, mass_balance(page.at, levels, before.filled_g, rules), page)

    # ------------------------------------------------------------ saying

    def _raise(self, lane: Lane, alarms: list[Alarm], page: HandOver | None = None) -> None:
        """Tell alarms of whoever is at the lane, or of the shift on `page`, which has signed off already."""
        worker_id, shift = (page.worker_id, page.shift) if page else (lane.worker_id, lane.shift)
        for alarm in alarms:
            event = alarm.event(self._station_id, lane.number, lane.scale_id, worker_id)
            id = f"alm_{encode_base32(self._random_bits(128), 26).lower()}"
            if shift is not None:
                shift.alarms += 1
            facts = {fact.name: fact.value for fact in event.facts}
            about = event.model_dump(include={"kind", "scale_id", "worker_id", "check_id", "cylinder_id", "zh", "en"})
            self._tell("alarm", lane, {"id": id, **about, "facts": facts})
            self._raised.append(_Raised(id, event))
            self._news.set()

    async def write_for_ever(self, recorder: Recorder) -> None:
        """Put what was raised into the journal, oldest first, however long that takes."""
        while True:
            while self._raised:
                await self._write(recorder, self._raised[0])
                self._raised.popleft()
            self._none_left.set()
            await self._news.wait()
            self._news.clear()

    async def _write(self, recorder: Recorder, raised: _Raised) -> None:
        event, subject = raised.event, f"station/{self._station_id}"
        while True:
            try:
                await recorder.append(raised.id, subject, event, event.worker_id, occurred_at=event.to_at)
            except JournalBroken:
                await asyncio.sleep(_WRITE_AGAIN_S)
            else:
                return

    async def all_written(self) -> None:
        """Wait until everything raised so far is in the journal."""
        while self._raised:
            self._none_left.clear()
            await self._none_left.wait()
