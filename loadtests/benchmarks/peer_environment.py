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


def peer_python(name: str, pinned: Sequence[str]) -> Path:
    """The interpreter of the environment in which exactly `pinned` is installed; raises PeerMissing."""
    folder = _cache_folder() / f"{name}-{_fingerprint(pinned)}"
    if not folder.exists():
        _make(folder, name, pinned)
    return folder / "bin" / "python"


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pinglian" / "bench-peers"


def _fingerprint(pinned: Sequence[str]) -> str:
    return hashlib.sha256("\n".join((sys.version, *pinned)).encode()).hexdigest()[:12]


def _make(folder: Path, name: str, pinned: Sequence[str]) -> None:
    """Make the environment beside its place and move it there, so that what stands there is whole."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder.parent))
    except OSError as error:
        raise PeerMissing(f"cannot write in {folder.parent}: {error.strerror}") from error
    try:
        made = [sys.executable, "-m", "venv", "--without-pip", str(unfinished)]
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
