"""Where an authority acts, what a maker calls back, and what a filler sees: the edges of the matrix."""

from collections.abc import Iterator
from typing import Any

import pytest
from api_house import Bottle, House, check_body, new_id, now

from cylinder_api.acts.enrolment import grant
from cylinder_trace import events
from cylinder_trace.store.tables import AccountRow
from cylinder_trace.store.unit import Unit

LATER = "2099-12-31"
HERE, THERE = "330106", "330282"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """st_1 lies in 3301, st_2 in 3302; an authority with two persons acts in 3301."""
    with House(tmp_path_factory.mktemp("districts")) as running:
        for number, region in ((1, HERE), (2, THERE)):
            event = events.StationLicensed(
                company_id=f"co_{number}", licence_no=f"L{number}", valid_until=LATER, region=region
            )
            running.append(f"station/st_{number}", event)
        running.running.ledger.transact(_let_in)
        yield running


def _let_in(unit: Unit) -> None:
    for person in ("a", "b"):
        grant(unit, f"token-3301-{person}", f"authority.{person}", "regulator", "au_3301")
        row = unit.staged_rows(AccountRow)[-1]
        unit.put(row.model_copy(update={"district": "3301"}))


def act(house: House, path: str, token: str = "token-3301-a", **body: Any) -> tuple[int, str | None]:
    said = {"id": new_id("act"), "occurred_at": now(), "cause": "示例", **body}
    if "/resolve" in path:
        said = {name: said[name] for name in ("occurred_at", "outcome", "reason")}
    answer = house.as_(None, token).post(path, json=said)
    return answer.status_code, answer.json().get("code")


def license_station(house: House, station_id: str, region: str, token: str = "token-3301-a") -> tuple[int, str | None]:
    facts = {"company_id": "co_9", "licence_no": "L", "valid_until": LATER, "region": region}
    said = {"id": new_id("act"), "occurred_at": now(), "station_id": station_id, **facts}
    answer = house.as_(None, token).post("/v1/station-licences", json=said)
    return answer.status_code, answer.json().get("code")


def test_nobody_takes_a_station_of_another_district_over_by_licensing_it_as_the_own(house: House) -> None:
    assert license_station(house, "st_2", HERE) == (403, "other_district")
    assert license_station(house, "st_new", THERE) == (403, "other_district")
    assert license_station(house, "st_new", HERE) == (201, None)
    assert license_station(house, "st_new", THERE) == (403, "other_district"), "nor gives it away"
    assert license_station(house, "st_far", THERE, "token-of-regulator") == (201, None), (
        "a national one acts everywhere"
    )


def use(house: House, bottle: Bottle) -> tuple[int, str | None]:
    said = {
        "id": new_id("use"), "code": bottle.code, "receipt_no": "示例注销", "cause": "已去功能化", "occurred_at": now(),
    }  # fmt: skip
    answer = house.as_(None, "token-3301-a").post("/v1/use-registrations/cancel", json=said)
    return answer.status_code, answer.json().get("code")


def test_a_cylinder_lies_in_its_own_region_else_where_its_owners_stations_are_else_nowhere(house: House) -> None:
    assert use(house, house.new_bottle("co_1")) == (201, None)
    assert use(house, house.new_bottle("co_2")) == (403, "other_district")
    assert use(house, house.new_bottle("co_without_a_station")) == (403, "other_district")
    there = house.new_bottle("co_1")
    assert _registered_in(house, "co_1", THERE) == (403, "other_district")
    assert _registered_in(house, "co_2", HERE) == (201, None)
    assert house.entries_of(there.subject)[-1].type == "code_bound", "a refused act leaves nothing"


def _registered_in(house: House, owner: str, region: str) -> tuple[int, str | None]:
    number = new_id("cyl").replace(".", "")
    stamp = events.Stamp(
        maker="M", serial=number, model="YSP35.5", manufactured_month="2024-03", tare_g=16_500, water_volume_ml=35_500,
        max_fill_g=14_900,
    )  # fmt: skip
    registered = events.CylinderRegistered(
        stamp=stamp, owner_id=owner, in_service_on="2024-04-01", registration_no=number, region=region
    )
    house.append(f"cylinder/cyl_{number}", registered)
    code = f"province:ZJ{number[-14:]}"
    house.append(f"cylinder/cyl_{number}", events.CodeBound(code=code, scheme="province"))
    return use(house, Bottle(f"cyl_{number}", code))


