"""A recall by maker, model, batch, months of making or gas lot: every cylinder marked, every last holder named."""

from functools import partial
from typing import Any

import pytest
from api_house import Bottle, Device, House, check_body, filled, new_id, now
from test_import_undo import code_of, data_of, send, undo
from test_imports_route import table
from test_inspection_acts import reasons, state_of
from test_registration import register, registration

from cylinder_api.acts.enrolment import grant
from cylinder_api.acts.recalling import mark
from cylinder_trace import events
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import Stamp
from cylinder_trace.recalls import RecallState, falls_under
from vectors.admission.cases import base_case


def recall(house: House, dry_run: bool = False, **scope: Any) -> Any:
    body = {"id": new_id("recall"), "cause": "瓶阀漏气", "occurred_at": now(), **scope}
    return house.as_("regulator").post("/v1/recalls", params={"dry_run": dry_run}, json=body)


def close(house: House, recall_id: str, role: str = "regulator") -> Any:
    body = {"cause": "瓶阀均已更换", "occurred_at": now()}
    return house.as_(None, f"token-of-{role}").post(f"/v1/recalls/{recall_id}/close", json=body)


def fleet(house: House, *months: str, **stamp: Any) -> tuple[str, list[Bottle]]:
    """Cylinders of a maker of their own, one made in each month."""
    maker = new_id("Maker ")
    return maker, [house.new_bottle(maker=maker, manufactured_month=month, **stamp) for month in months]


def marks(house: House, bottle: Bottle) -> list[str]:
    return sorted(state_of(house, bottle).marks or {})


# --- what a recall is about -------------------------------------------------------------------------------------

CYLINDER = base_case().cylinder
assert CYLINDER is not None


def cylinder(batch: str | None = "B1", status: Any = "empty", **stamp: Any) -> CylinderState:
    assert CYLINDER is not None
    facts: dict[str, Any] = {"maker": "M", "model": "YSP35.5", "manufactured_month": "2024-03", **stamp}
    told = Stamp.model_validate({**dict(CYLINDER.stamp), **facts})
    made = {"maker_id": "m", "made_on": "2024-03-02", "certificate_no": "c", "batch_no": batch}
    state = {**dict(CYLINDER), "stamp": told, "made": made if batch else None, "status": status}
    return CylinderState.model_validate(state)


@pytest.mark.parametrize(
    ("scope", "about", "meant"),
    [
        ({"maker": "M"}, {}, True),
        ({"maker": "m"}, {}, True),
        ({"maker": "N"}, {}, False),
        ({"maker": "M", "model": "ysp35.5"}, {}, True),
        ({"maker": "M", "model": "YSP118"}, {}, False),
        ({"maker": "M", "batch_no": "B1"}, {}, True),
        ({"maker": "M", "batch_no": "B2"}, {}, False),
        ({"maker": "M", "batch_no": "B1"}, {"batch": None}, False),
        ({"maker": "M", "made_from": "2024-03", "made_to": "2024-03"}, {}, True),
        ({"maker": "M", "made_from": "2024-04"}, {}, False),
        ({"maker": "M", "made_to": "2024-02"}, {}, False),
        ({"maker": "M", "made_to": "2024-02"}, {"manufactured_month": None}, True),
        ({"maker": "M"}, {"status": "at_customer"}, True),
        ({"maker": "M"}, {"status": "destroyed"}, False),
        ({"maker": "M"}, {"status": "withdrawn"}, False),
    ],
)
def test_what_a_recall_does_not_name_does_not_narrow_it(
    scope: dict[str, Any], about: dict[str, Any], meant: bool
) -> None:
    assert falls_under(RecallState(recall_id="r", n=1, issuer_id="i", **scope), cylinder(**about)) == meant


# --- opening, closing -------------------------------------------------------------------------------------------


def test_a_dry_run_says_how_many_and_which_and_records_nothing(house: House) -> None:
    maker, bottles = fleet(house, "2024-03", "2024-04", "2024-05")
    size = house.running.ledger.reader.size()
    said = recall(house, dry_run=True, maker=maker, made_to="2024-04").json()
    assert (said["cylinders"], said["marked"]) == (2, 0)
    assert {item["cylinder_id"] for item in said["items"]} == {bottle.cylinder_id for bottle in bottles[:2]}
    assert {item["code"] for item in said["items"]} == {bottle.code for bottle in bottles[:2]}
    assert house.stated_since(size) == []


def test_a_recall_marks_each_cylinder_under_one_act_and_the_next_scan_refuses_it(house: House) -> None:
    maker, bottles = fleet(house, "2024-03", "2024-04")
    other = house.new_bottle()
    said = recall(house, maker=maker).json()
    assert (said["cylinders"], said["marked"]) == (2, 2)
    for bottle in bottles:
        assert reasons(house, bottle) == ["R36"]
        (entry,) = [entry for entry in house.entries_of(bottle.subject) if entry.type == "recalled"]
        assert (entry.act_id, entry.by) == (said["recall_id"], "regulator_1")
    assert marks(house, other) == []
    assert house.audit() == []


