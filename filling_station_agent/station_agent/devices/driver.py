"""A scale driver is a data file: where each number lies in the registers of one make of filling scale.

`load_driver` reads and checks such a file and names every mistake in it at once, so that somebody who
enters a register map from a manual is told what to mend, and no half-right map ever moves a valve.
"""

import struct
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path

_LAST_ADDRESS = 0xFFFF
_LARGEST_BLOCK = 125  # registers in one Modbus read, by the protocol's own limit
_LONGEST_SILENCE_MS = 3_000  # no valve may stay open longer than this without a word from the host

HOLDING, INPUT = 3, 4
ONE_BY_ONE, TOGETHER = 6, 16
_ENCODINGS = ("signed", "unsigned", "bcd", "float")

_READS = {"status": True, "gross": True, "protocol": False, "fault_code": False, "heartbeat": False}
_BITS = {"stable": True, "valve_open": True, "overload": False, "watchdog_tripped": False, "negative": False}
_WRITES = {"command": True, "host_heartbeat": False, "stop_at": False, "boot_id": False}
_TABLES = ("reads", "expect", "weight", "status_bits", "faults", "writes", "commands")
_WIDE = {"gross", "stop_at"}


class DriverError(Exception):
    """A driver file that cannot be used. The text names the file and every mistake found in it."""


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """How a weight lies in registers: grams = (count - `offset`) x `unit_g` / `divisor`."""

    words: int = 1
    encoding: str = "signed"
    high_word_first: bool = True
    unit_g: int = 1
    divisor: int = 1
    offset: int = 0

    def to_words(self, weight_g: int) -> list[int]:
        """A weight as the registers that carry it, rounded down. OverflowError if they cannot hold it."""
        if self.encoding == "float":
            raw = _as_float(weight_g, self)
        else:
            count = weight_g * self.divisor // self.unit_g + self.offset
            raw = self._as_digits(count) if self.encoding == "bcd" else self._as_integer(count)
        words = [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]
        return words if self.high_word_first else words[::-1]

    def from_words(self, words: list[int]) -> int:
        """The weight in grams that these registers carry, to the nearest gram. ValueError if they carry no number."""
        raw = b"".join(word.to_bytes(2, "big") for word in (words if self.high_word_first else words[::-1]))
        if self.encoding == "float":
            number: float = struct.unpack(">f", raw)[0]
            return round((number - self.offset) * self.unit_g / self.divisor)
        count = _digits(raw) if self.encoding == "bcd" else self._integer(raw)
        return (2 * (count - self.offset) * self.unit_g + self.divisor) // (2 * self.divisor)

    def _as_integer(self, count: int) -> bytes:
        return count.to_bytes(2 * self.words, "big", signed=self.encoding == "signed")

    def _integer(self, raw: bytes) -> int:
        return int.from_bytes(raw, "big", signed=self.encoding == "signed")

    def _as_digits(self, count: int) -> bytes:
        if not 0 <= count < 10 ** (4 * self.words):
            raise OverflowError("more digits than the registers hold")
        return bytes.fromhex(str(count).zfill(4 * self.words))


def _as_float(weight_g: int, form: WeightFormat) -> bytes:
    """A float never above the weight: a stop weight must not come out a little higher than it was asked for."""
    wanted = weight_g * form.divisor / form.unit_g + form.offset
    raw = struct.pack(">f", wanted)
    if struct.unpack(">f", raw)[0] <= wanted:
        return raw
    step = -1 if wanted > 0 else 1
    return (int.from_bytes(raw, "big") + step).to_bytes(4, "big")


def _digits(raw: bytes) -> int:
    text = raw.hex()
    if not text.isdecimal():
        raise ValueError(f"the registers hold {text}, which are no decimal digits")
    return int(text)


@dataclass(frozen=True, slots=True)
class ScaleDriver:
    """The checked content of a driver file. Addresses count from 0, as on the wire.

    `overshoot_g` is the most that may still run in after the valve is told to shut. `silence_ms` is how long the scale
    keeps its valve open without a word from the host. A driver without `commands` is for a scale without a valve.
    """

    name: str
    overshoot_g: int
    silence_ms: int
    read_function: int
    expected_protocol: int
    weight: WeightFormat
    reads: Mapping[str, int]
    status_bits: Mapping[str, int]
    inverted: frozenset[str]
    faults: Mapping[int, str]
    write_function: int
    writes: Mapping[str, int]
    commands: Mapping[str, int]
    command_mask: int
    command_coil: int | None

    @property
    def has_valve(self) -> bool:
        """Whether the scale has a valve that the host may ask to open."""
        return bool(self.commands)

    @property
    def block(self) -> tuple[int, int]:
        """First address and number of registers of the one read that fetches everything."""
        spans = _spans(self.reads, self.weight.words)
        start = min(first for first, _ in spans.values())
        return start, max(last for _, last in spans.values()) - start + 1

    @property
    def written(self) -> frozenset[int]:
        """The addresses of all registers that the host writes."""
        spans = _spans(self.writes, self.weight.words).values()
        return frozenset(address for first, last in spans for address in range(first, last + 1))


