"""A black flag (黑气瓶): evidence, two persons, a bound on how many one authority can block, and a quick way back."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from api_house import Bottle, House, check_body, new_id, now

from cylinder_api.acts.enrolment import grant
from cylinder_api.commands.failure import CannotDo
from cylinder_api.settings import settings_for

EVIDENCE = ["ab" * 32]
COLLEAGUE, STRANGER = "token-of-a-colleague", "token-of-another-authority"


@pytest.fixture(autouse=True)
def colleagues(house: House) -> None:
    for token, account, authority in ((COLLEAGUE, "regulator_2", "au_1"), (STRANGER, "regulator_3", "au_2")):
        house.running.ledger.transact(
            partial(grant, token=token, account_id=account, role="regulator", org_id=authority)
        )


def flag(house: House, bottle: Bottle, token: str = "token-of-regulator", **changes: Any) -> Any:
    body = {
        "id": new_id("flag"), "code": bottle.code, "flag": "black", "cause": "钢印被磨去", "occurred_at": now(),
        "evidence_sha256": EVIDENCE, **changes,
    }  # fmt: skip
    return house.as_(None, token).post("/v1/flags", json=body)


def clear(house: House, bottle: Bottle, token: str = "token-of-regulator", kind: str = "black") -> Any:
    body = {"id": new_id("clear"), "code": bottle.code, "flag": kind, "cause": "核查无误", "occurred_at": now() + 1}
    return house.as_(None, token).post("/v1/flags/clear", json=body)


def resolve(house: House, dispute_id: str, token: str = COLLEAGUE, outcome: str = "upheld") -> Any:
    body = {"outcome": outcome, "reason": "复核属实", "occurred_at": now()}
    return house.as_(None, token).post(f"/v1/disputes/{dispute_id}/resolve", json=body)


def open_for(house: House, bottle: Bottle) -> list[str]:
    """The disputes about the bottle that wait for somebody."""
    found: list[str] = []
    after: int | None = -1
    while after is not None:
        page = house.as_("auditor").get("/v1/disputes", params={"after": after, "limit": 50}).json()
        found += [item["id"] for item in page["items"] if item["subject"] == bottle.subject]
        after = page["next"]
    return found


def reasons(house: House, bottle: Bottle) -> list[str]:
    decision = house.as_("station").post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]
    return [reason["code"] for reason in decision["reasons"]]


def test_a_black_flag_without_evidence_is_not_taken_and_any_other_flag_is(house: House) -> None:
    bottle = house.new_bottle()
    answer = flag(house, bottle, evidence_sha256=[])
    assert (answer.status_code, answer.json()["code"]) == (422, "evidence_missing")
    assert flag(house, bottle, flag="lost", evidence_sha256=[]).status_code == 201
    assert open_for(house, bottle) == []


def test_a_black_flag_refuses_at_once_and_waits_for_a_second_person_of_its_authority(house: House) -> None:
    bottle = house.new_bottle()
    flag(house, bottle)
    assert reasons(house, bottle) == ["R32"]
    (dispute,) = open_for(house, bottle)
    for token, code in (("token-of-regulator", "same_person"), (STRANGER, "other_authority")):
        answer = resolve(house, dispute, token)
        assert (answer.status_code, answer.json()["code"]) == (403, code)
    first = resolve(house, dispute)
    assert first.status_code == 201
    assert open_for(house, bottle) == []
    assert reasons(house, bottle) == ["R32"], "confirming a flag does not lift it"
    entry = house.entries_of(bottle.subject)[-2]
    assert (entry.type, entry.by, entry.data["outcome"]) == ("dispute_resolved", "regulator_2", "upheld")
    assert house.audit() == []


def test_the_same_flag_sent_twice_is_one_flag_and_one_dispute(house: House) -> None:
    bottle, id, at = house.new_bottle(), new_id("flag"), now()
    first = flag(house, bottle, id=id, occurred_at=at)
    assert flag(house, bottle, id=id, occurred_at=at).content == first.content
    assert house.disputes(bottle.subject) == ["flag_unconfirmed"]


def test_a_dispute_is_resolved_once(house: House) -> None:
    bottle = house.new_bottle()
    flag(house, bottle)
    (dispute,) = open_for(house, bottle)
    assert resolve(house, dispute).status_code == 201
    assert resolve(house, dispute, outcome="dismissed").json()["code"] == "id_conflict"
    assert resolve(house, "nothing-of-the-kind").json()["code"] == "dispute_unknown"


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_second_person_of_the_authority_lifts_a_black_flag_and_the_next_scan_knows(
    house: House, confirmed: bool
) -> None:
    bottle = house.new_bottle()
    flag(house, bottle)
    if confirmed:
        resolve(house, open_for(house, bottle)[0])
    own = clear(house, bottle)
    assert (own.status_code, own.json()["code"]) == (403, "same_person"), "who flags black does not clear"
    assert reasons(house, bottle) == ["R32"]
    assert clear(house, bottle, COLLEAGUE).status_code == 201
    assert reasons(house, bottle) == []
    assert open_for(house, bottle) == []
    ended = [entry.data["outcome"] for entry in house.entries_of(bottle.subject) if entry.type == "dispute_resolved"]
    assert ended == ["upheld" if confirmed else "dismissed"]


def test_who_set_any_other_flag_lifts_it_alone(house: House) -> None:
    bottle = house.new_bottle()
    flag(house, bottle, flag="lost")
    assert clear(house, bottle, kind="lost").status_code == 201


def test_who_flagged_black_last_is_who_does_not_lift_it(house: House) -> None:
    bottle = house.new_bottle()
    flag(house, bottle)
    assert clear(house, bottle, COLLEAGUE).status_code == 201
    flag(house, bottle, COLLEAGUE, occurred_at=now() + 2)
    assert clear(house, bottle, COLLEAGUE).json()["code"] == "same_person"
    assert clear(house, bottle).status_code == 201


def test_another_authority_does_not_lift_the_flag(house: House) -> None:
    bottle = house.new_bottle()
    flag(house, bottle)
    answer = clear(house, bottle, STRANGER)
    assert (answer.status_code, answer.json()["code"]) == (403, "other_authority")
    assert reasons(house, bottle) == ["R32"]


# --- how far one authority reaches in an hour -------------------------------------------------------------------


@pytest.fixture
def three_an_hour(house: House) -> Iterator[str]:
    """The token of an authority of its own, on a service where three flags an hour are many."""
    authority = new_id("au")
    for person in ("a", "b"):
        token = f"{authority}-{person}"
        house.running.ledger.transact(partial(grant, token=token, account_id=token, role="regulator", org_id=authority))
    usual = house.running.settings
    house.running.settings = replace(usual, flags_per_hour=3)
    yield authority
    house.running.settings = usual


def test_who_flags_very_many_cylinders_in_an_hour_needs_a_second_person_to_go_on(
    house: House, three_an_hour: str
) -> None:
    first, second = f"{three_an_hour}-a", f"{three_an_hour}-b"
    for _turn in range(2):
        bottles = [house.new_bottle() for _ in range(3)]
        assert [flag(house, bottle, first, flag="lost").status_code for bottle in bottles] == [201, 201, 201]
        refused = flag(house, house.new_bottle(), first, flag="lost")
        assert (refused.status_code, refused.json()["code"]) == (409, "second_person_needed")
        assert flag(house, house.new_bottle(), second).json()["code"] == "second_person_needed"
        (alarm,) = open_for(house, bottles[-1])
        assert alarm in refused.json()["detail"]
        assert resolve(house, alarm, first).json()["code"] == "same_person"
        assert resolve(house, alarm, second).status_code == 201
    assert flag(house, house.new_bottle(), STRANGER).status_code == 201


def test_an_alarm_does_not_hinder_the_way_back(house: House, three_an_hour: str) -> None:
    token, second = f"{three_an_hour}-a", f"{three_an_hour}-b"
    bottles = [house.new_bottle() for _ in range(3)]
    for bottle in bottles:
        flag(house, bottle, token)
    assert flag(house, house.new_bottle(), token).json()["code"] == "second_person_needed"
    for bottle in bottles:
        assert clear(house, bottle, second).status_code == 201
        assert reasons(house, bottle) == []


@pytest.mark.parametrize("text", ["0", "many", "-1"])
def test_a_number_of_flags_that_is_none_is_one_clear_sentence(text: str, tmp_path: Any) -> None:
    assert settings_for(tmp_path, environment={"FLAGS_PER_HOUR": "7"}).flags_per_hour == 7
    with pytest.raises(CannotDo, match="FLAGS_PER_HOUR must be a whole number above 0"):
        settings_for(tmp_path, environment={"FLAGS_PER_HOUR": text})
