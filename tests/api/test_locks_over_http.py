"""A regulator's lock: signed, pushed, refused at the very next check; lifted only under a key on file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_house import House, check_body, listening, new_id, next_change, now, settle

from cylinder_api.cli import main
from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_codes.pem import encrypt_signer
from cylinder_trace import events
from cylinder_trace.locks import LockWords, sign_lock

KEY = SigningKey("au_1", bytes(range(32)))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Its admin has put the regulator's key on file."""
    with House(tmp_path) as running:
        assert trust(running).status_code == 201
        yield running


def trust(house: House, trusted: bool = True, key: SigningKey = KEY) -> Any:
    act = {"id": new_id("key"), "authority_id": "au_1", "vkey": format_vkey(key.verifying_key), "occurred_at": now()}
    more = {} if trusted else {"trusted": False, "cause": "lost"}
    return house.as_("admin").post("/v1/authority-keys", json={**act, **more})


def lock(house: House, locked: bool = True, key: SigningKey | None = KEY, **about: Any) -> Any:
    act = {"id": new_id("lock"), "station_id": "st_1", "target": "station", "locked": locked, "cause": "复查 again"}
    body = {**act, "occurred_at": now(), **about}
    if key is not None:
        body["note"] = sign_lock(LockWords(**body, authority_id="au_1"), key)
    return house.as_("regulator").post("/v1/locks", json=body)


def reasons(house: House, **changes: Any) -> list[Any]:
    body = check_body(house.new_bottle(), **changes)
    decision = house.as_("station").post("/v1/fill-checks", json=body).json()["decision"]
    return [reason["code"] for reason in decision["reasons"]]


def test_a_signed_lock_refuses_the_very_next_check_and_a_signed_unlocking_lets_it_through(house: House) -> None:
    places: list[dict[str, Any]] = [{}, {"target": "lane", "lane": 1}, {"target": "scale", "scale_id": "sc_1_1"}]
    for about in places:
        assert lock(house, **about).status_code == 201
        assert reasons(house) == ["R63"]
        assert lock(house, False, **about).status_code == 201
        assert reasons(house) == []
    assert house.audit() == []


def test_a_lock_of_one_scale_leaves_the_others_alone(house: House) -> None:
    lock(house, target="scale", scale_id="sc_1_1")
    assert reasons(house, scale_id="sc_1_2") == []


def test_the_refusal_names_the_place_the_authority_the_end_and_whether_the_signature_is_good(house: House) -> None:
    lock(house, until=now() + 3_600_000)
    answer = house.as_("station").post("/v1/fill-checks", json=check_body(house.new_bottle())).json()
    told = answer["decision"]["reasons"][0]["detail"]
    assert told.pop("until").count(":") == 1
    assert told == {"target": "station", "authority_id": "au_1", "proof": "signed", "because": "locked_until"}


def test_a_lock_that_has_ended_stops_nothing(tmp_path: Path) -> None:
    ahead = [0]
    with House(tmp_path, clock=lambda: now() + ahead[0]) as house:
        lock(house, until=now() + 60_000)
        assert reasons(house) == ["R63"]
        ahead[0] = 90_000
        assert reasons(house, requested_at=now() + 90_000) == []


@pytest.mark.parametrize("key", [None, SigningKey("au_1", bytes(32))], ids=["nobody", "a stranger"])
def test_a_lock_counts_without_a_good_signature_and_an_unlocking_does_not(house: House, key: SigningKey | None) -> None:
    assert lock(house, key=key).status_code == 201
    assert reasons(house) == ["R63"]
    refused = lock(house, False, key=key)
    assert (refused.status_code, refused.json()["code"]) == (422, "signature_unverified")
    assert reasons(house) == ["R63"]


def test_a_revoked_key_unlocks_no_more(house: House) -> None:
    lock(house)
    assert trust(house, trusted=False).status_code == 201
    assert lock(house, False).json()["code"] == "signature_unverified"
    listed = house.as_("station").get("/v1/authority-keys").json()["items"]
    assert [item["revoked_at"] is not None for item in listed] == [True]


def test_another_authority_unlocks_nothing_of_this_one(house: House) -> None:
    house.append("station/st_1", events.FillingLocked(target="station", authority_id="au_9", cause="x"))
    assert lock(house, False).json()["code"] == "other_authority"


def test_a_key_of_another_name_is_no_key_of_the_authority(house: House) -> None:
    refused = trust(house, key=SigningKey("au_2", bytes(range(32))))
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")


@pytest.mark.parametrize("about", [{"target": "lane"}, {"scale_id": "sc_1_1"}, {"lane": 1}, {"until": 1}])
def test_a_lock_that_does_not_say_what_it_locks_is_refused(house: House, about: dict[str, Any]) -> None:
    assert lock(house, key=None, **about).status_code == 422


def test_a_lock_is_pushed_to_the_station_like_a_mark(house: House) -> None:
    with listening(house.as_("station")) as stream:
        settle(stream, house)
        lock(house)
        assert "station/st_1" in next_change(stream)["subjects"]
    replica = house.as_("station").get("/v1/stations/st_1/replica").json()
    assert [lock["locked"] for lock in replica["station"]["locks"].values()] == [True]


def test_a_lock_is_signed_offline_and_sent_as_it_was_printed(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "au_1.key"
    key.write_text(encrypt_signer(KEY, "correct horse battery"), "utf-8")
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery\n", "utf-8")
    words = ["lock-note", "--key", str(key), "--passphrase-file", str(passphrase), "--authority", "au_1",
             "--station", "st_1", "--lane", "1", "--cause", "x"]  # fmt: skip
    assert main([*words, "--id", new_id("L"), "--until", "2099-01-01T00:00:00+08:00"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert house.as_("regulator").post("/v1/locks", json=body).status_code == 201
    assert house.entries_of("station/st_1")[-1].data["signed_by"] == "au_1"
    assert main([*words, "--id", new_id("L"), "--until", "2099-01-01T00:00:00"]) == 2
    assert "names no zone" in capsys.readouterr().err


def licence(house: House, standing: str, scope: str = "filling") -> None:
    act = {"id": new_id("lic"), "company_id": "co_1", "licence_no": "L", "scope": scope, "valid_from": "2024-01-01"}
    more = {"valid_until": "2099-12-31", "standing": standing, "occurred_at": now()}
    assert house.as_("regulator").post("/v1/licences", json={**act, **more}).status_code == 201


def test_a_companys_suspended_filling_licence_stops_its_stations_those_to_come_too(house: House) -> None:
    licence(house, "suspended", "transport")
    assert reasons(house) == []
    licence(house, "suspended")
    assert reasons(house) == ["R60"]
    act = {"id": new_id("st"), "station_id": "st_9", "company_id": "co_1", "licence_no": "L", "region": "R"}
    body = {**act, "valid_until": "2099-12-31", "occurred_at": now()}
    assert house.as_("regulator").post("/v1/station-licences", json=body).status_code == 201
    noted = [entry.type for entry in house.entries_of("station/st_9")]
    assert noted == ["station_licensed", "company_licence_noted"]
    licence(house, "valid")
    assert reasons(house) == []
    assert house.audit() == []
