"""Every shipped register map: the contract that any driver file must pass, and what goes over the wire by word."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from station_agent import driver_check
from station_agent.cli import main
from station_agent.devices.driver import DriverError, ScaleDriver, load_driver, shipped_drivers
from station_agent.devices.scale import ModbusScale, ScaleFault, ScaleLink, TcpPort

MAPS = Path(driver_check.__file__).parent / "devices" / "maps"
SHIPPED = ["demo-scale", "example-16-bit", "example-check-scale", "example-gateway", "example-rtu-relay"]


def changed(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    text = (MAPS / f"{name}.toml").read_text("utf-8")
    for right, wrong in changes:
        assert right in text
        text = text.replace(right, wrong, 1)
    file = folder / "mine.toml"
    file.write_text(text, "utf-8")
    return file


def failed(file: Path) -> dict[str, str]:
    return {check.name.split()[0]: check.said for check in driver_check.run(load_driver(file)) if not check.ok}


# ---------------------------------------------------------------- the contract


def test_the_shipped_maps_are_these() -> None:
    assert shipped_drivers() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_map_weighs_opens_only_by_command_shuts_in_silence_and_forgets_old_permits(name: str) -> None:
    checks = driver_check.run(load_driver(name))
    assert [check.said for check in checks if not check.ok] == []
    assert len(checks) == (2 if name == "example-check-scale" else 9)


@pytest.mark.parametrize("name", [name for name in SHIPPED if name.startswith("example")])
def test_an_example_says_that_it_is_one(name: str) -> None:
    assert (MAPS / f"{name}.toml").read_text("utf-8").startswith("# EXAMPLE, no maker's map.")
    assert load_driver(name).name == name


def test_a_scale_that_counts_in_100_g_is_too_coarse(tmp_path: Path) -> None:
    file = changed(tmp_path, "example-16-bit", ("unit_g = 10 ", "unit_g = 100 "))
    assert "steps of 50 g or less" in failed(file)["称重"]


def test_a_weight_that_one_register_cannot_hold_is_found(tmp_path: Path) -> None:
    file = changed(tmp_path, "demo-scale", ("words = 2", "words = 1"))
    assert "stand at rest; read: 0 g" in failed(file)["称重"]


def test_an_overshoot_that_is_too_small_fills_too_much(tmp_path: Path) -> None:
    file = changed(tmp_path, "example-rtu-relay", ("overshoot_g = 90", "overshoot_g = 5"))
    assert "overshoot_g is 5" in failed(file)["到重停止"]


def test_a_scale_that_does_not_report_an_overload_is_found_by_its_shut_valve(tmp_path: Path) -> None:
    assert failed(changed(tmp_path, "example-rtu-relay", ("overload = 1\n", ""))) == {}


# ---------------------------------------------------------------- what a file may say

MISTAKES = {
    "a scale that opens and cannot be read": ("valve_open = 3\n", "", "status_bits.valve_open: missing"),
    "a silence of more than three seconds": ("silence_ms = 3000", "silence_ms = 3001", "silence_ms: 3001 is outside"),
    "a write function that is none": ("function = 6 ", "function = 7 ", "writes.function: must be 16 or 6, is 7"),
    "a bit beside the mask": ("open = 0x0010", "open = 0x0011", "commands.open: 17 has bits outside the mask 16"),
    "an unknown way to write a number": ('"unsigned"', '"octal"', "weight.encoding: must be one of signed"),
    "a sense that is none": ("stable = 0\n", 'stable = 0\ninverted = ["stabel"]\n', "status_bits.inverted: must be"),
    "a write among the reads": ("command = 20", "command = 2", "writes: lie among the registers of [reads]"),
    "commands without writes": ("command = 20\n", "", "writes.command: missing"),
    "no stop weight and no overshoot": ("overshoot_g = 60", "overshoot_g = 0", None),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_wider_map_is_named(mistake: str, tmp_path: Path) -> None:
    right, wrong, named = MISTAKES[mistake]
    changes = [(right, wrong)] if named else [(right, wrong), ("stop_at = 16\n", "")]
    with pytest.raises(DriverError) as told:
        load_driver(changed(tmp_path, "example-16-bit", *changes))
    assert (named or "overshoot_g: must be above 0") in str(told.value)


def test_a_coil_and_a_command_register_are_one_too_many(tmp_path: Path) -> None:
    file = changed(tmp_path, "example-rtu-relay", ("[commands]", "[writes]\ncommand = 30\n[commands]"))
    with pytest.raises(DriverError, match="the command is a coil already"):
        load_driver(file)


# ---------------------------------------------------------------- weights, word by word

WORDS = {
    "demo-scale": [0, 16_800],
    "example-rtu-relay": [1_680, 0],
    "example-16-bit": [1_680],
    "example-gateway": [0x4186, 0x6666],
    "example-check-scale": [0x0000, 0x3360],
}


@pytest.mark.parametrize("name", WORDS)
def test_16_800_g_stand_in_these_registers(name: str) -> None:
    assert load_driver(name).weight.from_words(WORDS[name]) == 16_800


def test_a_float_stop_weight_never_comes_out_above_what_was_asked() -> None:
    form = load_driver("example-gateway").weight
    for stop_g in range(30_000, 31_000, 7):
        assert stop_g - 1 <= form.from_words(form.to_words(stop_g)) <= stop_g


def test_an_empty_scale_may_show_a_count(tmp_path: Path) -> None:
    form = load_driver(changed(tmp_path, "example-check-scale", ("offset = 0", "offset = 800"))).weight
    assert form.from_words([0, 0x0800]) == 0
    assert form.to_words(16_800) == [0, 0x4160]


# ---------------------------------------------------------------- commands, word by word


class Wire:
    """A Modbus server that keeps what it is told: (function, address, values)."""

    def __init__(self, registers: dict[int, int], coils: int = 16) -> None:
        self.told: list[tuple[int, int, list[int]]] = []
        holding = [
            SimData(address, values=registers.get(address, 0), datatype=DataType.REGISTERS) for address in range(256)
        ]
        bits = [SimData(0, values=[False] * coils, datatype=DataType.BITS)]
        self._blocks = (bits, list(bits), holding, list(holding))

    async def _keep(self, function: int, _start: int, address: int, *rest: Any) -> None:
        if rest[2] is not None:
            self.told.append((function, address, list(rest[2])))

    @asynccontextmanager
    async def scale(self, driver: ScaleDriver, clock: Callable[[], int] = lambda: 0) -> AsyncIterator[ModbusScale]:
        server = ModbusTcpServer(SimDevice(1, self._blocks, action=self._keep), address=("127.0.0.1", 0))
        await server.serve_forever(background=True)
        link = ScaleLink(TcpPort("127.0.0.1", server.transport.sockets[0].getsockname()[1]), timeout_ms=5_000)  # type: ignore[attr-defined]
        try:
            yield ModbusScale(link, 1, driver, boot_id=7, clock=clock)
        finally:
            link.close()
            await server.shutdown()  # type: ignore[no-untyped-call]

    async def talk(self, driver: ScaleDriver, *acts: str) -> None:
        async with self.scale(driver) as scale:
            for act in acts:
                await (scale.open_valve(31_000) if act == "open_valve" else getattr(scale, act)())


def told_by(name: str, *acts: str, **registers: int) -> list[tuple[int, int, list[int]]]:
    wire = Wire({int(address[1:]): word for address, word in registers.items()})
    asyncio.run(wire.talk(load_driver(name), *acts))
    return wire.told


def test_a_scale_that_takes_single_registers_is_given_the_command_last_and_keeps_its_own_bits() -> None:
    assert told_by("example-16-bit", "open_valve", "shut_valve", r20=0x0402) == [
        (6, 17, [1]),
        (6, 16, [3_100]),
        (6, 20, [0x0402]),
        (6, 17, [2]),
        (6, 20, [0x0412]),
        (6, 17, [3]),
        (6, 20, [0x0402]),
    ]


def test_a_relay_is_a_coil_that_is_written_again_at_every_refresh() -> None:
    assert told_by("example-rtu-relay", "open_valve", "refresh", "shut_valve") == [
        (5, 8, [False]),
        (5, 8, [True]),
        (5, 8, [True]),
        (5, 8, [False]),
    ]


def test_a_gateway_is_told_boot_id_and_stop_weight_in_one_write_before_it_is_told_to_open() -> None:
    assert told_by("example-gateway", "open_valve") == [
        (16, 200, [7, 0x41F8, 0x0000, 1, 2]),
        (16, 203, [2, 1]),
    ]


def test_registers_that_hold_no_digits_are_no_weight() -> None:
    with pytest.raises(ScaleFault, match="shows no weight: the registers hold 00003c60"):
        told_by("example-check-scale", "read", r2=0x3C60)


def test_after_a_silence_in_which_the_scale_has_shut_a_refresh_opens_nothing() -> None:
    async def fall_silent() -> Wire:
        wire, times = Wire({}), iter([0, 0, *[3_000] * 9])
        async with wire.scale(load_driver("example-rtu-relay"), lambda: next(times)) as scale:
            await scale.open_valve(31_000)
            with pytest.raises(ScaleFault, match="has not heard from the station for 3000 ms"):
                await scale.refresh()
            await scale.refresh()
        return wire

    wire = asyncio.run(fall_silent())
    assert [values for _, _, values in wire.told] == [[False], [True], [False]]


# ---------------------------------------------------------------- the command


def test_a_user_tries_a_driver_file_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-driver", "demo-scale"]) == 0
    assert capsys.readouterr().out.count("✔") == 9
    bad = changed(tmp_path, "example-rtu-relay", ("overshoot_g = 90", "overshoot_g = 5"))
    assert main(["check-driver", str(bad), "--json"]) == 1
    assert '"ok": false' in capsys.readouterr().out
    assert main(["check-driver", str(tmp_path / "none.toml")]) == 2
    assert "cannot be read" in capsys.readouterr().err
