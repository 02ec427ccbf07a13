"""Lists and figures are dropped and made anew by a command, and one that is killed goes on."""

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from api_house import House
from api_process import COMMAND, answer, run
from sqlalchemy import select

from cylinder_trace import events
from cylinder_trace.store.database import open_engine, parse_url
from cylinder_trace.store.fleet.place import FIGURE, FLEET, FOLLOWED, read_place

Lists = tuple[list[Any], list[Any], list[Any]]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A home with cylinders in it, followed by a service that was stopped."""
    home = f"sqlite:///{tmp_path / 'ledger.db'}"
    if request.param == "postgresql":
        home = request.getfixturevalue("postgres_url")
    with House(tmp_path, home) as house:
        for _ in range(40):
            bottle = house.new_bottle()
            house.append(bottle.subject, events.Condemned(body_id="ib_1", cause="thin"))
        house.running.follower.catch_up()
    return home


def lists(url: str) -> Lists:
    engine = open_engine(parse_url(url), writer=False)
    with engine.connect() as connection:
        fleet = connection.execute(select(FLEET).order_by(FLEET.c.cylinder_id)).all()
        figures = connection.execute(select(FIGURE).where(FIGURE.c.value != 0)).all()
        followed = connection.execute(select(FOLLOWED).order_by(FOLLOWED.c.name)).all()
    engine.dispose()
    return [tuple(row) for row in fleet], sorted(tuple(row) for row in figures), [tuple(row) for row in followed]


def size(url: str) -> int:
    engine = open_engine(parse_url(url), writer=False)
    with engine.connect() as connection:
        found = read_place(connection).size
    engine.dispose()
    return found


def test_what_is_made_anew_is_what_was_followed(url: str, tmp_path: Path) -> None:
    before = lists(url)
    said = answer("rebuild-lists", "--data", tmp_path, "--database-url", url)
    assert said["cylinders"] == len(before[0]) == 40
    assert lists(url) == before


def test_a_killed_run_is_taken_up_again_and_ends_in_the_same_lists(url: str, tmp_path: Path) -> None:
    before, entries = lists(url), size(url)
    arguments = [*COMMAND, "rebuild-lists", "--data", str(tmp_path), "--database-url", url]
    killed = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while size(url) == entries and killed.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait(30)
    assert answer("rebuild-lists", "--resume", "--data", tmp_path, "--database-url", url)["entries"] == entries
    assert lists(url) == before


def test_on_sqlite_the_lists_are_not_made_anew_under_a_running_service(tmp_path: Path) -> None:
    with House(tmp_path):
        assert "another process already writes" in run("rebuild-lists", "--data", tmp_path).sentence
