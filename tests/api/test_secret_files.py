"""Secrets come from files, as secret stores and systemd hand them over; the service manager hears when we serve."""

import socket
from pathlib import Path

import pytest

from cylinder_api.commands.failure import CannotDo
from cylinder_api.commands.serve import tell_systemd
from cylinder_api.settings import settings_for


def test_addresses_and_tokens_are_read_from_the_files_that_the_environment_names(tmp_path: Path) -> None:
    for name, text in (("url", "postgresql://u:p@h/d\n"), ("redis", "redis://h:1/0"), ("token", "  t0ken  \n")):
        (tmp_path / name).write_text(text)
    named = {"DATABASE_URL_FILE": "url", "REDIS_URL_FILE": "redis", "METRICS_TOKEN_FILE": "token"}
    found = settings_for(tmp_path, environment={name: str(tmp_path / file) for name, file in named.items()})
    said = found.database_url, found.redis_url, found.metrics_token
    assert said == ("postgresql://u:p@h/d", "redis://h:1/0", "t0ken")
    given = settings_for(tmp_path, "sqlite:////x", environment={"DATABASE_URL_FILE": str(tmp_path / "url")})
    assert given.database_url == "sqlite:////x"


def test_a_file_that_cannot_be_used_is_one_sentence_without_the_secret(tmp_path: Path) -> None:
    (tmp_path / "two").write_text("secret\nlines\n")
    (tmp_path / "none").write_text("\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name in ("missing", "two", "none", "bytes"):
        with pytest.raises(CannotDo, match="DATABASE_URL_FILE") as told:
            settings_for(tmp_path, environment={"DATABASE_URL_FILE": str(tmp_path / name)})
        assert "secret" not in str(told.value).replace("the secret", "")
    both = {"REDIS_URL": "redis://h", "REDIS_URL_FILE": str(tmp_path / "two")}
    with pytest.raises(CannotDo, match="both set"):
        settings_for(tmp_path, environment=both)


@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_is_told_where_it_listens_and_nobody_else_is(tmp_path: Path, abstract: bool) -> None:
    name = f"@{tmp_path}/notify" if abstract else f"{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0", 1))
        manager.settimeout(10)
        tell_systemd("READY=1", {"NOTIFY_SOCKET": name})
        assert manager.recv(100) == b"READY=1"
    for silent in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:1"}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        tell_systemd("READY=1", silent)
