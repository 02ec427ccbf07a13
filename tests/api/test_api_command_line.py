"""The command line: an installation from nothing to a running service, and one clear sentence when it cannot be."""

import json
import shutil
import signal
import socket
import stat
from pathlib import Path

import httpx
import pytest
from api_house import House
from api_process import Served, answer, run

from cylinder_codes.identifiers import make_code
from cylinder_codes.keys import parse_signer, parse_tag_key


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small generated town."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    assert answer("seed", "--data", folder, "--cylinders", "200", "--as-of", "2026-11-22")["seeded"] is True
    return folder


def test_the_demo_folder_gets_keys_that_only_its_owner_reads_an_answer_key_and_a_plan(demo: Path) -> None:
    for name in ("log", "master", "tag"):
        assert stat.S_IMODE((demo / "keys" / f"{name}.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((demo / "keys").stat().st_mode) == 0o700
    assert parse_signer((demo / "keys" / "log.key").read_text()).name == "ledger.pinglian.example/cylinders"
    assert json.loads((demo / "answer-key.json").read_text())["generated"] is True
    assert json.loads((demo / "town.json").read_text())["complete"] is True


def test_seeding_again_changes_nothing(demo: Path) -> None:
    before = answer("seed", "--data", demo, "--cylinders", "200")
    assert before["seeded"] is False


def test_serve_demo_gives_working_access_for_every_role_and_the_same_again_at_the_next_start(demo: Path) -> None:
    service = Served("--demo", "--data", demo)
    access = json.loads((demo / "demo-access.json").read_text())
    assert access["base_url"] == service.url
    assert service.ready["generated"] is True
    station = access["station"]
    headers = {"Authorization": f"Bearer {station['token']}"}
    replica = httpx.get(f"{service.url}/v1/stations/{station['station_id']}/replica", headers=headers)
    assert len(replica.json()["cylinders"]) > 20
    assert set(station["scales"]) <= set(replica.json()["station"]["scales"])
    assert set(station["workers"]) <= set(replica.json()["station"]["workers"])
    parse_signer(station["private_key"])
    assert stat.S_IMODE((demo / "demo-access.json").stat().st_mode) == 0o600
    assert service.stop(signal.SIGINT) == 0

    service = Served("--demo", "--data", demo)
    again = json.loads((demo / "demo-access.json").read_text())
    assert {**again, "base_url": ""} == {**access, "base_url": ""}
    for role, token in again["tokens"].items():
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{service.url}/v1/fill-checks", headers=headers).status_code in (200, 403), role
    assert service.stop(signal.SIGTERM) == 0
    assert "Traceback" not in service.log


def test_a_second_server_on_the_same_file_says_so_and_the_first_goes_on(demo: Path) -> None:
    with House(demo) as first:
        said = run("serve", "--data", demo, "--port", "0").sentence
        assert "another process already writes" in said
        assert first.as_(None).get("/readyz").status_code == 200


def test_a_port_in_use_is_told_before_anything_is_touched(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = run("serve", "--demo", "--data", tmp_path / "new", "--port", port).sentence
    assert f"127.0.0.1:{port}" in said
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "command",
    ["serve", "enrol --station st_1", "user list", "import x.csv --company c", "doctor", "backup --to {empty}"],
)
def test_a_missing_data_folder_is_one_sentence(tmp_path: Path, command: str) -> None:
    (tmp_path / "x.csv").write_text("x")
    arguments = command.format(empty=tmp_path / "empty").replace("x.csv", str(tmp_path / "x.csv")).split()
    said = run(*arguments, "--data", tmp_path / "missing").sentence
    assert str(tmp_path / "missing") in said


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path, demo: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    assert "Not a directory" in run("migrate", "--data", file / "data").sentence
    keyless = tmp_path / "keyless"
    shutil.copytree(demo, keyless)
    (keyless / "keys" / "log.key").unlink()
    assert "log.key is missing" in run("serve", "--data", keyless, "--port", "0").sentence
    (keyless / "keys" / "log.key").write_text("nonsense")
    assert "damaged" in run("serve", "--data", keyless, "--port", "0").sentence


def test_wrong_arguments_are_told_with_exit_code_2(tmp_path: Path) -> None:
    serve: list[str | Path] = ["serve", "--data", tmp_path]
    user: list[str | Path] = ["user", "add", "--data", tmp_path, "--role", "auditor"]
    wrong: list[list[str | Path]] = [
        ["serve"],
        [*serve, "--port", "99999"],
        [*serve, "--host", ""],
        [*serve, "--cylinders", "many"],
        ["nonsense"],
        ["user"],
        [*user, "--id", "", "--org", "au_01"],
        [*user, "--id", "li", "--org", "a/b c"],
        ["enrol", "--data", tmp_path, "--station", ""],
        ["import", "x.csv", "--data", tmp_path, "--company", "co 01/../x"],
        ["migrate", "--data", tmp_path / "new", "--origin", "a b"],
    ]
    for arguments in wrong:
        assert "see cylinder-api" in run(*arguments).sentence_of_arguments
    assert list(tmp_path.iterdir()) == []
    assert "--host" in run(*serve, "--port", "0", "--host", "nowhere.invalid").sentence
    bad_url = run("doctor", "--data", tmp_path, "--database-url", "postgresql://li:hidden@h:abc/x").sentence
    assert "hidden" not in bad_url
    assert "oracle is not supported" in run("migrate", "--data", tmp_path, "--database-url", "oracle://x").sentence


@pytest.mark.parametrize("name", ["serve", "migrate", "seed", "import", "enrol", "user", "backup", "restore", "doctor"])
def test_the_help_of_every_command_has_an_example(name: str) -> None:
    assert f"cylinder-api {name}" in run(name, "--help").out.partition("example:")[2]


@pytest.mark.parametrize(
    "command", ["serve --port 0", "enrol --station st_1", "user list", "backup --to {new}", "doctor"]
)
def test_a_folder_of_something_else_is_told_and_nothing_is_put_into_it(tmp_path: Path, command: str) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    said = run(*command.format(new=tmp_path / "new").split(), "--data", photos).sentence
    assert "cylinder-api migrate" in said
    assert list(tmp_path.rglob("*")) == [photos]


@pytest.mark.parametrize("day", ["1899-12-31", "9999-12-31", "yesterday"])
def test_a_day_for_which_no_town_can_be_made_is_told_before_anything_is_written(tmp_path: Path, day: str) -> None:
    assert day in run("seed", "--data", tmp_path / "new", "--cylinders", "300", "--as-of", day).sentence
    assert not (tmp_path / "new" / "town.json").exists()


def test_a_file_that_is_no_table_cannot_be_imported(tmp_path: Path) -> None:
    answer("migrate", "--data", tmp_path)
    for name, data in (("empty.csv", b""), ("noise.csv", bytes(range(256))), ("noise.xlsx", b"PK")):
        (tmp_path / name).write_bytes(data)
        assert name in run("import", tmp_path / name, "--company", "co_1", "--data", tmp_path).sentence


def test_a_generated_town_does_not_go_into_a_ledger_of_ones_own(tmp_path: Path) -> None:
    answer("migrate", "--data", tmp_path, "--origin", "ledger.example/own")
    table = tmp_path / "t.csv"
    code = make_code(bytes(10), parse_tag_key((tmp_path / "keys" / "tag.key").read_text())).text
    table.write_text(f"code,serial,maker,model,tare,volume,maxfill\n{code},A1,M,YSP35.5,16.5,35.5,14.9\n")
    assert answer("import", table, "--company", "co_1", "--data", tmp_path)["registered"] == 1
    assert "not generated data" in run("serve", "--demo", "--data", tmp_path, "--port", "0").sentence


def test_import_does_what_the_route_does_and_ends_with_1_when_a_row_is_bad(tmp_path: Path) -> None:
    answer("migrate", "--data", tmp_path)
    code = make_code(bytes(10), parse_tag_key((tmp_path / "keys" / "tag.key").read_text())).text
    table = tmp_path / "t.csv"
    table.write_text(
        f"code,serial,maker,model,tare,volume,maxfill\n{code},A1,M,YSP35.5,16.5,35.5,14.9\nX,A2,M,YSP35.5,1,1,1\n"
    )
    dry = run("import", table, "--company", "co_1", "--data", tmp_path, "--dry-run")
    assert (dry.code, dry.out.strip()) == (1, "1 registered, 0 known already, 1 errors")
    assert "row 3" in dry.err
    for expected in ("1 registered, 0 known already, 1 errors", "0 registered, 1 known already, 1 errors"):
        assert run("import", table, "--company", "co_1", "--data", tmp_path).out.strip() == expected


def test_devices_and_people_are_let_in_and_out_while_the_service_runs(demo: Path) -> None:
    with House(demo) as service:
        issued = answer("enrol", "--station", "st_01", "--data", demo)
        body = {"code": issued["code"], "vkey": "pc+00000000+AQ=="}
        assert service.as_(None).post("/v1/devices/enrol", json=body).json()["code"] == "invalid"
        assert "no station st_99" in run("enrol", "--station", "st_99", "--data", demo).sentence
        added = ("user", "add", "--id", "wang", "--role", "regulator", "--org", "au_01", "--data", demo)
        headers = {"Authorization": f"Bearer {answer(*added)['token']}"}
        assert httpx.get(f"{service.url}/v1/fill-checks", headers=headers).status_code == 200
        assert "wang" in [user["account_id"] for user in answer("user", "list", "--data", demo)["users"]]
        assert answer("user", "revoke", "--id", "wang", "--data", demo)["revoked"] == 1
        assert httpx.get(f"{service.url}/v1/fill-checks", headers=headers).status_code == 401
        assert "no token of wang" in run("user", "revoke", "--id", "wang", "--data", demo).sentence


def test_the_doctor_finds_what_was_broken_and_nothing_else(demo: Path, tmp_path: Path) -> None:
    shutil.copytree(demo, tmp_path / "copy")
    (tmp_path / "copy" / "keys" / "tag.key").chmod(0o644)
    shutil.rmtree(tmp_path / "copy" / "log")
    done = run("doctor", "--data", tmp_path / "copy", "--redis-url", "redis://127.0.0.1:1/0", "--json")
    assert done.code == 1
    wrong = {finding["what"]: finding["mend"] for finding in json.loads(done.out)["findings"] if not finding["ok"]}
    assert set(wrong) - {"disk space", "inodes"} == {"rights of tag.key", "Redis", "checkpoint"}
    assert all(wrong.values())
