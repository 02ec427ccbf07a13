"""Where rows that write put their files: on the checkout's own disk, because a temp folder may be memory."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.machine import ROOT
from benchmarks.measure import BenchError


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """A new folder under ``build/``, removed afterwards; raises BenchError when nothing can be written there."""
    parent = ROOT / "build"
    try:
        parent.mkdir(exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix="bench-", dir=parent)
    except OSError as error:
        raise BenchError(f"cannot write in {parent}: {error.strerror}; free space or permission is missing") from error
    with folder as path:
        yield Path(path)
