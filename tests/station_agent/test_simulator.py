"""Real scales of the simulator process over real Modbus TCP. Safety is judged by the simulator's own log."""

import asyncio
import contextlib
import io
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from servers.keeper import free_port
from station_agent.cli import main
from station_agent.devices.driver import load_driver
from station_agent.devices.scale import ModbusScale, ScaleFault, ScaleLink, ScaleReading, TcpPort

SIMULATOR = (sys.executable, "-W", "error", "-m", "station_agent.cli", "simulate-scale")
EMPTY_G, STOP_G, OVERSHOOT_G, DIVISION_G = 16_800, 31_300, 30, 10
Event = dict[str, Any]


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def eventually(condition: Callable[[], object], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@dataclass
class Floor:
    """A running simulator process: its ports and its log."""

    process: "subprocess.Popen[str]"
    port: int
    world_port: int
    log: Path
    driver: str = "demo-scale"

    def events(self, scale: int, *kinds: str) -> list[Event]:
        lines = [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]
        return [line for line in lines if line["scale"] == scale and (not kinds or line["event"] in kinds)]

    def world(self, **wish: object) -> Event:
        with socket.create_connection(("127.0.0.1", self.world_port), timeout=30) as hands:
            hands.sendall(json.dumps(wish).encode() + b"\n")
            answer: Event = json.loads(hands.makefile().readline())
            return answer

    def place(self, scale: int, empty_g: int = EMPTY_G) -> None:
        assert self.world(scale=scale, place={"label": f"C{scale}", "empty_g": empty_g})["ok"]

    @asynccontextmanager
    async def scale(self, unit: int, boot_id: int = 7, timeout_ms: int = 5_000) -> AsyncIterator[ModbusScale]:
        """By itself it is patient: a full machine is no lost link."""
        link = ScaleLink(TcpPort("127.0.0.1", self.port), timeout_ms=timeout_ms)
        try:
            yield ModbusScale(link, unit, load_driver(self.driver), boot_id=boot_id, clock=now_ms)
        finally:
            link.close()

    def with_scale(self, unit: int, act: Callable[[ModbusScale], Awaitable[Any]], **settings: int) -> Any:
        async def run() -> Any:
            async with self.scale(unit, **settings) as scale:
                return await act(scale)

        return asyncio.run(run())


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Floor]:
    ready, log = folder / "ready.json", folder / "scales.log"
    files = ("--log", str(log), "--ready-file", str(ready))
    command = (*SIMULATOR, "--port", "0", "--scales", "12", "--time-factor", "60", *files, *options)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            eventually(ready.exists)
            ports = json.loads(ready.read_text("utf-8"))
            yield Floor(process, ports["port"], ports["world_port"], log)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    """One simulator for the tests that keep to their own scale."""
    with running(tmp_path_factory.mktemp("floor")) as floor:
        yield floor


async def fill(scale: ModbusScale) -> ScaleReading:
    """What a lane does with a permit: open, keep refreshing until the valve is shut, wait for rest."""
    await scale.open_valve(STOP_G)
    while (reading := await scale.read()).valve_open or not reading.stable:
        await scale.refresh()
        await asyncio.sleep(0.05)
    await scale.shut_valve()
    return reading


def assert_filled_once(floor: Floor, scale: int) -> None:
    valve = floor.events(scale, "valve_opened", "valve_shut")
    assert [(line["event"], line["cause"]) for line in valve] == [
        ("valve_opened", "command"),
        ("valve_shut", "stop_weight"),
    ]
    final = floor.events(scale)[-1]
    assert (final["event"], final["cause"], final["label"]) == ("weight", "settled", f"C{scale}")
    assert STOP_G - DIVISION_G <= final["gross_g"] <= STOP_G + OVERSHOOT_G


# ---------------------------------------------------------------- filling