def load_driver(source: str | Path) -> ScaleDriver:
    """The driver of that name among the shipped ones (`demo-scale`), or from that `.toml` file.

    Raises DriverError when there is no such driver, the file is not TOML, or anything in it is wrong.
    """
    try:
        table = tomllib.loads(_text_of(source))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as mistake:
        raise DriverError(f"The scale driver {source} is not a TOML file: {mistake}.") from mistake
    return _Check(str(source), table).driver()


def shipped_drivers() -> list[str]:
    """The names of the drivers that come with the program."""
    maps = resources.files("station_agent.devices") / "maps"
    return sorted(entry.name.removesuffix(".toml") for entry in maps.iterdir() if entry.name.endswith(".toml"))


def _text_of(source: str | Path) -> str:
    if Path(source).suffix != ".toml":
        shipped = shipped_drivers()
        if str(source) not in shipped:
            raise DriverError(
                f"There is no scale driver named {source}. Shipped are: {', '.join(shipped)}; "
                "your own is given as the path of a .toml file."
            )
        return (resources.files("station_agent.devices") / "maps" / f"{source}.toml").read_text("utf-8")
    try:
        return Path(source).read_text("utf-8")
    except OSError as failure:
        raise DriverError(f"The scale driver {source} cannot be read: {failure.strerror}.") from failure


def _spans(addresses: Mapping[str, int], weight_words: int) -> dict[str, tuple[int, int]]:
    """First and last address of each field; the two weights are the only fields wider than a register."""
    return {name: (at, at + (weight_words if name in _WIDE else 1) - 1) for name, at in addresses.items()}


