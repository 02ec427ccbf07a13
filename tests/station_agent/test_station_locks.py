"""A regulator's lock at the station: it counts from anybody, and only the regulator's own key ends it here."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import make_code
from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace.dates import HOUR_MS
from cylinder_trace.events import Filled
from cylinder_trace.locks import Lock, LockWords, sign_lock
from station_agent import words
from station_agent.replica import Replica, open_answer
from station_agent.settings import (
    LaneSettings,
    ScaleSettings,
    Settings,
    SettingsError,
    TrustSettings,
    load_settings,
    settings_text,
    trusted_regulators,
)
from stations.bench import DEVICE_KEY, LOG_KEY, Bench, BenchScale, Home, bench_for, home_in, replica_text, station_state
from vectors.admission.cases import Case, base_case

CODE = make_code(bytes(10), TagKey("tests", bytes(32))).text
REGULATOR, STRANGER = SigningKey("au_1", bytes(range(32))), SigningKey("au_1", bytes(32))
EMPTY_G = 16_600


def _good_case() -> Case:
    case = base_case()
    assert case.cylinder is not None
    return replace(case, cylinder=case.cylinder.model_copy(update={"codes": (CODE,)}))


CASE = _good_case()
STATION, START = CASE.request.station_id, CASE.now


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = home_in(tmp_path, STATION)
    home.replica.close()
    home.replica = _opened(tmp_path)
    yield home
    home.close()


def _opened(folder: Path, *known: SigningKey) -> Replica:
    keys = [key.verifying_key for key in known or (REGULATOR,)]
    return Replica(folder / "replica.db", STATION, DEVICE_KEY.seed, keys)


def _lock(locked: bool = True, at: int = 0, key: SigningKey | None = REGULATOR, **about: Any) -> Lock:
    facts: dict[str, Any] = {"id": f"act.{locked}.{at}", "locked": locked, "station_id": STATION, "target": "station"}
    said = LockWords(**{**facts, "authority_id": "au_1", "occurred_at": START + at, "cause": "x", **about})
    return Lock(**said.model_dump(), note=sign_lock(said, key) if key else None, signed_by="as the service says")


def _told(replica: Replica, *locks: Lock, version: int = 10) -> None:
    """The service tells of these locks and of no other."""
    state = station_state(CASE).model_copy(update={"locks": {lock.id: lock for lock in locks}})
    assert CASE.cylinder is not None
    station = state.model_dump(mode="json", exclude_none=True)
    text = replica_text(CASE, (CASE.cylinder,), station=station, version=version)
    replica.take(open_answer(text, STATION, LOG_KEY.verifying_key))


def _reasons(home: Home, *, now: int = START) -> list[str]:
    bench = bench_for(replace(CASE, now=now), home, known=False)
    bench.scale.model.place("here", EMPTY_G, 0)
    bench.runner.run(asyncio.wait_for(bench.scan(CODE), 20))
    return list(bench.decided().decision.codes)


@pytest.mark.parametrize(("key", "proof"), [(None, "unverified"), (STRANGER, "unverified"), (REGULATOR, "signed")])
def test_a_lock_refuses_whoever_signed_it_and_says_whether_that_could_be_verified(
    home: Home, key: SigningKey | None, proof: str
) -> None:
    _told(home.replica, _lock(key=key))
    bench = bench_for(CASE, home, known=False)
    bench.scale.model.place("here", EMPTY_G, 0)
    bench.runner.run(asyncio.wait_for(bench.scan(CODE), 20))
    refusal = bench.decided().decision.reasons[0]
    assert (refusal.code, refusal.detail["proof"]) == ("R63", proof)


@pytest.mark.parametrize("key", [None, STRANGER], ids=["nobody", "a stranger"])
def test_an_unlocking_counts_only_under_a_key_of_the_trust_list(home: Home, key: SigningKey | None) -> None:
    _told(home.replica, _lock(), _lock(False, 1, key=key))
    assert _reasons(home) == ["R63"]
    _told(home.replica, _lock(), _lock(False, 2), version=11)
    assert _reasons(home) == []


def test_an_unlocking_of_another_station_counts_for_nothing_here(home: Home) -> None:
    _told(home.replica, _lock(), _lock(False, 1, station_id="st_9"))
    assert _reasons(home) == ["R63"]


def test_a_service_that_tells_of_a_lock_no_more_has_unlocked_nothing_also_after_a_restart(
    home: Home, tmp_path: Path
) -> None:
    _told(home.replica, _lock())
    _told(home.replica, version=11)
    assert _reasons(home) == ["R63"]
    home.replica.close()
    home.replica = _opened(tmp_path)
    assert _reasons(home) == ["R63"]
    home.replica.forget()
    _told(home.replica, version=12)
    assert _reasons(home) == ["R63"], "a replica fetched anew does not forget a lock either"
    _told(home.replica, _lock(False, 1), version=13)
    assert _reasons(home) == []


def test_a_key_added_to_the_trust_list_counts_from_the_next_start(home: Home, tmp_path: Path) -> None:
    _told(home.replica, _lock(), _lock(False, 1, key=STRANGER))
    assert _reasons(home) == ["R63"]
    home.replica.close()
    home.replica = _opened(tmp_path, REGULATOR, STRANGER)
    assert _reasons(home) == []


def test_a_lock_with_an_end_ends_by_itself_without_the_service(home: Home) -> None:
    _told(home.replica, _lock(until=START + HOUR_MS))
    assert _reasons(home) == ["R63"]
    assert _reasons(home, now=START + HOUR_MS) == []


def test_a_lock_that_comes_while_gas_flows_shuts_the_valve_and_the_fill_is_on_record(home: Home) -> None:
    _told(home.replica)
    bench: Bench = bench_for(CASE, home, known=False, scale=BenchScale(simulated_s_per_read=0.5))
    bench.scale.model.place("here", EMPTY_G, 0)

    async def lock_in_mid_fill() -> None:
        await bench.scale.carries(EMPTY_G + 2_000)
        _told(home.replica, _lock(), version=11)

    async def both() -> None:
        await asyncio.gather(bench.scan(CODE), lock_in_mid_fill())

    bench.runner.run(asyncio.wait_for(both(), 20))
    filled = [event for record in bench.records() if isinstance(event := record.event(), Filled)][-1]
    assert filled.ended_because == "stopped"
    assert filled.full_gross_g < EMPTY_G + 5_000
    assert [change.cause for change in bench.scale.events("valve_shut")] == ["command"]
    assert bench.lane.view.message == words.LOCKED
    assert len(bench.said("locked")) == 1


def test_the_trust_list_is_a_file_of_keys_and_a_broken_line_is_named(tmp_path: Path) -> None:
    lane = LaneSettings(digit=1, scale_id="scale-1", unit=1)
    file = tmp_path / "station.toml"
    text = settings_text("http://127.0.0.1:8000", [lane], ScaleSettings(), None)
    file.write_text(text.replace("# regulators =", "regulators ="), "utf-8")
    settings, data = load_settings(file)
    with pytest.raises(SettingsError, match="cannot be read"):
        trusted_regulators(settings, data)
    listed = data / "regulators.vkeys"
    listed.write_text(f"# 市场监管局\n{format_vkey(REGULATOR.verifying_key)}\n\n", "utf-8")
    assert trusted_regulators(settings, data) == (REGULATOR.verifying_key,)
    listed.write_text("no key\n", "utf-8")
    with pytest.raises(SettingsError, match="no verifying key"):
        trusted_regulators(settings, data)
    assert trusted_regulators(Settings(service_url="http://h", lanes=(lane,), trust=TrustSettings()), data) == ()
