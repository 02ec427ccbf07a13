"""Tokens and the document: what opens nothing, and what every operation says of itself (the rest: the matrix)."""

from typing import get_args

from access_matrix import EXPECTED, PUBLIC, may_call
from api_house import House

from cylinder_api.access import ACCESS, ROLES, SYSTEM_ROLES, Role, scopes_of
from cylinder_api.app import create_app
from cylinder_trace.store.accounts import read_row, secret_sha256
from cylinder_trace.store.tables import AccountRow


def operations(house: House) -> set[str]:
    paths = house.as_(None).get("/openapi.json").json()["paths"]
    return {operation["operationId"] for methods in paths.values() for operation in methods.values()}


def test_the_table_names_every_operation_of_the_document_and_no_other(one_house: House) -> None:
    assert operations(one_house) == set(ACCESS) == set(EXPECTED) | PUBLIC


def test_the_table_names_the_roles_that_are_expected_and_no_other() -> None:
    for operation, rule in ACCESS.items():
        allowed = rule.roles if rule else set(ROLES)
        assert allowed == {role for role in ROLES if may_call(operation, role)}, operation


def test_every_role_has_a_scope_and_no_system_may_let_others_in() -> None:
    assert get_args(Role) == ROLES
    for role in ROLES:
        assert scopes_of(role), role
    for role in SYSTEM_ROLES:
        assert "access:write" not in scopes_of(role), role


def test_a_revoked_or_invented_token_opens_nothing(one_house: House) -> None:
    digest = secret_sha256("token-of-auditor")
    row = read_row(one_house.running.ledger.engine, AccountRow, digest)
    assert row is not None
    one_house.running.ledger.transact(lambda unit: unit.put(row.model_copy(update={"revoked_at": 1})))
    for token in ("token-of-auditor", "invented", row.token_sha256):
        answer = one_house.as_(None, token).get("/v1/fill-checks")
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"
    one_house.running.ledger.transact(lambda unit: unit.put(row))


def test_a_header_that_is_no_token_is_refused_as_none(one_house: House) -> None:
    anybody = one_house.as_(None)
    for value in ("Bearer", "Basic dG9rZW4tb2YtYWRtaW46", "token-of-admin", "Bearer token-of-admin extra"):
        answer = anybody.get("/v1/me", headers={"Authorization": value})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), value
    assert anybody.get("/v1/me?access_token=token-of-admin").status_code == 401


BY_ADDRESS = frozenset(("exchange_webhook_secret", "resend_delivery", "test_webhook"))
"""Their address says all."""


def test_the_document_describes_every_body_and_every_refusal(one_house: House) -> None:
    document = create_app(one_house.running).openapi()
    assert document["openapi"].startswith("3.1")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], path
            if method == "post" and operation["operationId"] not in BY_ADDRESS:
                assert operation["requestBody"]["content"], path
            if operation["operationId"] not in PUBLIC:
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
