"""The files in deploy/ are held to the linters and schemas of the programs that read them, and to our own commands."""

import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any

import crossplane
import psycopg
import pytest
from api_process import answer, run
from jsonschema import Draft7Validator, Draft202012Validator
from ruamel.yaml import YAML
from sqlalchemy import make_url

from cylinder_api import secret_files, settings
from cylinder_trace.store.database import parse_url
from servers.postgres import DRIVER, package_folder

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
TIMERS = sorted((DEPLOY / "systemd").glob("*.timer"))
COMPOSE = DEPLOY / "container" / "compose.yaml"
CONTAINERFILE = DEPLOY / "container" / "Containerfile"
HARDENED = {
    "NoNewPrivileges": "true", "CapabilityBoundingSet": "", "ProtectSystem": "strict", "ProtectHome": "true",
    "PrivateTmp": "true", "PrivateDevices": "true", "ProtectClock": "true", "ProtectKernelModules": "true",
    "ProtectKernelTunables": "true", "ProtectKernelLogs": "true", "ProtectControlGroups": "true",
    "RestrictNamespaces": "true", "RestrictSUIDSGID": "true", "LockPersonality": "true",
    "MemoryDenyWriteExecute": "true", "SystemCallArchitectures": "native", "UMask": "0077", "User": "pinglian",
}  # fmt: skip
_NOT_SETTINGS = {"MASTER_KEY_FILE", "AUDIT_SOURCE", "FORWARDED_ALLOW_IPS"}
"""Read by the master key, by the unit itself, and by uvicorn."""


def needs(program: str) -> str:
    """Where a program is that only tests run."""
    found = shutil.which(program, path=Path(sys.prefix) / "servers" / "bin") or shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not on this machine")
    return found


