"""Deciding (准充判定): what is known here, as of when, and what follows from it; the service's word is joined to it.

Nothing known is nothing allowed.  The same function decides here and there; the stricter answer holds.
"""

import asyncio
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from typing import Any, Protocol

from cylinder_codes.stamps import StampReading
from cylinder_trace.admission import decide_fill, stricter
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.decision import Decision, FillRequest, StationFacts
from cylinder_trace.decision_note import inputs_hash
from cylinder_trace.events import FillDecided
from cylinder_trace.rulebook import Rulebook, parse_rulebook
from cylinder_trace.station import facts_for
from station_agent.clock import TrustedClock
from station_agent.lane import Lane
from station_agent.recorder import Recorder
from station_agent.replica import Known, Replica, ReplicaDamaged
from station_agent.service import ServiceDecision, ServiceGone

SERVICE_WITHIN_S = 0.3


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
    steady_at: int = 0
    """When it was taken, on the steady clock: the permit's time runs from there."""
    checker_id: str | None = None
    log_index: int | None = None
    """Where the service has put its decision in its log, if it answered in time."""
    is_own: bool = True
    """Whether `decision` is what this station found, rather than the service."""
    late_denial: Decision | None = None
    """The service's denial, if it came while gas flowed or could have."""
    revoked: Decision | None = None
    """What this station finds by news of the ledger that came while gas flowed, if that denies."""
    locked: bool = False
    """Whether the regulator locked the scale, its lane or the station while gas flowed."""
    looked_at: Known | None = None
    """The knowledge that was last asked for news."""

    @property
    def is_untouched(self) -> bool:
        """Whether nobody has said since that gas must not flow."""
        return self.late_denial is None and self.revoked is None and not self.locked


