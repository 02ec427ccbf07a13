"""Driver files: what a mistaken register map is told, and what a right one computes."""

from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_agent.devices.driver import DriverError, ScaleDriver, load_driver

DEMO = (resources.files("station_agent.devices") / "maps" / "demo-scale.toml").read_text("utf-8")

MISTAKES = {
    "a missing entry": ("command = 10", "", "writes.command: missing"),
    "a misspelt entry": ("stop_at = 12", "stopat = 12", "writes.stopat: unknown entry"),
    "an unknown table": ("[commands]", "[extra]\nx = 1\n[commands]", "extra: unknown entry"),
    "a missing table": ("[faults]", "[status_bits.x]", "[faults]: missing"),
    "a text for a number": ("gross = 4", 'gross = "4"', "reads.gross: must be a whole number, is '4'"),
    "a truth value for a number": ("gross = 4", "gross = true", "reads.gross: must be a whole number, is True"),
    "an address beyond the registers": ("boot_id = 14", "boot_id = 70000", "writes.boot_id: 70000 is outside"),
    "a bit beyond the register": ("stable = 0", "stable = 16", "status_bits.stable: 16 is outside 0 to 15"),
    "two bits in one place": ("valve_open = 1", "valve_open = 0", "status_bits: stable and valve_open are both 0"),
    "commands that say the same": ("shut = 0", "shut = 1", "commands: shut and open are both 1"),
    "a field inside a wide one": ("heartbeat = 6", "heartbeat = 5", "reads: gross and heartbeat share register 5"),
    "a stop weight over another": ("boot_id = 14", "boot_id = 13", "writes: stop_at and boot_id share register 13"),
    "more than one read carries": ("heartbeat = 6", "heartbeat = 200", "span 201 registers"),
    "a weight that runs off the end": ("stop_at = 12", "stop_at = 65535", "writes.stop_at: does not fit below"),
    "an unknown word order": ('"high_first"', '"middle"', "word_order: must be"),
    "too many words": ("words = 2", "words = 3", "weight.words: 3 is outside 1 to 2"),
    "a unit of nothing": ("unit_g = 1", "unit_g = 0", "weight.unit_g: 0 is outside"),
    "a fault without a name": ('1 = "overload"', "1 = 1", "faults.1: must be a text"),
    "a fault code that is no number": ('1 = "overload"', 'one = "overload"', "faults.one: a fault code is a number"),
    "no name": ('name = "demo-scale"', "", "name: must be a text"),
    "an endless silence": ("silence_ms = 3000", "silence_ms = 60000", "silence_ms: 60000 is outside"),
    "no TOML at all": ("[reads]", "[reads", "is not a TOML file"),
}


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_driver_file_is_named(mistake: str, tmp_path: Path) -> None:
    right, wrong, named = MISTAKES[mistake]
    assert right in DEMO
    with pytest.raises(DriverError) as told:
        load_driver(write(tmp_path, DEMO.replace(right, wrong, 1)))
    assert named in str(told.value)
    assert "mine.toml" in str(told.value)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    text = DEMO.replace("gross = 4", "gross = -1").replace("open = 1\n", "")
    with pytest.raises(DriverError, match=r"reads\.gross.*commands\.open"):
        load_driver(write(tmp_path, text))


def test_an_unknown_driver_is_answered_with_the_shipped_ones() -> None:
    with pytest.raises(DriverError, match=r"no scale driver named other.*demo-scale"):
        load_driver("other")


def test_a_missing_driver_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match=r"gone\.toml cannot be read"):
        load_driver(tmp_path / "gone.toml")


def variant(folder: Path, *changes: tuple[str, str]) -> ScaleDriver:
    text = DEMO
    for right, other in changes:
        text = text.replace(right, other)
    return load_driver(write(folder, text))


def test_a_low_word_may_come_first(tmp_path: Path) -> None:
    driver = variant(tmp_path, ('"high_first"', '"low_first"'))
    assert driver.weight.to_words(0x12345) == [0x2345, 1]
    assert driver.weight.from_words([0x2345, 1]) == 0x12345


def test_a_stop_weight_between_two_counts_is_rounded_down(tmp_path: Path) -> None:
    driver = variant(tmp_path, ("words = 2", "words = 1"), ("unit_g = 1 ", "unit_g = 10 "))
    assert driver.weight.to_words(31_309) == [3_130]
    assert driver.weight.from_words([3_130]) == 31_300


def test_a_weight_that_the_registers_cannot_hold_is_not_cut_short(tmp_path: Path) -> None:
    driver = variant(tmp_path, ("words = 2", "words = 1"))
    with pytest.raises(OverflowError):
        driver.weight.to_words(40_000)


@given(st.integers(-(2**31), 2**31 - 1))
def test_every_weight_comes_back_from_its_registers(weight_g: int) -> None:
    driver = load_driver("demo-scale")
    assert driver.weight.from_words(driver.weight.to_words(weight_g)) == weight_g
