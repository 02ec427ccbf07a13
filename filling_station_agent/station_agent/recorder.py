"""Recording (记录): what happens at the lanes goes into the journal, and is known at once as our own act."""

import asyncio
from collections.abc import Callable
from typing import Any

from cylinder_trace.events import DisputeRaised, Event, Filled, Record, state_event
from station_agent import words
from station_agent.clock import TrustedClock
from station_agent.filling import NO_GAS_G, Ending
from station_agent.journal import Journal, Start
from station_agent.lane import Lane
from station_agent.own_acts import OwnActs
from station_agent.own_fills import LOOKED_BACK, WORDS, OwnFills, last_acts

Tell = Callable[[str, Lane | None, dict[str, Any]], None]
"""Called with an event's name, its lane and its fields at every change that somebody may want to see."""


class Recorder:
    """Writes for all lanes. Every method raises JournalBroken, and then nothing may open."""

    def __init__(
        self, station_id: str, journal: Journal, acts: OwnActs, clock: TrustedClock, tell: Tell, recorded: asyncio.Event
    ) -> None:
        self.journal = journal
        self.acts = acts
        self.station_id = station_id
        self.clock = clock
        self.fills = OwnFills(last_acts(journal.recent(WORDS, LOOKED_BACK)))
        self._tell = tell
        self._recorded = recorded

    async def append(
        self,
        id: str,
        subject: str,
        event: Event,
        worker_id: str | None,
        *,
        checker_id: str | None = None,
        closes: str | None = None,
        log_index: int | None = None,
        occurred_at: int | None = None,
    ) -> Record:
        """Put the statement that `event` happened on the disk; `log_index` if the service already holds it.

        It names both persons of the lane, the filler (充装人) and the checker (检查人).
        It happened now, or at `occurred_at` where it could not be written down then.
        """
        people = dict.fromkeys(f"worker/{person}" for person in (worker_id, checker_id) if person)
        refs = (f"station/{self.station_id}", *people)
        at = self.clock.now() if occurred_at is None else occurred_at
        record = state_event(event, id=id, subject=subject, occurred_at=at, by=self.station_id, refs=refs)
        record = await asyncio.to_thread(self.journal.append, record, closes=closes)
        self.acts.add(record, log_index)
        self.fills.add(record)
        self._recorded.set()
        return record

    async def begin(self, start: Start) -> None:
        """From here on the valve may open."""
        await asyncio.to_thread(self.journal.begin, start)

    async def weighed(self, start: Start, gross_g: int) -> None:
        """Note how far a running fill has come."""
        await asyncio.to_thread(self.journal.weighed, start, gross_g)

    async def open_starts(self, scale_id: str | None = None) -> list[Start]:
        """Fills that began and have no end yet."""
        return await asyncio.to_thread(self.journal.open_starts, scale_id)

    async def waiting(self) -> tuple[int, int, int]:
        """How many records wait for the service, how many it disputes, and how many fills have no end yet."""

        def count() -> tuple[int, int, int]:
            journal = self.journal
            return journal.unsent_count(), journal.disputed_count(), len(journal.open_starts())

        return await asyncio.to_thread(count)

    async def end(self, lane: Lane | None, start: Start, ending: Ending) -> bool:
        """The one record of a fill; none, and False, if the scale itself shows that no gas flowed.

        Where nobody watched, it shows no more than that: the cylinder may be another one, so a dispute tells of it.
        """
        full_gross_g, with_gas_g = ending.gross_g, start.empty_gross_g + NO_GAS_G
        if full_gross_g is None or full_gross_g < with_gas_g:
            least_g = start.empty_gross_g - NO_GAS_G
            if full_gross_g is not None and full_gross_g >= least_g and start.seen_gross_g < with_gas_g:
                await self._end_without_gas(lane, start, full_gross_g, ending)
                return False
            full_gross_g = start.seen_gross_g  # silent, taken away, or another empty one in its place
        event = self._filled(start, full_gross_g, ending)
        subject, id = f"cylinder/{start.cylinder_id}", f"{start.check_id}.filled"
        checker_id = start.checker_id
        await self.append(id, subject, event, start.worker_id, checker_id=checker_id, closes=start.check_id)
        self._tell_filled(lane, start, event, ending.fault)
        return True

    async def _end_without_gas(self, lane: Lane | None, start: Start, now_g: int, ending: Ending) -> None:
        if ending.seen:
            await asyncio.to_thread(self.journal.abandon, start.check_id)
            return
        message = (
            f"The agent was interrupted at scale {start.scale_id} when gas might flow. The scale shows none: "
            f"{start.empty_gross_g} g before it, {now_g} g now. Whether the same cylinder stood there nobody saw."
        )
        event = DisputeRaised(about_id=start.check_id, kind="not_seen_to_end", message=message)
        id, subject = f"{start.check_id}.unseen", f"cylinder/{start.cylinder_id}"
        checker_id = start.checker_id
        await self.append(id, subject, event, start.worker_id, checker_id=checker_id, closes=start.check_id)
        told = {"check_id": start.check_id, "empty_gross_g": start.empty_gross_g, "gross_g": now_g}
        self._tell("not_seen_to_end", lane, {**told, **words.fields(words.NOT_SEEN_TO_END)})

    def _filled(self, start: Start, full_gross_g: int, ending: Ending) -> Filled:
        return Filled(
            check_id=start.check_id,
            station_id=self.station_id,
            scale_id=start.scale_id,
            lane=start.lane,
            worker_id=start.worker_id,
            started_at=start.started_at,
            ended_at=self.clock.now(),
            empty_gross_g=start.empty_gross_g,
            full_gross_g=max(0, full_gross_g),
            net_g=max(0, full_gross_g - start.tare_g),
            ended_because=ending.because,
        )

    def _tell_filled(self, lane: Lane | None, start: Start, event: Filled, fault: str | None) -> None:
        if lane is not None:
            lane.view.net_g, lane.view.gross_g = event.net_g, event.full_gross_g
            if lane.shift is not None:
                lane.shift.fills += 1
                lane.shift.net_g += max(0, event.full_gross_g - event.empty_gross_g)
        decision = lane.view.decision if lane else None
        fields = {
            **event.model_dump(exclude={"station_id", "lane"}),
            "code": start.code,
            "cylinder_id": start.cylinder_id,
            "checker_id": start.checker_id,
            "outcome": decision.outcome if decision else None,
            "fault": fault,
        }
        self._tell("filled", lane, fields)

    async def note(self, lane: Lane, what: str, fields: dict[str, Any]) -> None:
        """Keep what happened at a lane but is no event of the ledger."""
        note = {"what": what, "lane": lane.number, "worker_id": lane.worker_id, **fields}
        await asyncio.to_thread(self.journal.note, self.clock.now(), note)
