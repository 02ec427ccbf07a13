"""Tokens for machines: a signed assertion, once and for minutes, opens the service for a quarter of an hour."""

import base64
import json
import threading
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from api_house import DEVICE, DEVICE_KEY, House, listening, now
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from cylinder_api.access import scopes_of

ORIGIN = "ledger.example/tests"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DEVICES_OWN = Ed25519PrivateKey.from_private_bytes(DEVICE_KEY.seed)
FOREIGN = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)


def claims(client: str = DEVICE, **changes: Any) -> dict[str, Any]:
    """A good statement of a client."""
    seconds = now() // 1000
    said = {"iss": client, "sub": client, "aud": ORIGIN, "iat": seconds, "exp": seconds + 200, "jti": uuid.uuid4().hex}
    return {name: value for name, value in {**said, **changes}.items() if value is not None}


def assertion(key: Any = DEVICES_OWN, algorithm: str = "EdDSA", headers: Any = None, **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm, headers=headers)


def ask(house: House, signed: str, **fields: str) -> httpx.Response:
    """Ask for a token with a form."""
    form = {"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": signed, **fields}
    return house.as_(None).post("/oauth/token", data=form)


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["error_description"]
    return answer.status_code, answer.json()["error"]


def new_client(house: House, key: Any, client: str, **changes: Any) -> httpx.Response:
    """An admin registers a system with its public key."""
    kind = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else OKPAlgorithm
    jwk = {
        name: value
        for name, value in kind.to_jwk(key.public_key(), as_dict=True).items()
        if name in ("kty", "crv", "x", "y")
    }
    body = {"client_id": client, "role": "company", "org_id": "co_1", "jwk": jwk, **changes}
    return house.as_("admin").post("/v1/clients", json=body)


def test_a_device_gets_a_token_with_the_key_that_the_ledger_trusts_and_it_opens_its_own_station(house: House) -> None:
    answer = ask(house, assertion())
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 900)
    assert set(told["scope"].split()) == scopes_of("station")
    device = house.as_(None, told["access_token"])
    assert device.get("/v1/stations/st_1/replica").status_code == 200
    assert device.get("/v1/stations/st_2/replica").json()["code"] == "other_station"


def test_another_system_signs_with_the_key_that_an_admin_registered(house: House) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert new_client(house, key, "dispatch").status_code == 201
    answer = ask(house, assertion(key, "ES256", client="dispatch"), client_id="dispatch")
    assert answer.status_code == 200, answer.text
    bottle = house.new_bottle()
    assert house.as_(None, answer.json()["access_token"]).get(f"/v1/cylinders/{bottle.code}").status_code == 200


def test_a_token_may_be_narrower_than_its_client_and_never_wider(house: House) -> None:
    narrow = ask(house, assertion(), scope="fill:check").json()
    assert narrow["scope"] == "fill:check"
    answer = house.as_(None, narrow["access_token"]).get("/v1/stations/st_1/replica")
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    for wish in ("supervision:write", "fill:check access:write", "nonsense"):
        assert refused(ask(house, assertion(), scope=wish)) == (400, "invalid_scope")
    key = Ed25519PrivateKey.generate()
    assert new_client(house, key, "reader", scope="cylinder:read").status_code == 201
    assert refused(ask(house, assertion(key, client="reader"), scope="cylinder:write")) == (400, "invalid_scope")
    assert ask(house, assertion(key, client="reader")).json()["scope"] == "cylinder:read"


def test_an_assertion_opens_nothing_a_second_time_not_even_in_the_same_moment(house: House) -> None:
    signed = assertion()
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(house, signed).status_code)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 401, 401, 401, 401, 401]
    same_number = claims()
    assert ask(house, jwt.encode(same_number, DEVICES_OWN, "EdDSA")).status_code == 200
    later = {**same_number, "exp": same_number["exp"] + 1}
    assert refused(ask(house, jwt.encode(later, DEVICES_OWN, "EdDSA"))) == (401, "invalid_client")


