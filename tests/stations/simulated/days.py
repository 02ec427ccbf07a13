"""What happens at a simulated station in a month: honest work, faults that nobody wants, tricks that somebody plays.

Each trick says what the station must have done about it: an alarm of one of these kinds, or a refusal for one of these
reasons.  An honest day has no alarm, whatever breaks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from cylinder_trace.events import Flagged, Returned
from station_agent.devices.scale_model import OPEN, SHUT, Controls
from station_agent.filling import Watch, fill
from station_agent.permit import Permit, PermitRefused
from stations.simulated.ledger import BEGIN_MS, TARE_G, code_of, cylinder_id_of
from stations.simulated.station import SimulatedStation

DAY_MS = 86_400_000
_BACK_AFTER_DAYS = 2
_PATIENCE_S = 600.0


@dataclass(frozen=True)
class Expected:
    """What a trick must lead to on its day: one of these alarms, or a refusal for one of these reasons."""

    trick: str
    alarms: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()


@dataclass
class Month:
    """One station's month."""

    station: SimulatedStation
    random: Random
    days: int
    fills_a_day: int
    cylinders: int
    plan: dict[int, str] = field(default_factory=dict)
    """Day → the trick or fault of that day; the others are plain."""
    out: dict[int, int] = field(default_factory=dict)
    """Cylinder → day on which it was filled, until it is back."""
    black: set[int] = field(default_factory=set)
    expected: list[tuple[int, Expected]] = field(default_factory=list)
    honest: list[tuple[int, int]] = field(default_factory=list)
    """From when to when nothing but honest work was done."""
    refused: dict[str, int] = field(default_factory=dict)

    async def live(self) -> None:
        """Thirty days, one after another."""
        for day in range(self.days):
            opening = BEGIN_MS + day * DAY_MS + self.random.randrange(3_600_000)
            await self._until(opening)
            begun = self.station.town.now()
            await self._morning(day)
            word = self.plan.get(day)
            if word is None:
                await self._plain_day(self.fills_a_day)
            else:
                await _DAYS[word](self, day)
            await self._evening()
            if word not in TRICKS:
                self.honest.append((begun, self.station.town.now()))

    async def _until(self, at_ms: int) -> None:
        await asyncio.sleep(max(0, at_ms - self.station.town.now()) / 1000)

    async def _morning(self, day: int) -> None:
        """Empty cylinders come back to a station that can hear of it."""
        if not self.station.link.cut:
            back = [number for number, since in self.out.items() if day - since >= _BACK_AFTER_DAYS]
            there = [number for number in back if self.station.town.cylinder(number).status == "filled"]
            returned = Returned(station_id=self.station.station_id)
            self.station.town.state([(f"cylinder/{cylinder_id_of(number)}", returned) for number in there])
            never = [number for number in back if day - self.out[number] > 5 and number not in there]
            for number in (*there, *never):
                del self.out[number]
        await self.station.start()

    async def _evening(self) -> None:
        self.station.clock_error_ms = 0
        self.station.platform.clear()
        self.station.platform.heal()
        await asyncio.sleep(3)
        await self.station.stop()

    # ------------------------------------------------------------ honest work

    async def _plain_day(self, fills: int) -> None:
        for _ in range(fills):
            await self.fill_one()

    def next_cylinder(self) -> int:
        """One that is in the yard and empty."""
        start = self.random.randrange(self.cylinders)
        base = self.station.number * 1000
        numbers = (base + (start + step) % self.cylinders for step in range(self.cylinders))
        return next(number for number in numbers if number not in self.out and number not in self.black)

    async def fill_one(self, number: int | None = None) -> str:
        """Put a cylinder on, scan it, let it be filled if it is permitted, take it off. How it ended."""
        number = self.next_cylinder() if number is None else number
        self.place(number)
        await asyncio.sleep(self.random.uniform(1.5, 4))
        ended = await self.scan(number)
        await asyncio.sleep(self.random.uniform(1.5, 4))
        self.station.platform.clear()
        await asyncio.sleep(self.random.uniform(2, 5))
        return ended

    def place(self, number: int) -> None:
        residue_g = self.random.randrange(0, 200, 10)
        self.station.platform.place(cylinder_id_of(number), TARE_G + residue_g)

    async def scan(self, number: int) -> str:
        """Scan what stands there and wait for the end of it; the lane's state then, in a word."""
        run = self.station.run
        assert run is not None
        told = len(self.station.told)
        lane = run.lane
        if not lane.offer(code_of(number)):
            return "busy"
        async with asyncio.timeout(_PATIENCE_S):
            await lane.ready()
        for _, event, fields in self.station.told[told:]:
            if event == "filling":  # how much went in is seen later, if the disk is full
                self.out[number] = (self.station.town.now() - BEGIN_MS) // DAY_MS
            if event == "refused":
                for code in fields["reasons"]:
                    self.refused[code] = self.refused.get(code, 0) + 1
        return lane.state.value

    def expect(self, trick: str, alarms: str = "", reasons: str = "") -> None:
        expected = Expected(trick, frozenset(alarms.split()), frozenset(reasons.split()))
        self.expected.append((self.station.town.now(), expected))