def test_a_permitted_fill_reaches_the_limit_and_the_valve_shuts(floor: Floor) -> None:
    floor.place(1)
    reading = floor.with_scale(1, fill)
    assert_filled_once(floor, 1)
    assert abs(reading.gross_g - STOP_G) <= OVERSHOOT_G
    assert (reading.fault, reading.watchdog_tripped) == (None, False)
    weights = [line["gross_g"] for line in floor.events(1, "weight")]
    assert len(weights) > 100
    assert all(later - earlier < 200 for earlier, later in pairwise(weights))
    times = [line["t_ms"] for line in floor.events(1)]
    assert times == sorted(times)


def test_two_scales_fill_at_once_over_one_connection(floor: Floor) -> None:
    async def both() -> None:
        link, driver = ScaleLink(TcpPort("127.0.0.1", floor.port)), load_driver("demo-scale")
        scales = [ModbusScale(link, unit, driver, boot_id=7, clock=now_ms) for unit in (2, 3)]
        await asyncio.gather(*map(fill, scales))
        link.close()

    floor.place(2)
    floor.place(3)
    asyncio.run(both())
    assert_filled_once(floor, 2)
    assert_filled_once(floor, 3)
    assert floor.events(2, "valve_shut")[0]["t_ms"] > floor.events(3, "valve_opened")[0]["t_ms"]


def test_the_gas_stops_soon_after_the_host_shuts_in_the_middle(floor: Floor) -> None:
    async def stop_half_way(scale: ModbusScale) -> None:
        await scale.open_valve(STOP_G)
        while (await scale.read()).gross_g < EMPTY_G + 5_000:
            await scale.refresh()
        await scale.shut_valve()
        while not (await scale.read()).stable:
            await scale.refresh()

    floor.place(4)
    floor.with_scale(4, stop_half_way)
    shut = floor.events(4, "valve_shut")
    assert [line["cause"] for line in shut] == ["command"]
    assert abs(floor.events(4)[-1]["gross_g"] - shut[0]["gross_g"]) <= OVERSHOOT_G + DIVISION_G


# ---------------------------------------------------------------- no gas


def test_without_a_command_the_valve_never_opens(floor: Floor) -> None:
    async def only_look(scale: ModbusScale) -> list[ScaleReading]:
        readings = []
        for _ in range(10):
            await scale.refresh()
            readings.append(await scale.read())
        await scale.shut_valve()
        return readings

    floor.place(5)
    readings = floor.with_scale(5, only_look)
    assert {(reading.gross_g, reading.valve_open) for reading in readings} == {(EMPTY_G, False)}
    assert [line["event"] for line in floor.events(5)] == ["placed"]


REFUSED = {
    "the stop weight is the present weight": EMPTY_G,
    "the stop weight is below the present weight": EMPTY_G - 5_000,
    "the stop weight is nothing": 0,
    "the stop weight is negative": -1,
}


@pytest.mark.parametrize("why", REFUSED)
def test_the_valve_stays_shut_when(why: str, floor: Floor) -> None:
    async def try_to_open(scale: ModbusScale) -> ScaleReading:
        await scale.open_valve(REFUSED[why])
        await scale.refresh()
        reading = await scale.read()
        await scale.shut_valve()
        return reading

    floor.world(scale=6, place={"label": "C6", "empty_g": EMPTY_G})
    reading = floor.with_scale(6, try_to_open)
    assert (reading.valve_open, reading.fault) == (False, "open_refused")
    assert floor.events(6, "valve_opened") == []


def test_the_valve_stays_shut_over_an_empty_platform(floor: Floor) -> None:
    floor.with_scale(12, lambda scale: scale.open_valve(STOP_G))
    assert [line["cause"] for line in floor.events(12)] == ["open_refused: no cylinder"]


def test_after_the_stop_weight_a_mere_refresh_does_not_reopen(floor: Floor) -> None:
    async def go_on(scale: ModbusScale) -> None:
        await scale.open_valve(EMPTY_G + 500)
        while (await scale.read()).valve_open:
            await scale.refresh()
        for _ in range(10):
            await scale.refresh()

    floor.place(7)
    floor.with_scale(7, go_on)
    assert [line["event"] for line in floor.events(7, "valve_opened", "valve_shut")] == [
        "valve_opened",
        "valve_shut",
    ]


