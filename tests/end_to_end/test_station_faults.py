"""A station whose agent is killed, line cut, journal put back: real processes, judged by the log of the scales."""

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from station_agent import words
from station_agent.device import JOURNAL_FILE
from stations.crash_points import FLOWING_G, POINTS
from stations.laws import Scanned, all_sent, assert_sound, gained_g, put_on, sign_on
from stations.network import Mode, Network, network_to
from stations.nursery import Nursery
from stations.pieces import Agent, Place, station_in, wait_until
from stations.service import RealService, running_service

pytestmark = pytest.mark.slow
_numbers = iter(range(1, 200))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealService]:
    with running_service(tmp_path_factory.mktemp("service"), cylinders=200) as service:
        yield service


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def network(service: RealService) -> Iterator[Network]:
    with network_to(service.port) as network:
        yield network


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, service: RealService, network: Network) -> Iterator[Place]:
    """A station whose scales fill a hundred times as fast as real ones, behind a line that can be cut."""
    with station_in(tmp_path_factory.mktemp("station"), time_factor=100) as place:
        place.enrol(network.url, service.enrolment_code())
        yield place


@pytest.fixture(scope="module")
def other_place(tmp_path_factory: pytest.TempPathFactory, service: RealService, network: Network) -> Iterator[Place]:
    """Another one, so that two can be killed at the same time."""
    with station_in(tmp_path_factory.mktemp("other"), time_factor=100) as place:
        place.enrol(network.url, service.enrolment_code())
        yield place


def test_killed_at_every_step_of_a_fill_no_gas_is_without_its_record_and_nothing_is_doubled(
    service: RealService, place: Place, other_place: Place, nursery: Nursery
) -> None:
    points = list(POINTS)
    with ThreadPoolExecutor(2) as hands:
        shares = list(hands.map(_killed_at, (place, other_place), (nursery, nursery), (points[::2], points[1::2])))
    flowed: dict[str, bool] = {}
    for where, share in zip((place, other_place), shares, strict=True):
        assert_sound(service, where, list(share.values()))
        flowed |= {point: gained_g(where, scanned) > 0 for point, scanned in share.items()}
    assert set(flowed) == set(POINTS)
    assert not any(flowed[point] for point in ("asking_the_service", "decision_committed", "start_committed"))
    assert flowed["gas_flows"]
    assert flowed["fill_committed"]


def _killed_at(place: Place, nursery: Nursery, points: list[str]) -> dict[str, Scanned]:
    """Kill an agent at each of these points, and let the last one close and send what they left."""
    scans = {}
    for point in points:
        agent = place.start(nursery, dies_at=point)
        scanned = scans[point] = put_on(place, next(_numbers))
        sign_on(agent, 1)
        agent.type(1, scanned.link)
        agent.dies()
    agent = place.start(nursery)
    all_sent(place, agent)
    agent.stop()
    return scans


def test_a_fill_cut_short_is_recorded_as_soon_as_its_silent_scale_answers_again_and_nobody_scans(
    service: RealService, place: Place, nursery: Nursery
) -> None:
    agent = place.start(nursery, dies_at="gas_flows")
    scanned = put_on(place, next(_numbers))
    sign_on(agent, 1)
    agent.type(1, scanned.link)
    agent.dies()
    check_id = agent.lines("scanned", 1)[0]["check_id"]
    place.scales.act(1, fault="link")
    try:
        agent = place.start(nursery)
        said = agent.wait_for("fault", lane=1)
        assert (said["check_id"], said["en"]) == (check_id, words.LEFT_OPEN[1])
        assert place.status()["open_fills"] == 1
    finally:
        place.scales.act(1, fault=None)
    all_sent(place, agent)
    assert [line["check_id"] for line in agent.lines("filled")] == [check_id]
    assert agent.lines("scanned") == []
    agent.stop()
    assert gained_g(place, scanned) > FLOWING_G
    assert_sound(service, place, [scanned])


@pytest.mark.parametrize(
    ("mode", "steps"),
    [("cut", ("scanned", "decided", "filling", "filled")), ("silent", ("filling",))],  # silence takes 5 s to be noticed
)
def test_with_the_line_cut_at_every_step_or_half_open_the_fill_ends_as_it_would(
    mode: Mode, steps: tuple[str, ...], service: RealService, place: Place, nursery: Nursery, network: Network
) -> None:
    agent, scans = place.start(nursery), []
    sign_on(agent, 1)
    for step in steps:
        scanned = put_on(place, next(_numbers))
        after = len(agent.said)
        agent.type(1, scanned.link)
        agent.wait_for(step, lane=1, after=after)
        network.turn(mode)
        assert agent.wait_for("filled", "refused", "fault", lane=1, after=after)["event"] == "filled"
        agent.wait_for("link", after=after)
        scans.append(scanned)
        network.turn("open")
        wait_until(lambda: agent.lines("link")[-1]["online"], "the link is back")
    all_sent(place, agent)
    agent.stop()
    assert_sound(service, place, scans)


def test_a_journal_put_back_from_yesterday_begins_no_fill_and_says_whom_to_call(
    service: RealService,
    nursery: Nursery,
    network: Network,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with station_in(tmp_path_factory.mktemp("put-back"), time_factor=100) as place:
        place.enrol(network.url, service.enrolment_code())
        yesterday = place.folder / "yesterday.db"
        _fill_one(place, nursery)
        shutil.copy(place.data / JOURNAL_FILE, yesterday)
        _fill_one(place, nursery)

        _put_back(place, yesterday)  # with the network: the service knows more than lies here
        agent = place.start(nursery)
        closed = agent.wait_for("journal_closed")
        assert "an older copy of it was put back" in closed["detail"]
        assert "the regulator" in closed["next_en"]
        assert "监管部门" in closed["next_zh"]
        _assert_refuses(place, agent)
        agent.stop()
        assert "put back" in str(place.status()["closed_because"])

        _put_back(place, yesterday)  # without it: a second branch is written before anybody can know
        network.turn("cut")
        agent = place.start(nursery)
        sign_on(agent, 1)
        alone = put_on(place, next(_numbers))
        assert agent.scan(1, alone.link)["event"] == "filled"
        network.turn("open")
        assert "uploaded another record" in agent.wait_for("journal_closed")["detail"]
        _assert_refuses(place, agent)
        agent.stop()
        agent = place.start(nursery)
        _assert_refuses(place, agent)
        agent.stop()


def _fill_one(place: Place, nursery: Nursery) -> None:
    agent = place.start(nursery)
    sign_on(agent, 1)
    assert agent.scan(1, put_on(place, next(_numbers)).link)["event"] == "filled"
    all_sent(place, agent)
    agent.stop()


def _put_back(place: Place, copy: Path) -> None:
    for suffix in ("-wal", "-shm"):
        (place.data / f"{JOURNAL_FILE}{suffix}").unlink(missing_ok=True)
    shutil.copy(copy, place.data / JOURNAL_FILE)


def _assert_refuses(place: Place, agent: Agent) -> None:
    sign_on(agent, 1)
    refused = put_on(place, next(_numbers))
    assert "R67" in agent.scan(1, refused.link)["reasons"]
    assert place.scales.openings(refused.label) == 0


def test_the_page_has_a_row_for_each_step_at_which_an_agent_was_killed() -> None:
    page = (Path(__file__).parents[2] / "docs" / "station.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z_]+)`: killed", page, re.MULTILINE)
    assert rows == list(POINTS)
