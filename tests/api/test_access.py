"""Who may call what: every operation of the document, called with a real token of every role."""

from typing import Any

import pytest
from api_house import House

from cylinder_api.access import ACCESS, ROLES
from cylinder_api.app import create_app

EXPECTED = {
    "check_fill": "station",
    "list_fill_checks": "station manager filler checker regulator auditor",
    "record_fill": "station",
    "upload_entries": "station",
    "get_replica": "station manager",
    "stream_changes": "station",
    "record_return": "station delivery",
    "list_cylinders": "station manager company regulator auditor",
    "get_figures": "company regulator auditor",
    "get_cylinder": "station manager filler checker company maker inspector regulator auditor",
    "get_history": "station manager company maker inspector regulator auditor",
    "get_history_bundle": "station manager company maker regulator auditor",
    "register_cylinder": "company",
    "import_cylinders": "company",
    "request_tag": "company",
    "grant_tag": "regulator",
    "refuse_tag": "regulator",
    "list_imports": "company admin",
    "undo_import": "company admin",
    "bind_code": "company",
    "transfer_cylinder": "company",
    "send_to_inspection": "company",
    "report_lost": "company",
    "report_found": "company",
    "register_use": "regulator",
    "cancel_registration": "regulator",
    "record_sale": "delivery",
    "read_customer": "company delivery regulator",
    "erase_customer": "company regulator",
    "record_inspection": "inspector",
    "record_inspection_item": "inspector",
    "change_valve": "inspector",
    "evaluate_cylinder": "inspector",
    "hand_over_cylinder": "company delivery inspector regulator",
    "accept_cylinder": "company delivery inspector regulator",
    "seize_cylinder": "regulator",
    "lift_seizure": "regulator",
    "record_licence": "regulator",
    "record_making": "maker",
    "receive_lot": "company",
    "test_lot": "company regulator",
    "release_lot": "company regulator",
    "block_lot": "company regulator",
    "license_station": "regulator",
    "verify_scale": "regulator",
    "record_certificate": "regulator",
    "correct_entry": "regulator",
    "get_scrapping": "inspector regulator auditor",
    "condemn_cylinder": "inspector",
    "destroy_cylinder": "inspector",
    "flag_cylinder": "regulator",
    "clear_flag": "regulator",
    "lock_scale": "regulator",
    "open_recall": "regulator maker",
    "close_recall": "regulator maker",
    "list_recalled": "regulator auditor maker",
    "list_disputes": "regulator auditor",
    "resolve_dispute": "regulator",
    "get_entry_bundle": "auditor regulator",
    "issue_enrolment_code": "admin manager",
    "list_devices": "admin manager company regulator auditor",
    "cut_off_device": "admin manager company regulator",
    "register_client": "admin",
    "list_clients": "admin",
    "revoke_client": "admin",
    "invite_user": "admin manager",
    "list_users": "admin manager",
    "lock_user": "admin manager",
    **dict.fromkeys(
        ("get_me", "list_sessions", "end_session", "end_all_sessions", "sign_out", "change_password"), " ".join(ROLES)
    ),
    "issue_token": "",
    "accept_invitation": "",
    "sign_in": "",
    "enrol_device": "",
    "look_up_code": "",
    "get_checkpoint": "",
    "get_log_keys": "",
    "get_log_rotations": "",
    "get_tile": "",
    "get_metrics": "auditor admin",
    "get_problem_page": "",
    "get_health": "",
    "get_readiness": "",
}
"""Written by hand, not taken from the code."""
PLACES = {
    "{station_id}": "st_9",
    "{name}": "nonsense",
    "{code}": "nonsense",
    "{import_id}": "x",
    "{dispute_id}": "x",
    "{request_id}": "x",
    "{recall_id}": "x",
    "{customer_id}": "cus_9",
    "{handover_id}": "x",
    "{lot_id}": "x",
    "{device_id}": "dev_9",
    "{client_id}": "x",
    "{user_id}": "x",
    "{session_id}": "x",
    "{level}": "0",
    "{place}": "999",
}


