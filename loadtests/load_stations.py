"""What a load generator knows of a station, read from the service over HTTP, and the bodies that it sends from there.

Shared by the Locust users, who run under gevent, and the benchmarks, who do not: no request is made in this module.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
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


def write_station(station: Station, path: Path) -> None:
    """Keep `station` in a file that only its owner can read: it holds a token."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(station)), encoding="utf-8")


def read_station(path: Path) -> Station:
    """The station in a file of `write_station`."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    lists = {name: tuple(kept[name]) for name in ("scales", "workers")}
    return Station(**{**kept, **lists, "cylinders": tuple(Cylinder(**cylinder) for cylinder in kept["cylinders"])})


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


def empty_back(station: Station, return_id: str, code: str) -> Body:
    """The empty cylinder came back to the station (空瓶回收), now."""
    return {"id": return_id, "code": code, "station_id": station.station_id, "occurred_at": now_ms()}


def fill(asked: Body, fill_id: str, started_at: int, net_g: int) -> Body:
    """What was filled under the permit that `asked` got; it ended now."""
    return {
        "id": fill_id,
        "check_id": asked["check_id"],
        "scale_id": asked["scale_id"],
        "lane": asked["lane"],
        "worker_id": asked["worker_id"],
        "started_at": started_at,
        "ended_at": now_ms(),
        "empty_gross_g": asked["empty_gross_g"],
        "full_gross_g": asked["empty_gross_g"] + net_g,
        "net_g": net_g,
        "ended_because": "limit_reached",
    }
