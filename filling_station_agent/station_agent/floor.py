"""The floor (现场): what the scanners bring goes to its lane: a cylinder, a badge, a card from the wall."""

import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, get_args
from unicodedata import normalize

from pydantic import TypeAdapter

from cylinder_codes.stamps import StampReading
from cylinder_trace.decision import Finding
from station_agent import words
from station_agent.devices import scanner
from station_agent.journal import JournalBroken
from station_agent.lane import Lane
from station_agent.recorder import Recorder, Tell
from station_agent.replica import Replica

_STAMP = TypeAdapter(StampReading)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}")
_MEASURED = re.compile(r"residue[=:](\d{1,6})")
_LOT = re.compile(r"lot[=:]([A-Za-z0-9][A-Za-z0-9_.:-]{0,79})")


class Floor:
    """The lanes of a station and who works at them."""

    def __init__(
        self, lanes: Sequence[Lane], recorder: Recorder, replica: Replica, tell: Tell, *, sign_on_all: bool
    ) -> None:
        self.lanes = {lane.number: lane for lane in lanes}
        self._recorder = recorder
        self._replica = replica
        self._tell = tell
        self._sign_on_all = sign_on_all

    async def take(self, event: scanner.ScannerEvent) -> None:
        """Give what a scanner brought to its lane; without a lane only where there is but one."""
        lane = self._lane_of(event)
        if lane is None:
            self._drop(None, "no_lane", words.NO_LANE)
            return
        match event:
            case scanner.Scan():
                await self._offer(lane, event.text)
            case scanner.Badge():
                self._sign_on(lane, event.worker_id)
            case scanner.Finding():
                self._find(lane, event.finding)
            case scanner.StampSeen():
                self._see_stamp(lane, event.text)
            case scanner.Statement():
                self._state(lane, event.text)
            case scanner.Dropped():
                self._drop(lane, event.reason, words.SCAN_AGAIN)

    def _lane_of(self, event: scanner.ScannerEvent) -> Lane | None:
        if event.lane is None and len(self.lanes) == 1:
            return next(iter(self.lanes.values()))
        return None if event.lane is None else self.lanes.get(event.lane)

    async def _offer(self, lane: Lane, raw_scan: str) -> None:
        """A scan while another is under way is turned away, and that is kept."""
        if lane.offer(raw_scan):
            return
        self._tell("busy", lane, {"raw_scan": raw_scan, **words.fields(words.BUSY)})
        try:
            await self._recorder.note(lane, "scan_while_busy", {"raw_scan": raw_scan, "state": lane.state.value})
        except JournalBroken as broken:
            self._tell("journal_broken", lane, {"detail": str(broken), **words.fields(words.JOURNAL_BROKEN)})

    def _sign_on(self, lane: Lane, worker_id: str) -> None:
        """Whoever holds the badge is the filler of the next cylinders; the rules ask for the certificate."""
        if not _ID.fullmatch(worker_id):
            self._drop(lane, "unknown_card", words.NO_SUCH_CARD)
            return
        known = self._replica.known
        until = known.station.workers.get(worker_id) if known else None
        for one in self.lanes.values() if self._sign_on_all else [lane]:
            one.worker_id = worker_id
            self._tell("signed_on", one, {"worker_id": worker_id, "certified_until": until})

    def _find(self, lane: Lane, finding: str) -> None:
        for known in get_args(Finding):
            if finding == known:
                lane.findings.append(known)
                self._tell("finding", lane, {"finding": finding, **words.fields(words.FINDINGS[known])})
                return
        self._drop(lane, "unknown_card", words.NO_SUCH_CARD)

    def _state(self, lane: Lane, text: str) -> None:
        """What was done with the next cylinder, or, until another one is named, which gas lot feeds this lane."""
        if lot := _LOT.fullmatch(text):
            lane.lot_id = lot[1]
        elif measured := _MEASURED.fullmatch(text):
            lane.stated = replace(lane.stated, residue_g=int(measured[1]))
        elif text == "evacuated":
            lane.stated = replace(lane.stated, evacuated=True)
        elif text == "checked":
            lane.stated = replace(lane.stated, prefill_checked=True)
        else:
            self._drop(lane, "unknown_card", words.NO_SUCH_CARD)
            return
        self._tell("stated", lane, {"statement": text})

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
