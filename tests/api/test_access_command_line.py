"""Letting systems and people in from the command line, beside a running service."""

from pathlib import Path

from api_house import House
from api_process import answer, run
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from test_machine_tokens import ORIGIN, ask


def key_files(folder: Path) -> tuple[Path, Path]:
    """A new private key and its public half, in PEM."""
    key, pem = Ed25519PrivateKey.generate(), serialization.Encoding.PEM
    private, public = folder / "dispatch.key", folder / "dispatch.pub"
    plain = serialization.NoEncryption()
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_a_system_is_let_in_tried_out_and_put_out_beside_the_running_service(tmp_path: Path) -> None:
    private, public = key_files(tmp_path)
    with House(tmp_path / "data") as house:
        data = ("--data", house.folder)
        whom = ("--id", "dispatch", "--role", "delivery", "--org", "co_1")
        assert answer("client", "add", *whom, "--key", public, *data)["jwk"]["crv"] == "Ed25519"
        signed = answer("client", "assert", "--id", "dispatch", "--key", private, "--audience", ORIGIN)
        told = ask(house, signed["client_assertion"])
        assert told.status_code == 200, told.text
        assert "private half" in run("client", "add", *whom, "--key", private, *data).sentence
        assert answer("client", "revoke", "--id", "dispatch", *data)["revoked_at"]
        assert house.as_(None, told.json()["access_token"]).get("/v1/me").status_code == 401
        assert house.audit() == []


def test_a_person_is_invited_and_locked_beside_the_running_service(tmp_path: Path) -> None:
    with House(tmp_path / "data") as house:
        data = ("--data", house.folder)
        invited = answer("user", "invite", "--id", "wang", "--role", "checker", "--org", "st_1", *data)
        accepted = {"code": invited["code"], "password": "eight small green cylinders"}
        assert house.as_(None).post("/v1/users/accept", json=accepted).status_code == 200
        assert answer("user", "lock", "--id", "wang", *data)["revoked_at"]
        assert "no such user" in run("user", "lock", "--id", "wong", *data).sentence
        told = house.as_(None).post("/v1/users/accept", json=accepted)
        assert told.json()["code"] == "enrolment_code_invalid"
