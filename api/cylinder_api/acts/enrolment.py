"""A station's device (站端设备): let in with a one-time code (入网), listed, cut off at once (停用)."""

from functools import partial
from typing import NamedTuple

from pydantic import BaseModel

from cylinder_api.access import Account, require_district
from cylinder_api.acts.pages import all_entries
from cylinder_api.refusals import Refused
from cylinder_codes.keys import KeyFormatError, VerifyingKey, format_vkey, parse_vkey
from cylinder_trace.events import DeviceEnrolled, DeviceRevoked, state_event
from cylinder_trace.station import StationState
from cylinder_trace.store.accounts import revoke_tokens, secret_sha256
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.tables import AccountRow, DeviceCodeRow
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.subjects import DeviceState
from cylinder_trace.values import Frozen, Instant, Text

CODE_LIFE_MS = 24 * 3_600_000


class CutOff(Frozen):
    """Why the device is cut off (停用原因)."""

    cause: Text


class Enrolled(NamedTuple):
    """The device that a one-time code became."""

    device_id: str
    station_id: str


class DeviceItem(BaseModel):
    """A device of a station."""

    device_id: str
    station_id: str
    vkey: str
    enrolled_at: Instant
    revoked_at: Instant | None


# --- letting in -----------------------------------------------------------------------------------------------


def issue_code(unit: Unit, station_id: str, code: str, caller: Account) -> int:
    """Make `code` (known to nobody else) good for one device of the station for a day; answers until when."""
    _require_responsible(caller, station_id, unit.station(station_id))
    if (row := unit.find(DeviceCodeRow, secret_sha256(code))) is not None:
        return row.expires_at  # asked for again
    expires_at = unit.now + CODE_LIFE_MS
    unit.put(DeviceCodeRow(code_sha256=secret_sha256(code), station_id=station_id, expires_at=expires_at))
    return expires_at


def enrol_device(unit: Unit, code: str, vkey: str, token: str) -> Enrolled:
    """Trust the device that shows `code`: its key from now on, and `token` as its bearer token.

    The same device with the same token is answered again while the code lives; anything else raises Refused.
    """
    key = _parse_key(vkey)
    row = unit.find(DeviceCodeRow, secret_sha256(code))
    # One sentence for all of them, so that nobody learns which codes exist.
    if row is None or row.expires_at < unit.now:
        raise _code_invalid()
    device_id = f"dev_{row.code_sha256[:20]}"
    if row.used_at is not None:
        _require_the_same(unit, device_id, key, token)
        return Enrolled(device_id, row.station_id)
    unit.put(row.model_copy(update={"used_at": unit.now}))
    trust_device(unit, device_id, row.station_id, key, token)
    return Enrolled(device_id, row.station_id)


def _require_the_same(unit: Unit, device_id: str, key: VerifyingKey, token: str) -> None:
    device, account = unit.device(device_id), unit.find(AccountRow, secret_sha256(token))
    is_device = device is not None and device.revoked_at is None and device.vkey == format_vkey(key)
    if not is_device or account is None or account.account_id != device_id:
        raise _code_invalid()


def _code_invalid() -> Refused:
    return Refused("enrolment_code_invalid", "the code is unknown, used or too old; ask for a new one")


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


# --- cutting off ----------------------------------------------------------------------------------------------


def cut_off(unit: Unit, device_id: str, cause: str, caller: Account) -> Receipt:
    """Trust the device no more, from this moment on: neither its key nor any token of it. Once; raises Refused."""
    device = unit.device(device_id)
    if device is None:
        raise Refused("device_unknown", "no device is on file under this id")
    _require_responsible(caller, device.station_id, unit.station(device.station_id))
    return revoke_device(unit, device, cause, caller.account_id)


def revoke_device(unit: Unit, device: DeviceState, cause: str, by: str) -> Receipt:
    """What cutting off does, whoever says it; once."""
    revoke_tokens(unit, device.device_id)
    id = f"{device.device_id}.revoked"
    if (said := unit.entry(id)) is not None:
        return unit.append(said.record())
    revoked = state_event(
        DeviceRevoked(cause=cause),
        id=id,
        subject=f"device/{device.device_id}",
        occurred_at=unit.now,
        by=by,
        refs=(f"station/{device.station_id}",),
    )
    return unit.append(revoked)


def _require_responsible(caller: Account, station_id: str, station: StationState | None) -> None:
    """Raise Refused unless the caller answers for the station: its manager, its company, its district's authority."""
    if caller.role == "manager" and caller.org_id != station_id:
        raise Refused("other_station", f"this token speaks for station {caller.org_id}")
    if station is None:
        raise Refused("station_unknown", f"no station {station_id} is on file")
    if caller.role == "company" and caller.org_id != station.company_id:
        raise Refused("other_station", f"station {station_id} belongs to another company")
    if caller.role == "regulator":
        require_district(caller, station.region, f"station {station_id}")


# --- who is there ---------------------------------------------------------------------------------------------


def list_devices(reader: Reader, station_id: str, caller: Account) -> list[DeviceItem]:
    """The station's devices, cut-off ones too, in the order in which they came. Raises Refused."""
    station = reader.state(f"station/{station_id}")
    reading = caller.model_copy(update={"district": None})  # whoever supervises reads nationwide
    _require_responsible(reading, station_id, station if isinstance(station, StationState) else None)
    items: list[DeviceItem] = []
    for row in all_entries(partial(reader.by_ref, f"station/{station_id}", DeviceEnrolled.type)):
        device = reader.state(row.subject)
        if isinstance(device, DeviceState) and device.station_id == station_id:
            facts = device.model_dump(include={"device_id", "station_id", "vkey", "revoked_at"})
            items.append(DeviceItem(enrolled_at=row.recorded_at, **{"revoked_at": None, **facts}))
    return items
