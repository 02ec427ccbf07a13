"""The station: the path of one scan, top to bottom.

    scan → (1) the code is read and the empty cylinder weighed
         → (2) the replica says what is known, and how old that is
         → (3) `decide_fill` here, while the service is asked for at most 300 ms; the stricter answer holds
         → (4) the decision is in the journal, on the disk, before any valve may open
         → (5) permit used up, valve open, weight watched, valve shut, fill recorded; `sync` uploads it later

A refusal goes the same way up to (4).  What cannot be told is refused.  One cylinder is under way at one lane: the same
code at another lane meanwhile is refused (R03).  A denial that arrives after the 300 ms, and news of the ledger while
gas flows, take the permit back or shut the valve, and are recorded (``late``).  A full cylinder takes the path of
``checking``, on which there is no permit.

While the journal cannot be written (disk full, read-only), every scan is refused (R67); those refusals wait in memory
and are written down, with the moment at which they were given, as soon as the journal takes them (``unwritten``).
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any
from unicodedata import normalize

from cylinder_codes.base32 import encode_base32
from cylinder_codes.legacy_forms import ScanForms
from cylinder_codes.reading import MAX_SCAN_LENGTH, ReadFailure, read_scan
from cylinder_codes.stamps import StampReading
from cylinder_trace.decision import FillRequest
from cylinder_trace.events import DisputeRaised, PrefillChecked
from station_agent import words
from station_agent.checking import Checking
from station_agent.clock import TrustedClock
from station_agent.deciding import Deciding, DecidingService, Judgement, Knowledge, at_another_lane, without_journal
from station_agent.devices.scale import ScaleFault
from station_agent.filling import REST_WITHIN_MS, Ending, Watch, fill, rest
from station_agent.journal import JournalBroken, Start
from station_agent.lane import Lane, LaneState, LaneView, Stated
from station_agent.late import Late
from station_agent.lists import not_in_order, prefill_items
from station_agent.permit import Permit, PermitRefused, Permits
from station_agent.recorder import Recorder, Tell
from station_agent.replica import Replica
from station_agent.ticket_printer import TicketPrinter
from station_agent.tickets import Tickets
from station_agent.unwritten import Unwritten

_CLOSE_AGAIN_S = 2.0  # a scale that does not answer is asked seldom: its link is shared


class Station:
    """Everything the lanes of one station share."""

    def __init__(
        self,
        station_id: str,
        boot_id: str,
        *,
        recorder: Recorder,
        replica: Replica,
        clock: TrustedClock,
        service: DecidingService,
        tell: Tell,
        forms: ScanForms = ScanForms(),  # noqa: B008 - frozen
        printer: TicketPrinter | None = None,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self.station_id = station_id
        self.stopping = False
        self._boot_id = boot_id
        self._recorder = recorder
        self._clock = clock
        self._tell = tell
        self._forms = forms
        self._random_bits = random_bits
        self._permits = Permits(boot_id)
        self._deciding = Deciding(station_id, replica, clock, recorder, service)
        self._late = Late(recorder, self._permits, tell)
        self._unwritten = Unwritten(recorder)
        self._tickets = Tickets(recorder, self._late, tell, printer)
        self._checking = Checking(self._deciding, recorder, self._tickets, tell, forms)
        self._under_way: dict[str, int] = {}
        """Cylinder id → the lane at which it is under way, or has a fill without its record."""
        self._ended: dict[str, tuple[Start, Ending]] = {}
        """Check id → a fill whose end was seen, and is on record as soon as the journal takes it."""
        self._left_open: dict[int, list[Start]] = {}
        """Lane → what has no end there yet as far as the journal told; no key where all has one (未结充装)."""

    async def work(self, lane: Lane) -> None:
        """The lane's task: close what an earlier run left open, then walk one scan after another."""
        await self._guarded(lane, self._close_open_fills(lane))
        while True:
            raw_scan = await self._next_scan(lane)
            await self._guarded(lane, self.scan(lane, raw_scan))
            lane.touched_at = self._clock.steady()

    async def _next_scan(self, lane: Lane) -> str:
        """Wait for a scan; what is left open is closed meanwhile, as soon as scale and journal allow it."""
        while lane.number in self._left_open:
            try:
                async with asyncio.timeout(_CLOSE_AGAIN_S):
                    return await lane.next_scan()
            except TimeoutError:
                with suppress(ScaleFault, JournalBroken):  # told and noted when it was tried first
                    await self._close_open_fills(lane)
        return await lane.next_scan()

    # ------------------------------------------------------------ the path

    async def scan(self, lane: Lane, raw_scan: str) -> None:
        """The path of one scan. Raises ScaleFault, JournalBroken, PermitRefused; the valve is shut then."""
        writable = await self._write_what_waits(lane)
        if lane.kind == "check" or lane.stated.reweigh:
            await self._checking.check(lane, raw_scan)
            return
        request = await self._ask_lane(lane, raw_scan)  # (1)
        knowledge = self._deciding.look_up(request)  # (2)
        with self._claimed(lane, knowledge if writable else without_journal(knowledge)) as known:
            await self._walk(lane, request, known)

    async def _walk(self, lane: Lane, request: FillRequest, knowledge: Knowledge) -> None:
        judgement = await self._judge(lane, request, knowledge)  # (3)
        try:
            permit = await self._record_decision(lane, judgement)  # (4)
        except JournalBroken as broken:
            self._refuse_unwritten(lane, judgement, broken)
            self._write_later(judgement, request.check_id, *self._deciding.event_of(judgement))
            return
        if permit is None:
            self._refuse(lane, judgement)
        else:
            await self._fill(lane, judgement, permit)  # (5)

    async def _ask_lane(self, lane: Lane, raw_scan: str) -> FillRequest:
        """(1) The question: what was scanned, by whom, on which scale, and what stands on it."""
        code, why = self._read(raw_scan, lane.stated)
        lane.stated = replace(lane.stated, damaged=False)  # said of this act alone, also if the scale fails it
        check_id = f"chk_{encode_base32(self._random_bits(128), 26).lower()}"
        lane.view = LaneView(code=code)
        lane.take_faults_after()
        self._tell("scanned", lane, {"check_id": check_id, "code": code, "raw_scan": raw_scan})
        reading = await rest(lane.scale, self._clock.steady, REST_WITHIN_MS)
        lane.view.empty_gross_g = lane.view.gross_g = reading.gross_g
        stated = lane.take_stated()
        return FillRequest(
            check_id=check_id,
            raw_scan=normalize("NFC", raw_scan)[:MAX_SCAN_LENGTH],  # a few characters grow when they are normalised
            code=code,
            unreadable_because=why,
            station_id=self.station_id,
            scale_id=lane.scale_id,
            lane=lane.number,
            boot_id=self._boot_id,
            worker_id=lane.worker_id,
            findings=lane.take_findings(),
            stamp_seen=lane.take_stamp(),
            empty_gross_g=max(0, reading.gross_g),
            requested_at=self._clock.now(),
            lot_id=lane.lot_id,
            residue_g=stated.residue_g,
            evacuated=stated.evacuated,
            prefill_checked=stated.prefill_checked,
        )

    def _read(self, raw_scan: str, stated: Stated) -> tuple[str | None, str | None]:
        """The code, or why there is none."""
        if stated.damaged:
            return None, "damaged"
        read = read_scan(raw_scan, self._forms.hosts, self._forms.legacy_forms)
        return (None, read.kind.value) if isinstance(read, ReadFailure) else (read.text, None)

    @contextmanager
    def _claimed(self, lane: Lane, knowledge: Knowledge) -> Iterator[Knowledge]:
        """Claim the cylinder for this lane until its fill is on record; what is known says so if another has it."""
        cylinder_id = knowledge.cylinder.cylinder_id if knowledge.cylinder else None
        busy_lane = self._under_way.get(cylinder_id or "")
        if cylinder_id is None or busy_lane is not None:
            yield knowledge if busy_lane in (None, lane.number) else at_another_lane(knowledge, busy_lane)
            return
        self._under_way[cylinder_id] = lane.number
        try:
            yield knowledge
        except JournalBroken:
            raise  # gas may have flowed, and its record is still to come: `_close_open_fills` lets it go
        except BaseException:
            self._under_way.pop(cylinder_id, None)
            raise
        self._under_way.pop(cylinder_id, None)

    async def _judge(self, lane: Lane, request: FillRequest, knowledge: Knowledge) -> Judgement:
        """(3) Decide here, ask there; a code that is damaged is refused by both, so nobody is asked."""
        lane.move(LaneState.DECIDING)
        if request.unreadable_because == "damaged" and request.stamp_seen is not None:
            await self._show_by_stamp(lane, request.stamp_seen)
            return self._deciding.alone(request, knowledge, lane.checker_id)
        judgement, asked = await self._deciding.judge(request, knowledge, lane.checker_id)
        if asked is not None:
            self._late.run(self._late.hear(lane, judgement, asked))
        return judgement

    async def _show_by_stamp(self, lane: Lane, seen: StampReading) -> None:
        """Facts to compare with the steel; whichever it is, it is not filled before it is tagged anew."""
        found = await asyncio.to_thread(self._deciding.find_by_stamp, seen)
        lane.view.cylinder = found[0] if len(found) == 1 else None
        several = words.DAMAGED_SEVERAL if found else words.DAMAGED_UNKNOWN
        lane.view.message = words.DAMAGED_FOUND if len(found) == 1 else several

    async def _record_decision(self, lane: Lane, judgement: Judgement) -> Permit | None:
        """(4) Decision and refusal alike are on the disk before anything follows from them."""
        request, decision, cylinder = judgement.request, judgement.decision, judgement.knowledge.cylinder
        await self._write_list(lane, judgement)
        await self._write(judgement)
        lane.view.cylinder, lane.view.decision = cylinder or lane.view.cylinder, decision
        self._tell("decided", lane, _told(judgement))
        if not decision.permits or cylinder is None or judgement.late_denial:
            return None
        permit = self._permits.issue(request, decision, cylinder.stamp.tare_g, judgement.steady_at)
        lane.move(LaneState.PERMITTED)
        return permit

    async def _write_list(self, lane: Lane, judgement: Judgement) -> None:
        """P1 to P17 (充装前检查记录), where somebody stated that the list was gone through."""
        request, decision = judgement.request, judgement.decision
        lane.view.list_items = items = prefill_items(request.findings, decision)
        if not request.prefill_checked or request.worker_id is None or decision.cylinder_id is None:
            return
        event = PrefillChecked(
            check_id=request.check_id,
            station_id=self.station_id,
            worker_id=request.worker_id,
            items=items,
            passed=not not_in_order(items),
        )
        id, subject = f"{request.check_id}.prefill", f"cylinder/{decision.cylinder_id}"
        await self._recorder.append(id, subject, event, request.worker_id, checker_id=judgement.checker_id)

    async def _write(self, judgement: Judgement) -> None:
        subject, event = self._deciding.event_of(judgement)
        request, index = judgement.request, judgement.log_index
        filler_id, checker_id = request.worker_id, judgement.checker_id
        await self._recorder.append(request.check_id, subject, event, filler_id, checker_id=checker_id, log_index=index)

    async def _fill(self, lane: Lane, judgement: Judgement, permit: Permit) -> None:
        """(5) Gas, under the permit, and the record of it."""
        cylinder = judgement.knowledge.cylinder
        if cylinder is None or judgement.late_denial:
            self._refuse(lane, judgement)
            return
        start = self._start(lane, judgement, permit, cylinder.stamp.tare_g)
        seen = [start.seen_gross_g]

        async def begin() -> None:
            await self._recorder.begin(start)
            lane.move(LaneState.FILLING)
            lane.view.stop_at_gross_g = permit.stop_at_gross_g
            self._tell("filling", lane, {"check_id": start.check_id, "stop_at_gross_g": start.stop_at_gross_g})

        def weighed(gross_g: int) -> None:
            lane.view.gross_g = seen[0] = gross_g

        watch = Watch(
            steady=self._clock.steady,
            must_stop=lambda: self._must_stop(lane, judgement),
            weighed=weighed,
            noted=lambda gross_g: self._recorder.weighed(start, gross_g),
            longest_ms=judgement.knowledge.book.longest_fill_seconds(cylinder.stamp.model) * 1000,
        )
        try:
            ending = await fill(
                lane.scale,
                permit,
                self._permits,
                cylinder_id=cylinder.cylinder_id,
                scale_id=lane.scale_id,
                begin=begin,
                watch=watch,
            )
        except JournalBroken as broken:
            if lane.state is LaneState.PERMITTED:
                self._refuse_to_begin(lane, judgement, broken)
                return
            self._ended[start.check_id] = replace(start, seen_gross_g=seen[0]), Ending(None, "fault", str(broken))
            raise
        self._ended[start.check_id] = ended, _ = replace(start, seen_gross_g=seen[0]), ending
        recorded = await self._recorder.end(lane, ended, ending)
        del self._ended[start.check_id]
        self._finish(lane, judgement, ending, recorded)

    def _must_stop(self, lane: Lane, judgement: Judgement) -> bool:
        """Whether gas may flow no longer: the agent ends, a denial or news came, or the regulator locked the scale."""
        if not judgement.locked and self._deciding.is_locked(lane):
            judgement.locked = True
            self._permits.withdraw(judgement.request.check_id)
            self._tell("locked", lane, {"check_id": judgement.request.check_id, **words.fields(words.LOCKED)})
        elif judgement.is_untouched and (denial := self._deciding.news(judgement)) is not None:
            self._late.revoke(lane, judgement, denial)
        return self.stopping or not judgement.is_untouched

    def _start(self, lane: Lane, judgement: Judgement, permit: Permit, tare_g: int) -> Start:
        request = judgement.request
        return Start(
            check_id=permit.check_id,
            code=request.code,
            cylinder_id=permit.cylinder_id,
            scale_id=lane.scale_id,
            lane=lane.number,
            worker_id=request.worker_id or "",
            tare_g=tare_g,
            empty_gross_g=request.empty_gross_g,
            stop_at_gross_g=permit.stop_at_gross_g,
            started_at=self._clock.now(),
            seen_gross_g=request.empty_gross_g,
            checker_id=judgement.checker_id,
        )

    # ------------------------------------------------------------ a journal that cannot be written

    def _refuse_unwritten(self, lane: Lane, judgement: Judgement, broken: JournalBroken) -> None:
        """R67: no record, no gas. The refusal itself is written down when the journal takes it."""
        self._deciding.without_journal(judgement)
        lane.view.cylinder = judgement.knowledge.cylinder or lane.view.cylinder
        lane.view.decision = judgement.decision
        self._tell("journal_broken", lane, {"detail": str(broken), **words.fields(words.JOURNAL_BROKEN)})
        self._refuse(lane, judgement)

    def _write_later(self, judgement: Judgement, id: str, subject: str, event: Any) -> None:
        if self._unwritten.is_empty:
            self._late.run(self._unwritten.write_when_it_can())
        self._unwritten.add(id, subject, event, judgement)

    def _refuse_to_begin(self, lane: Lane, judgement: Judgement, broken: JournalBroken) -> None:
        """The permission is on record, its start could not be: no gas, and a record of that later."""
        self._refuse_unwritten(lane, judgement, broken)
        check_id = judgement.request.check_id
        message = "The station had permitted and did not begin: its journal could not be written (R67)."
        event = DisputeRaised(about_id=check_id, kind="not_begun", message=message)
        self._write_later(judgement, f"{check_id}.begin", f"cylinder/{judgement.decision.cylinder_id}", event)

    async def _write_what_waits(self, lane: Lane) -> bool:
        """Close what was left open and write what waits; False if the journal does not take it. Raises ScaleFault."""
        try:
            await self._close_open_fills(lane)
            await self.write_unwritten()
        except JournalBroken:
            return False
        return self._recorder.journal.closed_because is None

    async def write_unwritten(self) -> None:
        """Write down the refusals that the journal could not take when they were given. Raises JournalBroken."""
        await self._unwritten.write()

    # ------------------------------------------------------------ endings

    def _refuse(self, lane: Lane, judgement: Judgement) -> None:
        lane.move(LaneState.REFUSED)
        if lane.shift is not None:
            lane.shift.refusals += 1
        if judgement.decision.permits:
            lane.view.message = words.DENIED_LATE
        self._tell("refused", lane, _told(judgement))
        self._tickets.refuse(lane, judgement.request, judgement.late_denial or judgement.decision)

    def _finish(self, lane: Lane, judgement: Judgement, ending: Ending, recorded: bool) -> None:
        stopped = _why_stopped(judgement, ending)
        if recorded and ending.because != "fault":
            lane.view.message = stopped
            lane.move(LaneState.DONE)
        else:
            message = words.FILL_FAULT if recorded else words.NO_GAS
            denied = stopped if judgement.late_denial or judgement.revoked else None
            self._fault(lane, denied or message, ending.fault or "", judgement.request.check_id)

    def _fault(self, lane: Lane, message: words.Said, detail: str, check_id: str | None = None) -> None:
        if not lane.has_scan:  # one that came while the lane was starting is still to be walked
            lane.move(LaneState.FAULT)
        lane.view.message = message
        if lane.shift is not None:
            lane.shift.faults += 1
        self._tell("fault", lane, {"check_id": check_id, "detail": detail, **words.fields(message)})

    async def _guarded(self, lane: Lane, step: Awaitable[None]) -> None:
        """Whatever a step cannot do leaves the valve shut and a sentence on the screen; the lane goes on."""
        try:
            try:
                await step
            except ScaleFault as fault:
                message, check_id = self._show_left_open(lane) or (words.SCALE_FAULT, None)
                await self._recorder.note(lane, "fault", {"detail": str(fault), "code": lane.view.code})
                self._fault(lane, message, str(fault), check_id)
            except PermitRefused as refused:
                await self._recorder.note(lane, "permit_refused", {"detail": str(refused), "code": lane.view.code})
                self._fault(lane, words.STARTED_TOO_LATE, str(refused))
        except JournalBroken as broken:
            self._left_open.setdefault(lane.number, [])  # the end of a fill may be what it did not take
            self._fault(lane, words.JOURNAL_BROKEN, str(broken))

    # ------------------------------------------------------------ after a crash

    async def _close_open_fills(self, lane: Lane) -> None:
        """Record, from what the scale says, fills whose end nobody saw. Raises ScaleFault, JournalBroken."""
        self._left_open.setdefault(lane.number, [])
        self._left_open[lane.number] = starts = await self._recorder.open_starts(lane.scale_id)
        self._under_way |= {start.cylinder_id: lane.number for start in starts}
        for start in starts:
            await lane.scale.shut_valve()
            ended, ending = self._ended.get(start.check_id) or await self._end_of(lane, start)
            recorded = await self._recorder.end(lane, ended, ending)
            self._ended.pop(start.check_id, None)
            self._under_way.pop(start.cylinder_id, None)
            if lane.state is LaneState.FAULT:
                lane.view.message = _said_afterwards(ending, recorded)
        del self._left_open[lane.number]

    def _show_left_open(self, lane: Lane) -> tuple[words.Said, str] | None:
        """Show the code of the cylinder that is to stay on this scale, and say so; None where nothing is open."""
        for start in self._left_open.get(lane.number, ()):
            lane.view = LaneView(code=start.code)
            return words.LEFT_OPEN, start.check_id
        return None

    async def _end_of(self, lane: Lane, start: Start) -> tuple[Start, Ending]:
        """The end of a fill that an earlier run began: what stands on the scale now."""
        reading = await rest(lane.scale, self._clock.steady, REST_WITHIN_MS)
        return start, Ending(reading.gross_g, "fault", "the agent was interrupted", seen=False)

    async def close_orphans(self, lanes: list[Lane]) -> None:
        """Record fills left open on scales that are no longer a lane, from the last weight noted."""
        scale_ids = {lane.scale_id for lane in lanes}
        for start in await self._recorder.open_starts():
            if start.scale_id not in scale_ids:
                await self._recorder.end(None, start, Ending(None, "fault", "the scale is no longer a lane"))


def _why_stopped(judgement: Judgement, ending: Ending) -> words.Said | None:
    """What the screen says of a fill that was cut short, by somebody's word or otherwise."""
    if judgement.late_denial:
        return words.DENIED_LATE
    if judgement.revoked:
        return words.STOPPED_BY_NEWS
    if judgement.locked:
        return words.LOCKED
    return words.NOT_FULL if ending.because == "stopped" else None


def _said_afterwards(ending: Ending, recorded: bool) -> words.Said:
    """What the screen says once a fill that was left open has its end."""
    if not recorded:
        return words.NO_GAS if ending.seen else words.NOT_SEEN_TO_END
    return words.FILL_FAULT if ending.because == "fault" else words.RECORDED_LATE


def _told(judgement: Judgement) -> dict[str, Any]:
    decision = judgement.decision
    return {
        "check_id": decision.check_id,
        "code": judgement.request.code,
        "cylinder_id": decision.cylinder_id,
        "outcome": decision.outcome,
        "reasons": list(decision.codes),
        "warnings": [warning.code for warning in decision.warnings],
        "told": [told._asdict() for told in words.all_told(decision)],
        "with_service": judgement.log_index is not None,
        "data_as_of": decision.data_as_of,
    }