def test_a_raw_open_command_without_a_new_heartbeat_or_with_a_wrong_number_opens_nothing(
    tmp_path: Path,
) -> None:
    async def poke(port: int) -> None:
        async with AsyncModbusTcpClient("127.0.0.1", port=port) as host:
            for words in ([1, 0, 0, STOP_G, 7], [2, 1, 0, STOP_G, 7], [0, 2, 0, STOP_G, 7]):
                assert not (await host.write_registers(10, words, device_id=1)).isError()
            assert (await host.write_registers(0, [1, 1, 2], device_id=1)).isError()
            assert (await host.write_coil(10, True, device_id=1)).isError()

    with running(tmp_path) as floor:
        floor.place(1)
        asyncio.run(poke(floor.port))
        assert floor.events(1, "valve_opened", "weight") == []


def test_an_old_permit_does_not_outlive_the_host_that_held_it(floor: Floor) -> None:
    floor.place(8)

    async def restarted_host(_: ModbusScale) -> None:
        async with floor.scale(8, boot_id=7) as before:
            await before.open_valve(STOP_G)
        async with AsyncModbusTcpClient("127.0.0.1", port=floor.port) as after:
            await after.write_registers(14, [8], device_id=8)

    floor.with_scale(8, restarted_host)
    assert [line["cause"] for line in floor.events(8, "valve_shut")] == ["boot_changed"]


# ---------------------------------------------------------------- silence


HOST_THAT_OPENS = """
import asyncio, sys, time
from station_agent.devices.driver import load_driver
from station_agent.devices.scale import ModbusScale, ScaleLink, TcpPort

async def host():
    link = ScaleLink(TcpPort("127.0.0.1", int(sys.argv[1])))
    scale = ModbusScale(link, 1, load_driver("demo-scale"), boot_id=9, clock=lambda: time.monotonic_ns() // 10**6)
    await scale.open_valve(100_000)
    print("open", flush=True)
    while True:
        await scale.refresh()
        print(time.time_ns() // 10**6, flush=True)
        await asyncio.sleep(0.2)

asyncio.run(host())
"""


def test_a_host_that_is_killed_and_one_that_falls_silent_leave_their_valves_shut_after_three_seconds(
    tmp_path: Path,
) -> None:
    # Time runs at its own pace here: the watchdog counts real seconds.
    with running(tmp_path, "--time-factor", "1") as floor:
        floor.place(1)
        floor.place(2)
        command = (sys.executable, "-c", HOST_THAT_OPENS, str(floor.port))
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
            assert host.stdout is not None
            assert host.stdout.readline() == "open\n"
            time.sleep(0.5)
            host.send_signal(signal.SIGKILL)
            refreshed_ms = int(host.stdout.read().split()[-1])  # the last sign of life
        floor.with_scale(2, lambda scale: scale.open_valve(STOP_G))
        silent_ms = time.time_ns() // 1_000_000
        for scale, since_ms in ((1, refreshed_ms), (2, silent_ms)):
            eventually(partial(floor.events, scale, "valve_shut"))
            shut = floor.events(scale, "valve_shut")[0]
            assert shut["cause"] == "watchdog"
            assert 2_500 <= shut["t_ms"] - since_ms <= 3_500
        reading = floor.with_scale(2, lambda scale: scale.read())
        assert (reading.valve_open, reading.watchdog_tripped, reading.fault) == (False, True, "watchdog")

        async def speak_again(scale: ModbusScale) -> None:
            for _ in range(3):
                await scale.refresh()
            await scale.shut_valve()
            assert (await scale.read()).watchdog_tripped is False

        floor.with_scale(2, speak_again)
        assert len(floor.events(2, "valve_opened")) == 1


# ---------------------------------------------------------------- faults


def test_an_overload_shuts_the_valve(floor: Floor) -> None:
    async def overload(scale: ModbusScale) -> ScaleReading:
        await scale.open_valve(STOP_G)
        floor.world(scale=9, fault="overload")
        while (reading := await scale.read()).valve_open:
            await scale.refresh()
        await scale.open_valve(STOP_G)
        assert not (await scale.read()).valve_open
        return reading

    floor.place(9)
    reading = floor.with_scale(9, overload)
    assert reading.fault == "overload"
    assert [line["cause"] for line in floor.events(9, "valve_shut")] == ["overload"]
    assert len(floor.events(9, "valve_opened")) == 1


