"""A whole agent whose wall clock is set back a day, and one whose disk is read-only from its first day on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from station_agent.device import JOURNAL_FILE
from stations.laws import Scanned, all_sent, assert_sound, put_on, sign_on
from stations.network import Network, network_to
from stations.nursery import Nursery
from stations.pieces import Agent, Place, run_as_owner, station_in
from stations.service import RealService, running_service
from stations.set_clock import CLOCK_FILE, set_clock

pytestmark = pytest.mark.slow
_DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealService]:
    with running_service(tmp_path_factory.mktemp("service"), cylinders=60) as service:
        yield service


@pytest.fixture
def network(service: RealService) -> Iterator[Network]:
    with network_to(service.port) as network:
        yield network


@pytest.fixture
def place(tmp_path: Path, service: RealService, network: Network) -> Iterator[Place]:
    with station_in(tmp_path, time_factor=100) as place:
        place.enrol(network.url, service.enrolment_code())
        yield place


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


# ---------------------------------------------------------------- the clock


def test_an_agent_whose_clock_is_set_back_a_day_fills_nothing_until_it_is_put_right_and_the_service_says_the_time(
    service: RealService, place: Place, network: Network, nursery: Nursery
) -> None:
    clock = place.folder / CLOCK_FILE
    set_clock(clock, 0)
    agent = place.start(nursery, clock=clock)
    sign_on(agent, 1)
    numbers = iter(range(1, 60))
    scans = [put_on(place, next(numbers))]
    assert agent.scan(1, scans[0].link)["event"] == "filled"

    set_clock(clock, -_DAY_MS)
    scans.append(_refused_for_the_clock(place, agent, next(numbers)))
    all_sent(place, agent)
    agent.stop()

    network.turn("cut")  # a new agent, with nobody who says the time
    agent = place.start(nursery, clock=clock)
    sign_on(agent, 1)
    scans.append(_refused_for_the_clock(place, agent, next(numbers)))

    set_clock(clock, 0)
    scans.append(_refused_for_the_clock(place, agent, next(numbers)))  # put right by hand: nobody can tell
    after = len(agent.said)
    network.turn("open")
    agent.wait_for("replica", after=after)  # signed, and with the time in it
    scans.append(put_on(place, next(numbers)))
    last = agent.scan(1, scans[-1].link)
    assert last["event"] == "filled", last
    all_sent(place, agent)
    agent.stop()
    assert_sound(service, place, scans)


def _refused_for_the_clock(place: Place, agent: Agent, number: int) -> Scanned:
    scanned = put_on(place, number)
    assert "R65" in agent.scan(1, scanned.link)["reasons"]
    assert place.scales.openings(scanned.label) == 0
    return scanned


# ---------------------------------------------------------------- the disk


def test_on_a_disk_that_is_read_only_nobody_is_enrolled_and_the_one_time_code_stays_good(
    service: RealService, place: Place, tmp_path: Path
) -> None:
    code, disk = service.enrolment_code(), tmp_path / "disk"
    disk.mkdir()
    words = ("enrol", "--url", service.url, "--code", code, "--data", disk / "agent", "--scale-port", place.scales.port)
    with _read_only(disk):
        done = run_as_owner(*words)
    _assert_told(done.returncode, done.stderr, disk)
    assert run_as_owner(*words).returncode == 0


@pytest.mark.parametrize("has_run", [False, True], ids=["first day", "later day"])
def test_an_agent_whose_disk_is_read_only_says_so_and_does_not_start(
    place: Place, nursery: Nursery, *, has_run: bool
) -> None:
    if has_run:
        place.start(nursery).stop()
    placed = put_on(place, 58 + has_run)
    with _read_only(place.data):
        done = run_as_owner("run", "--headless", "--config", place.config)
        tested = run_as_owner("self-test", "--config", place.config)
    _assert_told(done.returncode, done.stderr, place.data)
    assert tested.returncode == 1
    assert JOURNAL_FILE in tested.stdout
    assert place.scales.openings(placed.label) == 0
    agent = place.start(nursery)  # mended, it goes on
    sign_on(agent, 1)
    assert agent.scan(1, placed.link)["event"] == "filled"
    agent.stop()


def _assert_told(status: int, said: str, where: Path) -> None:
    assert status == 2
    assert str(where) in said
    assert len(said.strip().splitlines()) == 1, said


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """Nothing in a folder can be written, nor anything new be put there."""
    modes = {path: path.stat().st_mode for path in (folder, *folder.iterdir())}
    for path, mode in modes.items():
        path.chmod(mode & 0o555)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
