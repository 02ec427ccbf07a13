"""Gas lots (气质批次): received by the station's company, released on a test, blocked by it or an authority."""

from functools import partial
from typing import Any

import pytest
from api_house import House, check_body, new_id, now

from cylinder_api.acts.enrolment import grant
from cylinder_trace.lots import LotState

OF_THE_STATION, OF_ANOTHER = "token-of-company", "token-of-company-2"
AUTHORITY, OTHER_AUTHORITY = "token-of-regulator", "token-of-another-authority"


@pytest.fixture(autouse=True)
def another_authority(house: House) -> None:
    house.running.ledger.transact(
        partial(grant, token=OTHER_AUTHORITY, account_id="regulator_3", role="regulator", org_id="au_2")
    )


def receive(house: House, token: str = OF_THE_STATION, **changes: Any) -> Any:
    body = {
        "id": new_id("arrival"), "lot_id": new_id("lot"), "station_id": "st_1", "supplier_id": "sup_1",
        "product": "lpg", "mass_g": 20_000_000, "document_no": "D-1", "occurred_at": now(), **changes,
    }  # fmt: skip
    return house.as_(None, token).post("/v1/gas-lots", json=body)


def say(house: House, lot_id: str, word: str, token: str = OF_THE_STATION, **fields: Any) -> Any:
    body = {"id": new_id(word), "occurred_at": now(), **fields}
    return house.as_(None, token).post(f"/v1/gas-lots/{lot_id}/{word}", json=body)


def laboratory(house: House, lot_id: str, passed: bool = True, token: str = OF_THE_STATION) -> Any:
    facts = {"laboratory_id": "lab_1", "report_no": "Q-1", "passed": passed, "dimethyl_ether_ppm": 90}
    return say(house, lot_id, "tests", token, **facts)


def release(house: House, lot_id: str, token: str = OF_THE_STATION) -> Any:
    return say(house, lot_id, "release", token, report_no="Q-1")


def block(house: House, lot_id: str, token: str = OF_THE_STATION) -> Any:
    return say(house, lot_id, "block", token, cause="二甲醚超标")


def a_lot(house: House) -> str:
    answer = receive(house)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["receipt"]["subject"].partition("/")[2])


def reasons(house: House, lot_id: str) -> list[str]:
    body = check_body(house.new_bottle(), lot_id=lot_id)
    decision = house.as_("station").post("/v1/fill-checks", json=body).json()["decision"]
    return [reason["code"] for reason in decision["reasons"]]


def test_a_lot_is_filled_from_once_it_was_tested_and_released(house: House) -> None:
    lot_id = a_lot(house)
    assert reasons(house, lot_id) == ["R51"]
    untested = release(house, lot_id)
    assert (untested.status_code, untested.json()["code"]) == (422, "cannot_follow")
    assert laboratory(house, lot_id).status_code == 201
    assert release(house, lot_id).status_code == 201
    assert reasons(house, lot_id) == []
    lot = house.running.ledger.reader.state(f"lot/{lot_id}")
    assert isinstance(lot, LotState)
    assert (lot.station_id, lot.test_passed, lot.standing) == ("st_1", True, "released")
    assert house.audit() == []


def test_a_lot_that_failed_its_last_test_is_not_released(house: House) -> None:
    lot_id = a_lot(house)
    laboratory(house, lot_id)
    laboratory(house, lot_id, passed=False)
    assert release(house, lot_id).json()["code"] == "cannot_follow"


def test_every_statement_sent_twice_is_one_and_a_lot_comes_in_once(house: House) -> None:
    lot_id, at = new_id("lot"), now()
    first = receive(house, id=f"{lot_id}.in", lot_id=lot_id, occurred_at=at)
    assert receive(house, id=f"{lot_id}.in", lot_id=lot_id, occurred_at=at).content == first.content
    assert receive(house, lot_id=lot_id).json()["code"] == "cannot_follow"
    assert receive(house, id=f"{lot_id}.in", lot_id=new_id("lot"), occurred_at=at).json()["code"] == "id_conflict"
    laboratory(house, lot_id)
    act: dict[str, Any] = {"id": new_id("release"), "report_no": "Q-1", "occurred_at": now()}
    released = say(house, lot_id, "release", **act)
    block(house, lot_id, AUTHORITY)
    assert say(house, lot_id, "release", **act).content == released.content
    assert reasons(house, lot_id) == ["R51"], "the release sent again is the old one"


def test_who_blocks_a_lot_releases_it_however_many_block_it(house: House) -> None:
    lot_id = a_lot(house)
    laboratory(house, lot_id)
    for token in (AUTHORITY, OF_THE_STATION):
        assert block(house, lot_id, token).status_code == 201
    assert reasons(house, lot_id) == ["R51"]
    for token in (OF_THE_STATION, OTHER_AUTHORITY):
        refused = release(house, lot_id, token)
        assert (refused.status_code, refused.json()["code"]) == (403, "other_authority")
    assert "au_1" in release(house, lot_id).json()["detail"]


def test_an_authority_that_blocked_a_lot_alone_releases_it(house: House) -> None:
    lot_id = a_lot(house)
    laboratory(house, lot_id)
    at = now()
    assert say(house, lot_id, "block", AUTHORITY, cause="x", occurred_at=at).status_code == 201
    assert say(house, lot_id, "release", report_no="Q-1").json()["code"] == "other_authority"
    assert say(house, lot_id, "release", AUTHORITY, report_no="Q-1", occurred_at=at + 1).status_code == 201
    assert reasons(house, lot_id) == []


def test_another_companys_station_and_lot_are_not_spoken_for(house: House) -> None:
    foreign = receive(house, OF_ANOTHER)
    assert (foreign.status_code, foreign.json()["code"]) == (403, "other_station")
    assert receive(house, station_id="st_9").json()["code"] == "station_unknown"
    lot_id = a_lot(house)
    for answer in (laboratory(house, lot_id, token=OF_ANOTHER), block(house, lot_id, OF_ANOTHER)):
        assert (answer.status_code, answer.json()["code"]) == (403, "other_station")
    assert laboratory(house, "no-such-lot").json()["code"] == "lot_unknown"


def test_a_mass_that_no_tank_holds_or_a_day_to_come_is_refused(house: House) -> None:
    assert receive(house, mass_g=10**13).json()["code"] == "invalid"
    assert receive(house, occurred_at=now() + 86_400_000).json()["code"] == "occurred_in_future"
