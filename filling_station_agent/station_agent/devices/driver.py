"""A scale driver is a data file: where each number lies in the registers of one make of filling scale.

`load_driver` reads and checks such a file and names every mistake in it at once, so that somebody who
enters a register map from a manual is told what to mend, and no half-right map ever moves a valve.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path

_LAST_ADDRESS = 0xFFFF
_LARGEST_BLOCK = 125  # registers in one Modbus read, by the protocol's own limit

_READS = ("protocol", "status", "fault_code", "gross", "heartbeat")
_BITS = ("stable", "valve_open", "overload", "watchdog_tripped")
_WRITES = ("command", "host_heartbeat", "stop_at", "boot_id")
_COMMANDS = ("shut", "open")
_TABLES = ("reads", "expect", "weight", "status_bits", "faults", "writes", "commands")


class DriverError(Exception):
    """A driver file that cannot be used. The text names the file and every mistake found in it."""


@dataclass(frozen=True, slots=True)
class ScaleDriver:
    """The checked content of a driver file. Addresses count from 0, as on the wire.

    `overshoot_g` is the most that may still run in after the scale begins to shut: a host that must not
    exceed a weight sets its stop weight that much lower.
    """

    name: str
    high_word_first: bool
    overshoot_g: int
    silence_ms: int
    expected_protocol: int
    weight_words: int
    weight_unit_g: int
    reads: Mapping[str, int]
    status_bits: Mapping[str, int]
    faults: Mapping[int, str]
    writes: Mapping[str, int]
    commands: Mapping[str, int]

    @property
    def block(self) -> tuple[int, int]:
        """First address and number of registers of the one read that fetches everything."""
        spans = _spans(self.reads, self.weight_words)
        start = min(first for first, _ in spans.values())
        return start, max(last for _, last in spans.values()) - start + 1

    def weight_to_words(self, weight_g: int) -> list[int]:
        """A weight as the registers that carry it, rounded down. OverflowError if too large."""
        raw = (weight_g // self.weight_unit_g).to_bytes(2 * self.weight_words, "big", signed=True)
        words = [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]
        return words if self.high_word_first else words[::-1]

    def words_to_weight(self, words: list[int]) -> int:
        """The weight in grams that these registers carry."""
        ordered = words if self.high_word_first else words[::-1]
        raw = b"".join(word.to_bytes(2, "big") for word in ordered)
        return int.from_bytes(raw, "big", signed=True) * self.weight_unit_g


def load_driver(source: str | Path) -> ScaleDriver:
    """The driver of that name among the shipped ones (`demo-scale`), or from that `.toml` file.

    Raises DriverError when there is no such driver, the file is not TOML, or anything in it is wrong.
    """
    try:
        table = tomllib.loads(_text_of(source))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as mistake:
        raise DriverError(f"The scale driver {source} is not a TOML file: {mistake}.") from mistake
    return _Check(str(source), table).driver()


def _text_of(source: str | Path) -> str:
    maps = resources.files("station_agent.devices") / "maps"
    if Path(source).suffix != ".toml":
        shipped = sorted(entry.name.removesuffix(".toml") for entry in maps.iterdir())
        if str(source) not in shipped:
            raise DriverError(
                f"There is no scale driver named {source}. Shipped are: {', '.join(shipped)}; "
                "your own is given as the path of a .toml file."
            )
        return (maps / f"{source}.toml").read_text("utf-8")
    try:
        return Path(source).read_text("utf-8")
    except OSError as failure:
        raise DriverError(f"The scale driver {source} cannot be read: {failure.strerror}.") from failure


def _spans(addresses: Mapping[str, int], weight_words: int) -> dict[str, tuple[int, int]]:
    """First and last address of each field; the two weights are the only fields wider than a register."""
    wide = {"gross", "stop_at"}
    return {name: (at, at + (weight_words if name in wide else 1) - 1) for name, at in addresses.items()}


class _Check:
    """Walks one parsed file and gathers every mistake before it complains."""

    def __init__(self, source: str, table: dict[str, object]) -> None:
        self._source = source
        self._top = table
        self._mistakes: list[str] = []

    def driver(self) -> ScaleDriver:
        """The driver, or DriverError with all mistakes."""
        known = {"name", "word_order", "overshoot_g", "silence_ms", *_TABLES}
        self._mistakes += [f"{key}: unknown entry" for key in self._top if key not in known]
        address = (0, _LAST_ADDRESS)
        weight = self._numbers("weight", ("words", "unit_g"), (1, 100_000))
        if weight.get("words", 1) > 2:
            self._mistakes.append("weight.words: must be 1 or 2")
        driver = ScaleDriver(
            name=self._name(),
            high_word_first=self._word_order(),
            overshoot_g=self._number("overshoot_g", self._top.get("overshoot_g"), (0, 1_000)),
            silence_ms=self._number("silence_ms", self._top.get("silence_ms"), (200, 10_000)),
            expected_protocol=self._numbers("expect", ("protocol",), address).get("protocol", 0),
            weight_words=weight.get("words", 1),
            weight_unit_g=weight.get("unit_g", 1),
            reads=self._numbers("reads", _READS, address),
            status_bits=self._numbers("status_bits", _BITS, (0, 15)),
            faults=self._faults(),
            writes=self._numbers("writes", _WRITES, address),
            commands=self._numbers("commands", _COMMANDS, address),
        )
        self._fits_together(driver)
        if self._mistakes:
            raise DriverError(f"The scale driver {self._source} cannot be used: {'; '.join(self._mistakes)}.")
        return driver

    def _name(self) -> str:
        name = self._top.get("name")
        if isinstance(name, str) and name:
            return name
        self._mistakes.append("name: must be a text")
        return ""

    def _word_order(self) -> bool:
        order = self._top.get("word_order")
        if order not in {"high_first", "low_first"}:
            self._mistakes.append('word_order: must be "high_first" or "low_first"')
        return order == "high_first"

    def _number(self, where: str, value: object, limits: tuple[int, int]) -> int:
        if value is None:
            self._mistakes.append(f"{where}: missing")
        elif not isinstance(value, int) or isinstance(value, bool):
            self._mistakes.append(f"{where}: must be a whole number, is {value!r}")
        elif not limits[0] <= value <= limits[1]:
            self._mistakes.append(f"{where}: {value} is outside {limits[0]} to {limits[1]}")
        else:
            return value
        return limits[0]

    def _table(self, name: str) -> dict[str, object]:
        table = self._top.get(name)
        if isinstance(table, dict):
            return table
        self._mistakes.append(f"[{name}]: missing")
        return {}

    def _numbers(self, name: str, keys: tuple[str, ...], limits: tuple[int, int]) -> dict[str, int]:
        table = self._table(name)
        if not table:
            return {}
        self._mistakes += [f"{name}.{key}: unknown entry" for key in table if key not in keys]
        return {key: self._number(f"{name}.{key}", table.get(key), limits) for key in keys}

    def _faults(self) -> dict[int, str]:
        faults: dict[int, str] = {}
        for code, name in self._table("faults").items():
            if not code.isdecimal() or not 1 <= int(code) <= _LAST_ADDRESS:
                self._mistakes.append(f"faults.{code}: a fault code is a number from 1 to {_LAST_ADDRESS}")
            elif not isinstance(name, str) or not name:
                self._mistakes.append(f"faults.{code}: must be a text")
            else:
                faults[int(code)] = name
        return faults

    def _fits_together(self, driver: ScaleDriver) -> None:
        if self._mistakes:
            return
        self._apart("reads", driver.reads, driver.weight_words)
        self._apart("writes", driver.writes, driver.weight_words)
        self._different("status_bits", driver.status_bits)
        self._different("commands", driver.commands)
        if driver.block[1] > _LARGEST_BLOCK:
            self._mistakes.append(
                f"reads: span {driver.block[1]} registers, but one Modbus read carries {_LARGEST_BLOCK}"
            )

    def _apart(self, table: str, addresses: Mapping[str, int], weight_words: int) -> None:
        spans = sorted((span, name) for name, span in _spans(addresses, weight_words).items())
        for (this, name), (following, other) in pairwise(spans):
            if this[1] >= following[0]:
                self._mistakes.append(f"{table}: {name} and {other} share register {following[0]}")
        if spans[-1][0][1] > _LAST_ADDRESS:
            self._mistakes.append(f"{table}.{spans[-1][1]}: does not fit below register {_LAST_ADDRESS}")

    def _different(self, table: str, values: Mapping[str, int]) -> None:
        seen: dict[int, str] = {}
        for name, value in values.items():
            if value in seen:
                self._mistakes.append(f"{table}: {seen[value]} and {name} are both {value}")
            seen[value] = name
