"""A simulated scale in the registers of any driver file: what the scale says, and what the host wrote, word by word."""

from station_agent.devices.driver import ScaleDriver
from station_agent.devices.scale_model import OPEN, SHUT, Controls, SimulatedScale


class PlayedRegisters:
    """The registers and the coil of one simulated scale, laid out as its driver file says."""

    def __init__(self, driver: ScaleDriver, scale: SimulatedScale) -> None:
        self._driver = driver
        self._scale = scale
        self._told: dict[int, int] = dict.fromkeys(driver.written, 0)
        self._coil = False
        self._heard = 0

    def said(self) -> dict[int, int]:
        """Address and word of everything that the scale says now."""
        driver, now = self._driver, self._scale.indication()
        codes = {name: code for code, name in driver.faults.items()}
        words = {
            "protocol": driver.expected_protocol,
            "status": self._status(now.gross_g),
            "fault_code": codes.get(now.fault or "", 0),
            "heartbeat": now.heartbeat & 0xFFFF,
        }
        said = {address: words[name] for name, address in driver.reads.items() if name in words}
        for offset, word in enumerate(self._weight(now.gross_g)):
            said[driver.reads["gross"] + offset] = word
        return said

    def hear(self, address: int, words: list[int], now_ms: int) -> None:
        """The host has written these registers."""
        self._told.update((at, word) for at, word in enumerate(words, address) if at in self._told)
        written = range(address, address + len(words))
        watched = self._driver.writes.get("host_heartbeat", self._driver.writes.get("command", -1))
        self._heard += watched in written
        self._obey(now_ms)

    def hear_coil(self, address: int, on: bool, now_ms: int) -> None:
        """The host has written this coil."""
        if address == self._driver.command_coil:
            self._coil = on
            self._heard += "host_heartbeat" not in self._driver.writes
            self._obey(now_ms)

    def _obey(self, now_ms: int) -> None:
        writes = self._driver.writes
        beat = self._told[writes["host_heartbeat"]] if "host_heartbeat" in writes else self._heard
        boot_id = self._told[writes["boot_id"]] if "boot_id" in writes else 0
        self._scale.obey(Controls(self._command(), beat, self._stop_at_g(), boot_id), now_ms)

    def _command(self) -> int:
        driver = self._driver
        if driver.command_coil is not None:
            return OPEN if self._coil else SHUT
        word = self._told[driver.writes["command"]] & driver.command_mask
        return OPEN if word == driver.commands["open"] else SHUT

    def _stop_at_g(self) -> int | None:
        at = self._driver.writes.get("stop_at")
        if at is None:
            return None
        try:
            return self._driver.weight.from_words([self._told[at + n] for n in range(self._driver.weight.words)])
        except (ValueError, OverflowError):
            return 0  # no number: nothing that a valve opens for

    def _status(self, gross_g: int) -> int:
        driver, now = self._driver, self._scale.indication()
        facts = {
            "stable": now.stable,
            "valve_open": now.valve_open,
            "overload": now.overload,
            "watchdog_tripped": now.watchdog_tripped,
            "negative": gross_g < 0,
        }
        return sum(1 << place for name, place in driver.status_bits.items() if facts[name] != (name in driver.inverted))

    def _weight(self, gross_g: int) -> list[int]:
        shown = abs(gross_g) if "negative" in self._driver.status_bits else gross_g
        try:
            return self._driver.weight.to_words(shown)
        except OverflowError:  # an indicator that cannot show a weight shows nothing
            return [0] * self._driver.weight.words
