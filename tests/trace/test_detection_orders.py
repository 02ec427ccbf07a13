"""Whatever order unrelated entries come in, and however late a station tells: the same is found."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from detection_log import (
    BLACK,
    DAY,
    HOUR,
    MINUTE,
    NATIONAL,
    NOON,
    Log,
    cylinder,
    filled,
    inspected,
    moved,
    read,
    received,
    registered,
    returned,
    scanned,
    sold,
)
from hypothesis import given
from hypothesis import strategies as st

from cylinder_trace import events
from cylinder_trace.detection.watch import detect
from cylinder_trace.events import Event
from cylinder_trace.rulebook import parse_rulebook

EAGER = parse_rulebook(
    NATIONAL.replace("fills_in_window = 3", "fills_in_window = 2")
    .replace("inspections_a_day = 2000", "inspections_a_day = 1")
    .replace("same_readings = 20", "same_readings = 2")
    .replace("no_rejects = 500", "no_rejects = 2")
    .replace("night_fills = 20", "night_fills = 2")
)
"""Small thresholds, so that a handful of entries reaches each."""


@dataclass
class World:
    """A town of its own: two cylinders, two stations, a worker, an inspection body that no other town knows."""

    name: int

    def acts(self) -> list[Callable[[int], tuple[str, Event]]]:
        """What may happen at an instant, and to whom."""
        name = self.name
        first, second, station, other = cylinder(10 * name), cylinder(10 * name + 1), f"st_{name}a", f"st_{name}b"
        worker, body = f"w_{name}", f"ib_{name}"
        ahead = {"month": "2027-01", "due": "2031-01"}
        return [
            lambda at: (first, registered(serial=f"S{name}")),
            lambda at: (second, registered(serial=f"S{name}")),
            lambda at: (first, scanned(at, station)),
            lambda at: (first, scanned(at, other)),
            lambda at: (first, filled(at, station, worker)),
            lambda at: (second, filled(at, other, worker)),
            lambda at: (first, sold(f"cu_{name}")),
            lambda at: (first, returned(station)),
            lambda at: (first, moved(f"co_{name}", "co_x")),
            lambda at: (first, moved("co_x", f"co_{name}")),
            lambda at: (second, inspected(body=body)),
            lambda at: (second, inspected(body=body, **ahead)),
            lambda at: (first, read(2_500).model_copy(update={"body_id": body})),
            lambda at: (first, BLACK),
            lambda at: (second, events.Condemned(body_id=body, cause="x")),
            lambda at: (f"lot/lot_{name}", received(20_000, station)),
        ]


Steps = st.lists(
    st.tuples(
        st.integers(0, 15),
        st.sampled_from([0, MINUTE, 29 * MINUTE, 30 * MINUTE, 13 * HOUR, DAY, 31 * DAY]),
        st.sampled_from([0, 0, HOUR, 2 * DAY]),
    ),
    max_size=14,
)


def told_in(world: World, steps: list[tuple[int, int, int]]) -> list[tuple[bytes, bytes]]:
    log, now = Log(), NOON
    for act, later, late in steps:
        now += later
        subject, event = world.acts()[act](now - late)
        log.tell(subject, event, now - late, recorded_at=now)
    return log.entries


def found(entries: list[tuple[bytes, bytes]]) -> list[str]:
    return sorted(signal.model_dump_json() for signal in detect(entries, EAGER))


@given(worlds=st.lists(Steps, min_size=2, max_size=4), chance=st.randoms(use_true_random=False))
def test_the_order_of_unrelated_entries_changes_no_finding(
    worlds: list[list[tuple[int, int, int]]], chance: random.Random
) -> None:
    told = [told_in(World(number), steps) for number, steps in enumerate(worlds)]
    one_after_the_other = [entry for entries in told for entry in entries]
    waiting, mixed = [list(entries) for entries in told if entries], []
    while waiting:
        entries = chance.choice(waiting)
        mixed.append(entries.pop(0))
        waiting = [entries for entries in waiting if entries]
    assert found(mixed) == found(one_after_the_other)


Sightings = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(["st_1", "st_2", "st_3"])), unique_by=lambda sighting: sighting[0]
)


@given(sightings=Sightings)
def test_a_code_at_two_places_is_found_in_whatever_order_the_stations_tell(sightings: list[tuple[int, str]]) -> None:
    log = Log()
    for minutes, station in sightings:
        log.tell(cylinder(), scanned(NOON + minutes * MINUTE, station), NOON + minutes * MINUTE, NOON + DAY)
    too_soon = any(
        one[1] != other[1] and other[0] - one[0] < 30 for one, other in pairwise(sorted(sightings))
    )  # fmt: skip
    assert any(signal.kind == "two_places" for signal in log.signals()) == too_soon


@given(
    before=st.lists(st.integers(-200 * 24, 200 * 24), unique=True, max_size=8),
    after=st.lists(st.integers(-200 * 24, 200 * 24), unique=True, max_size=8),
)
def test_every_fill_of_the_days_before_a_flag_is_listed_once_told_before_the_flag_or_behind_it(
    before: list[int], after: list[int]
) -> None:
    log, listed_hours = Log(), set(before) | set(after)
    hashes = {hours: fill_told(log, hours, NOON) for hours in before if hours <= 0}
    flag = log.tell(cylinder(), BLACK, NOON)
    hashes |= {hours: fill_told(log, hours, NOON + 300 * DAY) for hours in after if hours not in hashes}
    listed_hours = {hours for hours in hashes if -180 * 24 <= hours <= 0}
    signals = [signal for signal in log.signals() if signal.kind == "known_late"]
    named = [digest for signal in signals for digest in signal.evidence if digest != flag]
    assert sorted(named) == sorted(hashes[hours] for hours in listed_hours)


def fill_told(log: Log, hours: int, recorded_at: int) -> str:
    return log.tell(cylinder(), filled(NOON + hours * HOUR), NOON + hours * HOUR, recorded_at)