def test_a_black_flag_of_another_district_is_set_and_confirmed_by_the_authority_that_found_it(house: House) -> None:
    bottle = house.new_bottle("co_2")
    flag: dict[str, Any] = {"code": bottle.code, "flag": "black", "evidence_sha256": ["ab" * 32]}
    assert act(house, "/v1/flags", **flag) == (201, None)
    (dispute,) = [entry.id for entry in house.entries_of(bottle.subject) if entry.type == "dispute_raised"]
    resolve = {"outcome": "upheld", "reason": "复核属实"}
    assert act(house, f"/v1/disputes/{dispute}/resolve", **resolve) == (403, "same_person")
    assert act(house, f"/v1/disputes/{dispute}/resolve", "token-3301-b", **resolve) == (201, None)


def test_the_same_act_sent_again_is_answered_again_wherever_it_lies_by_now(house: House) -> None:
    assert license_station(house, "st_moving", HERE) == (201, None)
    said = {"id": new_id("scale"), "station_id": "st_moving", "scale_id": "s", "valid_until": LATER,
            "occurred_at": now()}  # fmt: skip
    client = house.as_(None, "token-3301-a")
    first = client.post("/v1/scale-verifications", json=said)
    assert license_station(house, "st_moving", THERE, "token-of-regulator") == (201, None)
    assert client.post("/v1/scale-verifications", json=said).content == first.content
    other = client.post("/v1/scale-verifications", json={**said, "id": new_id("scale")})
    assert other.json()["code"] == "other_district"


# --- a maker's recall -------------------------------------------------------------------------------------------


def made(house: House, maker_id: str, name: str) -> Bottle:
    """A cylinder with this name on its stamp, of which this maker has its own record."""
    bottle = house.new_bottle(maker=name)
    stamp = events.Stamp(**house.entries_of(bottle.subject)[0].data["stamp"])
    house.append(
        bottle.subject,
        events.CylinderMade(maker_id=maker_id, stamp=stamp, made_on="2024-03-02", certificate_no="C", batch_no="B"),
    )
    return bottle


def test_a_maker_calls_back_what_it_made_and_nothing_that_bears_its_name_alone(house: House) -> None:
    own, other, unrecorded = made(house, "mk_1", "Works"), made(house, "mk_2", "Works"), house.new_bottle(maker="Works")
    maker = house.as_("maker")
    recall = {"id": new_id("recall"), "maker": "Works", "cause": "瓶阀漏气", "occurred_at": now()}
    found = maker.post("/v1/recalls", json=recall).json()
    assert [item["cylinder_id"] for item in found["items"]] == [own.cylinder_id]
    for bottle in (other, unrecorded):
        assert "recalled" not in [entry.type for entry in house.entries_of(bottle.subject)]
    listed = maker.get(f"/v1/recalls/{recall['id']}/cylinders").json()["items"]
    assert [item["cylinder_id"] for item in listed] == [own.cylinder_id]
    late = made(house, "mk_1", "Works")
    assert maker.post("/v1/recalls", json=recall).json()["marked"] == 1, (
        "what came since is marked when it is sent again"
    )
    assert house.entries_of(late.subject)[-1].type == "recalled"
    closing = {"cause": "瓶阀均已更换", "occurred_at": now()}
    assert maker.post(f"/v1/recalls/{recall['id']}/close", json=closing).json()["lifted"] == 2
    assert house.audit() == []


def test_a_maker_recalls_no_gas_and_touches_no_recall_of_an_authority(house: House) -> None:
    maker = house.as_("maker")
    recall = {"id": new_id("recall"), "maker": "M", "cause": "c", "occurred_at": now()}
    lot = maker.post("/v1/recalls", json={**recall, "lot_id": "lot_1"})
    assert (lot.status_code, lot.json()["code"]) == (403, "not_allowed")
    assert house.as_("regulator").post("/v1/recalls", json=recall).status_code == 201
    assert maker.get(f"/v1/recalls/{recall['id']}/cylinders").json()["code"] == "other_authority"
    closing = {"cause": "c", "occurred_at": now()}
    assert maker.post(f"/v1/recalls/{recall['id']}/close", json=closing).json()["code"] == "other_authority"


# --- at the station ---------------------------------------------------------------------------------------------


def test_a_filler_sees_the_own_fill_checks_and_the_manager_those_of_the_station(house: House) -> None:
    for worker in ("filler_1", "fl_1"):
        body = check_body(house.new_bottle(), worker_id=worker)
        assert house.as_("station").post("/v1/fill-checks", json=body).status_code == 200
    own = house.as_("filler").get("/v1/fill-checks").json()["items"]
    all_of_them = house.as_("manager").get("/v1/fill-checks").json()["items"]
    assert (len(own), len(all_of_them)) == (1, 2)
    assert house.as_("checker").get("/v1/fill-checks").json()["items"] == []
