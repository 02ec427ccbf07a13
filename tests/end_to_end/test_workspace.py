"""The workspace keeps its own rules: what is pinned, what lies where, what ships."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib.metadata import Distribution
from pathlib import Path

import pytest

import licences
import set_up
import shipped

ROOT = Path(__file__).parents[2]
PACKAGES = [ROOT / folder / name.replace("-", "_") for name, folder in shipped.OURS.items()]
LOCKS = ("requirements.lock", "requirements-bootstrap.lock", "requirements-servers.lock", "requirements-linters.lock")
# in two halves, so that this file does not name what it looks for
INDEX_HOSTS = [left + right for left, right in (("py", "pi.org"), ("python", "hosted"), ("npm", "js.org"))]
TARGETS = (
    "help setup demo serve test lint types contracts load bench bench-large damage soak mutants wheels lock clean"
).split()


def tracked_files() -> list[Path]:
    # whoever owns the checkout: a container often mounts it from another user
    listing = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_with_hashes_and_names_no_host(lock: str) -> None:
    for requirement in re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip()):
        pin, *hashes = requirement.split(" \\\n")
        assert re.fullmatch(r"[a-z0-9-]+(\[[a-z,]+\])?==[\w.+-]+( ; [^/\n]+)?", pin), pin
        assert hashes, pin
        assert all(re.fullmatch(r" {4}--hash=sha256:[0-9a-f]{64}", line) for line in hashes), pin


def test_all_that_ships_is_pinned_by_the_lock() -> None:
    theirs = shipped.third_party()
    assert len(theirs) > 20
    for name, found in theirs.items():
        assert f"{name}=={found.version}" in shipped.locked([name])


def test_what_is_installed_agrees_with_what_everything_asks_for() -> None:
    check = [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"]
    checked = subprocess.run(check, capture_output=True, check=False, text=True)
    assert checked.returncode == 0, checked.stdout


def test_no_tracked_file_names_a_package_index() -> None:
    for path in tracked_files():
        text = path.read_text(encoding="utf-8", errors="ignore")
        assert not [host for host in INDEX_HOSTS if host in text], path


def test_uvs_own_lock_is_not_tracked_because_it_records_the_index() -> None:
    assert ROOT / "uv.lock" not in tracked_files()


def test_the_distributions_agree_on_version_licence_and_oldest_python() -> None:
    projects = [tomllib.loads((ROOT / folder / "pyproject.toml").read_text()) for folder in shipped.OURS.values()]
    stated = {(p["project"]["version"], p["project"]["license"], p["project"]["requires-python"]) for p in projects}
    assert stated == {("0.1.0", "Apache-2.0", ">=3.11")}


def test_nothing_is_importable_as_trace_and_tests_are_no_package() -> None:
    assert not (ROOT / "trace" / "__init__.py").exists()
    assert not list((ROOT / "tests").rglob("__init__.py"))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_package_ships_its_types_and_its_init_files_hold_at_most_a_docstring(package: Path) -> None:
    assert (package / "py.typed").exists()
    for init in package.rglob("__init__.py"):
        body = ast.parse(init.read_text()).body
        assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body), init


@pytest.mark.parametrize(
    "name",
    "README.md README.zh-CN.md LICENSE CHANGELOG.md SECURITY.md CONTRIBUTING.md docs/decisions".split(),
)
def test_what_a_newcomer_looks_for_is_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_make_alone_lists_every_target_with_what_it_does() -> None:
    listing = subprocess.run(["make"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    listed = dict(line.split(maxsplit=1) for line in listing.splitlines())
    assert set(TARGETS) <= set(listed)


def test_setting_up_again_finds_nothing_to_do() -> None:
    if sys.prefix != set_up.VENV:
        pytest.skip("these tests run in another environment than .venv")
    assert set_up.is_made_from(Path(set_up.STAMP).read_text())


def test_too_old_a_python_is_told_so_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(set_up, "OLDEST_PYTHON", (9, 0))
    with pytest.raises(SystemExit) as left:
        set_up.main()
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_every_licence_that_ships_has_been_agreed_to() -> None:
    assert licences.main() == 0


@pytest.mark.parametrize(
    ("headers", "may"),
    [
        (["License-Expression: Apache-2.0 OR BSD-3-Clause"], True),
        (["License: BSD", "Classifier: License :: Other/Proprietary License"], True),
        (["License-Expression: LGPL-3.0-only"], True),
        (["License-Expression: GPL-3.0-or-later"], False),
        (["License-Expression: MIT AND AGPL-3.0-only"], False),
        (["Classifier: License :: OSI Approved :: GNU Affero General Public License v3"], False),
        (["License: GPLv2"], False),
        ([], False),
    ],
)
def test_gpl_and_silence_may_not_ship(tmp_path: Path, headers: Sequence[str], may: bool) -> None:
    folder = tmp_path / "thing-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", "Name: thing", "Version: 1.0", *headers]))
    found = Distribution.at(folder)
    assert licences.may_ship(licences.licence_of(found)) is may
