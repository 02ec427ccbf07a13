"""What an inspection body states: all items or no 合格, its own licence, valve, evaluation, the way to scrap."""

from functools import partial
from typing import Any

import pytest
from api_house import Bottle, House, check_body, new_id, now

from cylinder_api.acts.enrolment import grant
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import DAY_MS
from cylinder_trace.vocabulary.inspecting import MANDATORY_ITEMS

PICTURES = ["a1" * 32, "b2" * 32, "c3" * 32]


def post(house: House, path: str, bottle: Bottle, role: str = "inspector", **fields: Any) -> Any:
    body = {"id": new_id("act"), "code": bottle.code, "occurred_at": now(), **fields}
    return house.as_(None, f"token-of-{role}").post(path, json=body)


def inspect(house: House, bottle: Bottle, role: str = "inspector", **changes: Any) -> Any:
    facts: dict[str, Any] = {
        "inspected_month": "2026-01", "next_due_month": "2030-01", "result": "passed", "report_no": "E-1",
        "items": sorted(MANDATORY_ITEMS), **changes,
    }  # fmt: skip
    return post(house, "/v1/inspections", bottle, role, **facts)


def state_of(house: House, bottle: Bottle) -> CylinderState:
    state = house.running.ledger.reader.state(bottle.subject)
    assert isinstance(state, CylinderState)
    return state


def reasons(house: House, bottle: Bottle) -> list[str]:
    decision = house.as_("station").post("/v1/fill-checks", json=check_body(bottle)).json()["decision"]
    return [reason["code"] for reason in decision["reasons"]]


# --- items ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [*sorted(MANDATORY_ITEMS), None])
def test_a_passed_inspection_without_a_mandatory_item_is_not_recorded(one_house: House, missing: str | None) -> None:
    bottle = one_house.new_bottle()
    items = sorted(MANDATORY_ITEMS - {missing}) if missing else []
    answer = inspect(one_house, bottle, items=items)
    assert (answer.status_code, answer.json()["code"]) == (422, "cannot_follow")
    assert missing is None or missing in answer.json()["detail"]
    assert state_of(one_house, bottle).inspection is None


def test_a_failed_inspection_may_stop_at_the_first_item(one_house: House) -> None:
    bottle = one_house.new_bottle()
    assert inspect(one_house, bottle, result="failed", items=[], next_due_month=None).status_code == 201
    assert reasons(one_house, bottle) == ["R21"]


def test_an_item_is_done_by_one_person_and_reviewed_by_another(house: House) -> None:
    bottle = house.new_bottle()
    item: dict[str, Any] = {
        "report_no": "E-1", "item": "wall_thickness", "result": "passed", "inspector_id": "in_1", "reviewer_id": "in_2",
        "reading": 2_610, "unit": "um", "evidence": [{"sha256": "ab" * 32, "media_type": "image/jpeg", "size": 9}],
    }  # fmt: skip
    assert post(house, "/v1/inspection-items", bottle, **item).status_code == 201
    entry = house.entries_of(bottle.subject)[-1]
    assert (entry.type, entry.data["reading"], entry.data["body_id"]) == ("inspection_item_recorded", 2_610, "ib_1")
    alone = post(house, "/v1/inspection-items", bottle, **{**item, "reviewer_id": "in_1"})
    assert (alone.status_code, alone.json()["code"]) == (403, "same_person")


def record_items(house: House, bottle: Bottle, report_no: str, **results: str) -> None:
    for item, result in results.items():
        fields = {"report_no": report_no, "item": item, "inspector_id": "in_1", "reviewer_id": "in_2"}
        assert post(house, "/v1/inspection-items", bottle, **fields, result=result).status_code == 201


def test_a_result_whose_items_all_stand_on_record_is_complete(house: House) -> None:
    bottle = house.new_bottle()
    record_items(house, bottle, "E-2", **dict.fromkeys(MANDATORY_ITEMS, "passed"), volume="not_applicable")
    act: dict[str, Any] = {"id": new_id("act"), "occurred_at": now(), "report_no": "E-2"}
    first = inspect(house, bottle, **act)
    assert first.status_code == 201
    inspection = state_of(house, bottle).inspection
    assert inspection is not None
    assert inspection.items_recorded is True
    assert reasons(house, bottle) == []
    assert inspect(house, bottle, **act).content == first.content


