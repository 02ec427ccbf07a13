"""A decision signed by whoever took it (准充决定签名): the service with the log's key, a station with its device's.

    pinglian-decision/1
    check-0001
    ALLOW                                           or: DENY R20 R46
    cylinder/cyl_00000000000000000000000001         or: -
    station-1 scale-1 boot-1                        the permit is for this scale of this station since this start
    14900                                           the most gas, grams; or: -
    1795312980000                                   the last moment to start, UTC ms; or: -
    cn-default@2026.1
    6Z0n…=                                          hash of the inputs, base64
    1795312800000                                   decided at, UTC ms

    — ledger.example/cylinders QkVpJ…

The hash is SHA-256 over the canonical text of what the decision was taken from: the request, the station's facts, and
how far the cylinder's chain was known.  The chain itself pins the cylinder's past and the ledger the text of the
rulebook, so the note commits to all inputs; no derived state goes into it, so it means the same to every later program.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from cylinder_codes.keys import KeyFormatError, SigningKey, VerifyingKey, encode_base64, parse_vkey
from cylinder_codes.note import NoteError, NoteKey, open_note, sign_note
from cylinder_trace.decision import Decision, FillRequest, StationFacts
from cylinder_trace.events import DeviceEnrolled, Entry, FillDecided
from cylinder_trace.values import plain

HEADER = "pinglian-decision/1"


class DecisionNoteError(ValueError):
    """The note does not belong to this decision, or was not signed by a key one trusts."""


class NoServiceKey(LookupError):
    """The service signed a decision, and nobody has said with which key it does."""


def inputs_hash(
    request: FillRequest, station: StationFacts, decision: Decision, own_act_ids: Sequence[str] = ()
) -> str:
    """SHA-256, hex, over the canonical text of all that `decision` was taken from.

    `own_act_ids` are the last of the entries known, which the ledger had not shown the station yet.
    """
    inputs: dict[str, Any] = {
        "request": plain(request),
        "station": plain(station),
        "rulebook": decision.rulebook,
        "own_act_ids": list(own_act_ids),
    }
    if decision.cylinder_id is not None:
        inputs["cylinder"] = {"id": decision.cylinder_id, "n": decision.cylinder_n}
    # The canonical text, without the walk for what has none: the same values are recorded, and looked at then.
    return sha256(orjson.dumps(inputs, option=orjson.OPT_SORT_KEYS)).hexdigest()


def sign_decision(request: FillRequest, decision: Decision, inputs_sha256: str, key: SigningKey) -> str:
    """The note in which the holder of `key` stands by `decision` about `request`."""
    return sign_note(_statement(request, decision, inputs_sha256), key)


def check_decision_note(
    note: str, request: FillRequest, decision: Decision, inputs_sha256: str, known: Sequence[NoteKey]
) -> str:
    """The name of the key that signed; raises DecisionNoteError unless the note is about just this decision."""
    try:
        opened = open_note(note, known)
    except NoteError as error:
        raise DecisionNoteError(str(error)) from error
    if opened.text != _statement(request, decision, inputs_sha256):
        raise DecisionNoteError(f"the note is about another decision than {decision.check_id} as it is recorded")
    return opened.verified_by[0].name


@dataclass(slots=True)
class Signers:
    """Whose key must stand below a decision: the service's, which is the log's own, or the key of a device.

    A device's key is told by the ledger itself, before anything that the device decided; so is its end.
    """

    service: Sequence[NoteKey]
    _devices: dict[str, tuple[str, VerifyingKey]] = field(default_factory=dict)
    """Device → its station and its key."""

    def enrol(self, device_id: str, event: DeviceEnrolled) -> None:
        """From here on the device signs with this key."""
        try:
            self._devices[device_id] = event.station_id, parse_vkey(event.vkey)
        except KeyFormatError:  # with what is no key nobody signs
            self.cut_off(device_id)

    def cut_off(self, device_id: str) -> None:
        """From here on nothing that it signs counts."""
        self._devices.pop(device_id, None)

    def fault_in(self, entry: Entry, event: FillDecided) -> str | None:
        """What is wrong with the note of a stored decision; None if nothing is, or it has none. May raise NoServiceKey.

        That `inputs_sha256` is the hash of what is stored is not asked here.
        """
        if event.note is None:
            return None
        try:
            known = self.service if event.decided_by == "service" else [self._key_of(entry, event.request.station_id)]
            if not known:
                raise NoServiceKey("the service signed decisions, and its key is not known")
            check_decision_note(event.note, event.request, event.decision, event.inputs_sha256 or "", known)
        except DecisionNoteError as error:
            return str(error)
        return None

    def _key_of(self, entry: Entry, station_id: str) -> VerifyingKey:
        device_id = entry.device.id if entry.device else None
        home, key = self._devices.get(device_id or "", (None, None))
        if key is None:
            raise DecisionNoteError(f"no key of device {device_id} was on file when this was recorded")
        if home != station_id:
            raise DecisionNoteError(f"device {device_id} is of station {home}, and decided for station {station_id}")
        return key


def _statement(request: FillRequest, decision: Decision, inputs_sha256: str) -> str:
    cylinder = f"cylinder/{decision.cylinder_id}" if decision.cylinder_id else "-"
    lines = (
        HEADER,
        decision.check_id,
        " ".join((decision.outcome, *decision.codes)),
        cylinder,
        f"{request.station_id} {request.scale_id} {request.boot_id}",
        _or_dash(decision.max_net_g),
        _or_dash(decision.start_before),
        decision.rulebook,
        encode_base64(bytes.fromhex(inputs_sha256)),
        decision.decided_at,
    )
    return "".join(f"{line}\n" for line in lines)


def _or_dash(value: int | None) -> int | str:
    return "-" if value is None else value