class Deciding:
    """Takes the station's decisions from its replica, its own acts and its clock."""

    def __init__(
        self, station_id: str, replica: Replica, clock: TrustedClock, recorder: Recorder, service: DecidingService
    ) -> None:
        self._station_id = station_id
        self._replica = replica
        self._clock = clock
        self._recorder = recorder
        self._service = service

    # ------------------------------------------------------------ what is known

    def look_up(self, request: FillRequest) -> Knowledge:
        """What is known here, own acts on top, and as of when. Nothing known is nothing allowed."""
        known, skew_ms = self._replica.known, self._clock.skew_ms()
        if known is None:
            return Knowledge(None, facts_for(None, request, 0, skew_ms), _shipped_rulebook())
        try:
            cylinder = self._replica.find(request.code) if request.code else None
        except ReplicaDamaged:
            self._replica.forget()  # sync fetches it whole
            return self.look_up(request)
        now = self._clock.likely_now()
        book = known.book_at(now)
        lot = known.lots.get(request.lot_id) if request.lot_id else None
        facts = facts_for(known.station, request, known.as_of, skew_ms, lot, now=now, locks=known.locks)
        facts = facts if skew_ms is not None else self._with_unchecked_clock(facts, book)
        replica_id = f"{self._station_id}.{known.version}"
        if cylinder is None:
            return Knowledge(None, self._with_dead_list(facts, request.code), book, replica_id=replica_id)
        cylinder, own_act_ids = self._recorder.acts.on_top_of(cylinder, known.version)
        return Knowledge(cylinder, facts, book, own_act_ids, replica_id)

    def _with_unchecked_clock(self, facts: StationFacts, book: Rulebook) -> StationFacts:
        """After a restart of the machine: what the rulebook judges the clock by, if it does at all."""
        unchecked = self._clock.unchecked() if book.station.clock_unchecked_hours else None
        if unchecked is None:
            return facts
        return facts.model_copy(update={"clock_skew_ms": unchecked.skew_ms, "clock_unchecked_ms": unchecked.beyond_ms})

    def _with_dead_list(self, facts: StationFacts, code: str | None) -> StationFacts:
        dead = self._replica.dead
        if dead is None or code is None or not dead.codes.may_have(code):
            return facts
        return facts.model_copy(update={"on_dead_list": True})

    def find_by_stamp(self, seen: StampReading) -> list[CylinderState]:
        """The cylinders that what was read from the steel fits; two fields at least must agree, and none may differ."""
        try:
            return self._replica.find_by_stamp(seen)
        except ReplicaDamaged:
            self._replica.forget()
            return []

    def cylinder(self, code: str) -> CylinderState | None:
        """The cylinder that a code leads to."""
        try:
            return self._replica.find(code)
        except ReplicaDamaged:
            self._replica.forget()
            return None

    def book(self) -> Rulebook:
        """The rulebook in force today."""
        known = self._replica.known
        return known.book_at(self._clock.likely_now()) if known else _shipped_rulebook()

    def is_certified(self, worker_id: str) -> bool:
        """Whether this station knows a certificate of the person that is in force today."""
        known = self._replica.known
        return known is not None and known.is_certified(worker_id, self._clock.likely_now())

    def is_locked(self, lane: Lane) -> bool:
        """Whether the regulator has locked the scale, its lane or the station."""
        known = self._replica.known
        return known is not None and known.is_locked(lane.scale_id, lane.number, self._clock.likely_now())

    # ------------------------------------------------------------ deciding

    def decide(self, request: FillRequest, knowledge: Knowledge) -> Decision:
        """What this station finds, now."""
        return decide_fill(request, knowledge.cylinder, knowledge.facts, knowledge.book, self._clock.now())

    async def judge(
        self, request: FillRequest, knowledge: Knowledge, checker_id: str | None
    ) -> tuple[Judgement, asyncio.Task[ServiceDecision] | None]:
        """Decide here, ask there for at most 300 ms; and the question that is still open, if it is.

        The stricter holds. A tie is told in the service's words: it knows more.
        """
        asked = asyncio.create_task(self._service.decide(request))
        judgement = self.alone(request, knowledge, checker_id)
        own = judgement.decision
        await asyncio.wait({asked}, timeout=SERVICE_WITHIN_S)
        if not asked.done():
            return judgement, asked
        try:
            answer = asked.result()
            judgement.decision, judgement.log_index = stricter(answer.decision, own), answer.log_index
            judgement.is_own = judgement.decision.outcome != answer.decision.outcome
        except ServiceGone:
            pass  # our own decision holds; the record says whose it is
        return judgement, None

    def alone(self, request: FillRequest, knowledge: Knowledge, checker_id: str | None) -> Judgement:
        """Decide without asking the service."""
        steady_at, known = self._clock.steady(), self._replica.known
        return Judgement(request, knowledge, self.decide(request, knowledge), steady_at, checker_id, looked_at=known)

    def without_journal(self, judgement: Judgement) -> None:
        """Turn a judgement into the refusal of a moment at which nothing can be written down (R67)."""
        knowledge, held = without_journal(judgement.knowledge), judgement.decision
        denial = self.decide(judgement.request, knowledge)
        judgement.knowledge = knowledge
        judgement.decision = denial if held.permits or judgement.is_own else stricter(held, denial)
        judgement.is_own = judgement.is_own or held.permits

    def news(self, judgement: Judgement) -> Decision | None:
        """What this station finds now, if the ledger told it something since the judgement and that denies (撤销).

        Asked many times a second while gas flows: only new knowledge is looked at.
        """
        known = self._replica.known
        if known is None or known is judgement.looked_at:
            return None
        judgement.looked_at = known
        decision = self.decide(judgement.request, self.look_up(judgement.request))
        return None if decision.permits else decision

    # ------------------------------------------------------------ as it is recorded

    def event_of(self, judgement: Judgement) -> tuple[str, FillDecided]:
        """What was decided, and on whose chain it belongs."""
        decision = judgement.decision
        event = FillDecided(
            request=judgement.request,
            station=judgement.knowledge.facts,
            decision=decision,
            decided_by="station",
            **(self._stood_by(judgement) if judgement.is_own else {}),
        )
        return f"cylinder/{decision.cylinder_id}" if decision.cylinder_id else f"station/{self._station_id}", event

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


def without_journal(knowledge: Knowledge) -> Knowledge:
    """The same knowledge at a moment at which nothing can be written down."""
    return replace(knowledge, facts=knowledge.facts.model_copy(update={"journal_writable": False}))


def at_another_lane(knowledge: Knowledge, lane: int) -> Knowledge:
    """The same knowledge while the same cylinder is under way at another lane of this station."""
    return replace(knowledge, facts=knowledge.facts.model_copy(update={"busy_lane": lane}))


@lru_cache(maxsize=1)
def _shipped_rulebook() -> Rulebook:
    """The rulebook that came with the program, for refusing while no other is known."""
    text = (resources.files("cylinder_trace") / "rulebooks" / "cn-default.toml").read_text("utf-8")
    return parse_rulebook(text)
