"""Enrolling a station's device (设备入网): a one-time code for the station, then a key and a token for the device."""

from typing import NamedTuple

from cylinder_api.refusals import Refused
from cylinder_codes.keys import KeyFormatError, VerifyingKey, format_vkey, parse_vkey
from cylinder_trace.events import DeviceEnrolled, state_event
from cylinder_trace.store.accounts import secret_sha256
from cylinder_trace.store.tables import AccountRow, DeviceCodeRow
from cylinder_trace.store.unit import Unit

CODE_LIFE_MS = 24 * 3_600_000


class Enrolled(NamedTuple):
    """The device that a one-time code became."""

    device_id: str
    station_id: str


def issue_code(unit: Unit, station_id: str, code: str) -> int:
    """Make `code` (fresh and random) good for one device of the station for a day; answers until when."""
    if unit.station(station_id) is None:
        raise Refused("station_unknown", f"no station {station_id} is on file")
    expires_at = unit.now + CODE_LIFE_MS
    unit.put(DeviceCodeRow(code_sha256=secret_sha256(code), station_id=station_id, expires_at=expires_at))
    return expires_at


def enrol_device(unit: Unit, code: str, vkey: str, token: str) -> Enrolled:
    """Trust the device that shows `code`: its key from now on, and `token` (fresh and random) as its bearer token."""
    key = _parse_key(vkey)
    row = unit.find(DeviceCodeRow, secret_sha256(code))
    # One sentence for all three, so that nobody learns which codes exist.
    if row is None or row.used_at is not None or row.expires_at < unit.now:
        raise Refused("enrolment_code_invalid", "the code is unknown, used or too old; ask for a new one")
    device_id = f"dev_{row.code_sha256[:20]}"
    unit.put(row.model_copy(update={"used_at": unit.now}))
    trust_device(unit, device_id, row.station_id, key, token)
    return Enrolled(device_id, row.station_id)


def trust_device(unit: Unit, device_id: str, station_id: str, key: VerifyingKey, token: str) -> None:
    """Record the device's key and keep its token."""
    enrolled = state_event(
        DeviceEnrolled(station_id=station_id, vkey=format_vkey(key)),
        id=f"{device_id}.enrolled",
        subject=f"device/{device_id}",
        occurred_at=unit.now,
        by=device_id,
        refs=(f"station/{station_id}",),
    )
    unit.append(enrolled)
    grant(unit, token, device_id, "station", station_id)


def grant(unit: Unit, token: str, account_id: str, role: str, org_id: str) -> None:
    """Let `token` speak for an account."""
    row = AccountRow(token_sha256=secret_sha256(token), account_id=account_id, role=role, org_id=org_id)
    unit.put(row)


def _parse_key(vkey: str) -> VerifyingKey:
    try:
        return parse_vkey(vkey)
    except KeyFormatError as error:
        raise Refused("invalid", f"/body/vkey: {error}") from error
