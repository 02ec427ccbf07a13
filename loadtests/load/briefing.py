"""Making the brief of a run: devices and systems are let in over HTTP, cylinders dealt out, queues prepared."""

import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from brief import Brief, Cylinder, QueueBrief, StationBrief
from device_chain import vkey_of
from load.homes import Home
from load.levels import QUEUE_AT_ONCE, Level
from load.queues import prepare_queue
from load.systems import System, token_of
from town_service import AccessError, Town, enrol_device, replica_of, token_in

_SEED_BYTES = 32
_RACK = 30
_LAST_BACK = 0.9
"""The last station comes back a little before the run ends, and still has time to send what it has."""
_STATIONS = ("st_01", "st_01_1", "st_02", "st_02_1", "st_03", "st_03_1", "st_04", "st_05", "st_05_1", "st_06", "st_07")
"""Those of the generated town that may fill."""

Say = Callable[[str], None]


@dataclass(slots=True)
class _Place:
    """A station, the device that was let in there, what its replica says, and the cylinders that nobody has yet."""

    device_id: str
    token: str
    seed: bytes
    replica: dict[str, Any]
    cylinders: list[dict[str, Any]]

    def deal(self, parts: int) -> list[dict[str, Any]]:
        """One of so many parts of what nobody has: no two devices fill the same cylinder."""
        dealt = self.cylinders[::parts]
        del self.cylinders[::parts]
        return dealt


def make_brief(home: Home, level: Level, seconds: int, folder: Path, say: Say) -> Brief:
    """All that the users of a run at this level must know. Raises AccessError."""
    run_id, town = f"load-{secrets.token_hex(4)}", home.towns[0]
    say(f"letting in {len(_STATIONS)} devices …")
    places = list(_places(town))
    queues = tuple(_queues(town, level, seconds, places, run_id, folder, say))
    stations = tuple(_station(place) for place in places)
    companies = sorted({station.company_id for station in stations})
    idle = (cylinder.code for station in stations for cylinder in station.cylinders if cylinder.status == "at_customer")
    return Brief(
        run_id=run_id,
        base_urls=tuple(one.base_url for one in home.towns),
        users=level.users(),
        stations=stations,
        delivery={company: token_of(town, System("delivery", company), run_id) for company in companies},
        inspector=token_in(town, "inspector"),
        to_inspect=tuple(islice(idle, _RACK * (1 + round(level.racks * seconds)))),
        regulator=token_in(town, "regulator"),
        queues=queues,
    )


def _places(town: Town) -> Iterator[_Place]:
    """Every station with a device; a company's cylinders are in the replica of each of its stations, and dealt out."""
    seen: Counter[str] = Counter()
    for station_id in _STATIONS:
        seed = secrets.token_bytes(_SEED_BYTES)
        enrolled = enrol_device(town, station_id, vkey_of("load-device", seed))
        replica = replica_of(town, station_id, enrolled["token"])
        company = replica["station"]["company_id"]
        cylinders = [cylinder for cylinder in replica["cylinders"] if cylinder["codes"]]
        mine = cylinders[seen[company] :: sum(other.startswith(station_id[:5]) for other in _STATIONS)]
        seen[company] += 1
        yield _Place(enrolled["device_id"], enrolled["token"], seed, replica, mine)


def _station(place: _Place) -> StationBrief:
    state = place.replica["station"]
    scales = tuple(id for id, scale in sorted(state["scales"].items()) if _in_order(scale))
    workers = tuple(id for id, until in sorted(state["workers"].items()) if until >= _today())
    cylinders = tuple(_cylinder(cylinder) for cylinder in place.cylinders)
    if not (len(scales) > 1 and len(workers) > 1 and cylinders):
        raise AccessError(f"station {state['station_id']} has too few scales, workers or cylinders: seed a larger town")
    return StationBrief(
        station_id=state["station_id"],
        company_id=state["company_id"],
        device_id=place.device_id,
        token=place.token,
        seed=place.seed.hex(),
        scales=scales,
        workers=workers,
        cylinders=cylinders,
    )


def _in_order(scale: dict[str, Any]) -> bool:
    return not scale["locked"] and scale["verified_until"] >= _today()


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _cylinder(state: dict[str, Any]) -> Cylinder:
    return Cylinder(state["cylinder_id"], state["codes"][-1], state["stamp"]["tare_g"], state["status"])


def _queues(
    town: Town, level: Level, seconds: int, places: Sequence[_Place], run_id: str, folder: Path, say: Say
) -> Iterator[QueueBrief]:
    """The queue of each user that comes back, at one station after the other."""
    users = level.queue_users
    shares = 1 + -(-users // len(places))
    for number in range(users):
        say(f"preparing the queue of a station that was cut off: {number + 1} of {users} …")
        place = places[number % len(places)]
        dealt = {**place.replica, "cylinders": place.deal(shares - number // len(places))}
        within_s = _LAST_BACK * seconds if level.returning else QUEUE_AT_ONCE / level.queued * users
        after_s = random.Random(number).random() * within_s
        yield prepare_queue(town, dealt, round(level.queued * seconds / users), run_id, folder, after_s)