Day = Callable[[Month, int], Awaitable[None]]
_DAYS: dict[str, Day] = {}
TRICKS: set[str] = set()
FAULTS: set[str] = set()


def trick(day: Day) -> Day:
    _DAYS[day.__name__] = day
    TRICKS.add(day.__name__)
    return day


def fault(day: Day) -> Day:
    _DAYS[day.__name__] = day
    FAULTS.add(day.__name__)
    return day


# ---------------------------------------------------------------- faults: honest people, bad luck


@fault
async def cut_for_a_day(month: Month, day: int) -> None:
    """The line is down; the station goes on with what it knows."""
    month.station.link.cut = True
    await month._plain_day(month.fills_a_day)
    month.station.link.cut = False


@fault
async def line_that_comes_and_goes(month: Month, day: int) -> None:
    for _ in range(month.fills_a_day):
        month.station.link.cut = month.random.random() < 0.4
        await month.fill_one()
    month.station.link.cut = False


@fault
async def killed_again_and_again(month: Month, day: int) -> None:
    """The process dies at moments that nobody chooses, and a new one begins with what is on the disk."""
    for _ in range(month.fills_a_day):
        work = asyncio.create_task(month.fill_one())
        if month.random.random() < 0.5:
            await asyncio.wait({work}, timeout=month.random.uniform(0, 25))
            await _die(month, work)
        await asyncio.gather(work, return_exceptions=True)


async def _die(month: Month, work: asyncio.Task[str]) -> None:
    work.cancel()
    await month.station.kill()
    standing = month.station.platform.standing
    await asyncio.sleep(month.random.uniform(0.5, 8))
    await month.station.start()
    await asyncio.sleep(8)
    if standing is not None:  # whatever went in before: it is looked at before it is filled again
        month.out[_number_of(month, standing)] = day_of(month)
    month.station.platform.clear()
    await asyncio.sleep(3)


def day_of(month: Month) -> int:
    return (month.station.town.now() - BEGIN_MS) // DAY_MS


def _number_of(month: Month, cylinder_id: str) -> int:
    base = month.station.number * 1000
    return next(base + n for n in range(month.cylinders) if cylinder_id_of(base + n) == cylinder_id)


@fault
async def disk_full_for_a_while(month: Month, day: int) -> None:
    run = month.station.run
    assert run is not None
    for place in range(month.fills_a_day):
        if place == 4:
            run.full_disk(True)
        if place == 9:
            run.full_disk(False)
            await asyncio.sleep(3)
        await month.fill_one()
    run.full_disk(False)


@fault
async def scale_line_lost(month: Month, day: int) -> None:
    for place in range(month.fills_a_day):
        if place % 5 == 2:
            losing = asyncio.create_task(_lose_scale(month))
            await month.fill_one()
            await losing
        else:
            await month.fill_one()


async def _lose_scale(month: Month) -> None:
    await asyncio.sleep(month.random.uniform(4, 14))
    month.station.platform.lost = True
    await asyncio.sleep(month.random.uniform(1, 15))
    month.station.platform.lost = False


@fault
async def clock_a_minute_off(month: Month, day: int) -> None:
    """Within what the rulebook lets a clock be wrong."""
    month.station.clock_error_ms = month.random.choice((-60_000, 60_000))
    await month._plain_day(month.fills_a_day)


# ---------------------------------------------------------------- tricks


