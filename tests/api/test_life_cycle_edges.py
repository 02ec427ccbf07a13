"""The life of a cylinder stated twice, out of order, late, or in the middle of something else."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from api_house import Bottle, House, check_body, filled, new_id, now
from test_black_flags import flag, open_for, resolve
from test_custody import SECOND, accept, give
from test_imports_route import new_code
from test_inspection_acts import inspect, post, reasons, state_of
from test_recalls import close, fleet, marks, recall
from test_registration import register, registration
from test_retagging import PICTURE, answer, ask

from cylinder_api.acts.enrolment import grant
from cylinder_api.acts.flagging import FlagAct, flag_cylinder
from cylinder_api.acts.recalling import mark
from cylinder_api.service import system_clock
from cylinder_trace.store.unit import Receipt

SALE: dict[str, Any] = {
    "order_no": "o-1", "point_id": "pt_1", "worker_id": "dw_1", "safety_check_passed": True,
    "customer": {"name": "示例 用户", "id_number": "EX-1", "phone": "EX-2", "address": "示例路 1 号"},
}  # fmt: skip


# --- sent twice ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "role", "fields"),
    [
        ("/v1/sales", "delivery", SALE),
        ("/v1/retags", "company", {"cause": "脱落", "stamp_serial_seen": "A1", "evidence": PICTURE}),
        ("/v1/codes", "company", {}),
        ("/v1/losses", "company", {"cause": "丢失"}),
        ("/v1/handovers", "company", {"to_holder_id": "co_3", "basis": "entrusted"}),
    ],
)
def test_an_owners_act_sent_again_after_the_cylinder_was_sold_on_is_the_same_act(
    house: House, path: str, role: str, fields: dict[str, Any]
) -> None:
    bottle = house.new_bottle()
    extra = {"new_code": f"province:ZJ{now() % 10**12}"} if path == "/v1/codes" else {}
    act = {**fields, **extra, "id": new_id("act"), "occurred_at": now()}
    first = post(house, path, bottle, role, **act)
    assert first.status_code == 201, first.text
    assert post(house, "/v1/transfers", bottle, "company", to_owner_id="co_2").status_code == 201
    again = post(house, path, bottle, role, **act)
    assert (again.status_code, again.json()["receipt"]) == (201, first.json()["receipt"])
    assert post(house, path, bottle, role, **{**act, "id": new_id("act")}).status_code == 403


def test_a_transfer_sent_again_about_another_cylinder_is_not_answered_as_if_it_had_gone(house: House) -> None:
    first, second = house.new_bottle(), house.new_bottle()
    act: dict[str, Any] = {"id": new_id("transfer"), "occurred_at": now(), "to_owner_id": "co_2"}
    assert post(house, "/v1/transfers", first, "company", **act).status_code == 201
    taken = post(house, "/v1/transfers", second, "company", **act)
    assert (taken.status_code, taken.json()["code"]) == (422, "id_conflict")
    assert state_of(house, second).owner_id == "co_1"


# --- at the same moment -------------------------------------------------------------------------------------------


def at_once(calls: list[Callable[[], Any]]) -> list[str]:
    """What each of the calls was answered with, all sent together: "201", or the code of the refusal."""
    with ThreadPoolExecutor(len(calls)) as pool:
        answers = [sent.result() for sent in [pool.submit(call) for call in calls]]
    return sorted("201" if answer.status_code == 201 else answer.json()["code"] for answer in answers)


def test_of_many_transfers_and_of_many_hand_overs_at_once_one_succeeds(house: House) -> None:
    sold, lent = house.new_bottle(), house.new_bottle()
    to = [f"co_{number}" for number in range(3, 9)]
    transfers = [partial(post, house, "/v1/transfers", sold, "company", to_owner_id=one) for one in to]
    assert at_once(list(transfers)) == ["201", *["other_owner"] * 5]
    hand_overs = [partial(give, house, lent, one) for one in to]
    assert at_once(list(hand_overs)) == ["201", *["other_holder"] * 5]
    assert house.audit() == []


def test_a_request_granted_and_refused_at_once_is_answered_once(house: House) -> None:
    bottle = house.new_bottle()
    asked = ask(house, bottle)
    answers: list[Callable[[], Any]] = [partial(answer, house, asked, "refuse", cause=f"x{n}") for n in range(3)]
    answers += [partial(answer, house, asked, new_code=new_code(house, 810 + number)) for number in range(3)]
    said = at_once(answers)
    assert said.count("201") == 1
    assert set(said) <= {"201", "id_conflict", "code_not_its_own", "cannot_follow"}
    assert len(state_of(house, bottle).codes) == 1
    assert house.audit() == []


def test_one_code_given_to_two_cylinders_at_once_leads_to_one(house: House) -> None:
    bottles, name = [house.new_bottle() for _ in range(4)], f"province:ZJ{now() % 10**12}"
    calls = [partial(post, house, "/v1/codes", bottle, "company", new_code=name) for bottle in bottles]
    assert at_once(list(calls)) == ["201", *["code_taken"] * 3]


def test_many_flags_at_once_do_not_pass_the_limit(house: House) -> None:
    authority = new_id("au")
    person = partial(grant, token=authority, account_id=authority, role="regulator", org_id=authority)
    house.running.ledger.transact(person)
    usual, house.running.settings = house.running.settings, replace(house.running.settings, flags_per_hour=3)
    calls = [partial(flag, house, house.new_bottle(), authority, flag="lost") for _ in range(6)]
    said = at_once(list(calls))
    house.running.settings = usual
    assert said == [*["201"] * 3, *["second_person_needed"] * 3]


# --- hands ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "field"), [("/v1/transfers", "to_owner_id"), ("/v1/handovers", "to_holder_id")])
def test_nobody_hands_a_cylinder_to_themselves(house: House, path: str, field: str) -> None:
    bottle = house.new_bottle()
    refused = post(house, path, bottle, "company", **{field: "co_1"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert field in refused.json()["detail"]
    assert state_of(house, bottle).transferred_on is None


def test_a_right_to_fill_that_its_giver_no_longer_has_is_not_accepted(house: House) -> None:
    bottle = house.new_bottle()
    given = give(house, bottle, basis="entrusted")
    assert post(house, "/v1/transfers", bottle, "company", to_owner_id="co_3").status_code == 201
    late = accept(house, given)
    assert (late.status_code, late.json()["code"]) == (422, "cannot_follow")
    assert state_of(house, bottle).custody_basis is None


def test_who_was_to_have_a_cylinder_before_its_seizure_does_not_get_it_past_the_authority(house: House) -> None:
    bottle = house.new_bottle()
    given = give(house, bottle)
    order = {"document_no": "S-1", "cause": "外观可疑"}
    assert post(house, "/v1/seizures", bottle, "regulator", occurred_at=now() + 1, **order).status_code == 201
    late = accept(house, given)
    assert (late.status_code, late.json()["code"]) == (403, "other_holder")
    assert give(house, bottle, "co_3", SECOND).json()["code"] == "other_holder"


# --- a new tag ------------------------------------------------------------------------------------------------------


def test_a_code_that_was_replaced_is_not_replaced_again_by_a_second_request(house: House) -> None:
    bottle, new = house.new_bottle(), new_code(house, 801)
    first, second = ask(house, bottle), ask(house, bottle)
    assert answer(house, first, new_code=new).status_code == 201
    late = answer(house, second, new_code=new_code(house, 802))
    assert (late.status_code, late.json()["code"]) == (422, "code_not_its_own")
    assert state_of(house, bottle).codes == (new,)
    assert answer(house, second, "refuse", cause="已换标").status_code == 201
    assert reasons(house, Bottle("", new)) == []


def test_the_old_code_is_not_granted_as_the_new_one(house: House) -> None:
    bottle = house.new_bottle()
    same = answer(house, ask(house, bottle), new_code=bottle.code)
    assert (same.status_code, same.json()["code"]) == (409, "code_taken")
    assert state_of(house, bottle).codes == (bottle.code,)


def test_a_cylinder_that_was_scrapped_while_its_owner_asked_gets_no_new_tag(house: House) -> None:
    bottle = house.new_bottle()
    asked = ask(house, bottle)
    assert post(house, "/v1/condemnations", bottle, cause="腐蚀").status_code == 201
    late = answer(house, asked, new_code=new_code(house, 803))
    assert (late.status_code, late.json()["code"]) == (422, "code_not_its_own")


# --- inspection -----------------------------------------------------------------------------------------------------


def test_a_valve_from_the_future_is_not_put_in(house: House) -> None:
    bottle = house.new_bottle()
    facts = {"maker": "示例阀门单位", "serial": "V-2", "made_month": "2098-01"}
    refused = post(house, "/v1/valves", bottle, **facts)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert state_of(house, bottle).valve is None


def test_an_inspection_does_not_pass_with_an_item_that_failed_under_its_report(house: House) -> None:
    bottle = house.new_bottle()
    item: dict[str, Any] = {
        "report_no": "E-7", "item": "hydrostatic", "result": "failed", "inspector_id": "in_1", "reviewer_id": "in_2",
    }  # fmt: skip
    assert post(house, "/v1/inspection-items", bottle, **item).status_code == 201
    refused = inspect(house, bottle, report_no="E-7")
    assert (refused.status_code, refused.json()["code"]) == (422, "cannot_follow")
    assert "hydrostatic" in refused.json()["detail"]
    assert state_of(house, bottle).inspection is None
    assert inspect(house, bottle, report_no="E-8").status_code == 201, "another report is another inspection"
    again = post(house, "/v1/inspection-items", bottle, **{**item, "result": "passed"})
    assert again.status_code == 201
    assert inspect(house, bottle, report_no="E-7").status_code == 201, "done again, it passed"


def test_a_cylinder_made_in_the_future_is_not_put_on_file(house: House) -> None:
    refused = register(house, registration(house, stamp={"manufactured_month": "2098-01"}))
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert "manufactured_month" in refused.json()["detail"]


# --- filling ---------------------------------------------------------------------------------------------------------


def test_a_fill_that_ends_in_the_future_is_kept_and_disputed(house: House) -> None:
    bottle, station = house.new_bottle(), house.as_("station")
    body = check_body(bottle)
    station.post("/v1/fill-checks", json=body)
    report = filled(body["check_id"]).model_dump(exclude={"station_id"}) | {"ended_at": now() + 600_000}
    answer = station.post("/v1/fills", json={"id": new_id("fill"), **report})
    assert (answer.status_code, answer.json()["dispute"]) == (201, "ends_in_the_future")
    assert house.disputes(bottle.subject) == ["ends_in_the_future"]


# --- recalls --------------------------------------------------------------------------------------------------------


def test_a_closed_recall_sent_again_marks_nothing(house: House) -> None:
    maker, _bottles = fleet(house, "2024-03")
    scope: dict[str, Any] = {"id": new_id("recall"), "occurred_at": now(), "maker": maker}
    recall(house, **scope)
    close(house, scope["id"])
    late = house.new_bottle(maker=maker)
    assert recall(house, **scope).json()["marked"] == 0
    assert marks(house, late) == []
    work = partial(mark, recall_id=scope["id"], cylinder_ids=[late.cylinder_id], cause="x", by="tests")
    assert house.running.ledger.transact(work) == 0, "nor one that was cut off by the closing"


def test_a_recall_of_months_in_the_wrong_order_is_refused_instead_of_finding_nothing(one_house: House) -> None:
    refused = recall(one_house, maker="m", made_from="2024-04", made_to="2024-03")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert "made_from" in refused.json()["detail"]


def test_the_list_of_a_recall_that_never_was_is_not_empty_but_unknown(one_house: House) -> None:
    unknown = one_house.as_("auditor").get("/v1/recalls/no-such-recall/cylinders")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "recall_unknown")


# --- flags ----------------------------------------------------------------------------------------------------------


def test_flags_of_one_moment_count_for_each_other(house: House) -> None:
    authority = new_id("au")
    acts = [
        FlagAct(id=new_id("flag"), code=house.new_bottle().code, flag="lost", cause="x", occurred_at=now())
        for _ in range(5)
    ]

    def at_once(unit: Any) -> list[Receipt | str]:
        said: list[Receipt | str] = []
        for act in acts:
            try:
                said.append(flag_cylinder(unit, act, authority, "p", house.running.settings.forms, 3))
            except ValueError as error:
                said.append(str(error))
            except Exception as error:  # noqa: BLE001 - which one is what the test asks
                said.append(getattr(error, "code", ""))
        return said

    said = house.running.ledger.transact(at_once)
    assert [isinstance(one, Receipt) for one in said] == [True, True, True, False, False]
    assert said[3:] == ["second_person_needed"] * 2


def test_an_alarm_about_many_flags_does_not_lapse_by_waiting(tmp_path: Path) -> None:
    ahead = [0]
    with House(tmp_path, clock=lambda: system_clock() + ahead[0]) as house:
        house.running.settings = replace(house.running.settings, flags_per_hour=2)
        colleague = partial(grant, token="token-of-a-colleague", account_id="r2", role="regulator", org_id="au_1")
        house.running.ledger.transact(colleague)
        bottles = [house.new_bottle() for _ in range(3)]
        assert [flag(house, one, flag="lost").status_code for one in bottles[:2]] == [201, 201]
        ahead[0] = 2 * 3_600_000
        refused = flag(house, bottles[2], flag="lost")
        assert (refused.status_code, refused.json()["code"]) == (409, "second_person_needed")
        (alarm,) = open_for(house, bottles[1])
        assert resolve(house, alarm).status_code == 201
        assert flag(house, bottles[2], flag="lost").status_code == 201
