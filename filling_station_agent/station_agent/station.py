"""The station: the path of one scan, top to bottom.

    scan → (1) the code is read and the empty cylinder weighed
         → (2) the replica says what is known, and how old that is
         → (3) `decide_fill` here, while the service is asked for at most 300 ms; the stricter answer holds
         → (4) the decision is in the journal, on the disk, before any valve may open
         → (5) permit used up, valve open, weight watched, valve shut, fill recorded; `sync` uploads it later

A refusal goes the same way up to (4).  What cannot be told is refused.  A denial that arrives after the 300 ms takes
the permit back or shuts the valve, and is recorded.

While the journal cannot be written (disk full, read-only), every scan is refused (R67); those refusals wait in memory
and are written down, with the moment at which they were given, as soon as the journal takes them.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple, Protocol
from unicodedata import normalize

from cylinder_codes.base32 import encode_base32
from cylinder_codes.legacy_forms import ScanForms
from cylinder_codes.reading import MAX_SCAN_LENGTH, ReadFailure, read_scan
from cylinder_trace.admission import decide_fill, stricter
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import local_day
from cylinder_trace.decision import Decision, FillRequest, StationFacts
from cylinder_trace.decision_note import inputs_hash
from cylinder_trace.events import DisputeRaised, Event, FillDecided
from cylinder_trace.locks import lock_at
from cylinder_trace.rulebook import Rulebook, parse_rulebook
from cylinder_trace.station import facts_for
from station_agent import words
from station_agent.clock import TrustedClock
from station_agent.devices.scale import ScaleFault
from station_agent.filling import Ending, Watch, fill, rest
from station_agent.journal import JournalBroken, Start
from station_agent.lane import Lane, LaneState, LaneView
from station_agent.permit import Permit, PermitRefused, Permits
from station_agent.recorder import Recorder, Tell
from station_agent.replica import Replica, ReplicaDamaged
from station_agent.service import ServiceDecision, ServiceGone

SERVICE_WITHIN_S = 0.3
_WRITE_AGAIN_S = 1.0
_REST_WITHIN_MS = 3_000


class DecidingService(Protocol):
    """The part of the service that is asked during a scan."""

    async def decide(self, request: FillRequest) -> ServiceDecision:
        """The service's decision. Raises ServiceGone."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a decision is taken from besides the request."""

    cylinder: CylinderState | None
    facts: StationFacts
    book: Rulebook
    own_act_ids: tuple[str, ...] = ()
    """Own acts folded into `cylinder` that the ledger had not shown yet."""
    replica_id: str | None = None
    """Which version of the replica it comes from."""


@dataclass(slots=True)
class Judgement:
    """One scan's decision: what it was taken from, the one that holds, and a denial that came too late for it."""

    request: FillRequest
    knowledge: Knowledge
    decision: Decision
    log_index: int | None = None
    """Where the service has put its decision in its log, if it answered in time."""
    is_own: bool = True
    """Whether `decision` is what this station found, rather than the service."""
    late_denial: Decision | None = None
    locked: bool = False
    """Whether the regulator locked the scale, its lane or the station while gas flowed."""


