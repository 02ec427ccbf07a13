"""What must hold of a station whatever broke: judged by the scales' own log, the ledger, and the exported journal."""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cylinder_trace.events import DisputeRaised, FillDecided, Filled
from station_agent.device import JOURNAL_FILE
from station_agent.filling import NO_GAS_G
from stations.nursery import Nursery
from stations.pieces import Agent, Place, run_here, wait_until
from stations.service import FILLER, RealService, code_of

EMPTY_G = 16_600
_LONGEST_S = 0.8
"""A fill at a hundred times the pace of a real one takes so long."""
_WHILE_IT_STARTS, _LONGEST_START_S = 0.2, 0.4


@dataclass(frozen=True)
class Scanned:
    """A cylinder that was put on a scale and scanned once."""

    number: int
    scale: int

    @property
    def label(self) -> str:
        return f"cylinder-{self.number}"

    @property
    def link(self) -> str:
        return f"HTTPS://ID.PINGLIAN.EXAMPLE/C/{code_of(self.number)}"


def put_on(place: Place, number: int, lane: int = 1) -> Scanned:
    """Put a cylinder that nobody has scanned before on a lane's scale, once the last one is done with.

    Whoever takes a cylinder away before the agent has started again leaves it no weight to close the fill with.
    """
    wait_until(lambda: _count(place, "starts") == 0, "what an earlier agent left open was closed")
    scanned = Scanned(number, lane)
    place.scales.place(lane, scanned.label, EMPTY_G)
    return scanned


def sign_on(agent: Agent, *lanes: int) -> None:
    for lane in lanes:
        agent.type(lane, f"PL:W:{FILLER}")
        agent.wait_for("signed_on", lane=lane)


def kill_at_random_moments(
    place: Place, nursery: Nursery, dice: random.Random, moments: int, numbers: Iterator[int]
) -> list[Scanned]:
    """Kill an agent so many times with two lanes under way, each time a new one; what was scanned.

    One in five dies while it starts and closes what the one before it left open.
    """
    scans = []
    for _ in range(moments):
        if dice.random() < _WHILE_IT_STARTS:
            agent = place.start(nursery, until_ready=False)
            time.sleep(dice.uniform(0, _LONGEST_START_S))
            agent.kill()
            continue
        agent = place.start(nursery)
        both = [put_on(place, next(numbers), lane) for lane in (1, 2)]
        sign_on(agent, 1, 2)
        for scanned in both:
            agent.type(scanned.scale, scanned.link)
        time.sleep(dice.uniform(0, _LONGEST_S))
        agent.kill()
        scans += both
    return scans


def gained_g(place: Place, scanned: Scanned) -> int:
    """How much gas a cylinder got, by the log of its scale alone."""
    weights = [line["gross_g"] for line in place.scales.lines(scanned.scale) if line.get("label") == scanned.label]
    return max(int(weight) for weight in weights) - EMPTY_G


def assert_sound(service: RealService, place: Place, scans: list[Scanned], said: str = "") -> None:
    """Nothing is open, no gas is without its record, nothing is doubled, the chain is whole; the agent has ended."""
    for scale in {scanned.scale for scanned in scans}:
        assert not place.scales.valve_is_open(scale), said
    for scanned in scans:
        _assert_recorded(service, place, scanned, f"{said} {scanned.label}")
    assert service.decided_otherwise() == [], said
    assert place.status()["open_fills"] == 0, said
    _assert_whole(place, said)


def _assert_recorded(service: RealService, place: Place, scanned: Scanned, said: str) -> None:
    entries = service.history(scanned.number)
    events = [entry.event() for entry in entries]
    fills = [event for event in events if isinstance(event, Filled)]
    decisions = [event for event in events if isinstance(event, FillDecided)]
    gained = gained_g(place, scanned)
    assert place.scales.openings(scanned.label) <= 1, said
    assert len(decisions) <= 1, said
    assert len({entry.id for entry in entries}) == len(entries), said
    assert len(fills) == (1 if gained > NO_GAS_G else len(fills[:1])), (said, gained, fills)
    unseen = [event for event in events if isinstance(event, DisputeRaised) and event.kind == "not_seen_to_end"]
    assert len(fills) + len(unseen) <= 1, said
    assert fills or unseen or place.scales.openings(scanned.label) == 0, (said, "an opened valve is on no record")
    for fill in fills:
        assert decisions, said
        assert fill.check_id == decisions[0].decision.check_id, said
        assert abs(fill.full_gross_g - fill.empty_gross_g - gained) <= NO_GAS_G, (said, gained, fill)


def _assert_whole(place: Place, said: str) -> None:
    out = Path(place.folder) / "inspector.jsonl"
    out.unlink(missing_ok=True)
    try:
        run_here("export", "--data", place.data, "--out", out)
    except AssertionError as fault:
        raise AssertionError(said) from fault


def all_sent(place: Place, agent: Agent) -> None:
    """Wait until what an earlier agent left open is closed, and the service has answered for every record."""
    for rows in ("starts", "records where status is null"):
        wait_until(lambda rows=rows: _count(place, rows) == 0 or not agent.is_alive, f"there are no {rows}")
    assert agent.is_alive


def _count(place: Place, what: str) -> int:
    """Rows of the station's journal, read beside the agent; 0 where there is none yet."""
    file = place.data / JOURNAL_FILE
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file)) as journal:
        count: int = journal.execute(f"select count(*) from {what}").fetchone()[0]
    return count
