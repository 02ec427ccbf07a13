"""The floor (现场): what the scanners bring goes to its lane: a cylinder, a badge, a card from the wall."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, get_args
from unicodedata import normalize

from pydantic import TypeAdapter

from cylinder_codes.stamps import FIELDS_FOR_A_MATCH, StampReading
from cylinder_trace.decision import Finding
from station_agent import words
from station_agent.device import DeviceError
from station_agent.devices import scanner
from station_agent.journal import JournalBroken
from station_agent.lane import Lane, Stated
from station_agent.pins import Pins
from station_agent.recorder import Recorder, Tell
from station_agent.replica import Replica
from station_agent.shift import LEAVE_AFTER_MS, Shifts

_STAMP = TypeAdapter(StampReading)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}")
_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}")
_PIN_WITHIN_MS = 60_000
_LOOK_S = 5.0


class Floor:
    """The lanes of a station and who works at them. `pins` is None where nobody may sign on by typing."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        recorder: Recorder,
        replica: Replica,
        tell: Tell,
        *,
        sign_on_all: bool,
        pins: Pins | None = None,
        leave_after_ms: int = LEAVE_AFTER_MS,
    ) -> None:
        self.lanes = {lane.number: lane for lane in lanes}
        self.shifts = Shifts(recorder, replica, tell, leave_after_ms=leave_after_ms)
        self._recorder = recorder
        self._tell = tell
        self._sign_on_all = sign_on_all
        self._pins = pins
        self._asked_at: dict[int, int] = {}

    async def take(self, event: scanner.ScannerEvent) -> None:
        """Give what a scanner brought to its lane; without a lane only where there is but one."""
        lane = self._lane_of(event)
        if lane is None:
            self._drop(None, "no_lane", words.NO_LANE)
            return
        await self.shifts.leave_if_alone(lane)
        lane.touched_at = self._recorder.clock.steady()
        match event:
            case scanner.Scan() if lane.asks_pin_of and (event.typed or event.lane is None):
                await self._take_pin(lane, event.text)
            case scanner.Scan():
                await self._offer(lane, event.text)
            case scanner.Badge():
                await self._take_badge(lane, event)
            case scanner.Finding():
                self._find(lane, event.finding)
            case scanner.StampSeen():
                self._see_stamp(lane, event.text)
            case scanner.Statement():
                await self._state(lane, event.text)
            case scanner.Dropped():
                other = event.reason == "other_lane"
                self._drop(lane, event.reason, words.OTHER_LANES_SCANNER if other else words.SCAN_AGAIN)

    def _lane_of(self, event: scanner.ScannerEvent) -> Lane | None:
        if event.lane is None and len(self.lanes) == 1:
            return next(iter(self.lanes.values()))
        return None if event.lane is None else self.lanes.get(event.lane)

    async def watch_for_ever(self) -> None:
        """Sign off lanes that were left alone."""
        while True:
            await asyncio.sleep(_LOOK_S)
            for lane in self.lanes.values():
                await self.shifts.leave_if_alone(lane)

    async def _offer(self, lane: Lane, raw_scan: str) -> None:
        """A scan while another is under way is turned away, and that is kept."""
        if lane.offer(raw_scan):
            return
        self._tell("busy", lane, {"raw_scan": raw_scan, **words.fields(words.BUSY)})
        try:
            await self._recorder.note(lane, "scan_while_busy", {"raw_scan": raw_scan, "state": lane.state.value})
        except JournalBroken as broken:
            self._tell("journal_broken", lane, {"detail": str(broken), **words.fields(words.JOURNAL_BROKEN)})

    # ------------------------------------------------------------ people

    async def _take_badge(self, lane: Lane, badge: scanner.Badge) -> None:
        """A badge that was read signs its holder on; a worker id that was typed is asked for its PIN."""
        if not _ID.fullmatch(badge.worker_id):
            self._drop(lane, "unknown_card", words.NO_SUCH_CARD)
        elif badge.typed:
            lane.asks_pin_of = badge.worker_id
            self._asked_at[lane.number] = self._recorder.clock.steady()
            self._tell("asks_pin", lane, {"worker_id": badge.worker_id, **words.fields(words.TYPE_PIN)})
        else:
            await self._sign_on(lane, badge.worker_id)

    async def _sign_on(self, lane: Lane, worker_id: str) -> None:
        lane.asks_pin_of = None
        role = lane.next_badge
        for one in list(self.lanes.values()) if self._sign_on_all else [lane]:
            one.next_badge = role
            one.touched_at = lane.touched_at
            await self.shifts.sign_on(one, worker_id)

    async def _take_pin(self, lane: Lane, pin: str) -> None:
        """The next line that is typed is the PIN, whatever it is: it must never be taken for a scan and recorded."""
        worker_id, lane.asks_pin_of = lane.asks_pin_of or "", None
        if self._recorder.clock.steady() - self._asked_at.get(lane.number, 0) > _PIN_WITHIN_MS:
            self._drop(lane, "pin_too_late", words.PIN_TOO_LATE)
            return
        tried = await self._try_pin(worker_id, pin)
        if tried == "good":
            await self._sign_on(lane, worker_id)
        else:
            self._drop(lane, f"pin_{tried}", words.PIN_LOCKED if tried == "locked" else words.PIN_WRONG)

    async def _try_pin(self, worker_id: str, pin: str) -> str:
        if self._pins is None:
            return "wrong"
        try:
            return await asyncio.to_thread(self._pins.try_pin, worker_id, pin)
        except DeviceError:
            return "wrong"

    # ------------------------------------------------------------ cards about the next cylinder

    def _find(self, lane: Lane, finding: str) -> None:
        """What was seen on the next cylinder: before its fill, or, at a check, on the full one."""
        for known in get_args(Finding):
            if finding == known:
                lane.findings.append(known)
                self._tell("finding", lane, {"finding": finding, **words.fields(words.FINDINGS[known])})
                return
        said = words.FAULTS_AFTER.get(finding)
        if said is None:
            self._drop(lane, "unknown_card", words.NO_SUCH_CARD)
        elif lane.kind == "check" or lane.stated.reweigh:
            lane.faults_after.append(finding)
            self._tell("finding", lane, {"finding": finding, **words.fields(said)})
        else:
            self._drop(lane, "after_only", words.AFTER_ONLY)

    async def _state(self, lane: Lane, text: str) -> None:
        """What was done with the next cylinder, who comes next, or, until another is named, which gas lot feeds it."""
        doing = self._doings.get(text)
        if doing is not None:
            await doing(self, lane)
        elif self._take_statement(lane, text):
            self._tell("stated", lane, {"statement": text})
        else:
            self._drop(lane, "unknown_card", words.NO_SUCH_CARD)

    def _take_statement(self, lane: Lane, text: str) -> bool:
        """Keep what was stated; False if it is no statement."""
        if flag := _FLAGS.get(text):
            lane.stated = flag(lane.stated)
            return True
        what, _, value = text.replace(":", "=", 1).partition("=")
        form, keep = _VALUES.get(what, (None, None))
        if form is None or keep is None or not form.fullmatch(value):
            return False
        keep(lane, value)
        return True

    async def _hand_over(self, lane: Lane) -> None:
        await self.shifts.hand_over(lane)

    async def _expect_checker(self, lane: Lane) -> None:
        lane.next_badge = "checker"
        self._tell("stated", lane, {"statement": "checker", **words.fields(words.NEXT_IS_CHECKER)})

    async def _code_damaged(self, lane: Lane) -> None:
        """The act of a scan without a code: the stamp that was read says which cylinder it is (码损坏)."""
        seen = lane.stamp_seen
        read = [value for value in asdict(seen).values() if value is not None] if seen else []
        if seen is None or seen.serial is None or len(read) < FIELDS_FOR_A_MATCH:
            self._drop(lane, "two_fields", words.TWO_FIELDS)
            return
        if lane.is_ready:
            lane.stated = replace(lane.stated, damaged=True, reweigh=False)
        await self._offer(lane, "")

    _doings: dict[str, Callable[["Floor", Lane], Awaitable[None]]] = {
        "handover": _hand_over,
        "checker": _expect_checker,
        "damaged": _code_damaged,
    }

    def _see_stamp(self, lane: Lane, text: str) -> None:
        """A device has read the steel; the rules compare it with the file of the cylinder that is scanned next."""
        try:
            lane.stamp_seen = _STAMP.validate_json(normalize("NFC", text))
        except ValueError:
            self._drop(lane, "stamp_unreadable", words.STAMP_UNREADABLE)
            return
        self._tell(
            "stamp_seen", lane, {name: read for name, read in asdict(lane.stamp_seen).items() if read is not None}
        )

    def _drop(self, lane: Lane | None, reason: str, said: words.Said) -> None:
        fields: dict[str, Any] = {"reason": reason, **words.fields(said)}
        self._tell("dropped", lane, fields)


