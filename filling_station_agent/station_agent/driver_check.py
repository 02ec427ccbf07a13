"""`station-agent check-driver`: a driver file tried out against a simulated scale that has its very registers.

The station's own code weighs, opens, refreshes, falls silent, shuts and starts anew over real Modbus; time is virtual,
so that three seconds of silence take none. What happened to the gas is judged by the simulator's log alone.
What it cannot find: an address that the file's author read wrongly in the manual. That shows at the real scale.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from station_agent.care import Check
from station_agent.devices.driver import ScaleDriver
from station_agent.devices.scale import ModbusScale, ScaleFault, ScaleLink, ScaleReading, TcpPort
from station_agent.devices.scale_model import CAPACITY_G, DIVISION_G, Change
from station_agent.devices.simulator import Simulation, serve_tcp

_EMPTY_G, _STOP_G = 16_800, 19_800
_POLL_MS = 100
_PATIENCE_MS, _IMPATIENCE_MS = 5_000, 200  # real time: a machine at full load must not look like a lost link
_COARSEST_G = 50
_WITHOUT_GAS_S, _HELD_OPEN_S, _LONGEST_FILL_S = 5, 6, 60


class _Failed(Exception):
    """What a trial found wrong, in a sentence."""


@dataclass(slots=True)
class Trial:
    """One simulated scale that is played by the driver file, the station's end of it, and the log."""

    driver: ScaleDriver
    simulation: Simulation
    port: TcpPort
    link: ScaleLink
    log: list[Change]
    clock: "VirtualClock"
    scale: ModbusScale = field(init=False)
    boots: int = 0

    def __post_init__(self) -> None:
        self.start_host()

    def start_host(self) -> None:
        """A station that has just begun, as after a crash: it remembers nothing, and its boot id is another."""
        self.boots += 1
        self.scale = ModbusScale(self.link, 1, self.driver, boot_id=self.boots, clock=self.clock.steady)
        self.scale.take_over()

    def wait(self, ms: int) -> None:
        """Let time pass in which nobody says anything."""
        for _ in range(ms // 20):
            self.clock.at_ms += 20
            self.simulation.advance()

    def place(self, gross_g: int = _EMPTY_G) -> None:
        """A cylinder on the platform, and nothing else."""
        platform = self.simulation.scales[1]
        if any(change.event == "placed" for change in self.log):
            platform.remove(self.simulation.advance())
        platform.place("trial", gross_g, self.simulation.advance())
        self.wait(2_000)

    def events(self, *kinds: str) -> list[Change]:
        """The log since the cylinder was placed."""
        placed = max(at for at, change in enumerate(self.log) if change.event == "placed")
        return [change for change in self.log[placed:] if not kinds or change.event in kinds]

    def load_g(self) -> int:
        """What stands on the platform, by the log."""
        return self.events()[-1].load_g

    async def hold_open(self, seconds: float, until: Callable[[ScaleReading], bool] = lambda _: False) -> ScaleReading:
        """Read and refresh as a lane does, for so long or until something holds."""
        reading = await self.scale.read()
        for _ in range(int(seconds * 1000 / _POLL_MS)):
            if until(reading):
                break
            await self.scale.refresh()
            self.wait(_POLL_MS)
            reading = await self.scale.read()
        return reading


class VirtualClock:
    """Milliseconds that pass only when somebody lets them."""

    def __init__(self) -> None:
        self.at_ms = 1_000_000

    def steady(self) -> int:
        """Now."""
        return self.at_ms


@asynccontextmanager
async def trial_of(driver: ScaleDriver) -> AsyncIterator[Trial]:
    """A simulated scale behind a loopback port. Raises SimulatorError."""
    clock, log = VirtualClock(), list[Change]()
    simulation = Simulation(1, 1.0, log.append, driver, wall=clock.steady, steady=clock.steady)
    server, port = await serve_tcp(simulation, "127.0.0.1", 0)
    at = TcpPort("127.0.0.1", port)
    link = ScaleLink(at, timeout_ms=_PATIENCE_MS)
    try:
        yield Trial(driver, simulation, at, link, log, clock)
    finally:
        link.close()
        await server.shutdown()  # type: ignore[no-untyped-call]


async def check_driver(driver: ScaleDriver) -> list[Check]:
    """Every trial of a driver, in the order in which to mend what fails."""
    checks = []
    for (name, mend), step in (_WEIGHING | (_GAS if driver.has_valve else _NO_GAS)).items():
        async with trial_of(driver) as trial:
            try:
                checks.append(Check(name, True, await step(trial)))
            except (_Failed, ScaleFault) as failed:
                checks.append(Check(name, False, str(failed), mend))
    return checks


# ---------------------------------------------------------------- the trials


async def _weighs(trial: Trial) -> str:
    form = trial.driver.weight
    division_g = 1 if form.encoding == "float" else max(1, form.unit_g // form.divisor)
    for gross_g in (0, DIVISION_G, _EMPTY_G, 65_540, CAPACITY_G):
        trial.place(gross_g)
        reading = await trial.scale.read()
        if abs(reading.gross_g - gross_g) >= max(division_g, 2) or not reading.stable:
            raise _Failed(f"{gross_g} g stand at rest; read: {reading.gross_g} g, stable {reading.stable}")
    if division_g > _COARSEST_G:
        raise _Failed(f"one count is {division_g} g; a filling scale shows steps of {_COARSEST_G} g or less")
    return f"0 to {CAPACITY_G // 1000} kg, in steps of {division_g} g"


async def _has_no_valve(trial: Trial) -> str:
    trial.place()
    try:
        await trial.scale.open_valve(_STOP_G)
    except ScaleFault:
        await trial.scale.shut_valve()
        return "a scale without a valve: it is never asked for gas"
    raise _Failed("a scale without a valve was asked for gas")


async def _stays_shut(trial: Trial) -> str:
    trial.place()
    reading = await trial.hold_open(_WITHOUT_GAS_S)
    if reading.valve_open or trial.events("valve_opened"):
        raise _Failed("the valve opened, and nobody had asked for it")
    return "nothing flows before the command"


async def _opens(trial: Trial) -> str:
    trial.place()
    await trial.scale.open_valve(_STOP_G + 50_000)
    reading = await trial.hold_open(_HELD_OPEN_S)
    if len(trial.events("valve_opened")) != 1 or trial.events("valve_shut"):
        raise _Failed(f"opened once and refreshed, the valve should be open; the scale's log: {_told(trial)}")
    if not reading.valve_open:
        raise _Failed("the valve is open, and the status says shut")
    if reading.gross_g < _EMPTY_G + 500:
        raise _Failed(f"gas has flowed for {_HELD_OPEN_S} s, and the weight read is {reading.gross_g} g")
    return f"opens, and stays open for {_HELD_OPEN_S} s of refreshing"


async def _shuts_in_silence(trial: Trial) -> str:
    trial.place()
    await trial.scale.open_valve(_STOP_G + 50_000)
    await trial.hold_open(2)
    trial.wait(trial.driver.silence_ms + 200)
    if [shut.cause for shut in trial.events("valve_shut")] != ["watchdog"]:
        raise _Failed(f"silent for {trial.driver.silence_ms} ms, the valve should have shut; its log: {_told(trial)}")
    with suppress(ScaleFault):
        await trial.scale.refresh()
    if len(trial.events("valve_opened")) != 1:
        raise _Failed("a word from the station after the silence opened the valve again")
    return f"{trial.driver.silence_ms} ms without a word shut the valve, and the next word does not open it"


async def _stops_by_weight(trial: Trial) -> str:
    trial.place()
    await trial.scale.open_valve(_STOP_G)
    await trial.hold_open(_LONGEST_FILL_S, lambda reading: reading.stable and not reading.valve_open)
    over_g, own = trial.load_g() - _STOP_G, "stop_at" in trial.driver.writes
    most_g = trial.driver.overshoot_g if own else 0
    if trial.events("valve_shut") and -1_000 <= over_g <= most_g:
        return f"stops {'by itself' if own else 'by our word'}, {over_g:+d} g of the stop weight"
    raise _Failed(f"asked for {_STOP_G} g, it took {trial.load_g()} g; overshoot_g is {trial.driver.overshoot_g}")


async def _shuts(trial: Trial) -> str:
    trial.place()
    await trial.scale.open_valve(_STOP_G + 50_000)
    await trial.hold_open(4)
    await trial.scale.shut_valve()
    told = trial.events("valve_shut")
    reading = await trial.hold_open(5)
    if [shut.cause for shut in told] != ["command"] or reading.valve_open:
        raise _Failed(f"told to shut, it did not; its log: {_told(trial)}")
    return f"shuts at our word, {trial.load_g() - told[0].load_g} g run in"


async def _forgets_at_restart(trial: Trial) -> str:
    trial.place()
    await trial.scale.open_valve(_STOP_G + 50_000)
    await trial.hold_open(1)
    trial.start_host()
    reading = await trial.hold_open(_WITHOUT_GAS_S)
    if reading.valve_open or len(trial.events("valve_opened")) != 1 or not trial.events("valve_shut"):
        raise _Failed(f"a restarted station only weighed, and what was open before is not shut: {_told(trial)}")
    return "what was open before a restart is shut by the first word after it, and stays shut"


async def _reports_faults(trial: Trial) -> str:
    seen = []
    for fault in ("overload", "stuck_valve", "frozen"):
        trial.place()
        await trial.scale.open_valve(_STOP_G + 50_000)
        await trial.hold_open(1)
        trial.simulation.scales[1].set_fault(fault, trial.simulation.advance())
        if await _is_seen(trial, fault):
            seen.append(fault)
        trial.simulation.scales[1].set_fault(None, trial.simulation.advance())
        await trial.scale.shut_valve()
        trial.wait(4_000)
        await trial.scale.shut_valve()
    unseen = [fault for fault in ("overload", "stuck_valve") if fault not in seen]
    if unseen:
        raise _Failed(f"the scale has {' and '.join(unseen)}, and the station reads neither a fault nor an open valve")
    return f"seen: {', '.join(seen)}" + ("" if "frozen" in seen else "; without a heartbeat a frozen scale is not seen")


async def _is_seen(trial: Trial, fault: str) -> bool:
    try:
        if fault == "stuck_valve":
            await trial.scale.shut_valve()
            reading = await trial.scale.read()
            return reading.valve_open or reading.fault is not None
        reading = await trial.hold_open(4, lambda reading: reading.fault is not None or not reading.valve_open)
    except ScaleFault:
        return True
    return reading.fault is not None or not reading.valve_open


async def _loses_link(trial: Trial) -> str:
    trial.place()
    await trial.scale.open_valve(_STOP_G + 50_000)
    await trial.hold_open(1)
    trial.simulation.scales[1].set_fault("link", trial.simulation.advance())
    link = ScaleLink(trial.port, timeout_ms=_IMPATIENCE_MS)
    try:
        await ModbusScale(link, 1, trial.driver, boot_id=trial.boots, clock=trial.clock.steady).read()
    except ScaleFault:
        trial.wait(trial.driver.silence_ms + 200)
        if trial.events("valve_shut"):
            return "a lost link is a fault here, and shuts the valve there"
        raise _Failed("the link is lost and the valve stays open") from None
    finally:
        link.close()
    raise _Failed("the link is lost, and a weight was read")


def _told(trial: Trial) -> str:
    return ", ".join(f"{change.event} ({change.cause})" for change in trial.events() if change.event != "weight")


Step = Callable[[Trial], Awaitable[str]]
_WEIGHING: dict[tuple[str, str], Step] = {
    ("称重 weighs", "look at [reads] gross, [weight] and word_order"): _weighs,
}
_NO_GAS: dict[tuple[str, str], Step] = {
    ("无阀 no valve", "leave [writes] and [commands] out"): _has_no_valve,
}
_GAS: dict[tuple[str, str], Step] = {
    ("不令不开 shut without a command", "look at [commands] and [status_bits] valve_open"): _stays_shut,
    ("开阀并保持 opens and is kept open", "look at [writes], [commands] and [status_bits] valve_open"): _opens,
    ("静默三秒关阀 silence shuts", "set silence_ms, and the same time-out in the scale"): _shuts_in_silence,
    ("到重停止 stops by weight", "look at [writes] stop_at, or make overshoot_g larger"): _stops_by_weight,
    ("听令关阀 shuts at a word", "look at [commands] shut"): _shuts,
    ("重启不复开 a restart opens nothing", "look at [commands] shut and [writes] boot_id"): _forgets_at_restart,
    ("故障可见 faults are seen", "look at [status_bits], [faults] and [reads] fault_code"): _reports_faults,
    ("断线 a lost link", "look at silence_ms"): _loses_link,
}


def run(driver: ScaleDriver) -> list[Check]:
    """All trials, on a loop of their own."""
    return asyncio.run(check_driver(driver))
