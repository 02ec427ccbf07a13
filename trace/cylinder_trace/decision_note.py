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
from hashlib import sha256
from typing import Any

import orjson

from cylinder_codes.keys import SigningKey, encode_base64
from cylinder_codes.note import NoteError, NoteKey, open_note, sign_note
from cylinder_trace.decision import Decision, FillRequest, StationFacts

HEADER = "pinglian-decision/1"


class DecisionNoteError(ValueError):
    """The note does not belong to this decision, or was not signed by a key one trusts."""


def inputs_hash(
    request: FillRequest, station: StationFacts, decision: Decision, own_act_ids: Sequence[str] = ()
) -> str:
    """SHA-256, hex, over the canonical text of all that `decision` was taken from.

    `own_act_ids` are the last of the entries known, which the ledger had not shown the station yet.
    """
    inputs: dict[str, Any] = {
        "request": request.model_dump(mode="json", exclude_none=True),
        "station": station.model_dump(mode="json", exclude_none=True),
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
