"""What a station did while it was cut off (断网): its decisions and fills as its device chained them, ready to send.

The station decides as a real one does, with the rule engine over its replica; the device's key is made here.
"""

import base64
import secrets
from collections.abc import Iterator
from itertools import cycle
from typing import Any, NamedTuple

import orjson

from cylinder_codes.keys import SEED_BYTES, SigningKey, format_vkey
from cylinder_trace.admission import decide_fill
from cylinder_trace.chain import NO_PREVIOUS, Head, next_link, record_hash, seal
from cylinder_trace.cylinder import CylinderState, next_state
from cylinder_trace.decision import Decision, FillRequest
from cylinder_trace.events import Event, FillDecided, Filled, Record, Returned, record_text, state_event
from cylinder_trace.rulebook import parse_rulebook
from cylinder_trace.station import StationState, facts_for
from load_stations import LINK, Body

_EACH_MS = 15_000
_FILL_MS = 10_000


def new_device_key() -> SigningKey:
    """The key that a device makes for itself."""
    return SigningKey("load-device", secrets.token_bytes(SEED_BYTES))


def vkey_text(key: SigningKey) -> str:
    """Its public half, as a device shows it when it is let in."""
    return format_vkey(key.verifying_key)


class _Known(NamedTuple):
    """A cylinder as the station knows it: what the replica says, and the acts of its own on top."""

    state: CylinderState
    own_act_ids: tuple[str, ...] = ()


class Outage:
    """A station without a network, over the replica that it last had."""

    def __init__(self, replica: dict[str, Any], device_id: str, key: SigningKey, ids: str = "out") -> None:
        """All ids that it makes begin with `ids`."""
        self._ids = ids
        self.station_id, self.device_id = str(replica["station_id"]), device_id
        self.records: list[Record] = []
        self._key = key
        self._last: Record | None = None
        self._book = parse_rulebook(replica["rulebook"])
        self._station = StationState.model_validate_json(orjson.dumps(replica["station"]))
        self._known = {state.cylinder_id: _Known(state) for state in _readable(replica["cylinders"])}
        self._in_turn = cycle(self._known)

    def go_on(self, until: int, cylinders: int) -> None:
        """See so many cylinders in turn, the last of them just before `until` (UTC ms): empty back, scan, fill."""
        at = until - (cylinders + 1) * _EACH_MS
        for _ in range(cylinders):
            at += _EACH_MS
            self._see(next(self._in_turn), at)

    def _see(self, cylinder_id: str, at: int) -> None:
        if self._known[cylinder_id].own_act_ids:  # it was filled before, and must have been away
            self._record(Returned(station_id=self.station_id), cylinder_id, f"{self._new_id()}.back", at - 1000)
        state, own_act_ids = self._known[cylinder_id]
        request = _request(self._new_id(), state, self._station, at)
        facts = facts_for(self._station, request, data_as_of=at, clock_skew_ms=0)
        decision = decide_fill(request, state, facts, self._book, at)
        event = FillDecided(
            request=request, station=facts, decision=decision, decided_by="station", own_act_ids=own_act_ids or None
        )
        self._record(event, cylinder_id, request.check_id, at)
        if decision.permits:
            filled = _filled(request, decision, state, at)
            self._record(filled, cylinder_id, f"{request.check_id}.filled", filled.ended_at)

    def _new_id(self) -> str:
        return f"{self._ids}-{secrets.token_hex(8)}"

    def _record(self, event: Event, cylinder_id: str, id: str, at: int) -> None:
        record = state_event(
            event, id=id, subject=f"cylinder/{cylinder_id}", occurred_at=at, by=self.station_id,
            refs=(f"station/{self.station_id}",), device=next_link(self.device_id, self._last),
        )  # fmt: skip
        self.records.append(record)
        self._last = record
        state, own_act_ids = self._known[cylinder_id]
        entry = seal(record, Head(state.n, NO_PREVIOUS), at).entry
        self._known[cylinder_id] = _Known(next_state(state, entry, event), (*own_act_ids, id))

    def upload(self, records: list[Record]) -> Body:
        """The body that hands these records over, under the device's signed head."""
        last = records[-1]
        assert last.device is not None
        seq, head = last.device.seq, record_hash(last)
        signed = self._key.sign(f"pinglian-device-head/1\n{self.device_id}\n{seq}\n{head}\n".encode())
        signature = base64.b64encode(signed).decode()
        texts = [record_text(record).decode() for record in records]
        return {
            "device_id": self.device_id,
            "records": texts,
            "head": {"seq": seq, "hash": head, "signature": signature},
        }


def _readable(cylinders: list[dict[str, Any]]) -> Iterator[CylinderState]:
    states = (CylinderState.model_validate_json(orjson.dumps(state)) for state in cylinders)
    return (state for state in states if state.codes)


def _request(check_id: str, cylinder: CylinderState, station: StationState, at: int) -> FillRequest:
    return FillRequest(
        check_id=check_id,
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
        started_at=at + 1_000,
        ended_at=at + _FILL_MS,
        empty_gross_g=request.empty_gross_g,
        full_gross_g=cylinder.stamp.tare_g + net_g,
        net_g=net_g,
        ended_because="limit_reached",
    )
