"""Fill dist/wheels with our four wheels and, pinned by hash, all they need on this platform: `make wheels`.

A station or a server without a network is installed from that folder:
`pip install --no-index --find-links dist/wheels station-agent`.
"""

import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from packaging.utils import parse_wheel_filename

from shipped import EVERYTHING, OURS, ROOT, locked, third_party

WHEELS = ROOT / "dist" / "wheels"
REQUIREMENTS = "requirements.txt"
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


def main() -> None:
    """Make dist/wheels anew and see that it is complete; exit 2 when that cannot be done."""
    shutil.rmtree(WHEELS, ignore_errors=True)
    WHEELS.mkdir(parents=True)
    try:
        build_ours(WHEELS)
        download_theirs(WHEELS)
        write_requirements(WHEELS)
        see_that_it_is_complete(WHEELS)
    except subprocess.CalledProcessError as failure:
        print(f"dist/wheels is not complete: {failure.stderr or 'see the message above'}", file=sys.stderr)
        sys.exit(2)
    print(f"{len(list(WHEELS.glob('*.whl')))} wheels in {WHEELS.relative_to(ROOT)}; install with")
    print(f"  pip install --no-index --find-links {WHEELS.relative_to(ROOT)} station-agent")
    print(f"or all of them, each held to its hash, with --require-hashes -r {WHEELS.relative_to(ROOT)}/{REQUIREMENTS}")


def build_ours(folder: Path) -> None:
    """Build our four wheels with the hatchling that the lock pins, asking no index."""
    for member in OURS.values():
        build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
        subprocess.run(build, cwd=ROOT / member, check=True, capture_output=True, text=True)


def download_theirs(folder: Path) -> None:
    """Download what ours need; a file whose hash is not in requirements.lock is refused by pip."""
    with tempfile.TemporaryDirectory() as temporary:
        pinned = Path(temporary) / "shipped.lock"
        pinned.write_text(locked(list(third_party())))
        download = [*PIP, "download", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
        subprocess.run([*download, "--dest", str(folder), "--requirement", str(pinned)], check=True)


def write_requirements(folder: Path) -> None:
    """Write down every wheel in the folder with its hash, ours too, for `pip install --require-hashes`."""
    lines = []
    for wheel in sorted(folder.glob("*.whl")):
        name, version, _, _ = parse_wheel_filename(wheel.name)
        lines.append(f"{name}=={version} --hash=sha256:{sha256(wheel.read_bytes()).hexdigest()}\n")
    (folder / REQUIREMENTS).write_text("".join(lines), "utf-8")


def see_that_it_is_complete(folder: Path) -> None:
    """Let pip plan an install from this folder alone, into nothing: of what ships, and of all, by hash."""
    with tempfile.TemporaryDirectory() as nothing:
        plan = [*PIP, "install", "--dry-run", "--no-index", "--find-links", str(folder), "--target", nothing]
        subprocess.run([*plan, *EVERYTHING], check=True)
        subprocess.run([*plan, "--require-hashes", "--requirement", str(folder / REQUIREMENTS)], check=True)


if __name__ == "__main__":
    main()
