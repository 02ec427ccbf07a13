"""A station with a scanner on a serial port, a scale on RS-485 and a filling machine that asks for permits."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient

from cylinder_trace.events import FillDecided, parse_record
from servers.keeper import free_port
from station_agent.devices import permit_gateway as gw
from stations.pieces import Agent, Place, run, station_in, wait_until
from stations.serial_pair import Cable, serial_cable
from stations.service import FILLER, TARE_G, TARGET_G, RealService, code_of, running_service

pytestmark = pytest.mark.slow
_OVERSHOOT_G = 60


@pytest.fixture(scope="module")
def cables() -> Iterator[tuple[Cable, Cable]]:
    """One to a scanner, one to a scale."""
    with serial_cable() as scanner, serial_cable() as scale:
        yield scanner, scale


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealService]:
    with running_service(tmp_path_factory.mktemp("service"), cylinders=10) as service:
        yield service


@pytest.fixture(scope="module")
def rs485(tmp_path_factory: pytest.TempPathFactory, cables: tuple[Cable, Cable]) -> Iterator[tuple[int, Path]]:
    """A scale on the second cable: its world port and its log."""
    folder = tmp_path_factory.mktemp("rs485")
    ready, log = folder / "ready.json", folder / "scale.jsonl"
    command = [sys.executable, "-m", "station_agent.cli", "simulate-scale", "--serial", cables[1].far, "--scales", "2"]
    command += ["--time-factor", "30", "--world-port", "0", "--log", str(log), "--ready-file", str(ready)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        wait_until(ready.exists, "the scale is on its cable")
        yield json.loads(ready.read_text())["world_port"], log
        process.terminate()


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory,
    service: RealService,
    cables: tuple[Cable, Cable],
    rs485: tuple[int, Path],
) -> Iterator[Place]:
    """Lane 1 has the serial scanner, lane 2 the scale on RS-485, lane 3 the machine."""
    with station_in(tmp_path_factory.mktemp("station"), time_factor=30) as place:
        place.enrol(service.url, service.enrolment_code())
        text = place.config.read_text("utf-8")
        assert text.count("\nunit = 2\n") == text.count("\nunit = 3\n") == 1
        text = text.replace("\nunit = 2\n", '\nunit = 2\nlink = "rs485"\n')
        text = text.replace("\nunit = 3\n", "\nunit = 3\ngateway_unit = 7\n")
        text += f'\n[[links]]\nname = "rs485"\nserial = "{cables[1].near}"\n'
        text += (
            f'\n[[scanners]]\nkind = "serial"\nname = "gun 1"\nserial = "{cables[0].near}"\nlane = 1\nframed = true\n'
        )
        text += f"\n[gateway]\nport = {free_port()}\n"
        place.config.write_text(text, "utf-8")
        yield place


@pytest.fixture(scope="module")
def agent(place: Place) -> Agent:
    agent = place.start()
    for lane in (1, 2, 3):
        agent.type(lane, f"PL:W:{FILLER}")
        agent.wait_for("signed_on", lane=lane)
    return agent


def _link(number: int) -> str:
    return f"https://id.pinglian.example/c/{code_of(number)}"


def _decided(place: Place, check_id: str) -> FillDecided:
    lines = run("export", "--data", place.data).stdout.splitlines()
    records = [parse_record(line.encode()) for line in lines]
    return next(
        event for record in records if isinstance(event := record.event(), FillDecided) and record.id == check_id
    )


# ---------------------------------------------------------------- scanner and scale on serial cables


def test_a_serial_scanner_starts_a_fill_and_its_scan_is_on_record_character_by_character(
    place: Place, agent: Agent, cables: tuple[Cable, Cable]
) -> None:
    raw_scan = f"]Q1{_link(1)}\x1d"
    agent.wait_for("scanner")
    place.scales.place(1, "one", 16_600)
    fd = os.open(cables[0].far, os.O_WRONLY | os.O_NOCTTY)
    os.write(fd, f"\x02{raw_scan}\x03".encode())
    os.close(fd)
    filled = agent.wait_for("filled", lane=1)
    assert abs(filled["full_gross_g"] - TARE_G - TARGET_G) <= _OVERSHOOT_G
    assert _decided(place, filled["check_id"]).request.raw_scan == raw_scan


def test_a_scale_on_rs485_fills_beside_the_ones_on_tcp(place: Place, agent: Agent, rs485: tuple[int, Path]) -> None:
    world_port, log = rs485
    _hands(world_port, scale=2, place={"label": "two", "empty_g": 16_600})
    filled = agent.scan(2, _link(2))
    assert filled["event"] == "filled"
    moves = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [move["cause"] for move in moves if move["event"].startswith("valve")] == ["command", "stop_weight"]


def _hands(world_port: int, **wish: Any) -> None:
    with socket.create_connection(("127.0.0.1", world_port), timeout=30) as hands:
        hands.sendall(json.dumps(wish).encode() + b"\n")
        assert json.loads(hands.makefile().readline())["ok"]


# ---------------------------------------------------------------- a machine that asks


class Machine:
    """An HMI with its PLC: gas flows past our valve, for as long as it is allowed."""

    def __init__(self, place: Place) -> None:
        port = int(place.config.read_text("utf-8").rpartition("port = ")[2])
        self._client = ModbusTcpClient("127.0.0.1", port=port)
        self._place = place
        wait_until(self._client.connect, "the gateway is there")

    def look(self) -> list[int]:
        answer = self._client.read_holding_registers(0, count=32, device_id=7)
        assert not answer.isError()
        return list(answer.registers)

    def ask(self, code: str, seq: int, boot: int | None = None) -> list[int]:
        """Ask, and look until the answer is there."""
        octets = code.encode().ljust(32, b"\0")
        words = [int.from_bytes(octets[at : at + 2], "big") for at in range(0, 32, 2)]
        self._client.write_registers(gw.LENGTH, [len(code), *words], device_id=7)
        self._client.write_register(gw.REQ_BOOT, boot or self.look()[gw.BOOT_ID], device_id=7)
        self._client.write_register(gw.REQ_SEQ, seq, device_id=7)
        wait_until(lambda: self.look()[gw.RESP_SEQ] == seq, "the machine has its answer")
        return self.look()

    def fill(self) -> None:
        """Gas while `allow` is 1, less of it towards the end; the gun shuts when it falls."""
        flow = 0
        while self.look()[gw.ALLOW]:
            wanted = 200 if self._place.scales.gross_g(3) < TARE_G + TARGET_G - 1_500 else 20
            if wanted != flow:
                flow = wanted
                self._place.scales.act(3, set={"bypass_g_s": flow})
        self._place.scales.act(3, set={"bypass_g_s": 0})

    def close(self) -> None:
        self._client.close()  # type: ignore[no-untyped-call]


@pytest.fixture
def machine(place: Place, agent: Agent) -> Iterator[Machine]:
    assert agent.lines("ready")
    machine = Machine(place)
    yield machine
    machine.close()


def test_a_machine_is_allowed_after_the_decision_is_on_record_and_the_lane_records_its_fill(
    place: Place, agent: Agent, machine: Machine
) -> None:
    place.scales.place(3, "three", 16_600)
    after = len(agent.said)
    words = machine.ask(code_of(3), 1)
    assert (words[gw.STATUS], words[gw.ALLOW]) == (gw.ALLOWED, 1)
    # Told once it is on the disk, and before the machine was; what was told still has to come through the pipe.
    agent.wait_for("decided", lane=3, after=after, patience_s=5)
    machine.fill()
    filled = agent.wait_for("filled", lane=3, after=after)
    assert filled["full_gross_g"] >= TARE_G + TARGET_G - 200
    assert _decided(place, filled["check_id"]).decision.permits
    assert place.scales.lines(3, "valve_opened") == []


def test_a_machine_is_told_why_not(place: Place, machine: Machine) -> None:
    place.scales.place(3, "unknown", 16_600)
    words = machine.ask(code_of(999), 2)
    assert (words[gw.STATUS], words[gw.ALLOW], words[gw.REASON]) == (gw.REFUSED, 0, 2)


def test_after_a_crash_the_machine_finds_no_permit_and_its_old_request_opens_nothing(
    place: Place, agent: Agent, machine: Machine
) -> None:
    place.scales.place(3, "four", 16_600)
    old_boot = machine.look()[gw.BOOT_ID]
    assert machine.ask(code_of(4), 3)[gw.ALLOW] == 1
    machine.close()
    agent.kill()
    place.start()
    after = Machine(place)
    assert (after.look()[gw.ALLOW], after.look()[gw.RESP_SEQ]) == (0, 0)
    words = after.ask(code_of(4), 4, boot=old_boot)
    after.close()
    assert (words[gw.STATUS], words[gw.ALLOW], words[gw.FAULT]) == (gw.FAULTY, 0, gw.OLD_BOOT)
