"""A day at a filling station (充装站): an empty is scanned on a lane's scale, checked, filled, weighed again, sent out.

One user is one lane (枪位). As a station's agent does, a lane asks the service before each fill, one question at a
time; what it did goes up in the device's own chain, some cylinders at a time.
"""

import itertools
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from locust import events, task

from brief import Cylinder, StationBrief
from device_chain import DeviceChain
from load_stations import LINK, Body, now_ms
from users.caller import Caller, Run

_NONSENSE = 0.02
"""Scans of something that is no code: a label of another firm, a torn one."""
_LOST_ANSWER = 0.02
"""Checks that are asked again with the same id, as a station does that got no answer."""
_NET_G = 1_000
_RESIDUE_G = 100
_FILL_MS = 50
_AT_A_TIME = 100
_GATHER_S = 1.0
"""So many records go up together, or what was told in this time."""


class Filled(NamedTuple):
    """A full cylinder that is on its way to a customer."""

    place: "Place"
    cylinder: Cylinder
    order_no: str


def _two_of(names: Sequence[str], lane: int) -> tuple[str, str]:
    """Who or what fills, and another one that checks."""
    return names[lane % len(names)], names[(lane + 1) % len(names)]


class Place:
    """What the lanes of one station share: the empties that wait, the device's chain, and who is handing it over."""

    full: deque[Filled] = deque()
    """Of all stations; whoever delivers takes from it."""

    def __init__(self, brief: StationBrief) -> None:
        self.brief = brief
        self.empty = deque(cylinder for cylinder in brief.cylinders if cylinder.status == "empty")
        self.chain = DeviceChain(brief.device_id, brief.station_id, bytes.fromhex(brief.seed))
        self.leaving: list[Filled] = []
        self.uploading = False
        self.handed_over_at = time.monotonic()


class StationDay(Caller):
    """One lane."""

    rate = 0.5
    places: list[Place] = []
    _lanes = itertools.count()

    def on_start(self) -> None:
        """Take the next free lane of the next station."""
        super().on_start()
        number = next(StationDay._lanes)
        self.place = self.places[number % len(self.places)]
        self.lane = number // len(self.places)
        station = self.place.brief
        self.scale_id, self.checking_scale_id = _two_of(station.scales, self.lane)
        self.worker_id, self.checker_id = _two_of(station.workers, self.lane)

    @task
    def cylinder_arrives(self) -> None:
        """The next empty is put on the scale; where none waits the lane stands idle."""
        if self.dice.random() < _NONSENSE:
            self._check(None)
        elif self.place.empty:
            cylinder = self.place.empty.popleft()
            if (check_id := self._check(cylinder)) is not None:
                self._fill(cylinder, check_id)

    def _check(self, cylinder: Cylinder | None) -> str | None:
        """Ask whether it may be filled; the check's id if it may."""
        asked = self._question(cylinder)
        answer = self._ask(asked, "fill check 准充")
        if self.dice.random() < _LOST_ANSWER:
            again = self._ask(asked, "fill check again 重发")
            answer = answer or again
        permitted = answer is not None and answer["decision"]["outcome"] != "DENY"
        return str(asked["check_id"]) if permitted else None

    def _question(self, cylinder: Cylinder | None) -> Body:
        scan: Body = {"raw_scan": "?\r", "unreadable_because": "not_a_code", "empty_gross_g": 15_000}
        if cylinder is not None:
            weight = cylinder.tare_g + _RESIDUE_G
            scan = {"raw_scan": f"{LINK}{cylinder.code}\r", "code": cylinder.code, "empty_gross_g": weight}
        return {
            "check_id": Run.new_id("check"),
            "station_id": self.place.brief.station_id,
            "scale_id": self.scale_id,
            "lane": self.lane,
            "boot_id": Run.brief.run_id,
            "worker_id": self.worker_id,
            "requested_at": now_ms(),
            **scan,
        }

    def _ask(self, asked: Body, name: str) -> Any:
        return self.act("/v1/fill-checks", asked["check_id"], asked, name, self.place.brief.token)

    def _fill(self, cylinder: Cylinder, check_id: str) -> None:
        started_at, order_no = now_ms(), Run.new_id("order")
        time.sleep(_FILL_MS / 1000)  # Locust has replaced it: only this lane waits
        empty_g = cylinder.tare_g + _RESIDUE_G
        shared = {"check_id": check_id, "station_id": self.place.brief.station_id, "worker_id": self.worker_id}
        here = {**shared, "scale_id": self.scale_id, "lane": self.lane, "empty_gross_g": empty_g}
        full = {"full_gross_g": empty_g + _NET_G, "net_g": _NET_G + _RESIDUE_G}
        span = {"started_at": started_at, "ended_at": now_ms(), "ended_because": "limit_reached"}
        self._tell(cylinder, "fill_started", here)
        self._tell(cylinder, "filled", {**here, **full, **span})
        checked = {**shared, "worker_id": self.checker_id, "scale_id": self.checking_scale_id}
        self._tell(cylinder, "reweighed", {**checked, **full, "within_limit": True})
        out = {"station_id": self.place.brief.station_id, "worker_id": self.worker_id, "order_no": order_no}
        self._tell(cylinder, "left_station", out)
        self.place.leaving.append(Filled(self.place, cylinder, order_no))
        enough = len(self.place.chain.waiting) >= _AT_A_TIME
        if enough or time.monotonic() - self.place.handed_over_at > _GATHER_S:
            self._hand_over()

    def _tell(self, cylinder: Cylinder, type: str, data: Body) -> None:
        self.place.chain.tell(Run.new_id(type), f"cylinder/{cylinder.cylinder_id}", type, now_ms(), data)

    def _hand_over(self) -> None:
        """Send what waits in the device's chain, unless another lane is at it."""
        place = self.place
        if place.uploading or not place.chain.waiting:
            return
        place.uploading, leaving, place.handed_over_at = True, len(place.leaving), time.monotonic()
        try:
            name = "upload of a lane 上传"
            answered = self.hand_over(place.brief.station_id, place.chain.upload(), name, place.brief.token)
            place.chain.answered(answered)
            if answered:
                Place.full.extend(place.leaving[:leaving])
                del place.leaving[:leaving]
        finally:
            place.uploading = False

    def on_stop(self) -> None:
        """The shift ends: what waits goes up."""
        self._hand_over()


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def open_stations(environment: Any, **_: Any) -> None:
    """Open the stations of the brief."""
    StationDay.places = [Place(station) for station in Run.brief.stations]