class _Unwritten(NamedTuple):
    """What the journal did not take, as it is to be written."""

    id: str
    subject: str
    event: Event
    worker_id: str | None
    log_index: int | None
    at: int


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
    ) -> None:
        self.station_id = station_id
        self.stopping = False
        self._boot_id = boot_id
        self._recorder = recorder
        self._replica = replica
        self._clock = clock
        self._service = service
        self._tell = tell
        self._forms = forms
        self._permits = Permits(boot_id)
        self._listening: set[asyncio.Task[None]] = set()
        self._unwritten: deque[_Unwritten] = deque()
        self._writing = asyncio.Lock()

    async def work(self, lane: Lane) -> None:
        """The lane's task: close what an earlier run left open, then walk one scan after another."""
        await self._guarded(lane, self._close_open_fills(lane))
        while True:
            raw_scan = await lane.next_scan()
            await self._guarded(lane, self.scan(lane, raw_scan))

    # ------------------------------------------------------------ the path

    async def scan(self, lane: Lane, raw_scan: str) -> None:
        """The path of one scan. Raises ScaleFault, JournalBroken, PermitRefused; the valve is shut then."""
        writable = await self._write_what_waits(lane)
        request = await self._ask_lane(lane, raw_scan)  # (1)
        knowledge = self.look_up(request)  # (2)
        judgement = await self._judge(lane, request, knowledge if writable else _without_journal(knowledge))  # (3)
        try:
            permit = await self._record_decision(lane, judgement)  # (4)
        except JournalBroken as broken:
            self._refuse_unwritten(lane, judgement, broken)
            self._write_later(judgement, request.check_id, *self._decided(judgement))
            return
        if permit is None:
            self._refuse(lane, judgement)
        else:
            await self._fill(lane, judgement, permit)  # (5)

    async def _ask_lane(self, lane: Lane, raw_scan: str) -> FillRequest:
        """(1) The question: what was scanned, by whom, on which scale, and what stands on it."""
        read = read_scan(raw_scan, self._forms.hosts, self._forms.legacy_forms)
        code, why = (None, read.kind.value) if isinstance(read, ReadFailure) else (read.text, None)
        check_id = f"chk_{encode_base32(secrets.randbits(128), 26).lower()}"
        lane.view = LaneView(code=code)
        self._tell("scanned", lane, {"check_id": check_id, "code": code, "raw_scan": raw_scan})
        reading = await rest(lane.scale, self._clock.steady, _REST_WITHIN_MS)
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

    def look_up(self, request: FillRequest) -> Knowledge:
        """(2) What is known here, own acts on top, and as of when. Nothing known is nothing allowed."""
        known, skew_ms = self._replica.known, self._clock.skew_ms()
        if known is None:
            return Knowledge(None, facts_for(None, request, 0, skew_ms), _shipped_rulebook())
        try:
            cylinder = self._replica.find(request.code) if request.code else None
        except ReplicaDamaged:
            self._replica.forget()  # sync fetches it whole
            return self.look_up(request)
        trusted_now = self._clock.trusted_now()
        now = self._clock.now() if trusted_now is None else trusted_now
        book = known.book_on(local_day(now))
        lot = known.lots.get(request.lot_id) if request.lot_id else None
        facts = facts_for(known.station, request, known.as_of, skew_ms, lot, now=now, locks=known.locks)
        replica_id = f"{self.station_id}.{known.version}"
        if cylinder is None:
            dead = self._replica.dead
            if dead is not None and request.code is not None and dead.codes.may_have(request.code):
                facts = facts.model_copy(update={"on_dead_list": True})
            return Knowledge(None, facts, book, replica_id=replica_id)
        cylinder, own_act_ids = self._recorder.acts.on_top_of(cylinder, known.version)
        return Knowledge(cylinder, facts, book, own_act_ids, replica_id)

    async def _judge(self, lane: Lane, request: FillRequest, knowledge: Knowledge) -> Judgement:
        """(3) Decide here, ask there; the stricter holds. A tie is told in the service's words: it knows more."""
        lane.move(LaneState.DECIDING)
        asked = asyncio.create_task(self._service.decide(request))
        own = decide_fill(request, knowledge.cylinder, knowledge.facts, knowledge.book, self._clock.now())
        await asyncio.wait({asked}, timeout=SERVICE_WITHIN_S)
        judgement = Judgement(request, knowledge, own)
        if not asked.done():
            self._listen(self._hear_late(lane, judgement, asked))
            return judgement
        try:
            answer = asked.result()
            judgement.decision, judgement.log_index = stricter(answer.decision, own), answer.log_index
            judgement.is_own = judgement.decision.outcome != answer.decision.outcome
        except ServiceGone:
            pass  # our own decision holds; the record says whose it is
        return judgement

    async def _record_decision(self, lane: Lane, judgement: Judgement) -> Permit | None:
        """(4) Decision and refusal alike are on the disk before anything follows from them."""
        request, decision, knowledge = judgement.request, judgement.decision, judgement.knowledge
        decided_at = self._clock.steady()
        await self._write(judgement)
        lane.view.cylinder, lane.view.decision = knowledge.cylinder, decision
        self._tell("decided", lane, _told(judgement))
        if not decision.permits or knowledge.cylinder is None or judgement.late_denial:
            return None
        permit = self._permits.issue(request, decision, knowledge.cylinder.stamp.tare_g, decided_at)
        lane.move(LaneState.PERMITTED)
        return permit

    async def _write(self, judgement: Judgement) -> None:
        request = judgement.request
        subject, event = self._decided(judgement)
        await self._recorder.append(request.check_id, subject, event, request.worker_id, log_index=judgement.log_index)

    def _decided(self, judgement: Judgement) -> tuple[str, FillDecided]:
        """What was decided, and on whose chain it belongs."""
        decision = judgement.decision
        event = FillDecided(
            request=judgement.request,
            station=judgement.knowledge.facts,
            decision=decision,
            decided_by="station",
            **(self._stood_by(judgement) if judgement.is_own else {}),
        )
        return f"cylinder/{decision.cylinder_id}" if decision.cylinder_id else f"station/{self.station_id}", event

    def _stood_by(self, judgement: Judgement) -> dict[str, Any]:
        """What this station took its own decision from, and its signature; the service signs for what it found."""
        request, decision, knowledge = judgement.request, judgement.decision, judgement.knowledge
        inputs = inputs_hash(request, knowledge.facts, decision, knowledge.own_act_ids)
        return {
            "own_act_ids": knowledge.own_act_ids or None,
            "inputs_sha256": inputs,
            "replica_id": knowledge.replica_id,
            "note": self._recorder.journal.sign_decision(request, decision, inputs),
        }

    async def _fill(self, lane: Lane, judgement: Judgement, permit: Permit) -> None:
        """(5) Gas, under the permit, and the record of it."""
        cylinder = judgement.knowledge.cylinder
        if cylinder is None or judgement.late_denial:
            self._refuse(lane, judgement)
            return
        start = self._start(lane, judgement.request, permit, cylinder.stamp.tare_g)
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
            longest_ms=judgement.knowledge.book.fill.longest_fill_seconds * 1000,
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
            if lane.state is not LaneState.PERMITTED:
                raise
            self._refuse_to_begin(lane, judgement, broken)
            return
        recorded = await self._recorder.end(lane, replace(start, seen_gross_g=seen[0]), ending)
        self._finish(lane, judgement, ending, recorded)

    def _must_stop(self, lane: Lane, judgement: Judgement) -> bool:
        """Whether gas may flow no longer: the agent ends, the service denied, or the regulator has locked the scale."""
        if not judgement.locked and self._is_locked(lane):
            judgement.locked = True
            self._permits.withdraw(judgement.request.check_id)
            self._tell("locked", lane, {"check_id": judgement.request.check_id, **words.fields(words.LOCKED)})
        return self.stopping or judgement.locked or judgement.late_denial is not None

    def _is_locked(self, lane: Lane) -> bool:
        known = self._replica.known
        if known is None:
            return False
        trusted_now = self._clock.trusted_now()
        now = self._clock.now() if trusted_now is None else trusted_now
        scale = known.station.scales.get(lane.scale_id)
        return bool(scale and scale.locked) or lock_at(known.locks, lane.scale_id, lane.number, now) is not None

    def _start(self, lane: Lane, request: FillRequest, permit: Permit, tare_g: int) -> Start:
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
        )

    # ------------------------------------------------------------ a journal that cannot be written

    def _refuse_unwritten(self, lane: Lane, judgement: Judgement, broken: JournalBroken) -> None:
        """R67: no record, no gas. The refusal itself is written down when the journal takes it."""
        knowledge = _without_journal(judgement.knowledge)
        denial = decide_fill(judgement.request, knowledge.cylinder, knowledge.facts, knowledge.book, self._clock.now())
        held = judgement.decision
        judgement.knowledge = knowledge
        judgement.decision = denial if held.permits or judgement.is_own else stricter(held, denial)
        judgement.is_own = judgement.is_own or held.permits
        lane.view.cylinder, lane.view.decision = knowledge.cylinder, judgement.decision
        self._tell("journal_broken", lane, {"detail": str(broken), **words.fields(words.JOURNAL_BROKEN)})
        self._refuse(lane, judgement)

    def _write_later(self, judgement: Judgement, id: str, subject: str, event: Event) -> None:
        if not self._unwritten:
            self._listen(self._write_when_it_can())
        about = judgement.request.worker_id, judgement.log_index, judgement.decision.decided_at
        self._unwritten.append(_Unwritten(id, subject, event, *about))

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
        async with self._writing:
            while self._unwritten:
                late = self._unwritten[0]
                await self._recorder.append(
                    late.id, late.subject, late.event, late.worker_id, log_index=late.log_index, occurred_at=late.at
                )
                self._unwritten.popleft()

    async def _write_when_it_can(self) -> None:
        while self._unwritten:
            await asyncio.sleep(_WRITE_AGAIN_S)
            with suppress(JournalBroken):
                await self.write_unwritten()

    # ------------------------------------------------------------ a denial after the 300 ms

    def _listen(self, hearing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(hearing)
        self._listening.add(task)
        task.add_done_callback(self._listening.discard)

    async def _hear_late(self, lane: Lane, judgement: Judgement, asked: asyncio.Task[ServiceDecision]) -> None:
        """No gas any more, and a record that the denial came."""
        try:
            answer = await asked
        except ServiceGone:
            return
        check_id, denial = judgement.request.check_id, answer.decision
        self._recorder.acts.settle(check_id, answer.log_index)
        if denial.permits or not judgement.decision.permits:
            return
        judgement.late_denial = denial
        self._permits.withdraw(check_id)
        codes = list(denial.codes)
        self._tell("denied_late", lane, {"check_id": check_id, "reasons": codes})
        event = DisputeRaised(
            about_id=check_id,
            kind="late_denial",
            message=f"The service denied ({' '.join(codes)}) after the station had permitted; the station stopped.",
        )
        subject = f"cylinder/{judgement.decision.cylinder_id}"
        try:
            await self._recorder.append(f"{check_id}.late", subject, event, judgement.request.worker_id)
        except JournalBroken as broken:
            self._tell("journal_broken", lane, {"detail": str(broken), **words.fields(words.JOURNAL_BROKEN)})

    # ------------------------------------------------------------ endings

    def _refuse(self, lane: Lane, judgement: Judgement) -> None:
        lane.move(LaneState.REFUSED)
        if judgement.decision.permits:
            lane.view.message = words.DENIED_LATE
        self._tell("refused", lane, _told(judgement))

    def _finish(self, lane: Lane, judgement: Judgement, ending: Ending, recorded: bool) -> None:
        if recorded and ending.because != "fault":
            lane.view.message = words.LOCKED if judgement.locked else None
            lane.view.message = words.DENIED_LATE if judgement.late_denial else lane.view.message
            lane.move(LaneState.DONE)
            return
        message = words.FILL_FAULT if recorded else words.NO_GAS
        if judgement.late_denial:
            message = words.DENIED_LATE
        self._fault(lane, message, ending.fault or "", judgement.request.check_id)

    def _fault(self, lane: Lane, message: words.Said, detail: str, check_id: str | None = None) -> None:
        if not lane.has_scan:  # one that came while the lane was starting is still to be walked
            lane.move(LaneState.FAULT)
        lane.view.message = message
        self._tell("fault", lane, {"check_id": check_id, "detail": detail, **words.fields(message)})

    async def _guarded(self, lane: Lane, step: Awaitable[None]) -> None:
        """Whatever a step cannot do leaves the valve shut and a sentence on the screen; the lane goes on."""
        try:
            try:
                await step
            except ScaleFault as fault:
                await self._recorder.note(lane, "fault", {"detail": str(fault), "code": lane.view.code})
                self._fault(lane, words.SCALE_FAULT, str(fault))
            except PermitRefused as refused:
                await self._recorder.note(lane, "permit_refused", {"detail": str(refused), "code": lane.view.code})
                self._fault(lane, words.STARTED_TOO_LATE, str(refused))
        except JournalBroken as broken:
            self._fault(lane, words.JOURNAL_BROKEN, str(broken))

    # ------------------------------------------------------------ after a crash

    async def _close_open_fills(self, lane: Lane) -> None:
        """Record, from what the scale says, fills whose end nobody saw. Raises ScaleFault, JournalBroken."""
        for start in await self._recorder.open_starts(lane.scale_id):
            await lane.scale.shut_valve()
            reading = await rest(lane.scale, self._clock.steady, _REST_WITHIN_MS)
            await self._recorder.end(lane, start, Ending(reading.gross_g, "fault", "the agent was interrupted"))

    async def close_orphans(self, lanes: list[Lane]) -> None:
        """Record fills left open on scales that are no longer a lane, from the last weight noted."""
        scale_ids = {lane.scale_id for lane in lanes}
        for start in await self._recorder.open_starts():
            if start.scale_id not in scale_ids:
                await self._recorder.end(None, start, Ending(None, "fault", "the scale is no longer a lane"))


def _without_journal(knowledge: Knowledge) -> Knowledge:
    """The same knowledge at a moment at which nothing can be written down."""
    return replace(knowledge, facts=knowledge.facts.model_copy(update={"journal_writable": False}))


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


@lru_cache(maxsize=1)
def _shipped_rulebook() -> Rulebook:
    """The rulebook that came with the program, for refusing while no other is known."""
    text = (resources.files("cylinder_trace") / "rulebooks" / "cn-default.toml").read_text("utf-8")
    return parse_rulebook(text)