SECONDS = now() // 1000
BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "it is over": {"exp": SECONDS - 100_000},
    "it lives longer than five minutes": {"exp": SECONDS + 86_400},
    "it never ends": {"exp": None},
    "its end is no number": {"exp": "soon"},
    "its end is true": {"exp": True},
    "its end is infinite": {"exp": float("inf")},
    "it begins in the future": {"nbf": SECONDS + 86_400},
    "it is made in the future": {"iat": SECONDS + 86_400},
    "it is meant for another service": {"aud": "https://other.example/oauth/token"},
    "it is meant for whatever Host says": {"aud": "http://127.0.0.1/oauth/token"},
    "it is meant for nobody": {"aud": None},
    "its audience is an object": {"aud": {"a": 1}},
    "it has no number": {"jti": None},
    "its number is empty": {"jti": ""},
    "its number is a list": {"jti": ["a"]},
    "its number is very long": {"jti": "a" * 5000},
    "another one is its subject": {"sub": "dev_2"},
    "another one issued it": {"iss": "dev_2"},
    "nobody issued it": {"iss": None},
    "its issuer is a list": {"iss": [DEVICE]},
}


@pytest.mark.parametrize("why", BAD_CLAIMS)
def test_a_statement_that_is_not_for_here_and_now_gets_no_token(one_house: House, why: str) -> None:
    said = claims(**BAD_CLAIMS[why])
    header = base64.urlsafe_b64encode(b'{"alg":"EdDSA"}').rstrip(b"=")
    payload = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=")
    signature = base64.urlsafe_b64encode(DEVICES_OWN.sign(header + b"." + payload)).rstrip(b"=")
    assert refused(ask(one_house, b".".join((header, payload, signature)).decode())) == (401, "invalid_client")


def test_an_assertion_may_be_meant_for_the_address_that_is_configured(one_house: House) -> None:
    usual = one_house.running.settings
    one_house.running.settings = replace(usual, public_url="https://ledger.example")
    for audience in ("https://ledger.example", "https://ledger.example/oauth/token", [ORIGIN, "https://other.example"]):
        assert ask(one_house, assertion(aud=audience)).status_code == 200
    one_house.running.settings = usual
    assert refused(ask(one_house, assertion(aud="https://ledger.example"))) == (401, "invalid_client")


def test_a_clock_that_is_half_a_minute_off_does_not_matter(one_house: House) -> None:
    seconds = now() // 1000
    assert ask(one_house, assertion(exp=seconds - 30, iat=seconds - 200)).status_code == 200
    assert ask(one_house, assertion(exp=seconds + 330, iat=seconds + 30, nbf=seconds + 30)).status_code == 200


def test_an_assertion_that_the_clients_own_key_did_not_sign_gets_no_token(one_house: House) -> None:
    good = assertion()
    head, body, signature = good.split(".")
    unsigned = jwt.encode(claims(), "", "none")
    shared = jwt.encode(claims(), DEVICE_KEY.verifying_key.public_bytes * 2, "HS256")
    forged = {
        "another key": assertion(FOREIGN),
        "no signature at all": unsigned,
        "none, spelled otherwise": f"eyJhbGciOiJuT25FIn0.{body}.",
        "the public key as a shared secret": shared,
        "another algorithm": assertion(ec.generate_private_key(ec.SECP256R1()), "ES256"),
        "its own key in the header": assertion(
            FOREIGN, headers={"jwk": OKPAlgorithm.to_jwk(FOREIGN.public_key(), as_dict=True)}
        ),
        "a key from elsewhere": assertion(FOREIGN, headers={"jku": "https://evil.example/jwks"}),
        "an extension": assertion(headers={"crit": ["exp"], "exp": 1}),
        "a changed body": f"{head}.{body[:-4]}AAAA.{signature}",
        "a cut signature": f"{head}.{body}.{signature[:-8]}",
        "a statement nested without end": f"{head}.{base64.urlsafe_b64encode(b'[' * 9000).decode()}.{signature}",
        "no statement": "nonsense",
        "an empty one": "..",
        "five parts": f"{good}.a.b",
        "an unknown client": assertion(client="dev_unknown"),
        "a client that would be a path": assertion(client="../station/st_1"),
        "a client with a line break": assertion(client="dev_1\r\nX-Role: admin"),
    }
    for why, signed in forged.items():
        assert refused(ask(one_house, signed)) == (401, "invalid_client"), why
    described = {
        ask(one_house, forged[why]).json()["error_description"] for why in ("another key", "an unknown client")
    }
    assert len(described) == 1, "nobody learns which clients exist"