def test_a_stuck_valve_is_reported_as_a_fault_and_shuts_once_mended(floor: Floor) -> None:
    async def stick(scale: ModbusScale) -> ScaleReading:
        await scale.open_valve(STOP_G)
        floor.world(scale=10, fault="stuck_valve")
        await scale.shut_valve()
        return await scale.read()

    floor.place(10)
    reading = floor.with_scale(10, stick)
    assert (reading.valve_open, reading.fault) == (True, "stuck_valve")
    assert floor.events(10, "valve_shut") == []
    assert "stuck_valve: would not shut on command" in [line["cause"] for line in floor.events(10, "fault")]
    floor.world(scale=10, fault=None)
    assert [line["cause"] for line in floor.events(10, "valve_shut")] == ["stuck_valve mended"]


def test_a_cut_link_to_one_scale_is_a_prompt_fault_and_leaves_the_others_in_reach(floor: Floor) -> None:
    async def cut(scale: ModbusScale) -> None:
        floor.world(scale=11, fault="link")
        began = time.monotonic()
        for act in (scale.read(), scale.refresh(), scale.shut_valve(), scale.open_valve(STOP_G)):
            with pytest.raises(ScaleFault, match=r"Scale 11 .* does not answer"):
                await act
        assert time.monotonic() - began < 4
        async with floor.scale(12) as other:
            await other.read()
        floor.world(scale=11, fault=None)
        await scale.read()

    floor.with_scale(11, cut, timeout_ms=500)


def test_a_unit_id_that_is_not_there_is_a_fault(floor: Floor) -> None:
    with pytest.raises(ScaleFault, match=r"Scale 99 at .* refuses: Modbus exception 11"):
        floor.with_scale(99, lambda scale: scale.read())


def test_a_scale_that_went_away_is_a_fault_and_is_found_again(tmp_path: Path) -> None:
    async def lose_and_find() -> None:
        port = free_port()
        with running(tmp_path, "--port", str(port)):
            link = ScaleLink(TcpPort("127.0.0.1", port))
            scale = ModbusScale(link, 1, load_driver("demo-scale"), boot_id=7, clock=now_ms)
            await scale.read()
        with pytest.raises(ScaleFault):
            await scale.read()
        with pytest.raises(ScaleFault, match="cannot be reached"):
            await scale.read()
        (tmp_path / "again").mkdir()
        with running(tmp_path / "again", "--port", str(port)):
            await scale.read()
            link.close()

    asyncio.run(lose_and_find())


def test_a_peer_that_accepts_and_says_nothing_is_a_fault_and_no_hang() -> None:
    async def ask(port: int) -> None:
        link = ScaleLink(TcpPort("127.0.0.1", port), timeout_ms=100)
        scale = ModbusScale(link, 1, load_driver("demo-scale"), boot_id=7, clock=now_ms)
        with pytest.raises(ScaleFault, match="does not answer"):
            await asyncio.wait_for(scale.read(), 2)
        link.close()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(ask(silent.getsockname()[1]))


def test_a_gateway_that_repeats_an_old_answer_is_a_frozen_scale() -> None:
    async def repeat() -> None:
        words = SimData(0, values=[1, 0, 1, 0, 0, EMPTY_G, 17], datatype=DataType.REGISTERS)
        gateway = ModbusTcpServer(SimDevice(1, words), address=("127.0.0.1", 0))
        await gateway.serve_forever(background=True)
        link = ScaleLink(TcpPort("127.0.0.1", gateway.transport.sockets[0].getsockname()[1]))  # type: ignore[attr-defined]
        times = iter((0, 2_999, 3_000))
        scale = ModbusScale(link, 1, load_driver("demo-scale"), boot_id=7, clock=lambda: next(times))
        assert [(await scale.read()).gross_g for _ in range(2)] == [EMPTY_G, EMPTY_G]
        with pytest.raises(ScaleFault, match="frozen"):
            await scale.read()
        link.close()
        await gateway.shutdown()  # type: ignore[no-untyped-call]

    asyncio.run(repeat())


