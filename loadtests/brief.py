"""What the load is told before it begins (任务书): where the service listens, who may call it, what is at each station.

It is read from the service over HTTP in one process and handed to Locust's in a file that only its owner can read: it
holds tokens and the keys of the devices that were let in for this run.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Cylinder:
    """A cylinder of the station: its id, the newest code on it, its tare, and where it is in its life."""

    cylinder_id: str
    code: str
    tare_g: int
    status: str


@dataclass(frozen=True, slots=True)
class StationBrief:
    """A filling station (充装站) and a device of it that was let in for this run."""

    station_id: str
    company_id: str
    device_id: str
    token: str
    seed: str
    """The device's Ed25519 key, hexadecimal."""
    scales: tuple[str, ...]
    workers: tuple[str, ...]
    cylinders: tuple[Cylinder, ...]


@dataclass(frozen=True, slots=True)
class Users:
    """How many users of a kind there are, and how often a second each does its task."""

    count: int
    rate: float


@dataclass(frozen=True, slots=True)
class QueueBrief:
    """What a device has queued while its station was cut off (断网补传), ready to send."""

    station_id: str
    device_id: str
    token: str
    file: str
    """One upload in each line, in the order in which they must be sent."""
    after_s: float
    """When its network is back, from the beginning of the run."""


@dataclass(frozen=True, slots=True)
class Brief:
    """All that the users of a run know."""

    run_id: str
    """All ids that are made in the run begin with it."""
    base_urls: tuple[str, ...]
    """One for each process of the service; the users are dealt out over them."""
    users: Mapping[str, Users]
    """Kind of user → how many, how often."""
    stations: tuple[StationBrief, ...]
    delivery: Mapping[str, str]
    """Company → a token of its delivery app (配送端)."""
    inspector: str
    """A token of an inspection body."""
    to_inspect: tuple[str, ...]
    """Codes of cylinders that no lane of this run works on."""
    regulator: str
    """A token of an authority."""
    queues: tuple["QueueBrief", ...]

    def write(self, path: Path) -> None:
        """Keep it in a file that only its owner can read."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self), ensure_ascii=False), encoding="utf-8")


def read_brief(path: Path) -> Brief:
    """The brief in a file of `Brief.write`."""
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    kept["users"] = {kind: Users(**wanted) for kind, wanted in kept["users"].items()}
    kept["stations"] = tuple(_station(station) for station in kept["stations"])
    kept["queues"] = tuple(QueueBrief(**queue) for queue in kept["queues"])
    return Brief(**{**kept, **{name: tuple(kept[name]) for name in ("base_urls", "to_inspect")}})


def _station(kept: dict[str, Any]) -> StationBrief:
    cylinders = tuple(Cylinder(**cylinder) for cylinder in kept["cylinders"])
    lists = {name: tuple(kept[name]) for name in ("scales", "workers")}
    return StationBrief(**{**kept, **lists, "cylinders": cylinders})
