"""What a station must know to decide alone (离线副本): itself, its cylinders, its gas lots, the rulebook. Signed.

Its cylinders are its company's own (自有) and those that others have entrusted to it (托管、供用气合同). Whether the
latter may be filled says the rulebook (R10).
"""

from typing import Any

import orjson

from cylinder_api.refusals import Refused
from cylinder_codes.keys import SigningKey, encode_base64, format_vkey
from cylinder_trace.canonical import canonical_json
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import local_day
from cylinder_trace.enactment import RulebookState, text_in_force, texts_to_come
from cylinder_trace.lots import LotState
from cylinder_trace.rulebook import parse_rulebook
from cylinder_trace.station import StationState
from cylinder_trace.store.reader import Reader

_ALL = 1_000_000


def make_replica(
    reader: Reader, key: SigningKey, station_id: str, since: int, rulebook_id: str, as_of: int
) -> dict[str, Any]:
    """The station's replica at the log's present size; with `since` only what changed from that size on.

    `as_of` must have been read before the call: everything recorded until then is in the answer.
    """
    version = reader.size()
    station = reader.state(f"station/{station_id}")
    book = reader.state(f"rulebook/{rulebook_id}")
    if not isinstance(station, StationState) or station.company_id is None:
        raise Refused("station_unknown", f"no station {station_id} with a licence is on file")
    today = local_day(as_of)
    text = text_in_force(book, today) if isinstance(book, RulebookState) else None
    if text is None or not isinstance(book, RulebookState):
        raise Refused("rulebook_missing", f"no rulebook {rulebook_id} has been published into this ledger")
    since = since if _builds_on(reader, station_id, since, version) else 0
    company_id = station.company_id
    states = *reader.states("cylinder", owner_id=company_id, since=since), *reader.entrusted(company_id, since)
    answer = {
        "station_id": station_id,
        "version": version,
        "since": since,
        "as_of": as_of,
        "rulebook": text,
        "rulebook_name": parse_rulebook(text).name,
        "station": _plain(station),
        "cylinders": [_plain(state) for state in states],
        "gone": _gone(reader, company_id, since) if since else [],
        "vkey": format_vkey(key.verifying_key),
    }
    # Without any of these the answer is one that earlier agents read too.
    if lots := _lots(reader, station_id, since):
        answer["lots"] = lots
    if to_come := [later for later in texts_to_come(book, today) if later != text]:
        answer["rulebooks_to_come"] = to_come
    return {**answer, "signature": encode_base64(key.sign(canonical_json(answer)))}


def _lots(reader: Reader, station_id: str, since: int) -> list[dict[str, Any]]:
    """The gas lots that came in at the station, or those of them that changed."""
    lots = [lot for lot in reader.states("lot", since=since) if isinstance(lot, LotState)]
    return [_plain(lot) for lot in lots if lot.station_id == station_id]


def _plain(state: Any) -> dict[str, Any]:
    plain: dict[str, Any] = orjson.loads(state.model_dump_json(exclude_none=True))
    return plain


def _builds_on(reader: Reader, station_id: str, since: int, version: int) -> bool:
    """Whether a station at `since` can go on from there; not after a change of its licence, nor ahead of the log."""
    if not 0 < since <= version:
        return False
    licensed = reader.by_type("station_licensed", after=since - 1, limit=_ALL)
    return all(row.subject != f"station/{station_id}" for row in licensed)


def _gone(reader: Reader, company_id: str, since: int) -> list[str]:
    """Cylinders that left the company or its custody since then, and that it may not fill now."""
    moved = reader.by_type("ownership_transferred", after=since - 1, limit=_ALL)
    left = [row.subject for row in moved if orjson.loads(row.text)["data"]["from_owner_id"] == company_id]
    handed = reader.by_ref(f"holder/{company_id}", "handed_over", after=since - 1, limit=_ALL)
    subjects = dict.fromkeys((*left, *(row.subject for row in handed)))
    return [subject.partition("/")[2] for subject in subjects if not _is_its_to_fill(reader, subject, company_id)]


def _is_its_to_fill(reader: Reader, subject: str, company_id: str) -> bool:
    state = reader.state(subject)
    return isinstance(state, CylinderState) and state.basis_of(company_id) is not None
