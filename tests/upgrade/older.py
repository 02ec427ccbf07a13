"""The version before this one, as it was: real wheels in ``tests/upgrade/wheels``, made by tools/older_version.py."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

WHEELS = Path(__file__).parent / "wheels"
SCHEMA = "8"
"""The schema that it makes."""
COMMAND = (sys.executable, "-P", "-m", "cylinder_api.cli")


def unpacked(folder: Path) -> dict[str, str]:
    """Unpack the older version into `folder`; the environment in which it is found before this one."""
    for wheel in sorted(WHEELS.glob("*.whl")):
        zipfile.ZipFile(wheel).extractall(folder)
    return {**os.environ, "PYTHONPATH": str(folder), "CYLINDERS": "200"}


def sources() -> str:
    """All of its Python, one file behind the other."""
    texts: list[str] = []
    for wheel in sorted(WHEELS.glob("*.whl")):
        with zipfile.ZipFile(wheel) as packed:
            texts += [packed.read(name).decode() for name in packed.namelist() if name.endswith(".py")]
    return "\n".join(texts)


def answer_of_older(surroundings: dict[str, str], *arguments: str | Path) -> dict[str, Any]:
    """What a command of the older version, which must succeed, prints with --json."""
    command = [*COMMAND, *map(str, arguments), "--json"]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    said: dict[str, Any] = json.loads(done.stdout)
    return said