def test_a_recall_sent_again_marks_what_it_had_not_reached_and_nothing_twice(house: House) -> None:
    maker, _bottles = fleet(house, "2024-03")
    scope: dict[str, Any] = {"id": new_id("recall"), "occurred_at": now(), "maker": maker}
    assert recall(house, **scope).json()["marked"] == 1
    late = house.new_bottle(maker=maker)
    assert recall(house, **scope).json()["marked"] == 1
    assert marks(house, late) == [f"recall/{scope['id']}"]
    assert recall(house, **scope).json()["marked"] == 0
    assert recall(house, **{**scope, "maker": "another"}).json()["code"] == "id_conflict"


def test_a_cylinder_whose_import_was_taken_back_meanwhile_does_not_stop_the_marking(house: House) -> None:
    maker = new_id("Maker ")
    rows = [row.replace("示例厂", maker) for row in table(house, 2)]
    said = send(house, data_of(rows))
    ids = [item["cylinder_id"] for item in recall(house, dry_run=True, maker=maker).json()["items"]]
    assert len(ids) == 2
    undo(house, said["import_id"])
    kept = house.new_bottle(maker=maker)
    work = partial(mark, recall_id=new_id("r"), cylinder_ids=[*ids, kept.cylinder_id], cause="x", by="tests")
    assert house.running.ledger.transact(work) == 1


def test_an_import_under_an_open_recall_can_be_taken_back_all_the_same(house: House) -> None:
    maker = new_id("Maker ")
    recall_id = recall(house, maker=maker).json()["recall_id"]
    rows = [row.replace("示例厂", maker) for row in table(house, 2)]
    said = send(house, data_of(rows))
    undone = undo(house, said["import_id"])
    assert (undone["withdrawn"], undone["kept"]) == (2, [])
    assert close(house, recall_id).json()["lifted"] == 0
    assert house.audit() == []


def test_a_batch_that_nobody_stated_is_counted_and_not_marked(house: House) -> None:
    maker, (known, unknown) = fleet(house, "2024-03", "2024-03")
    stamp = state_of(house, known).stamp
    made = events.CylinderMade(maker_id="m", stamp=stamp, made_on="2024-03-02", certificate_no="c", batch_no="B7")
    house.append(known.subject, made)
    said = recall(house, maker=maker, batch_no="B7").json()
    assert (said["cylinders"], said["batch_unknown"]) == (1, 1)
    assert (marks(house, known) != [], marks(house, unknown)) == (True, [])


def test_closing_lifts_every_mark_and_is_for_the_authority_that_opened(house: House) -> None:
    maker, bottles = fleet(house, "2024-03", "2024-04")
    recall_id, other = recall(house, maker=maker).json()["recall_id"], recall(house, maker=maker).json()["recall_id"]
    grant_stranger = partial(grant, token="token-of-stranger", account_id="x", role="regulator", org_id="au_9")
    house.running.ledger.transact(grant_stranger)
    assert close(house, recall_id, "stranger").json()["code"] == "other_authority"
    assert close(house, "no-such-recall").json()["code"] == "recall_unknown"
    assert close(house, recall_id).json() == {"recall_id": recall_id, "lifted": 2}
    assert marks(house, bottles[0]) == [f"recall/{other}"], "another recall goes on"
    assert close(house, other).json()["lifted"] == 2
    assert [reasons(house, bottle) for bottle in bottles] == [[], []]


def test_what_is_registered_under_an_open_recall_is_marked_at_once_and_after_its_closing_not(house: House) -> None:
    maker = new_id("Maker ")
    recall_id = recall(house, maker=maker).json()["recall_id"]
    body = registration(house, stamp={"maker": maker})
    assert register(house, body).status_code == 201
    rows = [row.replace("示例厂", maker) for row in table(house, 2)]
    assert send(house, data_of(rows))["registered"] == 2
    for code in (body["code"], *map(code_of, rows)):
        assert reasons(house, Bottle("", code))[:1] == ["R36"]
    assert close(house, recall_id).json()["lifted"] == 3
    later = registration(house, stamp={"maker": maker})
    register(house, later)
    assert "R36" not in reasons(house, Bottle("", later["code"]))


# --- who had them last ------------------------------------------------------------------------------------------