@pytest.mark.parametrize("hydrostatic", [None, "not_applicable"])
def test_a_result_with_an_item_that_nobody_recorded_does_not_count_as_complete(
    house: House, hydrostatic: str | None
) -> None:
    bottle = house.new_bottle()
    results = dict.fromkeys(MANDATORY_ITEMS - {"hydrostatic"}, "passed")
    record_items(house, bottle, "E-3", **results, **({"hydrostatic": hydrostatic} if hydrostatic else {}))
    record_items(house, bottle, "E-4", hydrostatic="passed")
    assert inspect(house, bottle, report_no="E-3").status_code == 201
    assert reasons(house, bottle) == ["R22"]


def test_an_item_that_fails_after_the_report_said_passed_is_stated_under_a_new_report(house: House) -> None:
    bottle = house.new_bottle()
    assert inspect(house, bottle, report_no="E-5").status_code == 201
    late: dict[str, Any] = {"item": "valve", "result": "failed", "inspector_id": "in_1", "reviewer_id": "in_2"}
    refused = post(house, "/v1/inspection-items", bottle, report_no="E-5", **late)
    assert (refused.status_code, refused.json()["code"]) == (422, "cannot_follow")
    assert post(house, "/v1/inspection-items", bottle, report_no="E-6", **late).status_code == 201
    assert inspect(house, bottle, report_no="E-6", result="failed", items=[], next_due_month=None).status_code == 201
    assert reasons(house, bottle) == ["R21"]


def test_a_valve_is_replaced_by_another_and_not_by_itself(house: House) -> None:
    bottle = house.new_bottle()
    facts = {"maker": "示例阀门单位", "serial": "V-1", "made_month": "2026-01"}
    assert post(house, "/v1/valves", bottle, **facts, removed_serial="V-1").json()["code"] == "invalid"
    assert state_of(house, bottle).valve is None
    act: dict[str, Any] = {"id": new_id("act"), "occurred_at": now(), **facts}
    first = post(house, "/v1/valves", bottle, **act)
    assert first.status_code == 201
    assert post(house, "/v1/valves", bottle, **act).content == first.content
    assert post(house, "/v1/valves", bottle, **facts).json()["code"] == "invalid"
    assert post(house, "/v1/valves", bottle, **{**facts, "maker": "另一阀门单位"}).status_code == 201


def test_a_valve_that_was_replaced_is_the_one_on_file(house: House) -> None:
    bottle = house.new_bottle()
    facts = {"maker": "示例阀门单位", "serial": "V-2", "made_month": "2026-01", "removed_serial": "V-1"}
    assert post(house, "/v1/valves", bottle, **facts).status_code == 201
    valve = state_of(house, bottle).valve
    assert valve is not None
    assert (valve.serial, valve.made_month) == ("V-2", "2026-01")


def test_a_passed_evaluation_says_until_when_and_a_failed_one_takes_it_back(house: House) -> None:
    bottle = house.new_bottle()
    passed: dict[str, Any] = {"passed": True, "report_no": "E-1", "valid_until_month": "2030-01"}
    assert post(house, "/v1/evaluations", bottle, **passed).status_code == 201
    assert state_of(house, bottle).evaluated_until == "2030-01"
    assert post(house, "/v1/evaluations", bottle, **{**passed, "passed": False}).json()["code"] == "invalid"
    assert post(house, "/v1/evaluations", bottle, passed=True, report_no="E-2").json()["code"] == "invalid"
    assert post(house, "/v1/evaluations", bottle, passed=False, report_no="E-3").status_code == 201
    assert state_of(house, bottle).evaluated_until is None


# --- the body's licence ---------------------------------------------------------------------------------------


def licence(house: House, body: str, **changes: Any) -> None:
    facts = {
        "id": new_id("lic"), "company_id": body, "licence_no": f"L-{body}", "scope": "inspection",
        "valid_from": "2020-01-01", "valid_until": "2099-12-31", "occurred_at": now(), **changes,
    }  # fmt: skip
    assert house.as_("regulator").post("/v1/licences", json=facts).status_code == 201


@pytest.mark.parametrize(
    ("said", "shown", "refused"),
    [
        ({}, True, []),
        ({"standing": "suspended"}, False, ["R22"]),
        ({"standing": "revoked"}, False, ["R22"]),
        ({"valid_until": "2021-01-01"}, False, ["R22"]),
        ({"valid_from": "2099-01-01"}, False, ["R22"]),
        ({"scope": "transport"}, None, []),
        (None, None, []),
    ],
)
def test_what_the_register_says_of_the_body_is_written_into_its_inspection(
    house: House, said: dict[str, str] | None, shown: bool | None, refused: list[str]
) -> None:
    bottle, body = house.new_bottle(), new_id("ib")
    house.running.ledger.transact(
        partial(grant, token=f"token-of-{body}", account_id=body, role="inspector", org_id=body)
    )
    if said is not None:
        licence(house, body, **said)
    assert inspect(house, bottle, body).status_code == 201
    inspection = state_of(house, bottle).inspection
    assert inspection is not None
    assert (inspection.body_licensed, inspection.items_complete) == (shown, True)
    assert reasons(house, bottle) == refused


