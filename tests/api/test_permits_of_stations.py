"""What makes a station fit to fill (充装条件): its licence, its verified scales, its people's certificates."""

from typing import Any

from api_house import House, check_body, new_id, now

from cylinder_trace.standing import WorkerState
from cylinder_trace.station import StationState


def state(house: House, path: str, **fields: Any) -> Any:
    body = {"id": new_id("act"), "occurred_at": now(), **fields}
    return house.as_("regulator").post(path, json=body)


def reasons(house: House, **changes: Any) -> list[str]:
    answer = house.as_("station").post("/v1/fill-checks", json=check_body(house.new_bottle(), **changes))
    return [reason["code"] for reason in answer.json()["decision"]["reasons"]]


def certify(house: House, worker_id: str, **changes: Any) -> Any:
    facts = {
        "worker_id": worker_id, "certificate_no": f"C-{worker_id}", "scope": "filling", "valid_from": "2024-01-01",
        "valid_until": "2099-12-31", **changes,
    }  # fmt: skip
    return state(house, "/v1/certificates", **facts)


def give_licence(house: House, **changes: Any) -> Any:
    facts = {"station_id": "st_1", "company_id": "co_1", "licence_no": "L1", "valid_until": "2099-12-31", "region": "R"}
    return state(house, "/v1/station-licences", **{**facts, **changes})


def test_a_suspended_licence_stops_the_station_with_the_next_check_until_it_is_given_back(house: House) -> None:
    at = now()
    assert give_licence(house, suspended=True, occurred_at=at).status_code == 201
    assert reasons(house) == ["R60"]
    assert give_licence(house, occurred_at=at + 1).status_code == 201
    assert reasons(house) == []
    assert house.audit() == []


def test_a_scale_weighs_until_the_last_day_of_its_verification(house: House) -> None:
    scale = {"station_id": "st_1", "scale_id": new_id("sc")}
    over, good = "2026-01-31", "2099-12-31"
    at = now()
    assert "R62" in reasons(house, scale_id=scale["scale_id"])
    assert state(house, "/v1/scale-verifications", **scale, valid_until=over, occurred_at=at).status_code == 201
    assert "R62" in reasons(house, scale_id=scale["scale_id"])
    act = {**scale, "id": new_id("act"), "valid_until": good, "occurred_at": at + 1}
    first = state(house, "/v1/scale-verifications", **act)
    assert state(house, "/v1/scale-verifications", **act).content == first.content
    assert reasons(house, scale_id=scale["scale_id"]) == []
    nowhere = state(house, "/v1/scale-verifications", station_id="st_9", scale_id="s", valid_until=good)
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "station_unknown")


def test_a_fillers_certificate_counts_at_the_station_and_its_suspension_reaches_every_one(house: House) -> None:
    worker = new_id("fl")
    assert reasons(house, worker_id=worker) == ["R61"]
    at = now()
    for number, station_id in enumerate(("st_1", "st_2")):
        assert certify(house, worker, station_id=station_id, occurred_at=at + number).status_code == 201
    assert reasons(house, worker_id=worker) == []
    act = {"id": new_id("act"), "standing": "suspended", "occurred_at": at + 2}
    first = certify(house, worker, **act)
    assert first.status_code == 201
    assert certify(house, worker, **act).content == first.content
    assert reasons(house, worker_id=worker) == ["R61"]
    for station_id in ("st_1", "st_2"):
        station = house.running.ledger.reader.state(f"station/{station_id}")
        assert isinstance(station, StationState)
        assert station.workers[worker] < "2099"
    holder = house.running.ledger.reader.state(f"worker/{worker}")
    assert isinstance(holder, WorkerState)
    assert holder.certificates[f"C-{worker}"].standing == "suspended"


def test_a_certificate_of_another_scope_lets_nobody_fill(house: House) -> None:
    worker = new_id("dw")
    assert certify(house, worker, scope="delivery", station_id="st_1").status_code == 201
    assert reasons(house, worker_id=worker) == ["R61"]


def test_a_certificate_that_ends_before_it_begins_or_is_for_no_station_is_refused(house: House) -> None:
    backwards = certify(house, new_id("fl"), valid_from="2026-02-01", valid_until="2026-01-31")
    assert (backwards.status_code, backwards.json()["code"]) == (422, "invalid")
    assert certify(house, new_id("fl"), station_id="st_9").json()["code"] == "station_unknown"
    assert certify(house, new_id("fl"), occurred_at=now() + 86_400_000).json()["code"] == "occurred_in_future"
