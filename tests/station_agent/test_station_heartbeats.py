"""What makes a station's data look fresh: heartbeats signed for just this station, and nothing that was sent before."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from cylinder_codes.keys import SigningKey
from cylinder_trace.heartbeat import Heartbeat, SignedHeartbeat, sign_heartbeat
from station_agent.log_keys import LogKeys
from station_agent.own_acts import OwnActs
from station_agent.replica import open_answer
from station_agent.service import Change, Service, ServiceGone
from station_agent.sync import Sync
from stations.bench import LOG_KEY, Home, frozen_clock, home_in, replica_text
from vectors.admission.cases import base_case

CASE = base_case()
STATION, START = CASE.request.station_id, CASE.station.data_as_of
VERSION = 10
Said = Change | SignedHeartbeat


@dataclass
class ScriptedStream:
    """A service, or somebody on the way to it, that says what a test wants on one stream and then hangs up."""

    said: list[Said] = field(default_factory=list)
    is_slow: bool = False
    asked_from: list[int] = field(default_factory=list)
    pulls: int = 0

    @asynccontextmanager
    async def changes(self, since: int, unsent: int) -> AsyncIterator[AsyncIterator[Said]]:
        self.asked_from.append(since)

        async def each() -> AsyncIterator[Said]:
            for one in self.said:
                yield one

        yield each()

    async def replica(self, since: int | None) -> bytes:
        self.pulls += 1
        return replica_text(CASE, (), version=VERSION + self.pulls, as_of=START)

    async def dead_codes(self, since: int) -> bytes:
        raise ServiceGone("not asked for here")

    async def rotations(self) -> str:
        return ""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = home_in(tmp_path, STATION)
    home.replica.take(open_answer(replica_text(CASE, ()), STATION, LOG_KEY.verifying_key))
    yield home
    home.close()


def beat(key: SigningKey = LOG_KEY, **about: Any) -> SignedHeartbeat:
    said = {"station_id": STATION, "since": VERSION, "changed": 0, "version": VERSION + 5, "as_of": START + 1_000}
    return sign_heartbeat(Heartbeat(**{**said, **about}), key)


def hear(home: Home, *said: Said) -> tuple[ScriptedStream, str]:
    """Listen to one stream to its end; the stream, and what the station says of the end."""
    stream = ScriptedStream(list(said))
    sync = Sync(
        cast(Service, stream), home.journal, home.replica, OwnActs(), frozen_clock(CASE.now, 0), device_id="d",
        station_id=STATION, log_keys=LogKeys(LOG_KEY.verifying_key, home.replica._path.parent),
        recorded=asyncio.Event(), tell=lambda _event, _fields: None,
    )  # fmt: skip
    with pytest.raises((ServiceGone, Exception)) as ended:
        home.runner.run(sync._follow())
    return stream, str(ended.value)


def known(home: Home) -> tuple[int, int]:
    assert home.replica.known is not None
    return home.replica.known.version, home.replica.known.as_of - START


def test_a_signed_heartbeat_makes_the_data_as_new_as_it_says(home: Home) -> None:
    stream, _ = hear(home, beat())
    assert known(home) == (VERSION + 5, 1_000)
    assert (stream.pulls, stream.asked_from) == (0, [VERSION])


@pytest.mark.parametrize(
    "forged",
    [
        beat(SigningKey(LOG_KEY.name, bytes(32))),
        beat().model_copy(update={"as_of": START + 9_000}),
        beat().model_copy(update={"changed": 0, "since": 0}),
        beat(station_id="st_9"),
        beat().model_copy(update={"signature": ""}),
    ],
    ids=["a stranger's", "a later moment", "another beginning", "another station's", "unsigned"],
)
def test_a_heartbeat_that_is_not_the_ledgers_own_word_to_this_station_ends_the_stream(
    home: Home, forged: SignedHeartbeat
) -> None:
    _, said = hear(home, forged, beat())
    assert known(home) == (VERSION, 0)
    assert "heartbeat" in said


def test_a_change_left_out_on_the_way_is_fetched_all_the_same(home: Home) -> None:
    stream, _ = hear(home, beat(changed=VERSION + 3))
    assert stream.pulls == 1
    assert known(home) == (VERSION + 1, 0), "as old as what was fetched, not as new as the heartbeat"


def test_a_stream_that_began_later_than_the_station_knows_confirms_nothing(home: Home) -> None:
    stream, _ = hear(home, beat(since=VERSION + 2))
    assert stream.pulls == 1
    assert known(home) == (VERSION + 1, 0)


def test_a_heartbeat_sent_once_more_makes_nothing_newer(home: Home) -> None:
    old, new = beat(), beat(version=VERSION + 7, as_of=START + 2_000)
    hear(home, old, new, old, old)
    assert known(home) == (VERSION + 7, 2_000)


def test_a_change_is_a_call_to_look(home: Home) -> None:
    stream, _ = hear(home, Change(VERSION + 1), Change(VERSION))
    assert stream.pulls == 1
