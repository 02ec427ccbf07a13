"""What a holder reports of a cylinder (送检、丢失、找回), and what an authority registers (使用登记、注销)."""

from typing import Any

import pytest
from api_house import House, new_id, now
from test_import_undo import state_of as state_by_code
from test_inspection_acts import inspect, post, reasons, state_of
from test_registration import register, registration

LOST = {"cause": "运输途中丢失", "report_no": "P-1"}


def test_a_cylinder_that_was_sent_away_is_not_filled_until_it_is_inspected(house: House) -> None:
    bottle = house.new_bottle()
    assert post(house, "/v1/sendings", bottle, "company", body_id="ib_1").status_code == 201
    assert reasons(house, bottle) == ["R69"]
    assert inspect(house, bottle, occurred_at=now() + 1).status_code == 201
    assert reasons(house, bottle) == []


def test_a_lost_cylinder_is_refused_until_whoever_reported_it_says_that_it_was_found(house: House) -> None:
    bottle = house.new_bottle()
    act: dict[str, Any] = {"id": new_id("lost"), "occurred_at": now(), **LOST}
    first = post(house, "/v1/losses", bottle, "company", **act)
    assert first.status_code == 201
    assert post(house, "/v1/losses", bottle, "company", **act).content == first.content
    assert reasons(house, bottle) == ["R38"]
    found = {"cause": "找回", "occurred_at": now() + 1}
    assert post(house, "/v1/losses/found", bottle, "company", **found).status_code == 201
    assert reasons(house, bottle) == []
    again = post(house, "/v1/losses/found", bottle, "company", **found)
    assert (again.status_code, again.json()["code"]) == (422, "cannot_follow")


def test_only_its_owner_or_who_has_it_reports_a_cylinder_and_each_finds_what_they_lost(house: House) -> None:
    bottle = house.new_bottle()
    for path, fields in (("/v1/losses", LOST), ("/v1/sendings", {"body_id": "ib_1"})):
        assert post(house, path, bottle, "company-2", **fields).json()["code"] == "other_owner"
    assert post(house, "/v1/handovers", bottle, "company", to_holder_id="co_2").status_code == 201
    assert post(house, "/v1/losses", bottle, "company-2", **LOST).status_code == 201
    assert post(house, "/v1/losses/found", bottle, "company", cause="x").json()["code"] == "cannot_follow"
    assert sorted(state_of(house, bottle).marks or {}) == ["lost/co_2"]


def test_a_cylinder_on_file_has_one_live_registration(house: House) -> None:
    body = registration(house)
    register(house, body)
    regulator = house.as_("regulator")
    act = {"code": body["code"], "registered_on": "2026-06-02", "occurred_at": now()}
    first = {"id": new_id("use"), "registration_no": "U-1", **act}
    assert regulator.post("/v1/use-registrations", json=first).status_code == 201
    assert state_by_code(house, body["code"]).registration_no == "U-1"
    second = {"id": new_id("use"), "registration_no": "U-2", **act}
    assert regulator.post("/v1/use-registrations", json=second).json()["code"] == "cannot_follow"


@pytest.mark.parametrize("path", ["/v1/returns", "/v1/inspections"])
def test_a_cancelled_registration_is_an_end(house: House, path: str) -> None:
    bottle = house.new_bottle()
    cancelled = {"receipt_no": "C-1", "cause": "已去功能化"}
    assert post(house, "/v1/use-registrations/cancel", bottle, "regulator", **cancelled).status_code == 201
    if path == "/v1/returns":
        assert post(house, path, bottle, "station", station_id="st_1").status_code == 201
    else:
        assert inspect(house, bottle).status_code == 201
    state = state_of(house, bottle)
    assert (state.status, state.cancellation_no) == ("cancelled", "C-1")
    assert "R30" in reasons(house, bottle)
