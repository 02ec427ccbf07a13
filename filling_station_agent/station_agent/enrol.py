"""Enrolment (设备入网): a one-time code is traded for a token; the device's key is made here and never leaves."""

import asyncio
import secrets
from pathlib import Path

from cylinder_codes.keys import SEED_BYTES, SigningKey
from station_agent.clock import TrustedClock
from station_agent.device import (
    DEVICE_FILE,
    REPLICA_FILE,
    Device,
    DeviceError,
    keep_device,
    load_device,
    new_key,
    public_text,
)
from station_agent.replica import Replica, ReplicaRefused, open_answer
from station_agent.service import Service, ServiceGone
from station_agent.settings import LaneSettings, ScaleSettings, settings_text

SETTINGS_FILE = "station.toml"
_DIGITS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 0)


async def enrol(
    url: str, code: str, data: Path, scales: ScaleSettings, ca_file: Path | None, *, passphrase: bool = False
) -> tuple[Device, Path]:
    """Enrol this machine and write its first settings; returns the device and the settings file.

    The device's key is encrypted at rest: with a file beside the data folder, or with a passphrase.

    Raises DeviceError if the folder is already a device's, ServiceGone if the service refuses, OSError.
    A code that was not accepted leaves the key in place; the next try uses it again.
    """
    key = await asyncio.to_thread(_prepare, data, passphrase=passphrase)
    async with Service(url, "", "", ca_file=ca_file) as service:
        keep_device(data, await service.enrol(code, public_text(key)))
    device = load_device(data)
    scale_ids = await _fetch_scales(url, data, device, ca_file)
    lanes = [
        LaneSettings(digit=digit, scale_id=scale_id, unit=unit)
        for unit, (digit, scale_id) in enumerate(zip(_DIGITS, scale_ids, strict=False), start=1)
    ]
    text = settings_text(url, lanes, scales, ca_file)
    file = data / SETTINGS_FILE
    await asyncio.to_thread(file.write_text, text, "utf-8")
    return device, file


def _prepare(data: Path, *, passphrase: bool) -> SigningKey:
    if data.exists() and not data.is_dir():
        raise DeviceError(f"{data} is not a folder; choose a new one.")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if (data / DEVICE_FILE).exists():
        raise DeviceError(f"{data} already belongs to an enrolled device; choose an empty folder.")
    name, seed = f"device-{secrets.token_hex(4)}", secrets.token_bytes(SEED_BYTES)
    return new_key(data, name, seed, passphrase=passphrase)


async def _fetch_scales(url: str, data: Path, device: Device, ca_file: Path | None) -> list[str]:
    """The scales of the station as the service knows them, with the first replica; a guess if that fails."""
    clock = TrustedClock()
    replica = Replica(data / REPLICA_FILE, device.station_id, device.key.seed)
    try:
        async with Service(url, device.token, device.station_id, ca_file=ca_file) as service:
            asked_at = clock.steady()
            text = await service.replica(None)
            answered_at = clock.steady()
        answer = open_answer(text, device.station_id, device.log_key)
        replica.take(answer)
        clock.learn(answer.as_of, asked_at, answered_at)
        replica.keep(clock.reference.to_json() if clock.reference else None)
        return sorted(answer.station.scales) or ["scale-1"]
    except (ServiceGone, ReplicaRefused):
        return [f"{device.station_id}.scale-{number}" for number in range(1, 5)]
    finally:
        replica.close()
