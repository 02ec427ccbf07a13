"""The log's public files: tiles and the newest checkpoint, in a folder any web server can serve.

    log/keys                the log's verifying keys, a line each, the newest first
    log/rotations           how the log's key was rotated, if it was
    log/checkpoint          the newest signed note (replaced atomically)
    log/tile/0/000 …        immutable; partial tiles are dropped once their full tile exists

Everything is flushed to disk before a checkpoint that needs it is published.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from cylinder_trace.merkle import HASH_SIZE
from cylinder_trace.store.durable import replace_file, sync_folder
from cylinder_trace.suite import SHA256, Suite
from cylinder_trace.tiles import TILE_WIDTH, fold_tile, tile_path, tiles_of


class LogFiles:
    """The log's folder. One publisher writes; any number of readers read."""

    def __init__(self, folder: Path, suite: Suite = SHA256) -> None:
        self._folder, self.suite = folder, suite

    def read_tile(self, level: int, number: int, width: int = TILE_WIDTH) -> bytes:
        """The tile of this width, cut from the full tile if only that is left; raises FileNotFoundError."""
        try:
            return (self._folder / tile_path(level, number, width)).read_bytes()
        except FileNotFoundError:
            return (self._folder / tile_path(level, number)).read_bytes()[: width * HASH_SIZE]

    def grow(self, old_size: int, leaves: Sequence[bytes]) -> None:
        """Write every tile that the tree gains when `leaves` follow on `old_size` entries."""
        size = old_size + len(leaves)
        changed: set[Path] = set()
        for level, number, width in tiles_of(size, old_size):
            old_width = self._old_width(level, number, old_size)
            tile = self.read_tile(level, number, old_width) if old_width else b""
            first, end = number * TILE_WIDTH + old_width, number * TILE_WIDTH + width
            if level == 0:
                tile += b"".join(leaves[first - old_size : end - old_size])
            else:
                tile += b"".join(fold_tile(self.read_tile(level - 1, child), self.suite) for child in range(first, end))
            self._write(tile_path(level, number, width), tile)
            changed |= set((self._folder / tile_path(level, number, width)).parents[:3])
            if width == TILE_WIDTH:
                shutil.rmtree(self._folder / f"{tile_path(level, number)}.p", ignore_errors=True)
        # Crash point: the power goes behind the checkpoint's row; the names of its tiles must be there as well.
        for folder in filter(Path.exists, changed if old_size else {*changed, self._folder, self._folder.parent}):
            sync_folder(folder)

    def publish(self, note: str) -> None:
        """Replace the checkpoint. Crash point: before the rename the old checkpoint stands, after it the new one."""
        self._write("checkpoint", note.encode())

    def published(self) -> str | None:
        """The checkpoint that was published last; None before the first."""
        path = self._folder / "checkpoint"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else None

    def rotations(self) -> str:
        """The statements by which the log's key was rotated, oldest first; empty when it never was."""
        path = self._folder / "rotations"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def publish_rotations(self, text: str) -> None:
        """Replace the statements."""
        self._write("rotations", text.encode())

    def publish_keys(self, vkeys: Sequence[str]) -> None:
        """Write the log's verifying keys, a line each."""
        self._write("keys", "".join(f"{vkey}\n" for vkey in vkeys).encode())

    def _old_width(self, level: int, number: int, old_size: int) -> int:
        return max(0, min(TILE_WIDTH, (old_size >> (8 * level)) - number * TILE_WIDTH))

    def _write(self, name: str, data: bytes) -> None:
        replace_file(self._folder / name, data)
