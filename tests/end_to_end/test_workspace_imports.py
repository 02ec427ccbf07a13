"""Who may import whom: every module is under a contract, and each contract has been seen to break."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import shipped

ROOT = Path(__file__).parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = {entry["id"]: entry for entry in PYPROJECT["tool"]["importlinter"]["contracts"]}
OUR_PACKAGES = {name.replace("-", "_") for name in shipped.OURS}

BREAKS = [
    ("houses", "api/cylinder_api/intruder.py", "import station_agent"),
    ("houses", "filling_station_agent/station_agent/intruder.py", "import cylinder_api"),
    ("houses", "codes/cylinder_codes/intruder.py", "import cylinder_trace"),
    ("houses", "trace/cylinder_trace/values.py", "import cylinder_api"),
    ("ledger", "trace/cylinder_trace/values.py", "import cylinder_trace.store"),
    ("ledger", "trace/cylinder_trace/unlisted.py", ""),
    ("core", "codes/cylinder_codes/base32.py", "import os"),
    ("core", "trace/cylinder_trace/rules/identity.py", "from time import time"),
    ("core", "trace/cylinder_trace/rulebook.py", "import sqlmodel"),
    ("audit", "trace/cylinder_trace/audit.py", "import cylinder_trace.chain"),
    ("audit", "trace/cylinder_trace/audit.py", "import cylinder_trace.proof"),
    ("station", "filling_station_agent/station_agent/intruder.py", "from cylinder_trace import store"),
    ("station", "filling_station_agent/station_agent/intruder.py", "import fastapi"),
]


def modules_of(folder: str, package: str) -> set[str]:
    inside = [path for path in (ROOT / folder / package).iterdir() if not path.name.startswith("_")]
    named = [path.stem for path in inside if path.suffix == ".py" or (path / "__init__.py").exists()]
    return {f"{package}.{name}" for name in named}


def excused_from_the_core() -> set[str]:
    """Modules that may read a clock or a file, by name, in ruff's settings."""
    ignores = PYPROJECT["tool"]["ruff"]["lint"]["per-file-ignores"]
    paths = [path for path, rules in ignores.items() if "TID251" in rules and path.count("/") > 1]
    return {".".join(Path(path.removesuffix("/**").removesuffix(".py")).parts[1:3]) for path in paths}


def test_every_module_of_codes_and_ledger_is_held_to_the_core_or_excused_by_name() -> None:
    core = set(CONTRACTS["core"]["source_modules"])
    present = modules_of("codes", "cylinder_codes") | modules_of("trace", "cylinder_trace")
    assert core & excused_from_the_core() == set()
    assert present - core - excused_from_the_core() == set()
    assert core - present == set()


def test_the_core_contract_forbids_clock_disk_network_and_database() -> None:
    named = "fastapi sqlmodel sqlalchemy redis httpx sqlite3 socket asyncio os pathlib time random secrets"
    assert set(named.split()) <= set(CONTRACTS["core"]["forbidden_modules"])


def test_load_reaches_the_service_over_http_only() -> None:
    # the benchmarks measure functions of the codes, the ledger and the station, so those they may call
    for path in (ROOT / "loadtests").rglob("*.py"):
        measures = path.is_relative_to(ROOT / "loadtests" / "benchmarks")
        forbidden = {"cylinder_api"} if measures else OUR_PACKAGES
        assert not imported_by(path) & forbidden, path


def imported_by(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


@pytest.fixture(scope="module")
def copy_of_the_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("workspace")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for name, folder in shipped.OURS.items():
        package = name.replace("-", "_")
        shutil.copytree(ROOT / folder / package, copy / folder / package)
    return copy


def lint_imports(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # before the editable installs on the path, so that the copy is what gets judged
    path = os.pathsep.join(str(copy / folder) for folder in shipped.OURS.values())
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", *arguments]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False, env=environment)


def test_all_contracts_hold(copy_of_the_packages: Path) -> None:
    verdict = lint_imports(copy_of_the_packages)
    assert verdict.returncode == 0, verdict.stdout
    assert f"{len(CONTRACTS)} kept, 0 broken" in verdict.stdout


@pytest.mark.parametrize(("contract", "where", "line"), BREAKS)
def test_a_forbidden_import_breaks_its_contract(
    copy_of_the_packages: Path, contract: str, where: str, line: str
) -> None:
    intruded = copy_of_the_packages / where
    before = intruded.read_text() if intruded.exists() else None
    intruded.write_text((before or "") + f"\n{line}\n")
    verdict = lint_imports(copy_of_the_packages, "--contract", contract)
    intruded.unlink() if before is None else intruded.write_text(before)
    assert verdict.returncode == 1, verdict.stdout
    assert "0 kept, 1 broken" in verdict.stdout


def test_every_contract_is_seen_to_break() -> None:
    assert {contract for contract, _, _ in BREAKS} == set(CONTRACTS)
