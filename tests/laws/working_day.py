"""Law: eight lanes at 1,800 cylinders an hour together, hour after hour, and no verdict comes late (工作日).

Real processes and real Modbus, in real time; only the gas flows twelve times as fast, so that a 15 kg cylinder takes
five seconds of the sixteen that each lane has for one.  People put a cylinder down, scan it, wait for the lane and take
it away.  For a third of the time the service cannot be reached, then it answers too late.  Some cylinders are black.

    python tests/laws/working_day.py SEED MINUTES
"""

import random
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from cylinder_trace.events import FillDecided, Filled
from stations.laws import EMPTY_G, Scanned, all_sent, assert_sound, sign_on
from stations.pieces import Agent, Place, station_in
from stations.service import RealService, running_service

LANES, AN_HOUR = 8, 1_800
LATE_MS = 500
"""300 ms in which the service may answer, and as much as weighing, signing and a disk with others on it may take."""
_EVERY_S = LANES * 3_600 / AN_HOUR
_TIME_FACTOR = 12
_PUT_DOWN_S = 2.0
_BLACK = 20
_MINUTES = 2.0


@dataclass
class Day:
    """What was scanned, and how long each verdict took."""

    service: RealService
    place: Place
    agent: Agent
    minutes: float
    seed: int
    waited_ms: list[tuple[str, float]] = field(default_factory=list)
    """How the service stood at the scan, and how long the verdict took."""
    sky: str = "online"
    scans: list[Scanned] = field(default_factory=list)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def put_down(self, lane: int) -> Scanned:
        """The next cylinder; each comes once."""
        with self._one_at_a_time:
            scanned = Scanned(len(self.scans) + 1, lane)
            self.scans.append(scanned)
        self.place.scales.place(lane, scanned.label, EMPTY_G)
        return scanned

    def work(self, lane: int) -> None:
        """One lane's people, from the first cylinder to the last."""
        draw, began = random.Random(f"{self.seed}.{lane}"), time.monotonic() + lane * _EVERY_S / LANES
        for turn in range(max(1, round(self.minutes * 60 / _EVERY_S))):
            _sleep_until(began + turn * _EVERY_S + draw.uniform(0, 2))
            self.fill(lane)

    def fill(self, lane: int) -> None:
        """Put one down, scan it, and wait for the lane."""
        scanned = self.put_down(lane)
        time.sleep(_PUT_DOWN_S)
        after, sky, typed = len(self.agent.said), self.sky, time.perf_counter()
        self.agent.type(lane, scanned.link)
        self.agent.wait_for("decided", lane=lane, after=after)
        self.waited_ms.append((sky, 1_000 * (time.perf_counter() - typed)))
        self.agent.wait_for("filled", "refused", lane=lane, after=after)

    def weather(self) -> None:
        """The service: there, gone, too late, there again."""
        third_s = self.minutes * 20
        time.sleep(third_s)
        self.sky = "gone"
        self.service.stop()
        time.sleep(third_s)
        self.sky = "too late"
        self.service.faults.delay_s["fill-checks"] = 0.4
        self.service.start()
        time.sleep(third_s / 2)
        self.service.faults.clear()
        self.sky = "online"

    @property
    def late(self) -> int:
        """How many verdicts took too long."""
        return sum(waited_ms > LATE_MS for _, waited_ms in self.waited_ms)

    def told(self) -> str:
        """The day, a line for all of it and one for each state of the service."""
        skies = dict.fromkeys(sky for sky, _ in self.waited_ms)
        return "\n".join([self._told("all", *skies), *(self._told(sky, sky) for sky in skies), f"late {self.late}"])

    def _told(self, name: str, *skies: str) -> str:
        waited_ms = [waited_ms for sky, waited_ms in self.waited_ms if sky in skies]
        cuts = statistics.quantiles(waited_ms, n=100, method="inclusive") if waited_ms[1:] else waited_ms * 99
        slowest = max(waited_ms)
        return f"{name}: {len(waited_ms)} verdicts, p50 {cuts[49]:.0f}, p99 {cuts[98]:.0f}, slowest {slowest:.0f} ms"


def check(seed: int, folder: Path) -> None:
    """Two minutes of it."""
    worked(seed, folder, _MINUTES)


def worked(seed: int, folder: Path, minutes: float) -> Day:
    """So many minutes of it; every verdict in time, every cylinder decided and filled once, or refused as black."""
    cylinders = LANES * max(1, round(minutes * 60 / _EVERY_S))
    black = set(random.Random(seed).sample(range(1, cylinders + 1), cylinders // _BLACK))
    with (
        running_service(folder / "service", cylinders=cylinders, scales=LANES) as service,
        station_in(folder / "station", scales=LANES, time_factor=_TIME_FACTOR) as place,
    ):
        for number in black:
            service.flag(number)
        place.enrol(service.url, service.enrolment_code())
        day = Day(service, place, place.start(), minutes, seed)
        sign_on(day.agent, *range(1, LANES + 1))
        with ThreadPoolExecutor(LANES + 1) as people:
            for done in [*(people.submit(day.work, lane) for lane in range(1, LANES + 1)), people.submit(day.weather)]:
                done.result()
        all_sent(place, day.agent)
        day.agent.stop()
        _assert_recorded(day, day.scans, black)
    assert day.late == 0, day.told()
    return day


def _assert_recorded(day: Day, scans: list[Scanned], black: set[int]) -> None:
    assert_sound(day.service, day.place, scans, f"seed {day.seed}")
    for scanned in scans:
        events = [entry.event() for entry in day.service.history(scanned.number)]
        fills = sum(isinstance(event, Filled) for event in events)
        (decided,) = [event for event in events if isinstance(event, FillDecided)]
        assert fills == decided.decision.permits == (scanned.number not in black), (scanned.label, decided.decision)


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pinglian-day-") as place_of_work:
        print(worked(int(sys.argv[1]), Path(place_of_work), float(sys.argv[2])).told())
