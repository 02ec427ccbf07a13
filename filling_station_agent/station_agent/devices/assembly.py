"""The devices of a station put together from its settings: scales on their links, scanners on their plugs."""

from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from station_agent.devices.driver import DriverError, ScaleDriver, load_driver
from station_agent.devices.scale import ModbusScale, Scale, ScaleLink, SerialPort, TcpPort
from station_agent.devices.scanner_frames import Framing
from station_agent.devices.scanner_sources import (
    KeyboardPlug,
    ListeningSource,
    Plug,
    ScannerSource,
    SerialPlug,
    Take,
    TcpPlug,
    TellState,
)
from station_agent.recorder import Tell
from station_agent.settings import LaneSettings, ScaleSettings, ScannerSourceSettings, Settings

_KEYBOARD_GAP_MS, _GAP_MS = 50, 500


class ScaleLinks:
    """Every link that the settings name, with the driver of the scales behind it. Raises DriverError."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        named: dict[str, ScaleSettings] = {"scales": settings.scales}
        named |= {link.name: link for link in settings.links}
        self._links = {name: _link(one) for name, one in named.items()}
        used = {lane.link for lane in settings.lanes}
        self._drivers = {name: _driver(one.driver, folder) for name, one in named.items() if name in used}
        for lane in settings.lanes:
            if lane.kind == "fill" and lane.gateway_unit is None and not self._drivers[lane.link].has_valve:
                raise DriverError(f"Lane {lane.digit} fills, and its driver {named[lane.link].driver} knows no valve.")

    def scale(self, lane: LaneSettings, boot_id: int, clock: Callable[[], int]) -> ModbusScale:
        """The scale of that lane."""
        return ModbusScale(self._links[lane.link], lane.unit, self._drivers[lane.link], boot_id=boot_id, clock=clock)

    def close(self) -> None:
        """Drop every connection. Scales left open shut when they no longer hear us."""
        for link in self._links.values():
            link.close()


def scanner_sources(settings: Settings) -> list[ScannerSource | ListeningSource]:
    """The scanners that do not type into our terminal."""
    return [_source(one, settings.scanner.prefix) for one in settings.scanners]


def take_over(scales: Iterable[Scale]) -> None:
    """This process commands the valves from now on; a mere look at the scales, as of `self-test`, does not."""
    for scale in scales:
        if isinstance(scale, ModbusScale):
            scale.take_over()


def bring_scans(
    settings: Settings, take: Take, tell: Tell, clock: Callable[[], int]
) -> list[Coroutine[Any, Any, None]]:
    """A task for each scanner that does not type into our terminal; each says when it comes and goes."""

    def telling(name: str) -> TellState:
        return lambda there, said: tell("scanner", None, {"source": name, "connected": there, "detail": said})

    return [source.bring(take, telling(source.name), clock) for source in scanner_sources(settings)]


def _link(settings: ScaleSettings) -> ScaleLink:
    if settings.serial is None:
        return ScaleLink(TcpPort(settings.host, settings.port), timeout_ms=settings.timeout_ms)
    port = SerialPort(settings.serial, settings.baud, settings.parity, settings.stop_bits)
    return ScaleLink(port, timeout_ms=settings.timeout_ms)


def _driver(source: str, folder: Path) -> ScaleDriver:
    """A driver file's path is relative to the settings' data folder, as every other path of theirs."""
    return load_driver(folder / source if source.endswith(".toml") else source)


def _source(one: ScannerSourceSettings, lane_prefix: str) -> ScannerSource | ListeningSource:
    framing = Framing(
        prefix=one.prefix,
        suffix=one.suffix,
        terminator=one.terminator,
        framed=one.framed,
        gap_ms=one.inter_key_ms or (_KEYBOARD_GAP_MS if one.kind == "keyboard" else _GAP_MS),
        repeat_ms=one.repeat_ms,
    )
    if one.kind == "listen":
        name = one.name or f"{one.host}:{one.port}"
        return ListeningSource(name, one.host or "", one.port or 0, framing, one.lane, lane_prefix)
    plug = _plug(one)
    return ScannerSource(one.name or str(plug), plug, framing, one.lane, lane_prefix)


def _plug(one: ScannerSourceSettings) -> Plug:
    if one.kind == "serial":
        return SerialPlug(one.serial or "", one.baud, one.parity, one.stop_bits)
    if one.kind == "tcp":
        return TcpPlug(one.host or "", one.port or 0)
    return KeyboardPlug(one.device or "")
