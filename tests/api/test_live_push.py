"""Live push between processes: through Redis while it is there, and without it all the same."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from api_house import DEVICE, DEVICE_KEY, Bottle, House, check_body, listening, new_id, next_change, now, settle
from redis import Redis

from cylinder_api.live import POLL_S
from cylinder_trace.admission import decide_fill
from cylinder_trace.decision import FillRequest
from cylinder_trace.station import facts_for
from servers.keeper import free_port
from servers.postgres import fresh_database
from servers.redis import running_redis
from station_agent.clock import TrustedClock
from station_agent.journal import Journal
from station_agent.log_keys import LogKeys
from station_agent.own_acts import OwnActs
from station_agent.replica import Replica
from station_agent.service import Service
from station_agent.sync import Sync


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


def told_in_time(told: House, telling: House) -> bool:
    """Whether a station hears of a flag within three seconds; a machine that stood still meanwhile gets four more."""
    return any(seconds_until_told(told, telling) < 3 for _ in range(5))


def told_by_a_call(told: House, telling: House) -> bool:
    """Whether a station on one service hears of a flag set through the other, while that one does not look itself."""
    bottle, feed = telling.new_bottle(), told.running.feed
    with listening(told.as_("station")) as stream:
        settle(stream, telling)
        feed.poll_s = 3600.0
        try:
            time.sleep(2 * POLL_S)  # the look that was due already
            flag(telling, bottle.code)
            return bottle.subject in next_change(stream)["subjects"]
        finally:
            feed.poll_s = POLL_S


def test_a_flag_set_through_one_process_reaches_a_station_on_another_through_redis(
    tmp_path: Path, postgres_server: str, redis_url: str
) -> None:
    with two_houses(tmp_path, postgres_server, redis_url) as (first, second):
        assert told_by_a_call(second, first)


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
            assert told_in_time(second, first)
        assert told_in_time(second, first)
        checked = first.as_("station").post("/v1/fill-checks", json=check_body(first.new_bottle()))
        assert checked.status_code == 200
        with running_redis(port):
            deadline = time.monotonic() + 60
            with Redis.from_url(redis_url) as redis:
                while redis.pubsub_numsub("pinglian:committed")[0][1] < 2:
                    assert time.monotonic() < deadline, "Redis is back, but nobody listens to it"
                    time.sleep(0.05)
            assert told_by_a_call(second, first)


def test_a_service_starts_and_works_without_the_redis_it_was_told_of(tmp_path: Path) -> None:
    with House(tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0") as house:
        assert told_in_time(house, house)


def test_in_one_process_a_flag_is_told_without_waiting_for_the_next_look(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        assert told_by_a_call(house, house)


def test_a_station_that_does_not_read_its_stream_holds_up_nobody(tmp_path: Path) -> None:
    with House(tmp_path) as house, ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(listening(house.as_("station")))
        assert told_in_time(house, house)


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


@contextmanager
def station_agent(house: House, folder: Path) -> Iterator[Replica]:
    """The replica of a real station that follows one service with nothing but its own client."""
    key = house.running.keys.log.verifying_key
    replica = Replica(folder / "replica.db", "st_1", DEVICE_KEY.seed)
    journal = Journal(folder / "journal.db", DEVICE, DEVICE_KEY)

    async def follow(stop: threading.Event) -> None:
        async with Service(house.url, "token-of-station", "st_1") as service:
            sync = Sync(
                service, journal, replica, OwnActs(), TrustedClock(), device_id=DEVICE, station_id="st_1",
                log_keys=LogKeys(key, folder), recorded=asyncio.Event(), tell=lambda _event, _fields: None,
            )  # fmt: skip
            following = asyncio.create_task(sync.follow_for_ever())
            await asyncio.to_thread(stop.wait)
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    stop = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(follow(stop)), daemon=True)
    thread.start()
    try:
        yield replica
    finally:
        stop.set()
        thread.join(20)
        replica.close()
        journal.close()


def refusals_at(replica: Replica, bottle: Bottle) -> tuple[str, ...]:
    """What the station itself answers to a scan, from its replica alone."""
    known, request = replica.known, FillRequest(**check_body(bottle, code=bottle.code))
    assert known is not None
    facts = facts_for(known.station, request, known.as_of, 0, locks=known.locks)
    return decide_fill(request, replica.find(bottle.code), facts, known.books[0], now()).codes


def seconds_until(holds: Callable[[], bool]) -> float:
    """How long it takes until something holds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < 30, "it never came to be"
        time.sleep(0.02)
    return time.monotonic() - began


def lets_pass(replica: Replica, bottle: Bottle) -> bool:
    """Whether the station knows the cylinder and nothing against it."""
    return replica.known is not None and refusals_at(replica, bottle) == ()


def seconds_until_refused(replica: Replica, telling: House, bottle: Bottle) -> float:
    """How long it takes until the station itself refuses a cylinder that is flagged now."""
    began = time.monotonic()
    flag(telling, bottle.code)
    seconds_until(lambda: refusals_at(replica, bottle) == ("R32",))
    return time.monotonic() - began


def test_redis_killed_the_station_on_another_process_refuses_by_itself_within_three_seconds(
    tmp_path: Path, postgres_server: str
) -> None:
    port = free_port()
    with ExitStack() as stack:
        with running_redis(port) as redis_url:
            first, second = stack.enter_context(two_houses(tmp_path, postgres_server, redis_url))
            bottles = [first.new_bottle() for _ in range(5)]
            replica = stack.enter_context(station_agent(second, tmp_path))
            for bottle in bottles:
                seconds_until(partial(lets_pass, replica, bottle))
        assert any(seconds_until_refused(replica, first, bottle) < 3 for bottle in bottles), "five times too late"
        assert replica.known is not None
        assert replica.known.version <= first.running.ledger.reader.size()