def test_each_cylinder_is_listed_with_its_last_holder_and_without_personal_data(house: House) -> None:
    maker, (sold, filled_one, away, back, new) = fleet(house, *["2024-03"] * 5)
    sale = events.Sold(
        order_no="o", point_id="pt_1", worker_id="dw_1", customer_id="cus_1", identity_commitment="ab" * 32,
        safety_check_passed=True,
    )  # fmt: skip
    for bottle in (sold, back):
        house.append(bottle.subject, sale)
    house.append(filled_one.subject, filled("x"))
    house.append(away.subject, events.LeftStation(station_id="st_1", worker_id="dw_1"))
    house.append(back.subject, events.Returned(station_id="st_2"))
    recall_id = recall(house, maker=maker).json()["recall_id"]
    items: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        params: dict[str, Any] = {"after": after, "limit": 2}
        page = house.as_("auditor").get(f"/v1/recalls/{recall_id}/cylinders", params=params).json()
        items, after = items + page["items"], page["next"]
    holders = {item["cylinder_id"]: {k: v for k, v in item["last_holder"].items() if v} for item in items}
    assert holders == {
        sold.cylinder_id: {"kind": "customer", "customer_id": "cus_1", "point_id": "pt_1"},
        filled_one.cylinder_id: {"kind": "station", "station_id": "st_1"},
        away.cylinder_id: {"kind": "on_the_way", "station_id": "st_1"},
        back.cylinder_id: {"kind": "station", "station_id": "st_2"},
        new.cylinder_id: {"kind": "unknown"},
    }


# --- by gas lot -------------------------------------------------------------------------------------------------


def fill_from(house: House, bottle: Bottle, lot_id: str | None) -> None:
    body = check_body(bottle, **({"lot_id": lot_id} if lot_id else {}))
    station = house.as_("station")
    assert station.post("/v1/fill-checks", json=body).json()["decision"]["outcome"] == "ALLOW"
    report = filled(body["check_id"]).model_dump(exclude={"station_id"})
    answer = station.post("/v1/fills", json={"id": new_id("fill"), **report})
    assert answer.status_code == 201, answer.text


def test_a_recalled_gas_lot_leads_to_the_cylinders_whose_last_fill_came_from_it(house: House) -> None:
    lot_id = new_id("lot")
    arrived = events.GasLotReceived(
        station_id="st_1", supplier_id="s", product="lpg", mass_g=20_000_000, document_no="d"
    )
    house.append(f"lot/{lot_id}", arrived)
    house.append(f"lot/{lot_id}", events.GasLotReleased(released_by="lab", report_no="r"))
    from_it, refilled, other = (house.new_bottle() for _ in range(3))
    for bottle, lots in ((from_it, [lot_id]), (refilled, [lot_id, None]), (other, [None])):
        for lot in lots:
            fill_from(house, bottle, lot)
            if len(lots) > 1:
                house.append(bottle.subject, events.Returned(station_id="st_1"))
    assert recall(house, lot_id=lot_id, dry_run=True).json()["cylinders"] == 1
    assert recall(house, lot_id=lot_id).json()["marked"] == 1
    assert [bool(marks(house, bottle)) for bottle in (from_it, refilled, other)] == [True, False, False]
    size = house.running.ledger.reader.size()
    assert recall(house, lot_id="no-such-lot").json()["code"] == "lot_unknown"
    assert house.stated_since(size) == []


def test_a_recalled_lot_is_blocked_and_a_fill_from_it_that_is_told_late_is_marked_at_once(house: House) -> None:
    lot_id, device = new_id("lot"), Device()
    arrived = events.GasLotReceived(
        station_id="st_1", supplier_id="s", product="lpg", mass_g=20_000_000, document_no="d"
    )
    house.append(f"lot/{lot_id}", arrived)
    house.append(f"lot/{lot_id}", events.GasLotReleased(released_by="lab", report_no="r"))
    last, older, other = (house.new_bottle() for _ in range(3))
    fill_from(house, older, None)
    said = recall(house, lot_id=lot_id).json()
    assert said["cylinders"] == 0
    assert reasons_with(house, house.new_bottle(), lot_id) == ["R51"]
    for bottle, lot in ((last, lot_id), (older, lot_id), (other, None)):
        changes: dict[str, Any] = {"lot_id": lot} if lot else {}
        check_id = device.decide(bottle, **changes).id
        fill = filled(check_id)
        if bottle is older:
            fill = fill.model_copy(update={"started_at": 1_720_000_100_000, "ended_at": 1_720_000_190_000})
        device.record(fill, bottle.subject, f"{check_id}.filled")
    answer = house.as_("station").post("/v1/stations/st_1/entries", json=device.upload())
    assert answer.json()["problem"] is None, answer.text
    assert marks(house, last) == [f"recall/{said['recall_id']}"]
    assert (marks(house, older), marks(house, other)) == ([], [])
    assert house.audit() == []


def reasons_with(house: House, bottle: Bottle, lot_id: str) -> list[str]:
    answer = house.as_("station").post("/v1/fill-checks", json=check_body(bottle, lot_id=lot_id))
    return [reason["code"] for reason in answer.json()["decision"]["reasons"]]


def test_a_recall_of_nothing_in_particular_is_refused(one_house: House) -> None:
    answer = recall(one_house, model="YSP35.5")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert "name a maker or a gas lot" in answer.json()["detail"]
