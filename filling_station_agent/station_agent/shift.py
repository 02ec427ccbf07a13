"""The shift (班次): who fills and who checks at a lane, since when, and what is handed over.

A badge signs its holder on as filler (充装人).  The checker (检查人) shows the card "the next badge is the checker's"
first; at a lane that only weighs again every badge is the checker's.  One person has one role at a lane: whoever takes
the other role leaves the first one.  A new filler begins a new shift, at a check lane a new checker.  The card
"hand over" shows what the shift leaves behind and signs both off; so does a lane left alone, without a page.

The certificate is told at once; whether somebody may fill is decided by the rules, at each scan (R61).
"""

import secrets
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal, NamedTuple

from cylinder_codes.base32 import encode_base32
from cylinder_trace.events import ShiftChanged
from station_agent import words
from station_agent.journal import JournalBroken
from station_agent.lane import NOTHING_STATED, HandOver, Lane, Shift
from station_agent.recorder import Recorder, Tell
from station_agent.replica import Replica

LEAVE_AFTER_MS = 20 * 60_000


class _People(NamedTuple):
    worker_id: str | None
    checker_id: str | None


class _Left(NamedTuple):
    """What the journal and the station leave to the next shift."""

    unsent: int
    disputed: int
    open_fills: int


class Shifts:
    """Signs people on and off at the lanes of a station."""

    def __init__(
        self,
        recorder: Recorder,
        replica: Replica,
        tell: Tell,
        *,
        leave_after_ms: int = LEAVE_AFTER_MS,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self._recorder = recorder
        self._replica = replica
        self._tell = tell
        self._leave_after_ms = leave_after_ms
        self._random_bits = random_bits

    # ------------------------------------------------------------ signing on

    async def sign_on(self, lane: Lane, worker_id: str) -> None:
        """Take a person on at a lane, in the role that the lane expects next."""
        role: Literal["filler", "checker"] = "checker" if lane.kind == "check" else lane.next_badge
        lane.next_badge = "filler"
        before, shift = _people(lane), lane.shift
        left_other = _take_role(lane, role, worker_id)
        if lane.shift is None or _holder(lane, before) != _holder(lane, _people(lane)):
            lane.shift = self._new_shift()
        self._tell_signed_on(lane, worker_id, role, left_other=left_other)
        if _people(lane) != before:
            ended = shift if lane.shift is not shift else None
            await self._record(lane, "signed_on", before, ended)

    def _new_shift(self) -> Shift:
        return Shift(self._recorder.clock.now(), self._recorder.fills.count)

    def _tell_signed_on(self, lane: Lane, worker_id: str, role: str, *, left_other: bool) -> None:
        known = self._replica.known
        certified = known is not None and known.is_certified(worker_id, self._recorder.clock.likely_now())
        said = words.SIGNED_ON_CHECKER if role == "checker" else words.SIGNED_ON_FILLER
        said = words.OTHER_ROLE_LEFT if left_other else said
        until = known.certified_until(worker_id) if known else None
        fields = {"worker_id": worker_id, "role": role, "certified_until": until, "certified": certified}
        self._tell("signed_on", lane, {**fields, **words.fields(said if certified else words.NOT_CERTIFIED)})

    # ------------------------------------------------------------ signing off

    async def hand_over(self, lane: Lane) -> None:
        """Leave the page for the next shift and sign both off; not while a cylinder is under way."""
        if not lane.is_ready:
            self._tell("dropped", lane, {"reason": "busy", **words.fields(words.WAIT_FOR_END)})
            return
        left = await self._left()
        before, shift = _people(lane), lane.shift
        lane.handover = page = self._page(lane, left, shift or self._new_shift())
        _sign_off(lane)
        self._tell("handover", lane, asdict(page))
        await self._record(lane, "handed_over", before, shift, left, page)

    async def leave_if_alone(self, lane: Lane) -> None:
        """Sign off whoever left a lane alone for too long (离岗)."""
        before, shift = _people(lane), lane.shift
        idle_ms = self._recorder.clock.steady() - lane.touched_at
        if not lane.is_ready or not any(before) or idle_ms < self._leave_after_ms:
            return
        _sign_off(lane)
        told = {"left_worker_id": before.worker_id, "left_checker_id": before.checker_id}
        self._tell("shift", lane, {"change": "left_alone", **told, **words.fields(words.LEFT_ALONE)})
        await self._record(lane, "left_alone", before, shift)

    async def _left(self) -> _Left:
        """What waits in the journal; all of it where the journal cannot be read is told as nothing to count."""
        try:
            return _Left(*await self._recorder.waiting())
        except JournalBroken as broken:
            self._tell("journal_broken", None, {"detail": str(broken), **words.fields(words.JOURNAL_BROKEN)})
            return _Left(0, 0, 0)

    def _page(self, lane: Lane, left: _Left, shift: Shift) -> HandOver:
        of_lane = None if lane.kind == "check" else lane.number
        missing = self._recorder.fills.not_reweighed(shift.first_fill, of_lane)
        return HandOver(
            lane=lane.number,
            at=self._recorder.clock.now(),
            worker_id=lane.worker_id,
            checker_id=lane.checker_id,
            shift=shift,
            unsent=left.unsent,
            disputed=left.disputed,
            open_fills=left.open_fills,
            not_reweighed=tuple(fill.cylinder_id for fill in missing),
            lot_id=lane.lot_id,
            stock_g=lane.stock_g,
        )

    # ------------------------------------------------------------ on record

    async def _record(
        self,
        lane: Lane,
        change: Literal["signed_on", "handed_over", "left_alone"],
        before: _People,
        shift: Shift | None,
        left: _Left | None = None,
        page: HandOver | None = None,
    ) -> None:
        """Put it into the station's history; a journal that is broken lets nobody fill, and is told."""
        event = ShiftChanged(
            station_id=self._recorder.station_id,
            lane=lane.number,
            change=change,
            worker_id=lane.worker_id,
            checker_id=lane.checker_id,
            left_worker_id=before.worker_id if before.worker_id != lane.worker_id else None,
            left_checker_id=before.checker_id if before.checker_id != lane.checker_id else None,
            **_counts(shift),
            **({"unsent": left.unsent, "open_fills": left.open_fills} if left else {}),
            lot_id=lane.lot_id,
            stock_g=page.stock_g if page else None,
        )
        people = lane.worker_id or before.worker_id, lane.checker_id or before.checker_id
        id = f"shf_{encode_base32(self._random_bits(128), 26).lower()}"
        try:
            subject = f"station/{self._recorder.station_id}"
            await self._recorder.append(id, subject, event, people[0], checker_id=people[1])
        except JournalBroken as broken:
            self._tell("journal_broken", lane, {"detail": str(broken), **words.fields(words.JOURNAL_BROKEN)})


def _people(lane: Lane) -> _People:
    return _People(lane.worker_id, lane.checker_id)


def _holder(lane: Lane, people: _People) -> str | None:
    """Whose shift it is."""
    return people.checker_id if lane.kind == "check" else people.worker_id


def _take_role(lane: Lane, role: Literal["filler", "checker"], worker_id: str) -> bool:
    """Sign on in a role and leave the other one; True if the person had it."""
    if role == "filler":
        left, lane.worker_id = lane.checker_id == worker_id, worker_id
        lane.checker_id = None if left else lane.checker_id
    else:
        left, lane.checker_id = lane.worker_id == worker_id, worker_id
        lane.worker_id = None if left else lane.worker_id
    return left


def _sign_off(lane: Lane) -> None:
    """Nobody is at the lane any more, and what was said of the next cylinder is forgotten."""
    lane.worker_id = lane.checker_id = lane.shift = lane.stock_g = lane.asks_pin_of = None
    lane.next_badge = "filler"
    lane.stated = NOTHING_STATED
    lane.stamp_seen = None
    lane.findings.clear()
    lane.faults_after.clear()


def _counts(shift: Shift | None) -> dict[str, Any]:
    if shift is None:
        return {}
    counts = {"fills": shift.fills, "net_g": shift.net_g, "refusals": shift.refusals, "alarms": shift.alarms}
    return {"since": shift.since, **counts}