def test_a_scale_that_does_not_take_the_stop_weight_is_never_asked_to_open() -> None:
    told: list[list[int]] = []

    async def forgetful(*access: Any) -> None:
        values = access[5]
        if values is not None:
            told.append(list(values))
            values[:] = [0] * len(values)

    async def try_to_open() -> None:
        words = SimData(0, count=16, values=0, datatype=DataType.REGISTERS)
        server = ModbusTcpServer(SimDevice(1, words, action=forgetful), address=("127.0.0.1", 0))
        await server.serve_forever(background=True)
        link = ScaleLink(TcpPort("127.0.0.1", server.transport.sockets[0].getsockname()[1]))  # type: ignore[attr-defined]
        scale = ModbusScale(link, 1, load_driver("demo-scale"), boot_id=7, clock=now_ms)
        with pytest.raises(ScaleFault, match="did not take the stop weight of 31300 g"):
            await scale.open_valve(STOP_G)
        with pytest.raises(ScaleFault, match="cannot hold a stop weight"):
            await scale.open_valve(2**40)
        await scale.refresh()
        link.close()
        await server.shutdown()  # type: ignore[no-untyped-call]

    asyncio.run(try_to_open())
    assert {words[0] for words in told} == {0}


def test_a_scale_of_another_protocol_is_a_fault(floor: Floor, tmp_path: Path) -> None:
    demo = (resources.files("station_agent.devices") / "maps" / "demo-scale.toml").read_text("utf-8")
    other = tmp_path / "other.toml"
    other.write_text(demo.replace("[expect]\nprotocol = 1", "[expect]\nprotocol = 4"), "utf-8")

    async def read() -> None:
        link = ScaleLink(TcpPort("127.0.0.1", floor.port))
        try:
            await ModbusScale(link, 1, load_driver(other), boot_id=7, clock=now_ms).read()
        finally:
            link.close()

    with pytest.raises(ScaleFault, match="speaks protocol 1, the driver demo-scale expects 4"):
        asyncio.run(read())


# ---------------------------------------------------------------- the world port


def test_the_world_port_refuses_what_cannot_happen(floor: Floor) -> None:
    floor.world(scale=6, place={"label": "C6", "empty_g": EMPTY_G})
    assert floor.world(scale=6, place={"label": "D", "empty_g": 1})["error"] == "scale 6 already carries C6"
    assert floor.world(scale=12, remove=True)["error"] == "scale 12 is empty"
    for wish in ({"scale": 99, "remove": True}, {"scale": 1}, {"scale": 1, "fault": "rust"}, {"remove": True}):
        assert floor.world(**wish)["error"].startswith("expected ")
    assert floor.world(scale=6, place={"label": "D", "empty_g": -1})["ok"] is False


def test_the_simulator_plays_any_driver_file_and_is_made_dishonest_from_outside(tmp_path: Path) -> None:
    async def weigh(scale: ModbusScale) -> int:
        return (await scale.read()).gross_g

    with running(tmp_path, "--driver", "example-gateway", "--tare-offset-g", "300") as floor:
        floor.driver = "example-gateway"
        floor.place(1)
        assert floor.with_scale(1, weigh) == EMPTY_G + 300
        assert floor.world(scale=1, set={"tare_offset_g": -500, "noise_g": 0})["gross_g"] == EMPTY_G - 500
        assert floor.with_scale(1, weigh) == EMPTY_G - 500
        line = floor.events(1, "condition")[0]
        assert (line["cause"], line["load_g"]) == ("noise_g 0, tare_offset_g -500", EMPTY_G)
        for wrong in ({}, {"tare_offset_g": 10**6}, {"rust": 1}, 5):
            assert floor.world(scale=1, set=wrong)["error"].startswith("expected ")


