"""What a station did while it was cut off (断网): its decisions and fills as its device chained them, ready to send.

The station decides as a real one does, with the rule engine over its replica; the device's key is made here.
"""

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import orjson

from cylinder_codes.keys import SEED_BYTES, SigningKey
from cylinder_trace.admission import decide_fill
from cylinder_trace.chain import next_link, record_hash
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.decision import Decision, FillRequest
from cylinder_trace.events import Event, FillDecided, Filled, Record, record_text, state_event
from cylinder_trace.rulebook import Rulebook, parse_rulebook
from cylinder_trace.station import StationState, facts_for
from load_stations import LINK, Body

_FILL_MS = 60_000
_BETWEEN_MS = 15_000


def new_device_key() -> SigningKey:
    """The key that a device makes for itself."""
    return SigningKey("load-device", secrets.token_bytes(SEED_BYTES))


@dataclass(slots=True)
class Outage:
    """A station without a network, over the replica that it last had."""

    replica: dict[str, Any]
    device_id: str
    key: SigningKey
    records: list[Record] = field(default_factory=list)
    _last: Record | None = None

    def go_on(self, until: int, fills: int) -> None:
        """Scan so many cylinders in turn, the last of them just before `until` (UTC ms), and fill what is permitted."""
        book = parse_rulebook(self.replica["rulebook"])
        station = StationState.model_validate_json(orjson.dumps(self.replica["station"]))
        at = until - fills * _BETWEEN_MS - _FILL_MS
        for cylinder in _in_turn(self.replica["cylinders"], fills):
            self._scan(cylinder, station, book, at)
            at += _BETWEEN_MS

    def _scan(self, cylinder: CylinderState, station: StationState, book: Rulebook, at: int) -> None:
        request = _request(cylinder, station, at)
        facts = facts_for(station, request, data_as_of=at, clock_skew_ms=0)
        decision = decide_fill(request, cylinder, facts, book, at)
        event = FillDecided(request=request, station=facts, decision=decision, decided_by="station")
        self._record(event, cylinder, request.check_id, at)
        if decision.permits:
            filled = _filled(request, decision, cylinder, at)
            self._record(filled, cylinder, f"{request.check_id}.filled", filled.ended_at)

    def _record(self, event: Event, cylinder: CylinderState, id: str, at: int) -> None:
        station_id = self.replica["station_id"]
        record = state_event(
            event, id=id, subject=f"cylinder/{cylinder.cylinder_id}", occurred_at=at, by=station_id,
            refs=(f"station/{station_id}",), device=next_link(self.device_id, self._last),
        )  # fmt: skip
        self.records.append(record)
        self._last = record

    def upload(self, records: list[Record]) -> Body:
        """The body that hands these records over, under the device's signed head."""
        last = records[-1]
        assert last.device is not None
        seq, head = last.device.seq, record_hash(last)
        signed = self.key.sign(f"pinglian-device-head/1\n{self.device_id}\n{seq}\n{head}\n".encode())
        signature = base64.b64encode(signed).decode()
        texts = [record_text(record).decode() for record in records]
        return {
            "device_id": self.device_id,
            "records": texts,
            "head": {"seq": seq, "hash": head, "signature": signature},
        }


def _in_turn(cylinders: list[dict[str, Any]], count: int) -> Iterator[CylinderState]:
    states = [CylinderState.model_validate_json(orjson.dumps(state)) for state in cylinders]
    readable = cycle([state for state in states if state.codes])
    return (next(readable) for _ in range(count))


def _request(cylinder: CylinderState, station: StationState, at: int) -> FillRequest:
    return FillRequest(
        check_id=f"out-{secrets.token_hex(8)}",
        raw_scan=f"{LINK}{cylinder.codes[0]}\r",
        code=cylinder.codes[0],
        station_id=station.station_id,
        scale_id=min(station.scales),
        lane=1,
        boot_id="load-1",
        worker_id=min(station.workers),
        empty_gross_g=cylinder.stamp.tare_g + 100,
        requested_at=at,
    )


def _filled(request: FillRequest, decision: Decision, cylinder: CylinderState, at: int) -> Filled:
    net_g = decision.target_net_g or 0
    return Filled(
        check_id=request.check_id,
        station_id=request.station_id,
        scale_id=request.scale_id,
        lane=request.lane,
        worker_id=request.worker_id or "",
        started_at=at + 5_000,
        ended_at=at + _FILL_MS,
        empty_gross_g=request.empty_gross_g,
        full_gross_g=cylinder.stamp.tare_g + net_g,
        net_g=net_g,
        ended_because="limit_reached",
    )
