"""Live push between processes: through Redis while it is there, and without it all the same."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from api_house import House, check_body, listening, new_id, next_change, now, settle

from servers.keeper import free_port
from servers.postgres import fresh_database
from servers.redis import running_redis


@contextmanager
def two_houses(folder: Path, server_url: str, redis_url: str | None) -> Iterator[tuple[House, House]]:
    """Two services on one PostgreSQL database."""
    with (
        fresh_database(server_url) as url,
        House(folder, url, redis_url) as first,
        House(folder, url, redis_url) as second,
    ):
        yield first, second


def flag(house: House, code: str) -> None:
    body = {"id": new_id("flag"), "code": code, "flag": "black", "cause": "found", "occurred_at": now()}
    body["evidence_sha256"] = ["ab" * 32]
    assert house.as_("regulator").post("/v1/flags", json=body).status_code == 201


def seconds_until_told(told: House, telling: House) -> float:
    """How long it takes until a station on one service hears of a flag that was set through the other."""
    bottle = telling.new_bottle()
    with listening(told.as_("station")) as stream:
        settle(stream, telling)
        began = time.monotonic()
        flag(telling, bottle.code)
        while bottle.subject not in next_change(stream)["subjects"]:
            pass
        return time.monotonic() - began


def test_a_flag_set_through_one_process_reaches_a_station_on_another_through_redis(
    tmp_path: Path, postgres_server: str, redis_url: str
) -> None:
    with two_houses(tmp_path, postgres_server, redis_url) as (first, second):
        # the poll alone would need 0.45 s on the average: the quickest of three must be quicker than luck
        assert min(seconds_until_told(second, first) for _ in range(3)) < 0.3


def test_a_flag_set_through_one_process_refuses_the_very_next_check_on_another(
    tmp_path: Path, postgres_server: str
) -> None:
    with two_houses(tmp_path, postgres_server, None) as (first, second):
        bottle = first.new_bottle()
        flag(first, bottle.code)
        decision = second.as_("station").post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]
        assert [reason["code"] for reason in decision["reasons"]] == ["R32"]
        assert first.audit() == []


def test_redis_killed_stations_hear_of_a_flag_within_three_seconds_and_redis_back_needs_no_restart(
    tmp_path: Path, postgres_server: str
) -> None:
    port = free_port()
    with ExitStack() as stack:
        with running_redis(port) as redis_url:
            first, second = stack.enter_context(two_houses(tmp_path, postgres_server, redis_url))
            assert seconds_until_told(second, first) < 3
        assert seconds_until_told(second, first) < 3
        checked = first.as_("station").post("/v1/fill-checks", json=check_body(first.new_bottle()))
        assert checked.status_code == 200
        with running_redis(port):
            deadline = time.monotonic() + 15
            while seconds_until_told(second, first) > 0.2:
                assert time.monotonic() < deadline, "Redis is back, but nobody uses it"


def test_a_service_starts_and_works_without_the_redis_it_was_told_of(tmp_path: Path) -> None:
    with House(tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0") as house:
        assert seconds_until_told(house, house) < 3


def test_in_one_process_a_flag_is_told_at_once(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        assert min(seconds_until_told(house, house) for _ in range(3)) < 0.3


def test_a_station_that_does_not_read_its_stream_holds_up_nobody(tmp_path: Path) -> None:
    with House(tmp_path) as house, ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(listening(house.as_("station")))
        assert seconds_until_told(house, house) < 1


def test_stopping_ends_open_streams_at_once(tmp_path: Path) -> None:
    house = House(tmp_path).start()
    with listening(house.as_("station")) as stream:
        next(stream)
        began = time.monotonic()
        house.ask_to_stop()
        for _ in stream:
            pass
        assert time.monotonic() - began < 5
    house.stop()