def test_a_slow_link_is_slow_and_a_slower_one_a_fault(floor: Floor) -> None:
    async def slowly(scale: ModbusScale) -> None:
        floor.world(scale=12, set={"link_delay_ms": 50})
        began = time.monotonic()
        await scale.read()
        assert time.monotonic() - began >= 0.05
        floor.world(scale=12, set={"link_delay_ms": 2_000})
        with pytest.raises(ScaleFault, match="does not answer"):
            await scale.read()
        floor.world(scale=12, set={"link_delay_ms": 0})

    floor.with_scale(12, slowly, timeout_ms=500)


def test_taking_a_cylinder_away_shuts_the_valve(tmp_path: Path) -> None:
    with running(tmp_path) as floor:
        floor.place(1)
        floor.with_scale(1, lambda scale: scale.open_valve(STOP_G))
        answer = floor.world(scale=1, remove=True)
        assert answer["ok"]
        assert [line["event"] for line in floor.events(1) if line["event"] != "weight"] == [
            "placed",
            "valve_opened",
            "valve_shut",
            "removed",
        ]
        assert floor.events(1, "removed")[0]["gross_g"] == answer["gross_g"]


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_signal_shuts_every_valve_and_ends_cleanly(stop: signal.Signals, tmp_path: Path) -> None:
    with running(tmp_path) as floor:
        floor.place(1)
        floor.with_scale(1, lambda scale: scale.open_valve(STOP_G))
        floor.process.send_signal(stop)
        out, err = floor.process.communicate(timeout=30)
        assert (floor.process.returncode, err) == (0, "")
        assert f"127.0.0.1:{floor.port} (Modbus TCP" in out
        assert f"127.0.0.1:{floor.world_port}" in out
        assert floor.events(1, "valve_shut")[0]["cause"] == "power_off"


def refusal(*options: str) -> str:
    """What the command says when it cannot start; said in this process, because starting one takes a second."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            status = main(["simulate-scale", *options])
        except SystemExit as wrong_arguments:
            status = int(str(wrong_arguments.code))
    assert status == 2
    assert "Traceback" not in said.getvalue()
    return said.getvalue()


def test_a_driver_or_serial_port_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    log = ("--log", str(tmp_path / "log"))
    assert "no scale driver named rust" in refusal("--port", "0", *log, "--driver", "rust")
    told = refusal(*log, "--serial", str(tmp_path / "ttyUSB0"))
    assert "--serial names no free port" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("option", ["--port", "--world-port"])
def test_a_port_in_use_is_one_sentence(option: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = {"--port": "0", "--world-port": "0", option: str(other.getsockname()[1])}
        told = refusal("--log", str(tmp_path / "log"), *(word for pair in ports.items() for word in pair))
    assert told.count("\n") == 1
    assert f"Choose another with {option}" in told


def test_a_log_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    told = refusal("--port", "0", "--log", str(tmp_path / "nowhere" / "log"))
    assert "cannot write" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    "options",
    [("--scales", "0"), ("--scales", "300"), ("--time-factor", "nan"), ("--port", "-1"), ("--noise-g", "-1")],
)
def test_wrong_arguments_are_refused(options: tuple[str, ...], tmp_path: Path) -> None:
    assert "must be a" in refusal("--log", str(tmp_path / "log"), *options)


def test_a_script_can_read_where_it_listens(tmp_path: Path) -> None:
    with running(tmp_path, "--json") as floor:
        floor.process.terminate()
        said = json.loads(floor.process.communicate(timeout=30)[0])
    assert said == {"port": floor.port, "world_port": floor.world_port, "scales": 12, "time_factor": 60.0}


def test_it_ends_without_a_word_while_the_operators_hands_are_still_connected(tmp_path: Path) -> None:
    with running(tmp_path) as floor, socket.create_connection(("127.0.0.1", floor.world_port), timeout=30) as hands:
        hands.sendall(b'{"scale": 1, "remove": true}\n')
        assert hands.recv(1)
        floor.process.terminate()
        _out, said = floor.process.communicate(timeout=30)
    assert (floor.process.returncode, said) == (0, "")