@trick
async def bypass_pipe(month: Month, day: int) -> None:
    """Gas past the valve, and nothing scanned (旁通管)."""
    await month._plain_day(4)
    month.expect("bypass_pipe", alarms="rise_without_permit")
    month.place(month.next_cylinder())
    await asyncio.sleep(5)
    month.station.platform.meddle(bypass_g_s=month.random.uniform(60, 240))
    await asyncio.sleep(8)
    month.station.platform.heal()
    month.station.platform.clear()
    await asyncio.sleep(5)


@trick
async def code_taped_to_the_scale(month: Month, day: int) -> None:
    """One good code for whatever stands there (扫一充多)."""
    await month._plain_day(3)
    number = month.next_cylinder()
    month.expect("code_taped_to_the_scale", alarms="same_code_again")
    if await month.fill_one(number) != "done":
        month.expected.pop()
        return
    for _ in range(3):
        assert await month.fill_one(number) == "refused"


@trick
async def topped_up_after_the_fill(month: Month, day: int) -> None:
    """The scale has shut, the hand valve is opened (令后充气)."""
    await month._plain_day(3)
    number = month.next_cylinder()
    month.place(number)
    await asyncio.sleep(3)
    if await month.scan(number) == "done":
        month.expect("topped_up_after_the_fill", alarms="gas_after_permit")
        await asyncio.sleep(3)
        month.station.platform.meddle(bypass_g_s=100)
        await asyncio.sleep(6)
    month.station.platform.heal()
    month.station.platform.clear()
    await asyncio.sleep(4)


@trick
async def one_scan_many_fills(month: Month, day: int) -> None:
    """After a good fill the next cylinders are filled past the valve."""
    number = month.next_cylinder()
    await month.fill_one(number)
    month.expect("one_scan_many_fills", alarms="rise_without_permit")
    for _ in range(2):
        month.place(month.next_cylinder())
        await asyncio.sleep(4)
        month.station.platform.meddle(bypass_g_s=200)
        await asyncio.sleep(8)
        month.station.platform.heal()
        month.station.platform.clear()
        await asyncio.sleep(4)


@trick
async def valve_forced_by_an_engineering_tool(month: Month, day: int) -> None:
    """Somebody writes the coil himself (强制输出)."""
    await month._plain_day(3)
    number = month.next_cylinder()
    month.expect("valve_forced_by_an_engineering_tool", alarms="rise_without_permit gas_after_permit")
    month.place(number)
    await asyncio.sleep(4)
    platform = month.station.platform
    platform.catch_up()
    for beat in range(3):
        for command in (SHUT, OPEN) if beat == 0 else (OPEN,):
            platform.model.obey(Controls(command, 40_000 + beat, TARE_G + 5_000, 9_999), platform.now())
        await asyncio.sleep(1.5)
        platform.catch_up()
    platform.model.obey(Controls(SHUT, 50_000, TARE_G + 5_000, 9_999), platform.now())
    await asyncio.sleep(4)
    platform.clear()
    await asyncio.sleep(4)


@trick
async def zero_keyed_low(month: Month, day: int) -> None:
    """The scale shows less than stands there: each cylinder gets more (按键改零)."""
    await month._plain_day(2)
    month.expect("zero_keyed_low", alarms="zero_changed")
    month.station.platform.meddle(tare_offset_g=-month.random.randrange(110, 400, 10))
    await asyncio.sleep(4)
    await month._plain_day(4)


@trick
async def zero_keyed_high(month: Month, day: int) -> None:
    """The scale shows more than stands there: each customer gets less (短斤缺两)."""
    await month._plain_day(2)
    month.expect("zero_keyed_high", alarms="zero_changed")
    month.station.platform.meddle(tare_offset_g=month.random.randrange(110, 290, 10))
    await month._plain_day(5)


@trick
async def clock_set_back(month: Month, day: int) -> None:
    """The PC's clock is set back, so that what is overdue looks valid (改钟)."""
    await month._plain_day(3)
    month.expect("clock_set_back", reasons="R65")
    month.station.clock_error_ms = -DAY_MS * month.random.randrange(1, 30)
    for _ in range(3):
        assert await month.fill_one() == "refused"
    month.station.clock_error_ms = 0