_FLAGS: dict[str, Callable[[Stated], Stated]] = {
    "checked": lambda stated: replace(stated, prefill_checked=True),
    "evacuated": lambda stated: replace(stated, evacuated=True),
    "reweigh": lambda stated: replace(stated, reweigh=True),
}


def _keep_lot(lane: Lane, value: str) -> None:
    lane.lot_id = value


def _keep_stock(lane: Lane, value: str) -> None:
    lane.stock_g = int(value)


def _keep_residue(lane: Lane, value: str) -> None:
    lane.stated = replace(lane.stated, residue_g=int(value))


def _keep_seal(lane: Lane, value: str) -> None:
    lane.stated = replace(lane.stated, seal_no=value)


def _keep_label(lane: Lane, value: str) -> None:
    lane.stated = replace(lane.stated, label_no=value)


_VALUES: dict[str, tuple[re.Pattern[str], Callable[[Lane, str], None]]] = {
    "lot": (_ID, _keep_lot),
    "stock": (re.compile(r"\d{1,10}"), _keep_stock),
    "residue": (re.compile(r"\d{1,6}"), _keep_residue),
    "seal": (_NUMBER, _keep_seal),
    "label": (_NUMBER, _keep_label),
}
"""`<what>=<value>`; the form of the value, and where it is kept."""
