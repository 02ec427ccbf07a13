"""The devices of a station put together from its settings: scales on their links, scanners on their plugs."""

from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from station_agent.devices.driver import DriverError, ScaleDriver, load_driver
from station_agent.devices.permit_gateway import GatewayGun, PermitGateway
from station_agent.devices.scale import ModbusScale, Scale, ScaleLink, SerialPort, TcpPort
from station_agent.devices.scanner import Scan
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
from station_agent.lane import Lane
from station_agent.recorder import Tell
from station_agent.settings import LaneSettings, ScaleSettings, ScannerSourceSettings, Settings

_KEYBOARD_GAP_MS, _GAP_MS = 50, 500


class Devices:
    """Everything on the floor that the settings name. Raises DriverError.

    `tell` is what everybody is told by; a lane that a machine asks for hears through it how its request ends.
    """

    def __init__(self, settings: Settings, folder: Path, clock: Callable[[], int]) -> None:
        named: dict[str, ScaleSettings] = {"scales": settings.scales}
        named |= {link.name: link for link in settings.links}
        self._settings = settings
        self._clock = clock
        self._links = {name: _link(one) for name, one in named.items()}
        used = {lane.link for lane in settings.lanes}
        self._drivers = {name: _driver(one.driver, folder) for name, one in named.items() if name in used}
        self._commanded: list[ModbusScale] = []
        self._gateway = PermitGateway(settings.gateway.host, settings.gateway.port)
        for lane in settings.lanes:
            if lane.kind == "fill" and lane.gateway_unit is None and not self._drivers[lane.link].has_valve:
                raise DriverError(f"Lane {lane.digit} fills, and its driver {named[lane.link].driver} knows no valve.")

    def scale(self, lane: LaneSettings, boot_id: int) -> Scale:
        """The scale of that lane, with its valve, or with the gun of a machine that asks for permits."""
        driver = self._drivers[lane.link]
        scale = ModbusScale(self._links[lane.link], lane.unit, driver, boot_id=boot_id, clock=self._clock)
        if lane.gateway_unit is None:
            self._commanded.append(scale)
            return scale
        gun = GatewayGun(lane.digit, boot_id, scale, overshoot_g=driver.overshoot_g, clock=self._clock)
        self._gateway.add(lane.gateway_unit, gun)
        return gun

    def hearing(self, tell: Tell) -> Tell:
        """`tell`, heard by the machines too."""

        def told(event: str, lane: Lane | None, fields: dict[str, Any]) -> None:
            digit = lane.number if lane else None
            self._gateway.hear(event, digit, fields.get("reasons", []), fields.get("raw_scan"))
            tell(event, lane, fields)

        return told

    def take_over(self, lanes: Iterable[Lane]) -> None:
        """This process commands the valves from now on; a mere look at the scales, as of `self-test`, does not."""
        for scale in self._commanded:
            scale.take_over()
        by_digit = {lane.number: lane for lane in lanes}
        for gun in self._gateway.guns.values():
            gun.state = partial(_state_of, by_digit[gun.lane])

    def work(self, take: Take, tell: Tell) -> list[Coroutine[Any, Any, None]]:
        """A task for each scanner that does not type into our terminal, and one for machines that ask for permits."""

        def telling(event: str, name: str) -> TellState:
            return lambda there, said: tell(event, None, {"source": name, "connected": there, "detail": said})

        async def ask(lane: int, code: str) -> None:
            await take(Scan(lane, code, typed=False))

        scanners = scanner_sources(self._settings)
        work = [source.bring(take, telling("scanner", source.name), self._clock) for source in scanners]
        if self._gateway.guns:
            work.append(self._gateway.serve(ask, telling("gateway", "gateway")))
        return work

    def close(self) -> None:
        """Drop every connection. Scales left open shut when they no longer hear us."""
        for link in self._links.values():
            link.close()


def _state_of(lane: Lane) -> str:
    return lane.state.value


def scanner_sources(settings: Settings) -> list[ScannerSource | ListeningSource]:
    """The scanners that do not type into our terminal."""
    return [_source(one, settings.scanner.prefix) for one in settings.scanners]


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