@trick
async def network_pulled_for_long(month: Month, day: int) -> None:
    """Offline for as long as it takes: beyond the regulator's hours nothing is filled (拔网线)."""
    month.station.link.cut = True
    await month._plain_day(3)
    month.expect("network_pulled_for_long", reasons="R66")
    await month.station.stop()
    await asyncio.sleep(73 * 3600)
    await month.station.start()
    for _ in range(3):
        assert await month.fill_one() == "refused"
    month.station.link.cut = False


@trick
async def black_cylinder_after_an_outage(month: Month, day: int) -> None:
    """Marked while the station was cut off; once it is back it is refused (黑气瓶)."""
    number = month.next_cylinder()
    month.black.add(number)
    month.station.link.cut = True
    await month._plain_day(3)
    flagged = Flagged(flag="black", authority_id="au_1", cause="x")
    month.station.town.state([(f"cylinder/{cylinder_id_of(number)}", flagged)], by="au_1")
    await asyncio.sleep(60)
    month.station.link.cut = False
    await asyncio.sleep(400)
    month.expect("black_cylinder_after_an_outage", reasons="R32")
    assert await month.fill_one(number) == "refused"


@trick
async def foreign_cylinder(month: Month, day: int) -> None:
    """Another company's (非自有气瓶)."""
    await month._plain_day(3)
    month.expect("foreign_cylinder", reasons="R02 R10")
    number = month.next_cylinder()
    month.place(number)
    await asyncio.sleep(3)
    assert await month.scan(number + 1000 if month.station.number == 1 else number - 1000) == "refused"
    month.station.platform.clear()
    await asyncio.sleep(4)


@trick
async def permit_replayed(month: Month, day: int) -> None:
    """A permit of before opens nothing (准充令重放)."""
    await month.fill_one()
    run = month.station.run
    assert run is not None
    number = month.next_cylinder()
    issued = max(run.station._permits._issued, default=None)
    permit = Permit(
        check_id=issued or "chk_none",
        cylinder_id=cylinder_id_of(number),
        scale_id="sc_1",
        boot_id=f"old.{day}",
        start_before=run.clock.steady() + 100_000,
        stop_at_gross_g=TARE_G + 1_900,
    )
    month.place(number)
    await asyncio.sleep(2)
    openings = sum(change.event == "valve_opened" for change in month.station.platform.log)
    try:
        await fill(
            run.lane.scale, permit, run.station._permits,
            cylinder_id=permit.cylinder_id, scale_id="sc_1", begin=_nothing, watch=_blind(run.clock.steady),
        )  # fmt: skip
        raise AssertionError("a permit of before was taken")
    except PermitRefused:
        pass
    assert openings == sum(change.event == "valve_opened" for change in month.station.platform.log)
    month.station.platform.clear()
    await asyncio.sleep(3)


async def _nothing() -> None:
    """Nothing begins."""


def _blind(steady: Callable[[], int]) -> Watch:
    async def noted(gross_g: int) -> None:
        """Nobody looks."""

    return Watch(steady=steady, must_stop=lambda: False, weighed=lambda _: None, noted=noted, longest_ms=10_000)


@trick
async def journal_copied_back(month: Month, day: int) -> None:
    """Yesterday's journal in today's place, so that today was not (日志回放)."""
    await month._plain_day(2)
    await month.station.stop()
    month.station.copy_journal("kept")
    await asyncio.sleep(60)
    await month.station.start()
    await month._plain_day(4)
    await month.station.stop()
    month.station.copy_journal("true")
    month.station.put_journal_back("kept")
    await asyncio.sleep(60)
    await month.station.start()
    await asyncio.sleep(600)
    run = month.station.run
    assert run is not None
    assert run.journal.closed_because is not None
    assert await month.fill_one() == "refused"


FATAL = {"journal_copied_back"}
_OFTEN = sorted(FAULTS)
_RARELY = sorted(TRICKS - FATAL)


def drawn(random: Random, days: int) -> Iterator[tuple[int, str]]:
    """Which days of a month are not plain: a third have a fault, a third a trick; the first never."""
    for day in range(1, days):
        fate = random.random()
        if fate < 0.3:
            yield day, random.choice(_OFTEN)
        elif fate < 0.45:
            yield day, random.choice(_RARELY)
