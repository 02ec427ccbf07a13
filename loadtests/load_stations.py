"""What a benchmark knows of a station, read from the service over HTTP, and the question that it asks from there.

No request is made in this module.
"""

import time
from dataclasses import dataclass
from typing import Any

LINK = "HTTPS://ID.PINGLIAN.EXAMPLE/C/"
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cylinder:
    """A cylinder that arrives at the station: the code on it and what it weighs empty."""

    code: str
    tare_g: int


@dataclass(frozen=True, slots=True)
class Station:
    """A filling station (充装站) with the token of its device."""

    base_url: str
    token: str
    station_id: str
    scales: tuple[str, ...]
    workers: tuple[str, ...]
    cylinders: tuple[Cylinder, ...]

    @property
    def headers(self) -> dict[str, str]:
        """What every request of the station carries."""
        return {"Authorization": f"Bearer {self.token}"}


def station_of(base_url: str, token: str, replica: dict[str, Any]) -> Station:
    """The station as its replica (`GET /v1/stations/{id}/replica`) describes it."""
    state = replica["station"]
    return Station(
        base_url=base_url,
        token=token,
        station_id=replica["station_id"],
        scales=tuple(sorted(state["scales"])),
        workers=tuple(sorted(state["workers"])),
        cylinders=tuple(
            Cylinder(cylinder["codes"][0], cylinder["stamp"]["tare_g"])
            for cylinder in replica["cylinders"]
            if cylinder["codes"]
        ),
    )


def now_ms() -> int:
    """This machine's clock, UTC milliseconds."""
    return time.time_ns() // 1_000_000


def fill_request(station: Station, check_id: str, lane: int, code: str | None, empty_gross_g: int) -> Body:
    """The question "may this cylinder be filled here, now?"; without a code the scan was unreadable."""
    body: Body = {
        "check_id": check_id,
        "raw_scan": f"{LINK}{code}\r" if code else "?\r",
        "station_id": station.station_id,
        "scale_id": station.scales[lane % len(station.scales)],
        "lane": lane,
        "boot_id": "load-1",
        "worker_id": station.workers[lane % len(station.workers)],
        "empty_gross_g": empty_gross_g,
        "requested_at": now_ms(),
    }
    return body | ({"code": code} if code else {"unreadable_because": "not_a_code"})
