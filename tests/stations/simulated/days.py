"""What happens at a simulated station in a month: honest work, faults that nobody wants, tricks that somebody plays.

Each trick says what the station must have done about it: an alarm of one of these kinds, or a refusal for one of these
reasons.  An honest day has no alarm, whatever breaks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from cylinder_trace.events import Flagged, HandedOver, Returned
from station_agent.devices.scale_model import OPEN, SHUT, Controls
from station_agent.devices.scanner import Finding, Scan
from station_agent.filling import Watch, fill
from station_agent.permit import Permit, PermitRefused
from stations.simulated.ledger import (
    BEGIN_MS,
    CHECKERS,
    FILLERS,
    STRANGER,
    TARE_G,
    code_of,
    company_of,
    cylinder_id_of,
    spares_of,
)
from stations.simulated.station import People, SimulatedStation

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
    held: set[int] = field(default_factory=set)
    """Cylinders that somebody has in his hands."""
    black: set[int] = field(default_factory=set)
    expected: list[tuple[int, Expected]] = field(default_factory=list)
    honest: list[tuple[int, int]] = field(default_factory=list)
    """From when to when nothing but honest work was done."""
    released: list[int] = field(default_factory=list)
    """Cylinders that were seen to pass their second weight and list."""
    refused: dict[str, int] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One cylinder at a time stands on the scale of the check lane."""

    def __post_init__(self) -> None:
        self.spares = list(spares_of(self.station.number))

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
            filled = self.station.town.filled_of(self.station.number)
            there = [number for number in back if cylinder_id_of(number) in filled]
            returned = Returned(station_id=self.station.station_id)
            self.station.town.state([(f"cylinder/{cylinder_id_of(number)}", returned) for number in there])
            never = [number for number in back if day - self.out[number] > 5 and number not in there]
            for number in (*there, *never):
                del self.out[number]
        self.held.clear()
        self.station.people = self._drawn_people()
        await self.station.start()

    def _drawn_people(self) -> dict[int, People]:
        """A filler for each lane, and a checker who works at all of them."""
        layout, checker = self.station.layout, self.random.choice(CHECKERS)
        fillers = self.random.sample(FILLERS, len(layout.fill_lanes))
        of_lanes = {lane: People(filler, checker) for lane, filler in zip(layout.fill_lanes, fillers, strict=True)}
        checking = {} if layout.check_lane is None else {layout.check_lane: People(None, checker)}
        return {**of_lanes, **checking}

    async def _evening(self) -> None:
        self.station.clock_error_ms = 0
        for platform in self.station.platforms.values():
            platform.clear()
            platform.heal()
        await asyncio.sleep(3)
        await self.station.stop()

    # ------------------------------------------------------------ honest work

    async def _plain_day(self, fills: int) -> None:
        """All lanes fill; where there is enough to do, others take over in the middle of the day."""
        if fills < 2 * _FILLS_OF_A_SHIFT:
            await self._shift(fills)
            return
        await self._shift(fills // 2)
        for lane, people in self._drawn_people().items():
            await self.station.hand_over(lane, people)
        await self._shift(fills - fills // 2)

    async def _shift(self, fills: int) -> None:
        lanes = self.station.layout.fill_lanes
        shares = [fills // len(lanes) + (place < fills % len(lanes)) for place in range(len(lanes))]
        await asyncio.gather(*(self._fill(lane, share) for lane, share in zip(lanes, shares, strict=True)))

    async def _fill(self, lane: int, fills: int) -> None:
        for _ in range(fills):
            await self.fill_one(lane=lane)

    def next_cylinder(self) -> int:
        """One that is in the yard and empty, and that nobody has in his hands."""
        start = self.random.randrange(self.cylinders)
        base = self.station.number * 1000
        numbers = (base + (start + step) % self.cylinders for step in range(self.cylinders))
        gone = self.out.keys() | self.black | self.held
        number = next(number for number in numbers if number not in gone)
        self.held.add(number)
        return number

    async def fill_one(self, number: int | None = None, lane: int = 1) -> str:
        """Put a cylinder on, scan it, let it be filled if it is permitted, take it off. How it ended."""
        number = self.next_cylinder() if number is None else number
        platform = self.station.platforms[lane]
        self.place(number, lane)
        await asyncio.sleep(self.random.uniform(1.5, 4))
        ended = await self.scan(number, lane)
        await asyncio.sleep(self.random.uniform(1.5, 4))
        full_g = platform.load_g
        platform.clear()
        await asyncio.sleep(self.random.uniform(2, 5))
        if ended == "done" and self.station.layout.checks:
            await self.check_one(number, full_g, lane)
        self.held.discard(number)
        return ended

    async def check_one(self, number: int, full_g: int, lane: int = 1, *, sealed: bool = True) -> str:
        """Weigh a full cylinder again: at the check lane, or where it was filled. How it ended."""
        at = self.station.layout.check_lane or lane
        async with self.turn:
            platform = self.station.platforms[at]
            platform.place(cylinder_id_of(number), full_g)
            await asyncio.sleep(self.random.uniform(1.5, 4))
            if at == lane:
                await self.station.card(at, "reweigh")
            if sealed:
                await self.station.card(at, f"seal=S{number}")
                await self.station.card(at, f"label=L{number}")
            ended = await self._scan(number, at)
            await asyncio.sleep(self.random.uniform(1.5, 4))
            platform.clear()
            await asyncio.sleep(self.random.uniform(2, 5))
        if ended == "checked":
            self.released.append(number)
        return ended

    def place(self, number: int, lane: int = 1) -> None:
        residue_g = self.random.randrange(0, 200, 10)
        self.station.platforms[lane].place(cylinder_id_of(number), TARE_G + residue_g)

    async def scan(self, number: int, lane: int = 1) -> str:
        """Scan what is to be filled there, after its list, and wait for the end of it; the lane's state in a word."""
        if self.station.layout.lists:
            await self.station.card(lane, "checked")
        return await self._scan(number, lane)

    async def _scan(self, number: int, lane: int) -> str:
        run = self.station.run
        assert run is not None
        told = len(self.station.told)
        await self.station.bring(Scan(lane, code_of(number), typed=False))
        async with asyncio.timeout(_PATIENCE_S):
            await run.lanes[lane].ready()
        for one in self.station.told[told:]:
            if one.lane != lane:
                continue
            if one.event == "filling":  # how much went in is seen later, if the disk is full
                self.out[number] = day_of(self)
            if one.event == "refused":
                for code in one.fields["reasons"]:
                    self.refused[code] = self.refused.get(code, 0) + 1
        return run.lanes[lane].state.value

    def hand(self, number: int, giver: str, taker: str) -> None:
        """Both sign that a cylinder is entrusted to somebody, or given back."""
        handed = HandedOver(from_holder_id=giver, to_holder_id=taker, cosigned=True, basis="entrusted")
        both = (f"holder/{giver}", f"holder/{taker}")
        self.station.town.state([(f"cylinder/{cylinder_id_of(number)}", handed)], refs=both)

    def expect(self, trick: str, alarms: str = "", reasons: str = "") -> None:
        expected = Expected(trick, frozenset(alarms.split()), frozenset(reasons.split()))
        self.expected.append((self.station.town.now(), expected))


_FILLS_OF_A_SHIFT = 5


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
    lanes = month.station.layout.fill_lanes
    for _ in range(month.fills_a_day // len(lanes)):
        work = [asyncio.create_task(month.fill_one(lane=lane)) for lane in lanes]
        if month.random.random() < 0.5:
            await asyncio.wait(work, timeout=month.random.uniform(0, 18))
            await _die(month, work)
        await asyncio.gather(*work)


async def _die(month: Month, work: list[asyncio.Task[str]]) -> None:
    ended = [task for task in work if not task.done()]
    for task in ended:
        task.cancel()
    await month.station.kill()
    await asyncio.gather(*ended, return_exceptions=True)
    standing = [platform.standing for platform in month.station.platforms.values()]
    await asyncio.sleep(month.random.uniform(0.5, 8))
    await month.station.start()
    await asyncio.sleep(8)
    for cylinder_id in filter(None, standing):  # whatever went in: it is looked at before it is filled again
        month.out[_number_of(month, cylinder_id)] = day_of(month)
    for platform in month.station.platforms.values():
        platform.clear()
    await asyncio.sleep(3)
    work[:] = [task for task in work if not task.cancelled()]


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
    await asyncio.sleep(month.random.uniform(2, 9))
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
async def left_unweighed(month: Month, day: int) -> None:
    """Some of a shift's cylinders leave without a second weight (漏复秤)."""
    await month._until(month.station.town.now() + 60_000)
    month.expect("left_unweighed", alarms="reweigh_missing")
    done = 0
    for place in range(4):
        number = month.next_cylinder()
        month.place(number)
        await asyncio.sleep(3)
        done += await month.scan(number) == "done"
        full_g = month.station.platform.load_g
        month.station.platform.clear()
        await asyncio.sleep(4)
        if place % 2 == 0:
            await month.check_one(number, full_g)
    assert done == 4
    await month.station.card(1, "handover")
    await asyncio.sleep(3)
    await month.station.sign_on(1, month.station.people[1])


@trick
async def overfilled_and_found_at_the_check(month: Month, day: int) -> None:
    """More goes in by the hand valve; the second weight finds it and it does not leave (超装)."""
    number = month.next_cylinder()
    month.place(number)
    await asyncio.sleep(3)
    assert await month.scan(number) == "done"
    month.expect("overfilled_and_found_at_the_check", alarms="gas_after_permit")
    await asyncio.sleep(3)
    month.station.platform.meddle(bypass_g_s=100)
    await asyncio.sleep(6)
    month.station.platform.heal()
    await asyncio.sleep(2)
    full_g = month.station.platform.load_g
    month.station.platform.clear()
    await asyncio.sleep(4)
    assert await month.check_one(number, full_g) == "refused"


@trick
async def filler_checks_his_own(month: Month, day: int) -> None:
    """Nobody looks at his own work (自充自检)."""
    number = month.next_cylinder()
    month.place(number)
    await asyncio.sleep(3)
    assert await month.scan(number) == "done"
    full_g, people = month.station.platform.load_g, month.station.people[1]
    month.station.platform.clear()
    await asyncio.sleep(4)
    at = month.station.layout.check_lane or 1
    await month.station.sign_on(at, People(None, people.filler))
    assert await month.check_one(number, full_g) == "refused"
    assert month.station.told[-1].event == "not_checked"
    await month.station.sign_on(at, People(None, people.checker))
    assert await month.check_one(number, full_g) == "checked"
    await month.station.sign_on(1, people)


@trick
async def left_without_seal(month: Month, day: int) -> None:
    """Without the numbers of seal and label no list is passed (无封口)."""
    number = month.next_cylinder()
    month.place(number)
    await asyncio.sleep(3)
    assert await month.scan(number) == "done"
    full_g = month.station.platform.load_g
    month.station.platform.clear()
    await asyncio.sleep(4)
    assert await month.check_one(number, full_g, sealed=False) == "refused"
    assert await month.check_one(number, full_g) == "checked"


@trick
async def found_damaged(month: Month, day: int) -> None:
    """What the filler shows of a cylinder refuses it, at whatever else it is good (带病充装)."""
    month.expect("found_damaged", reasons="R40 R41")
    finding = month.random.choice(("body_damaged", "valve_damaged"))
    await month.station.bring(Finding(1, finding, typed=False))
    assert await month.fill_one() == "refused"
    await month._plain_day(2)


@trick
async def one_code_at_two_lanes(month: Month, day: int) -> None:
    """The same code while its cylinder is under way at the other lane (一码两充)."""
    if 2 not in month.station.layout.fill_lanes:
        await month._plain_day(4)
        return
    month.expect("one_code_at_two_lanes", reasons="R03")
    number, other = month.next_cylinder(), month.next_cylinder()
    month.place(number)
    month.place(other, 2)
    await asyncio.sleep(4)
    first = asyncio.create_task(month.scan(number))
    await asyncio.sleep(month.random.uniform(2.5, 4))
    openings = sum(change.event == "valve_opened" for change in month.station.platforms[2].log)
    assert await month.scan(number, 2) == "refused"
    assert openings == sum(change.event == "valve_opened" for change in month.station.platforms[2].log)
    assert await first == "done"
    for lane in (1, 2):
        month.station.platforms[lane].clear()
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
async def entrusted_and_given_back(month: Month, day: int) -> None:
    """Another company's, filled while it is entrusted (托管), also without a network, and not once it is given back."""
    await month._plain_day(2)
    if not month.spares:
        return
    number, link = month.spares.pop(), month.station.link
    month.hand(number, STRANGER, company_of(month.station.number))
    await asyncio.sleep(1_000)
    link.cut = True
    assert await month.fill_one(number) == "done"
    month.hand(number, company_of(month.station.number), STRANGER)
    await asyncio.sleep(60)
    link.cut = False
    await asyncio.sleep(400)
    month.expect("entrusted_and_given_back", reasons="R02 R10")
    assert await month.fill_one(number) == "refused"


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
            run.lanes[1].scale, permit, run.station._permits,
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
    await asyncio.sleep(1_000)
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
