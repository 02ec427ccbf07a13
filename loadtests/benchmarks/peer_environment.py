"""Libraries that rows compare with and that are no dependency of ours: each in an environment of its own.

It is made once, from a package index, in the user's cache folder, and may be removed at any time.  A peer runs in a
process of its own: its licence (pymerkle's is the GPL) reaches nothing of ours, and its versions bind none of ours.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import PeerMissing

_PATIENCE_S = 300
_NEWEST_LOOKED_FOR = 19


def peer_python(name: str, pinned: Sequence[str], needs: tuple[int, int] = (3, 11)) -> Path:
    """The interpreter of the environment in which exactly `pinned` is installed; raises PeerMissing.

    `needs` is the oldest Python that the peer runs on: this one is taken where it is new enough."""
    base = sys.executable if sys.version_info >= needs else _newer_python(needs)
    folder = _cache_folder() / f"{name}-{_fingerprint((base, sys.version, *pinned))}"
    if not folder.exists():
        _make(folder, name, pinned, base)
    return folder / "bin" / "python"


def _newer_python(needs: tuple[int, int]) -> str:
    """A Python of at least `needs`: on PATH, or where pyenv keeps its versions; raises PeerMissing."""
    major, oldest = needs
    names = [f"python{major}.{minor}" for minor in range(oldest, _NEWEST_LOOKED_FOR + 1)]
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [*filter(None, map(shutil.which, names)), *(str(p) for name in names for p in kept.glob(f"*/bin/{name}"))]
    for path in found:
        if _makes_environments(path):
            return path
    raise PeerMissing(f"no Python {major}.{oldest} or later was found on PATH or among pyenv's")


def _makes_environments(path: str) -> bool:
    """Whether it is an interpreter; pyenv's stand-ins for versions that are not chosen only print a hint."""
    return subprocess.run([path, "-c", "import venv"], capture_output=True, check=False).returncode == 0


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pinglian" / "bench-peers"


def _fingerprint(made_of: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:12]


def _make(folder: Path, name: str, pinned: Sequence[str], base: str) -> None:
    """Make the environment beside its place and move it there, so that what stands there is whole."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder.parent))
    except OSError as error:
        raise PeerMissing(f"cannot write in {folder.parent}: {error.strerror}") from error
    try:
        made = [base, "-m", "venv", "--without-pip", str(unfinished)]
        _run(made, f"cannot make an environment for {name}")
        # our own pip installs into it: bringing one along would take longer than all the rest
        pip = [sys.executable, "-m", "pip", "--python", str(unfinished / "bin" / "python"), "install"]
        options = ["--quiet", "--retries", "1", "--timeout", "10"]
        _run([*pip, *options, *pinned], f"cannot install {name}: no package index with it within reach")
        with contextlib.suppress(OSError):  # another run was faster
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _run(command: Sequence[str], otherwise: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissing(otherwise) from error
    if done.returncode:
        raise PeerMissing(otherwise)