def operations(house: House) -> dict[str, tuple[str, str]]:
    paths = house.as_(None).get("/openapi.json").json()["paths"]
    return {
        operation["operationId"]: (method, path)
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def call(house: House, where: tuple[str, str], role: str | None) -> Any:
    method, path = where
    for name, value in PLACES.items():
        path = path.replace(name, value)
    return house.as_(role).request(method, path)


def test_the_table_names_every_operation_of_the_document_and_no_other(one_house: House) -> None:
    assert set(operations(one_house)) == set(ACCESS) == set(EXPECTED)


@pytest.mark.parametrize("role", [*ROLES, None])
def test_each_role_may_call_what_it_may_and_nothing_else(one_house: House, role: str | None) -> None:
    size = one_house.running.ledger.reader.size()
    for operation, where in operations(one_house).items():
        answer = call(one_house, where, role)
        code = answer.json().get("code") if "json" in answer.headers["content-type"] else None
        if not EXPECTED[operation] or role in EXPECTED[operation].split():
            assert code not in ("not_allowed", "unauthenticated"), (operation, role)
        elif role is None:
            assert (answer.status_code, code) == (401, "unauthenticated"), operation
            assert answer.headers["www-authenticate"] == "Bearer"
        else:
            assert (answer.status_code, code) == (403, "not_allowed"), (operation, role)
        assert answer.status_code < 500, (operation, role, answer.text)
    assert one_house.running.ledger.reader.size() == size


def test_a_revoked_or_invented_token_opens_nothing(one_house: House) -> None:
    from cylinder_trace.store.accounts import read_account

    row = read_account(one_house.running.ledger.engine, "token-of-auditor")
    assert row is not None
    one_house.running.ledger.transact(lambda unit: unit.put(row.model_copy(update={"revoked_at": 1})))
    for token in ("token-of-auditor", "invented", row.token_sha256):
        answer = one_house.as_(None, token).get("/v1/fill-checks")
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    one_house.running.ledger.transact(lambda unit: unit.put(row))


def test_a_device_enrols_once_with_its_code_and_speaks_for_its_station_alone(one_house: House) -> None:
    issued = one_house.as_("admin").post("/v1/devices/codes", json={"station_id": "st_1"})
    assert issued.status_code == 201
    from cylinder_codes.keys import SigningKey, format_vkey

    body = {"code": issued.json()["code"], "vkey": format_vkey(SigningKey("pc", bytes(32)).verifying_key)}
    anybody = one_house.as_(None)
    assert anybody.post("/v1/devices/enrol", json={**body, "vkey": "nonsense"}).status_code == 422
    enrolled = anybody.post("/v1/devices/enrol", json=body)
    assert enrolled.status_code == 200
    assert enrolled.json()["station_id"] == "st_1"
    assert enrolled.json()["origin"] == "ledger.example/tests"
    own = one_house.as_(None, enrolled.json()["token"])
    assert own.get("/v1/stations/st_1/replica").status_code == 200
    assert own.get("/v1/stations/st_2/replica").status_code == 403
    for code in (body["code"], "4X7K-9QRT-2MWZ-B8ND"):
        again = anybody.post("/v1/devices/enrol", json={**body, "code": code})
        assert (again.status_code, again.json()["code"]) == (403, "enrolment_code_invalid")
    unknown = one_house.as_("admin").post("/v1/devices/codes", json={"station_id": "st_9"})
    assert unknown.json()["code"] == "station_unknown"


def test_the_document_describes_every_body_and_every_refusal(one_house: House) -> None:
    document = create_app(one_house.running).openapi()
    assert document["openapi"].startswith("3.1")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], path
            if method == "post":
                assert operation["requestBody"]["content"], path
            if EXPECTED[operation["operationId"]]:
                assert {"401", "403"} <= set(operation["responses"])
    names = set(document["components"]["schemas"])
    assert {"FillRequest", "Decision", "CylinderState", "HistoryBundle", "Problem", "Sale", "Identity"} <= names


def test_no_page_of_the_service_loads_anything_from_elsewhere(one_house: House) -> None:
    for path in ("/docs", "/redoc"):
        assert one_house.as_(None).get(path).status_code == 404


def test_a_path_that_is_not_there_or_a_wrong_method_is_a_problem_too(one_house: House) -> None:
    for method, path, code in (("GET", "/v2", "not_found"), ("PUT", "/v1/fills", "method_not_allowed")):
        answer = one_house.as_("station").request(method, path)
        assert answer.json()["code"] == code
        assert answer.headers["content-type"] == "application/problem+json"
