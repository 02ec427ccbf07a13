"""Keep an older version of the service for the tests of an upgrade: `tools/older_version.py COMMIT`.

From the commit's sources the three wheels of the service are built with the hatchling that the lock pins and put into
``tests/upgrade/wheels``; the fonts of the printed labels, which no test of an upgrade prints, are left out.  To be
run after each release, with the commit of the release: an upgrade goes from one version to the next.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

from shipped import ROOT

MEMBERS = ("codes", "trace", "api")
WHEELS = ROOT / "tests" / "upgrade" / "wheels"
_LEFT_OUT = (".ttf",)
_MOMENT = (1980, 1, 1, 0, 0, 0)
"""Of every file in a wheel, so that the same commit gives the same bytes."""


def main() -> int:
    """Make the folder anew from the commit named; 2 when that cannot be done."""
    if len(sys.argv) != 2:
        print(f"usage: {sys.argv[0]} COMMIT", file=sys.stderr)
        return 2
    try:
        keep(sys.argv[1])
    except subprocess.CalledProcessError as failure:
        print(failure.stderr.decode(errors="replace").strip(), file=sys.stderr)
        return 2
    for wheel in sorted(WHEELS.iterdir()):
        print(f"{wheel.stat().st_size:9} {wheel.relative_to(ROOT)}")
    return 0


def keep(commit: str) -> None:
    """Build the wheels of a commit; raises CalledProcessError."""
    archive = ["git", "archive", commit, "LICENSE", *MEMBERS]
    sources = subprocess.run(archive, cwd=ROOT, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as temporary, tarfile.open(fileobj=BytesIO(sources)) as packed:
        packed.extractall(temporary, filter="tar")
        built = Path(temporary) / "built"
        for member in MEMBERS:
            build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)]
            subprocess.run(build, cwd=Path(temporary) / member, check=True, capture_output=True)
        shutil.rmtree(WHEELS, ignore_errors=True)
        WHEELS.mkdir(parents=True)
        for wheel in built.iterdir():
            _copy(wheel, WHEELS / wheel.name)


def _copy(wheel: Path, to: Path) -> None:
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for name in source.namelist():
            if not name.endswith(_LEFT_OUT):
                target.writestr(zipfile.ZipInfo(name, _MOMENT), source.read(name), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    sys.exit(main())
