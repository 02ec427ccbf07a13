"""A capture that was answered is carried through, whenever the service is killed: nothing lost, nothing twice."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_house import House, database_of
from api_process import Served
from sqlalchemy import create_engine, select
from test_epcis_capture import JSON, document, ended, event

from cylinder_api.folder import open_folder
from cylinder_trace.store.epcis.writing import EVENT
from cylinder_trace.store.sound import audit_home

EVENTS = 1200
"""Two transactions on PostgreSQL, nineteen on SQLite."""
HEADERS = {"Authorization": "Bearer token-of-company"}


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a home in which a company may capture."""
    with database_of(request) as url:
        with House(tmp_path, url):
            pass
        yield url or f"sqlite:///{tmp_path}/ledger.db"


@contextmanager
def client_of(service: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, headers=HEADERS, timeout=60) as client:
        yield client


def texts_of(url: str, job: str) -> list[bytes]:
    """The events of a job, as they are stored."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            query = select(EVENT.c.text).where(EVENT.c.capture_id == job.rpartition("/")[2]).order_by(EVENT.c.seq)
            return [bytes(text) for text in connection.scalars(query)]
    finally:
        engine.dispose()


def stored(url: str, job: str) -> int:
    """How many events of a job are there."""
    return len(texts_of(url, job))


def test_a_job_goes_on_after_the_service_was_killed_in_the_middle_of_it(home: str, tmp_path: Path) -> None:
    sent = [event() for _ in range(EVENTS)]
    service = Served("--data", tmp_path, "--database-url", home)
    with client_of(service) as client:
        answer = client.post("/epcis/capture", content=json.dumps(document(*sent)), headers=JSON)
    job = answer.headers["Location"]
    until = time.monotonic() + 60
    while not stored(home, job) and time.monotonic() < until:
        time.sleep(0.002)
    assert service.stop(signal.SIGKILL) == -signal.SIGKILL
    before = stored(home, job)

    service = Served("--data", tmp_path, "--database-url", home)
    with client_of(service) as client:
        told: dict[str, Any] = ended(client, job)
    assert service.stop() == 0
    assert (told["success"], stored(home, job)) == (True, EVENTS)
    assert 0 < before <= EVENTS
    assert [json.loads(text) for text in texts_of(home, job)] == sent
    assert audit_home(home, tmp_path, [open_folder(tmp_path).log.verifying_key]).faults == []


def test_a_service_that_is_asked_to_stop_leaves_the_job_to_the_next_one(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        client = house.as_("company")
        said = json.dumps(document(*[event() for _ in range(EVENTS)]))
        job = client.post("/epcis/capture", content=said, headers=JSON).headers["Location"]
    with House(tmp_path) as house:
        assert ended(house.as_("company"), job)["success"]
        assert stored(f"sqlite:///{tmp_path}/ledger.db", job) == EVENTS
        assert len(house.entries_of(f"capture/{job.rpartition('/')[2]}")) == 1
        assert house.audit() == []
