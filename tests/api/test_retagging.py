"""A new tag (换标): asked for with the serial on the steel, answered by another person, the old code dead for ever."""

from functools import partial
from typing import Any

import pytest
from api_house import Bottle, House, new_id, now
from test_imports_route import new_code
from test_inspection_acts import post, reasons, state_of

from cylinder_api.acts.enrolment import grant

PICTURE = [{"sha256": "ab" * 32, "media_type": "image/jpeg", "size": 9}]


def ask(house: House, bottle: Bottle, role: str = "company", **changes: Any) -> Any:
    serial = state_of(house, bottle).stamp.serial
    facts = {"cause": "标签脱落", "stamp_serial_seen": serial, "evidence": PICTURE, **changes}
    return post(house, "/v1/retags", bottle, role, **facts)


def answer(house: House, asked: Any, word: str = "grant", role: str = "regulator", **fields: Any) -> Any:
    request_id = asked.json()["receipt"]["id"] if not isinstance(asked, str) else asked
    body = {"occurred_at": now(), **fields}
    return house.as_(None, f"token-of-{role}").post(f"/v1/retags/{request_id}/{word}", json=body)


def scanned(house: House, code: str) -> list[str]:
    return reasons(house, Bottle("", code))


def test_a_granted_tag_kills_the_old_code_and_binds_the_new_one_in_the_same_act(house: House) -> None:
    bottle, new = house.new_bottle(), new_code(house, 700)
    asked = ask(house, bottle)
    assert asked.status_code == 201
    assert scanned(house, bottle.code) == ["R06"]
    body: dict[str, Any] = {"new_code": new, "occurred_at": now()}
    first = answer(house, asked, **body)
    assert first.status_code == 201
    assert answer(house, asked, **body).content == first.content
    state = state_of(house, bottle)
    assert (state.codes, state.voided_codes, state.retags) == ((new,), (bottle.code,), None)
    granted, bound = [entry for entry in house.entries_of(bottle.subject) if entry.by == "regulator_1"]
    assert (granted.type, bound.type) == ("retag_approved", "code_bound")
    assert granted.act_id == bound.act_id
    assert "R05" in scanned(house, bottle.code)
    assert scanned(house, new) == []
    assert house.audit() == []


def test_a_refused_tag_leaves_the_old_one_alive_and_a_request_is_answered_once(house: House) -> None:
    bottle = house.new_bottle()
    asked = ask(house, bottle)
    assert answer(house, asked, "refuse", cause="标签完好").status_code == 201
    assert scanned(house, bottle.code) == []
    late = answer(house, asked, new_code=new_code(house, 701))
    assert (late.status_code, late.json()["code"]) == (422, "id_conflict")
    assert state_of(house, bottle).codes == (bottle.code,)


def test_a_code_of_another_cylinder_or_a_dead_one_is_not_replaced(house: House) -> None:
    bottle, other = house.new_bottle(), house.new_bottle()
    about_another = ask(house, bottle, old_code=other.code)
    assert (about_another.status_code, about_another.json()["code"]) == (422, "code_not_its_own")
    answer(house, ask(house, bottle), new_code=new_code(house, 702))
    assert ask(house, bottle, old_code=bottle.code).json()["code"] == "code_not_its_own"
    assert state_of(house, other).retags is None


def test_a_scrapped_cylinder_and_another_companys_get_no_new_tag(house: House) -> None:
    bottle = house.new_bottle()
    foreign = ask(house, bottle, "company-2")
    assert (foreign.status_code, foreign.json()["code"]) == (403, "other_owner")
    post(house, "/v1/condemnations", bottle, cause="腐蚀")
    assert ask(house, bottle).json()["code"] == "code_not_its_own"


def test_a_request_needs_a_picture_of_the_steel(one_house: House) -> None:
    bottle = one_house.new_bottle()
    assert ask(one_house, bottle, evidence=[]).json()["code"] == "invalid"


def test_a_serial_that_is_not_on_file_is_a_dispute_and_gets_no_new_tag(house: House) -> None:
    bottle = house.new_bottle()
    asked = ask(house, bottle, stamp_serial_seen="ANOTHER-1")
    assert asked.status_code == 201
    assert house.disputes(bottle.subject) == ["retag_serial_differs"]
    granted = answer(house, asked, new_code=new_code(house, 703))
    assert (granted.status_code, granted.json()["code"]) == (422, "serial_differs")
    assert answer(house, asked, "refuse", cause="钢印不符").status_code == 201


def test_a_serial_read_with_blanks_or_in_lower_case_is_the_same_serial(house: House) -> None:
    bottle = house.new_bottle()
    serial = state_of(house, bottle).stamp.serial
    asked = ask(house, bottle, stamp_serial_seen=f"{serial[:2].lower()} {serial[2:]}")
    assert house.disputes(bottle.subject) == []
    assert answer(house, asked, new_code=new_code(house, 704)).status_code == 201


def test_whoever_asked_does_not_answer_even_with_an_authoritys_token(house: House) -> None:
    bottle = house.new_bottle()
    asked = ask(house, bottle)
    both = partial(grant, token="token-of-both", account_id="company_1", role="regulator", org_id="au_1")
    house.running.ledger.transact(both)
    for word, fields in (("grant", {"new_code": new_code(house, 705)}), ("refuse", {"cause": "x"})):
        answered = answer(house, asked, word, "both", **fields)
        assert (answered.status_code, answered.json()["code"]) == (403, "same_person")


@pytest.mark.parametrize("word", ["grant", "refuse"])
def test_what_nobody_asked_for_is_not_answered(house: House, word: str) -> None:
    fields = {"new_code": new_code(house, 706)} if word == "grant" else {"cause": "x"}
    assert answer(house, new_id("no"), word, **fields).json()["code"] == "request_unknown"


def test_a_code_that_leads_elsewhere_is_not_granted_and_the_request_stays_open(house: House) -> None:
    bottle, other = house.new_bottle(), house.new_bottle()
    asked = ask(house, bottle)
    taken = answer(house, asked, new_code=other.code)
    assert (taken.status_code, taken.json()["code"]) == (409, "code_taken")
    assert state_of(house, bottle).codes == (bottle.code,)
    assert answer(house, asked, new_code=new_code(house, 707)).status_code == 201