class _Check:
    """Walks one parsed file and gathers every mistake before it complains."""

    def __init__(self, source: str, table: dict[str, object]) -> None:
        self._source = source
        self._top = table
        self._mistakes: list[str] = []
        self._has_valve = "commands" in table or "writes" in table

    def driver(self) -> ScaleDriver:
        """The driver, or DriverError with all mistakes."""
        known = {"name", "word_order", "overshoot_g", "silence_ms", *_TABLES}
        self._mistakes += [f"{key}: unknown entry" for key in self._top if key not in known]
        reads = self._addresses("reads", _READS)
        mask, coil, commands = self._commands()
        driver = ScaleDriver(
            name=self._name(),
            overshoot_g=self._number("overshoot_g", self._top.get("overshoot_g"), (0, 1_000)),
            silence_ms=self._number("silence_ms", self._top.get("silence_ms"), (200, _LONGEST_SILENCE_MS)),
            read_function=self._choice("reads", "function", (HOLDING, INPUT)),
            expected_protocol=self._expected(reads),
            weight=self._weight(),
            reads=reads,
            status_bits=self._bits(),
            inverted=self._inverted(),
            faults=self._faults() if "fault_code" in reads or "faults" in self._top else {},
            write_function=self._choice("writes", "function", (TOGETHER, ONE_BY_ONE)),
            writes=self._writes(coil),
            commands=commands,
            command_mask=mask,
            command_coil=coil,
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

    def _number(self, where: str, value: object, limits: tuple[int, int], default: int | None = None) -> int:
        if value is None and default is not None:
            return default
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

    def _known(self, name: str, table: Mapping[str, object], keys: set[str]) -> None:
        self._mistakes += [f"{name}.{key}: unknown entry" for key in table if key not in keys]

    def _choice(self, name: str, key: str, choices: tuple[int, ...]) -> int:
        table = self._top.get(name)
        value = table.get(key, choices[0]) if isinstance(table, dict) else choices[0]
        if value not in choices or isinstance(value, bool):
            self._mistakes.append(f"{name}.{key}: must be {' or '.join(map(str, choices))}, is {value!r}")
        return int(value) if value in choices else choices[0]

    def _addresses(self, name: str, fields: Mapping[str, bool]) -> dict[str, int]:
        """The addresses in a table; a field that is not required may be left out."""
        table = self._table(name)
        if not table:
            return {}
        self._known(name, table, {"function", *fields})
        wanted = (field for field, required in fields.items() if required or field in table)
        return {field: self._number(f"{name}.{field}", table.get(field), (0, _LAST_ADDRESS)) for field in wanted}

    def _expected(self, reads: Mapping[str, int]) -> int:
        if "protocol" not in reads and "expect" not in self._top:
            return 0
        table = self._table("expect")
        self._known("expect", table, {"protocol"})
        if "protocol" not in reads:
            self._mistakes.append("expect.protocol: [reads] names no register protocol")
        return self._number("expect.protocol", table.get("protocol"), (0, _LAST_ADDRESS)) if table else 0

    def _weight(self) -> WeightFormat:
        table = self._table("weight")
        self._known("weight", table, {"words", "encoding", "unit_g", "decimals", "divisor", "offset"})
        if not table:
            return WeightFormat()
        decimals = self._number("weight.decimals", table.get("decimals"), (0, 6), 0)
        form = WeightFormat(
            words=self._number("weight.words", table.get("words"), (1, 2)),
            encoding=self._word("weight.encoding", table.get("encoding", "signed"), _ENCODINGS),
            high_word_first=self._word("word_order", self._top.get("word_order"), ("high_first", "low_first"))
            == "high_first",
            unit_g=self._number("weight.unit_g", table.get("unit_g"), (1, 1_000_000)),
            divisor=self._number("weight.divisor", table.get("divisor"), (1, 1_000_000), 1) * 10**decimals,
            offset=self._number("weight.offset", table.get("offset"), (-(2**31), 2**31), 0),
        )
        if form.encoding == "float" and form.words != 2:
            self._mistakes.append("weight.words: a float has 2")
        return form

    def _word(self, where: str, value: object, words: tuple[str, ...]) -> str:
        if value in words:
            return str(value)
        self._mistakes.append(f"{where}: must be one of {', '.join(words)}")
        return words[0]

    def _bits(self) -> dict[str, int]:
        table = self._table("status_bits")
        self._known("status_bits", table, {"inverted", *_BITS})
        bits = {}
        for name, required in _BITS.items():
            if name in table or (required and table and (self._has_valve or name != "valve_open")):
                bits[name] = self._number(f"status_bits.{name}", table.get(name), (0, 15))
        return bits

    def _inverted(self) -> frozenset[str]:
        table = self._top.get("status_bits")
        names = table.get("inverted", []) if isinstance(table, dict) else []
        if isinstance(names, list) and all(isinstance(name, str) and name in _BITS for name in names):
            return frozenset(names)
        self._mistakes.append(f"status_bits.inverted: must be a list of names among {', '.join(_BITS)}")
        return frozenset()

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

    def _commands(self) -> tuple[int, int | None, dict[str, int]]:
        """The command's mask, or its coil, and the values that shut and open; nothing for a scale without a valve."""
        if not self._has_valve:
            return 0xFFFF, None, {}
        table = self._table("commands")
        if "coil" in table:
            self._known("commands", table, {"coil"})
            return 0xFFFF, self._number("commands.coil", table["coil"], (0, _LAST_ADDRESS)), {"shut": 0, "open": 1}
        if not table:
            return 0xFFFF, None, {}
        self._known("commands", table, {"shut", "open", "mask"})
        values = {name: self._number(f"commands.{name}", table.get(name), (0, 0xFFFF)) for name in ("shut", "open")}
        mask = self._number("commands.mask", table.get("mask"), (1, 0xFFFF), 0xFFFF)
        outside = [name for name, value in values.items() if value & ~mask]
        self._mistakes += [f"commands.{name}: {values[name]} has bits outside the mask {mask}" for name in outside]
        return mask, None, values

    def _writes(self, coil: int | None) -> dict[str, int]:
        if not self._has_valve or (coil is not None and "writes" not in self._top):
            return {}
        fields = {**_WRITES, "command": coil is None}
        writes = self._addresses("writes", fields)
        if coil is not None and "command" in writes:
            self._mistakes.append("writes.command: the command is a coil already")
        return writes

    def _fits_together(self, driver: ScaleDriver) -> None:
        if self._mistakes:
            return
        self._apart("reads", driver.reads, driver.weight.words)
        if driver.writes:
            self._apart("writes", driver.writes, driver.weight.words)
        self._different("status_bits", driver.status_bits)
        self._different("commands", driver.commands)
        start, count = driver.block
        if count > _LARGEST_BLOCK:
            self._mistakes.append(f"reads: span {count} registers, but one Modbus read carries {_LARGEST_BLOCK}")
        if driver.read_function == HOLDING and driver.written & set(range(start, start + count)):
            self._mistakes.append("writes: lie among the registers of [reads]")
        if driver.has_valve and "stop_at" not in driver.writes and not driver.overshoot_g:
            self._mistakes.append("overshoot_g: must be above 0 where the scale takes no stop weight")

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