def keys_of(unit: Path) -> dict[str, list[str]]:
    """Key → values of a unit, in their order; every line of it must be one."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text("utf-8").splitlines():
        if line and not line.startswith(("#", "[")):
            key, equals, value = line.partition("=")
            assert equals, f"{unit.name}: {line}"
            found.setdefault(key, []).append(value)
    return found


def understood(command: list[str]) -> None:
    """Fail unless one of our programs knows this command and its options."""
    program, words = Path(command[0]).name, command[1:]
    assert program in {script.name for script in entry_points(group="console_scripts")}, command
    named = [word for word in words if not word.startswith("-")][: 2 if words[:2] == ["witness", "serve"] else 1]
    helped = help_of(program, *named)
    for option in (word for word in words if word.startswith("--")):
        assert option in helped, f"{command}: {option}"


@cache
def help_of(program: str, *named: str) -> str:
    """What a command says of itself."""
    told = StringIO()
    with redirect_stdout(told), pytest.raises(SystemExit) as left:
        import_module(f"{program.replace('-', '_')}.cli").main([*named, "--help"])
    assert left.value.code == 0, named
    return told.getvalue()


def settings_named(environment: list[str]) -> set[str]:
    """Names of settings that no part of the service reads."""
    source = Path(settings.__file__).read_text("utf-8")
    read = {*re.findall(r'"([A-Z][A-Z_]+)"', source), *(f"{name}_FILE" for name in secret_files.NAMES)}
    return {name for name in environment if name not in read | _NOT_SETTINGS}


# --- systemd -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_each_unit_has_the_least_rights_and_says_who_is_told_when_it_fails(unit: Path) -> None:
    keys = keys_of(unit)
    assert {key: keys.get(key, ["missing"])[-1] for key in HARDENED} == HARDENED
    assert unit.name.startswith("pinglian-alert") or keys["OnFailure"] == ["pinglian-alert@%n.service"]
    assert not [value for values in keys.values() for value in values if "password" in value.lower()]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_each_unit_runs_a_command_that_there_is_with_settings_that_are_read(unit: Path) -> None:
    keys = keys_of(unit)
    (line,) = keys["ExecStart"]
    if not unit.name.startswith("pinglian-alert"):
        understood(shlex.split(line))
    named = [assignment.partition("=")[0] for value in keys.get("Environment", []) for assignment in value.split()]
    assert settings_named(named) == set()


def test_each_timer_starts_a_unit_that_there_is_and_makes_up_for_what_was_missed() -> None:
    assert {timer.with_suffix(".service") for timer in TIMERS} <= set(UNITS)
    for timer in TIMERS:
        assert keys_of(timer)["Persistent"] == ["true"]


def test_systemd_finds_nothing_to_say_about_the_units(tmp_path: Path) -> None:
    analyze = needs("systemd-analyze")
    for file in [*UNITS, *TIMERS]:
        name = file.name.replace("@.", "@8001.")
        # what is not installed on this machine would be found missing
        text = re.sub(r"(?<=^ExecStart=)\S+", "/bin/true", file.read_text("utf-8"), flags=re.MULTILINE)
        (tmp_path / name).write_text(text, "utf-8")
    written = sorted(str(path) for path in tmp_path.iterdir())
    said = subprocess.run([analyze, "verify", *written], capture_output=True, text=True, check=False)
    assert [line for line in (said.stdout + said.stderr).splitlines() if str(tmp_path) in line] == []
    assert said.returncode == 0, said.stderr
    for unit in (path for path in written if path.endswith(".service")):
        judged = [analyze, "security", "--offline=true", "--threshold=20", unit]
        exposed = subprocess.run(judged, capture_output=True, text=True, check=False)
        assert exposed.returncode == 0, exposed.stdout[-400:] + exposed.stderr


# --- containers ----------------------------------------------------------------------------------------------


def test_hadolint_finds_nothing_to_say_about_the_container_file() -> None:
    said = subprocess.run([needs("hadolint"), str(CONTAINERFILE)], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_the_container_file_installs_by_hash_runs_as_nobody_special_and_starts_a_command_that_there_is() -> None:
    text = CONTAINERFILE.read_text("utf-8")
    assert "--no-index" in text
    assert "--require-hashes" in text
    stages = text.split("\nFROM ")
    assert re.search(r"^USER 10001:10001$", stages[-1], re.MULTILINE)
    entry, command = (
        json.loads(re.findall(rf"^{word} (\[.*\])$", text, re.MULTILINE)[-1]) for word in ("ENTRYPOINT", "CMD")
    )
    understood([*entry, *command])


def compose() -> dict[str, Any]:
    read: dict[str, Any] = YAML(typ="safe").load(COMPOSE)
    return read


def test_the_compose_file_fits_the_schema_of_compose() -> None:
    # as check-jsonschema carries it; the program itself takes seconds to start
    schema = json.loads((files("check_jsonschema.builtin_schemas.vendor") / "compose-spec.json").read_text("utf-8"))
    judge = Draft202012Validator if "2020-12" in schema["$schema"] else Draft7Validator
    assert [error.message for error in judge(schema).iter_errors(compose())] == []
    assert list(judge(schema).iter_errors({"services": {"a": {"image": 1}}}))


def test_each_container_has_the_least_rights_and_knows_when_it_is_ill() -> None:
    read = compose()
    for name, service in read["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        assert "healthcheck" in service or name.startswith("api-"), name  # the image has one
        assert set(service.get("secrets", ())) <= set(read["secrets"]), name
        assert ("ports" in service) is (name == "nginx"), name
    assert read["networks"]["inside"] == {"internal": True}
    assert {name for name, service in read["services"].items() if "outward" not in service["networks"]} >= {
        "database",
        "redis",
    }


def test_each_container_of_ours_runs_a_command_that_there_is_with_settings_that_are_read() -> None:
    for service in compose()["services"].values():
        if "pinglian" in service["image"]:
            understood(["cylinder-api", *service.get("command", ["serve"])])
            assert settings_named(list(service["environment"])) == set()


def test_only_the_owner_of_the_tables_has_the_owners_address_and_nginx_asks_the_processes_that_there_are() -> None:
    services = compose()["services"]
    assert [name for name, service in services.items() if "owner_url" in service.get("secrets", ())] == ["migrate"]
    asked = re.findall(r"^ +server ([\w-]+):8000", (DEPLOY / "container" / "local.conf").read_text(), re.MULTILINE)
    assert asked == [name for name in services if name.startswith("api-")]


def test_the_secrets_are_made_once_and_fit_what_reads_them(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "container" / "make-secrets", tmp_path)
    needs("openssl")
    make = ["sh", str(tmp_path / "make-secrets"), "ledger.example"]
    assert subprocess.run(make, capture_output=True, check=False).returncode == 0
    made = {path.name: path for path in (tmp_path / "secrets").iterdir()}
    assert {Path(secret["file"]).name for secret in compose()["secrets"].values()} <= set(made)
    url = parse_url(secret_files.with_secrets({"DATABASE_URL_FILE": str(made["database_url"])})["DATABASE_URL"])
    assert (url.username, url.password) == ("pinglian_service", made["service_password"].read_text())
    again = subprocess.run(make, capture_output=True, text=True, check=False)
    assert (again.returncode, "nothing was changed" in again.stderr) == (2, True)


def test_the_script_makes_the_owner_and_the_service_and_the_service_can_make_no_table(
    postgres_server: str, tmp_path: Path
) -> None:
    name = f"trial_{secrets.token_hex(4)}"  # the server is shared with other tests
    for role in ("owner", "service"):
        (tmp_path / f"{role}_password").write_text(f"generated-{role}")
    script = (DEPLOY / "container" / "database" / "roles.sh").read_text("utf-8")
    script = script.replace("/run/secrets", str(tmp_path)).replace("pinglian", name)
    server = make_url(postgres_server)
    programs = f"{package_folder() / 'pginstall' / 'bin'}:{os.environ['PATH']}"
    surroundings = {
        "PATH": programs,
        "PGHOST": str(server.host),
        "PGPORT": str(server.port),
        "POSTGRES_USER": "postgres",
    }
    try:
        made = subprocess.run(["sh", "-c", script], env=surroundings, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        of_owner = server.set(database=name, username=f"{name}_owner").render_as_string()
        of_service = server.set(database=name, username=f"{name}_service").render_as_string()
        migrated = ("migrate", "--data", tmp_path / "data", "--database-url", of_owner)
        assert run("migrate", "--data", tmp_path / "data", "--database-url", of_service).code == 2
        assert answer(*migrated, "--service-role", f"{name}_service")["service_role"] == f"{name}_service"
        with (
            psycopg.connect(of_service.replace(DRIVER, "postgresql", 1)) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("CREATE TABLE mine (id int)")
    finally:
        with psycopg.connect(postgres_server.replace(DRIVER, "postgresql", 1), autocommit=True) as connection:
            for drop in (f"DATABASE IF EXISTS {name} WITH (FORCE)", f"ROLE IF EXISTS {name}_owner",
                         f"ROLE IF EXISTS {name}_service"):  # fmt: skip
                connection.execute(f"DROP {drop}".encode())


# --- nginx ---------------------------------------------------------------------------------------------------


def as_one_file(folder: Path, server: str = "") -> Path:
    """nginx's configuration around our two files, which are put where `folder` is."""
    for name in ("pinglian.conf", "local.conf"):
        text = (DEPLOY / "nginx" / name).read_text("utf-8").replace("/etc/nginx/pinglian", str(folder))
        (folder / name).write_text(text.replace("/var/log/nginx", str(folder)), "utf-8")
    whole = folder / "nginx.conf"
    whole.write_text(f"{server}\nevents {{}}\nhttp {{\n    include {folder}/pinglian.conf;\n}}\n", "utf-8")
    return whole


def test_the_files_of_nginx_are_in_its_grammar_and_name_directives_where_they_may_stand(tmp_path: Path) -> None:
    parsed = crossplane.parse(str(as_one_file(tmp_path)), strict=False, check_ctx=True, check_args=True)
    assert parsed["errors"] == []
    assert parsed["status"] == "ok"


def test_no_line_of_the_log_can_hold_a_path_or_a_query() -> None:
    text = (DEPLOY / "nginx" / "pinglian.conf").read_text("utf-8")
    (form,) = re.findall(r"log_format pinglian (.*?);\n", text, re.DOTALL)
    named = set(re.findall(r"\$(\w+)", form))
    assert not named & {
        "request",
        "request_uri",
        "uri",
        "args",
        "query_string",
        "http_authorization",
        "http_cookie",
        "remote_user",
    }
    for name in ("nginx", "container"):
        local = (DEPLOY / name / "local.conf").read_text("utf-8")
        assert re.search(r"^access_log \S+ pinglian;$", local, re.MULTILINE)
        assert re.search(r"^error_log \S+ crit;$", local, re.MULTILINE)