def test_a_result_sent_again_after_the_licence_was_revoked_is_the_same_result(house: House) -> None:
    bottle, body = house.new_bottle(), new_id("ib")
    house.running.ledger.transact(
        partial(grant, token=f"token-of-{body}", account_id=body, role="inspector", org_id=body)
    )
    licence(house, body)
    act: dict[str, Any] = {"id": new_id("act"), "occurred_at": now()}
    first = inspect(house, bottle, body, **act)
    licence(house, body, standing="revoked")
    assert inspect(house, bottle, body, **act).content == first.content


# --- to scrap -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pictures", [[], PICTURES[:2], [*PICTURES[:2], PICTURES[0]], [*PICTURES, PICTURES[0]]])
def test_a_destruction_shows_three_pictures_each_of_another_file(one_house: House, pictures: list[str]) -> None:
    bottle = one_house.new_bottle()
    answer = post(one_house, "/v1/destructions", bottle, method="cut", evidence_sha256=pictures)
    assert (answer.status_code, answer.json()["code"]) == (422, "evidence_missing")
    assert state_of(one_house, bottle).status == "empty"


def test_the_days_from_condemned_to_destroyed_are_counted_and_who_waits_longest_is_named(house: House) -> None:
    before = house.as_("auditor").get("/v1/scrapping").json()
    quick, slow, waiting = (house.new_bottle() for _ in range(3))
    for bottle, days in ((quick, 2), (slow, 3_000), (waiting, 4_000)):
        post(house, "/v1/condemnations", bottle, cause="腐蚀", occurred_at=now() - days * DAY_MS)
    for bottle in (quick, slow):
        assert post(house, "/v1/destructions", bottle, method="crushed", evidence_sha256=PICTURES).status_code == 201
    after = house.as_("auditor").get("/v1/scrapping").json()
    assert after["destroyed"] == before["destroyed"] + 2
    assert after["waiting"] == before["waiting"] + 1
    assert after["longest_days"] == 3_000
    assert (after["longest_waiting_days"], after["longest_waiting"]) == (4_000, waiting.subject)


def test_a_seized_cylinder_goes_from_the_authority_to_the_body_and_to_scrap_and_every_hand_is_known(
    house: House,
) -> None:
    bottle = house.new_bottle()
    assert post(house, "/v1/seizures", bottle, "regulator", document_no="S-1", cause="外观可疑").status_code == 201
    assert reasons(house, bottle) == ["R38"]
    by_owner = post(house, "/v1/handovers", bottle, "company", to_holder_id="ib_1")
    assert (by_owner.status_code, by_owner.json()["code"]) == (403, "other_holder")
    given = post(house, "/v1/handovers", bottle, "regulator", to_holder_id="ib_1")
    assert given.status_code == 201
    accepted = house.as_("inspector").post(
        f"/v1/handovers/{given.json()['receipt']['id']}/accept", json={"occurred_at": now()}
    )
    assert accepted.status_code == 201
    assert state_of(house, bottle).custodian_id == "ib_1"
    assert post(house, "/v1/condemnations", bottle, cause="翻新").status_code == 201
    assert post(house, "/v1/destructions", bottle, method="cut", evidence_sha256=PICTURES).status_code == 201
    told = [entry.type for entry in house.entries_of(bottle.subject)]
    assert [word for word in told if word != "fill_decided"][2:] == [
        "seized", "handed_over", "handed_over", "condemned", "destroyed",
    ]  # fmt: skip
    assert house.audit() == []


def test_a_seizure_is_lifted_by_the_authority_that_stated_it_and_only_while_it_stands(house: House) -> None:
    bottle = house.new_bottle()
    order = {"document_no": "S-2", "cause": "核查无误"}
    assert post(house, "/v1/seizures/lift", bottle, "regulator", **order).json()["code"] == "cannot_follow"
    post(house, "/v1/seizures", bottle, "regulator", **order)
    act: dict[str, Any] = {"id": new_id("lift"), "occurred_at": now() + 1, **order}
    first = post(house, "/v1/seizures/lift", bottle, "regulator", **act)
    assert first.status_code == 201
    assert post(house, "/v1/seizures/lift", bottle, "regulator", **act).content == first.content
    assert reasons(house, bottle) == []
