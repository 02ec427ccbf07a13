"""Hand-over with both signatures: one has a cylinder at a time, and may fill it only once both sides signed."""

from dataclasses import replace
from typing import Any

from api_house import Bottle, House, check_body, new_id, now
from test_inspection_acts import post, reasons, state_of

FIRST, SECOND = "company", "company-2"


def give(house: House, bottle: Bottle, to: str = "co_2", role: str = FIRST, **fields: Any) -> Any:
    return post(house, "/v1/handovers", bottle, role, to_holder_id=to, **fields)


def accept(house: House, given: Any, role: str = SECOND) -> Any:
    path = f"/v1/handovers/{given.json()['receipt']['id']}/accept"
    return house.as_(None, f"token-of-{role}").post(path, json={"occurred_at": now() + 1})


def test_both_sides_sign_and_the_second_signature_gives_the_right_to_fill(house: House) -> None:
    bottle = house.new_bottle()
    given = give(house, bottle, basis="entrusted")
    assert given.status_code == 201
    state = state_of(house, bottle)
    assert (state.custodian_id, state.custody_basis) == ("co_2", None)
    first = accept(house, given)
    assert first.status_code == 201
    state = state_of(house, bottle)
    assert (state.owner_id, state.custodian_id, state.custody_basis) == ("co_1", "co_2", "entrusted")
    signed = [entry for entry in house.entries_of(bottle.subject) if entry.type == "handed_over"]
    assert [(entry.by, entry.data["cosigned"]) for entry in signed] == [("company_1", False), ("company_2", True)]


def test_an_entrusted_cylinder_is_filled_by_its_custodian_from_the_second_signature_on(trusting: House) -> None:
    bottle = trusting.new_bottle(owner="co_2")
    assert reasons(trusting, bottle) == ["R10"]
    given = give(trusting, bottle, "co_1", SECOND, basis="entrusted")
    assert reasons(trusting, bottle) == ["R10"]
    assert accept(trusting, given, FIRST).status_code == 201
    assert reasons(trusting, bottle) == []
    give(trusting, bottle, "co_2", FIRST)
    assert reasons(trusting, bottle) == ["R10"]


def test_only_who_has_the_cylinder_gives_it_away_and_only_its_owner_a_right_to_fill(house: House) -> None:
    bottle = house.new_bottle()
    assert give(house, bottle, "co_1", SECOND).json()["code"] == "other_holder"
    assert accept(house, give(house, bottle)).status_code == 201
    assert give(house, bottle, "co_3").json()["code"] == "other_holder"
    assert give(house, bottle, "co_3", SECOND, basis="entrusted").json()["code"] == "other_owner"
    assert give(house, bottle, "co_1", SECOND).status_code == 201


def test_a_hand_over_is_signed_by_whom_it_is_for_and_not_after_the_cylinder_went_on(house: House) -> None:
    bottle = house.new_bottle()
    given = give(house, bottle)
    assert accept(house, given, FIRST).json()["code"] == "handover_unknown"
    first = accept(house, given)
    assert first.status_code == 201
    body = {"occurred_at": house.entries_of(bottle.subject)[-1].occurred_at}
    again = house.as_(None, "token-of-company-2").post(
        f"/v1/handovers/{given.json()['receipt']['id']}/accept", json=body
    )
    assert again.content == first.content
    unsigned = give(house, house.new_bottle(), "co_2")
    bottle = Bottle(unsigned.json()["receipt"]["subject"].partition("/")[2], "")
    bottle = replace(bottle, code=bottle.cylinder_id)
    assert give(house, bottle, "co_9", SECOND).status_code == 201
    late = accept(house, unsigned)
    assert (late.status_code, late.json()["code"]) == (422, "cannot_follow")


def test_a_hand_over_sent_twice_is_one(house: House) -> None:
    bottle = house.new_bottle()
    act: dict[str, Any] = {"id": new_id("give"), "occurred_at": now()}
    first = give(house, bottle, **act)
    assert give(house, bottle, **act).content == first.content
    station = house.as_("station").post("/v1/fill-checks", json=check_body(bottle))
    assert station.json()["decision"]["outcome"] == "ALLOW", "the owner's own stations may fill it"
