"""The station's wheel, alone in an empty environment, starts and brings no server along."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import set_up
import shipped
import wheels
from station_agent import device
from station_agent.settings import LaneSettings, ScaleSettings, settings_text
from stations.bench import DEVICE_KEY, LOG_KEY, public_vkey

SERVER_PACKAGES = "fastapi starlette uvicorn sqlmodel sqlalchemy psycopg redis cylinder_api reportlab openpyxl".split()

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def our_wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    wheels.build_ours(folder)
    return folder


@pytest.fixture(scope="module")
def station_python(our_wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment into which nothing but the agent has been installed."""
    environment = tmp_path_factory.mktemp("station")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    put_in_pinned(python, environment / "station.lock")
    # with the index shut off, pip fails if the agent needs anything that the lock's part did not bring
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python)]
    install = [*pip, "install", "--no-index", "--find-links", str(our_wheels), "station-agent"]
    subprocess.run(install, check=True)
    return python


def put_in_pinned(python: Path, lock: Path) -> None:
    lock.write_text(shipped.locked(list(shipped.third_party(["station-agent"]))))
    uv = set_up.find_uv() or set_up.install_uv()
    install = [uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(lock)]
    # setting up has left all of it in uv's cache; only where that was emptied is the index asked
    if subprocess.run([*install, "--offline"], capture_output=True, check=False).returncode != 0:
        set_up.run(install)


def inside(python: Path, code: str) -> str:
    command = [str(python), "-I", "-c", code]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def test_our_wheels_carry_licence_and_types(our_wheels: Path) -> None:
    built = sorted(our_wheels.glob("*.whl"))
    assert len(built) == len(shipped.OURS)
    for wheel in built:
        names = zipfile.ZipFile(wheel).namelist()
        assert [name for name in names if name.endswith("/py.typed")]
        assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]


def test_the_wheel_of_the_codes_carries_the_font_with_its_licence_and_notice(our_wheels: Path) -> None:
    wheel = next(our_wheels.glob("cylinder_codes-*.whl"))
    names = {name.partition("/")[2] for name in zipfile.ZipFile(wheel).namelist()}
    assert {"fonts/PingLianLabel-Regular.ttf", "fonts/OFL.txt", "fonts/characters.txt", "licenses/NOTICE"} <= names
    assert wheel.stat().st_size < 2_500_000


def test_the_wheel_of_the_station_carries_its_large_letters_with_their_licence_and_notice(our_wheels: Path) -> None:
    wheel = next(our_wheels.glob("station_agent-*.whl"))
    names = {name.partition("/")[2] for name in zipfile.ZipFile(wheel).namelist()}
    assert {"screen/font/letters.txt", "screen/font/OFL.txt", "licenses/NOTICE"} <= names


def test_the_agent_alone_starts(station_python: Path) -> None:
    agent = station_python.with_name("station-agent")
    started = subprocess.run([str(agent), "--help"], capture_output=True, check=False, text=True)
    assert started.returncode == 0, started.stderr
    assert "station-agent" in started.stdout


def test_the_agent_alone_runs_without_a_network_and_ends_with_its_keyboard(
    station_python: Path, tmp_path: Path
) -> None:
    """All that it reads from its own wheel is there: driver, rulebook, words, and what opens its key."""
    config = enrolled_in(tmp_path / "station")
    agent = station_python.with_name("station-agent")
    ran = subprocess.run(
        [str(agent), "run", "--headless", "--config", str(config)], input="~1PL:W:fw_1\r", capture_output=True,
        check=False, text=True, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    said = [json.loads(line) for line in ran.stdout.splitlines()]
    assert {"ready", "link", "signed_on", "stopped"} <= {line["event"] for line in said}
    checked = subprocess.run([str(agent), "check-driver", "demo-scale"], capture_output=True, check=False, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    unit = subprocess.run(
        [str(agent), "service-unit", "--config", str(config)], capture_output=True, check=True, text=True
    )
    assert f"ExecStart={agent} run" in unit.stdout


def enrolled_in(data: Path) -> Path:
    """A device's folder as `enrol` leaves it, of a service that nobody reaches; its settings file."""
    data.mkdir()
    device.new_key(data, DEVICE_KEY.name, DEVICE_KEY.seed)
    answer = {"device_id": "dev_1", "station_id": "st_1", "log_vkey": public_vkey(LOG_KEY), "origin": LOG_KEY.name}
    device.keep_device(data, {**answer, "token": "secret"})
    lanes = [LaneSettings(digit=1, scale_id="sc_1", unit=1)]
    config = data / "station.toml"
    config.write_text(settings_text("http://127.0.0.1:9", lanes, ScaleSettings(), None), "utf-8")
    return config


def test_the_agent_alone_carries_no_server_package(station_python: Path) -> None:
    code = (
        f"import importlib.util, json; print(json.dumps([n for n in {SERVER_PACKAGES} if importlib.util.find_spec(n)]))"
    )
    assert json.loads(inside(station_python, code)) == []


def test_the_store_of_the_ledger_needs_its_extra(station_python: Path) -> None:
    code = "import cylinder_trace.store.tables"
    tried = subprocess.run([str(station_python), "-I", "-c", code], capture_output=True, check=False, text=True)
    assert "ModuleNotFoundError: No module named 'sql" in tried.stderr