def test_a_form_that_is_none_is_told_so_as_the_standard_says(one_house: House) -> None:
    anybody, form = one_house.as_(None), "application/x-www-form-urlencoded"
    good = {"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": assertion()}
    assert refused(anybody.post("/oauth/token", json=good)) == (400, "invalid_request")
    assert refused(anybody.post("/oauth/token", data={**good, "grant_type": "password"})) == (
        400, "unsupported_grant_type",
    )  # fmt: skip
    assert refused(anybody.post("/oauth/token", data={"grant_type": "client_credentials"})) == (401, "invalid_client")
    assert refused(anybody.post("/oauth/token", data={**good, "client_id": "dev_2"})) == (401, "invalid_client")
    twice = "grant_type=client_credentials&grant_type=client_credentials"
    for body in (b"", b"%", b"\xff\xfe", twice.encode(), b"&".join(b"a%d=1" % number for number in range(500))):
        answer = anybody.post("/oauth/token", content=body, headers={"content-type": form})
        assert refused(answer) == (400, "invalid_request"), body
    huge = anybody.post("/oauth/token", content=b"a=" + b"b" * 200_000, headers={"content-type": form})
    assert (huge.status_code, huge.json()["code"]) == (413, "too_large")


def test_a_revoked_system_is_out_at_once_with_every_token_it_has(house: House) -> None:
    key = Ed25519PrivateKey.generate()
    assert new_client(house, key, "gone").status_code == 201
    system = house.as_(None, ask(house, assertion(key, client="gone")).json()["access_token"])
    assert system.get("/v1/me").json()["account_id"] == "gone"
    assert house.as_("admin").delete("/v1/clients/gone").json()["revoked_at"]
    assert system.get("/v1/me").status_code == 401
    assert refused(ask(house, assertion(key, client="gone"))) == (401, "invalid_client")
    assert new_client(house, key, "gone").json()["code"] == "id_conflict"
    assert house.as_("admin").delete("/v1/clients/nobody").json()["code"] == "client_unknown"


def test_an_admin_registers_public_keys_only_and_no_system_that_would_let_others_in(one_house: House) -> None:
    key = Ed25519PrivateKey.generate()
    private = OKPAlgorithm.to_jwk(key, as_dict=True)
    wrong: dict[str, Any] = {
        "a private key": {"jwk": private},
        "no key": {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}},
        "a point that is on no curve": {"jwk": {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}},
        "an admin": {"role": "admin"},
        "a device": {"role": "station"},
        "the id of a device": {"client_id": "dev_1"},
        "a scope of another role": {"scope": "cylinder:read access:write"},
        "no scope": {"scope": " "},
    }
    for why, change in wrong.items():
        body = {"client_id": "bad", "role": "company", "org_id": "co_1", "jwk": {}, **change}
        body["jwk"] = change.get("jwk") or {"kty": "OKP", "crv": "Ed25519", "x": private["x"]}
        assert one_house.as_("admin").post("/v1/clients", json=body).status_code == 422, why
    assert new_client(one_house, key, "one").status_code == 201
    assert new_client(one_house, key, "one").status_code == 201, "the same again changes nothing"
    assert new_client(one_house, key, "one", org_id="co_2").json()["code"] == "id_conflict"
    listed = {item["client_id"]: item for item in one_house.as_("admin").get("/v1/clients").json()["items"]}
    assert listed["one"]["org_id"] == "co_1"
    assert "bad" not in listed


def test_a_token_of_a_quarter_of_an_hour_is_over_after_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    ahead = [0]
    with House(tmp_path_factory.mktemp("clock"), clock=lambda: now() + ahead[0]) as house:
        device = house.as_(None, ask(house, assertion()).json()["access_token"])
        with listening(device) as stream:
            next(stream)
            ahead[0] = 15 * 60_000 + 1
            assert len(list(stream)) < 20, "what it holds open ends too"
        assert device.get("/v1/me").status_code == 401


def test_two_processes_take_an_assertion_and_a_stolen_device_s_stream_as_one(postgres_url: str, tmp_path: Path) -> None:
    with House(tmp_path, postgres_url) as first, House(tmp_path, postgres_url) as second:
        signed = assertion()
        assert sorted(ask(house, signed).status_code for house in (first, second)) == [200, 401]
        told = ask(first, assertion()).json()
        with listening(second.as_(None, told["access_token"])) as stream:
            next(stream)
            assert first.as_("manager").post(f"/v1/devices/{DEVICE}/cut-off", json={"cause": "stolen"}).is_success
            assert len(list(stream)) < 20
        assert second.as_(None, told["access_token"]).get("/v1/me").json()["code"] == "device_cut_off"
        assert refused(ask(second, assertion())) == (401, "invalid_client")
