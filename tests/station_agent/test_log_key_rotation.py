"""The ledger's key is rotated while stations pin the old one: they follow the statement, and nobody else's."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cylinder_codes.keys import SigningKey, parse_vkey
from cylinder_trace import cli
from cylinder_trace.rotation import rotate
from station_agent.agent import assembled
from station_agent.device import Device
from station_agent.enrol import enrol
from station_agent.log_keys import ROTATIONS_FILE, LogKeys
from station_agent.replica import UnknownSigner
from station_agent.settings import ScaleSettings, load_settings
from stations.service import RealService, running_service

ORIGIN = "ledger.example/tests"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RealService]:
    with running_service(tmp_path / "service") as service:
        yield service


@pytest.fixture
def device(service: RealService, tmp_path: Path) -> Device:
    data = tmp_path / "station"
    return asyncio.run(enrol(service.url, service.enrolment_code(), data, ScaleSettings(), None))[0]


def pull(device: Device, data: Path) -> list[str]:
    """One pull of the replica by a station that starts anew; what it told meanwhile."""
    told: list[str] = []

    def tell(event: str, _lane: object, _fields: dict[str, Any]) -> None:
        told.append(event)

    async def once() -> None:
        async with assembled(load_settings(data / "station.toml")[0], data, device, tell) as agent:
            await agent.sync.pull()

    asyncio.run(once())
    return told


def rotate_key_of(service: RealService) -> None:
    service.stop()
    key, log = service.folder / "keys" / "log.key", service.folder / "log"
    assert cli.main(["rotate-key", "--key", str(key), "--log", str(log)]) == 0
    service.start()


def test_a_station_follows_the_rotated_key_and_remembers_it_over_a_restart(
    service: RealService, device: Device, tmp_path: Path
) -> None:
    data = tmp_path / "station"
    assert "log_key_rotated" not in pull(device, data)
    rotate_key_of(service)
    assert pull(device, data).count("log_key_rotated") == 1
    assert "log_key_rotated" not in pull(device, data)
    rotate_key_of(service)
    rotate_key_of(service)
    assert pull(device, data).count("log_key_rotated") == 1


def test_a_ledger_with_another_key_and_no_statement_is_not_believed(
    service: RealService, device: Device, tmp_path: Path
) -> None:
    rotate_key_of(service)
    (service.folder / "log" / "rotations").write_text("")
    with pytest.raises(UnknownSigner):
        pull(device, tmp_path / "station")
    assert not (tmp_path / "station" / ROTATIONS_FILE).exists()


def test_statements_that_do_not_begin_at_the_pinned_key_or_are_damaged_change_nothing(tmp_path: Path) -> None:
    ours, heir, stranger = (SigningKey(ORIGIN, bytes([number]) * 32) for number in (1, 2, 3))
    keys = LogKeys(ours.verifying_key, tmp_path)
    assert not keys.follow(rotate(stranger, heir, 5))
    assert not keys.follow("pinglian-key-rotation/1\nnonsense\n")
    assert not keys.verify(heir.sign(b"text"), b"text")
    assert keys.follow(rotate(ours, heir, 5))
    assert keys.verify(heir.sign(b"text"), b"text")
    assert keys.verify(ours.sign(b"text"), b"text")
    assert LogKeys(ours.verifying_key, tmp_path).verify(heir.sign(b"text"), b"text")
    (tmp_path / ROTATIONS_FILE).write_bytes(b"\xff damaged")
    assert not LogKeys(ours.verifying_key, tmp_path).verify(heir.sign(b"text"), b"text")


def test_the_pinned_key_itself_is_never_replaced(service: RealService, device: Device, tmp_path: Path) -> None:
    rotate_key_of(service)
    pull(device, tmp_path / "station")
    about = (tmp_path / "station" / "device.json").read_text()
    assert device.log_key == parse_vkey(about.split('"log_vkey": "')[1].split('"')[0])
