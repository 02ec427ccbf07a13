"""A mirror (镜像): the log as plain files that any web server can serve and any reader of C2SP tlog-tiles can check.

    checkpoint, keys, tile/<L>/<N>[.p/<W>], tile/entries/<N>[.p/<W>]      as in tlog-tiles
    checkpoints                                                          earlier ones, a JSON string a line
    rotations                                                            how the log's key was rotated, if it was

Steps, with what a crash leaves behind:
  1. fetch what is new, hash it, write its bundles and tiles into .new     the older mirror; the next run begins anew
  2. compare the root with the signed one                                  the same
  3. move the new files in, to names that the older tree does not use      the older mirror, whole
  4. replace the checkpoint                                                the new mirror
  5. drop partial tiles and bundles that wider ones replace                some are left over; nobody asks for them
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cylinder_codes.keys import KeyFormatError, VerifyingKey, format_vkey
from cylinder_trace.checkpoint import Checkpoint, CheckpointError, open_checkpoint, unverified_checkpoint
from cylinder_trace.cosignature import LogKey, parse_log_keys
from cylinder_trace.merkle import HASH_SIZE, leaf_hash, root_hash
from cylinder_trace.rotation import RotationError, parse_rotations, successors
from cylinder_trace.store.database import StoreError, lock_file
from cylinder_trace.store.durable import replace_file, sync_folder
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.progress import Tell, counted, silent
from cylinder_trace.store.sources import LogSource, MirrorSource, texts_in
from cylinder_trace.suite import Suite, suite_of_origin
from cylinder_trace.tiles import TILE_WIDTH, bundle_bytes, fold_tile, nodes_from_tiles, tile_path, tiles_of


class NotMirrored(Exception):
    """The source was read, and is not the log it says it is, or not the one mirrored before; nothing was published."""


class Mirrored(NamedTuple):
    """What the mirror holds now, and how many entries it held before."""

    origin: str
    size: int
    before: int
    root: bytes


def update_mirror(source: LogSource, folder: Path, vkeys: Sequence[str] = (), tell: Tell = silent) -> Mirrored:
    """Bring the mirror in `folder` up to the source's newest checkpoint; raises NotMirrored or StoreError.

    `vkeys` are the log's keys as text; without them those of the mirror count, and at the first time the source's own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _require_mirror_or_nothing(folder)
    lock = lock_file(folder / ".mirror")
    try:
        held = MirrorSource(folder) if (folder / "checkpoint").exists() else None
        names = list(dict.fromkeys([*vkeys, *(held.vkeys() if held else [] if vkeys else source.vkeys())]))
        return _Update(source, folder, held, names).run(tell)
    finally:
        lock.release()


def _require_mirror_or_nothing(folder: Path) -> None:
    if (folder / "checkpoint").exists():
        known = not (folder / "ledger.db").exists() and (folder / "tile" / "entries").is_dir()
    else:
        known = all(path.name.startswith((".mirror", ".new", "tile", "keys")) for path in folder.iterdir())
    if not known:
        raise StoreError(f"{folder} is not empty and not a mirror: nothing was written, name another folder")


class _Update:
    """One run of the command."""

    def __init__(self, source: LogSource, folder: Path, held: MirrorSource | None, vkeys: list[str]) -> None:
        self._source, self._folder = source, folder
        self._rotations = source.rotations() or (held.rotations() if held else "")
        pinned = _parsed(vkeys)
        followed = _successors(pinned, self._rotations)
        self._keys = [*pinned, *followed]
        self._vkeys = list(dict.fromkeys([*map(format_vkey, reversed(followed)), *vkeys]))
        note = source.checkpoint()
        if note is None:
            raise StoreError("the source has published no checkpoint yet; try again in a second")
        self._note, self._new = note, _opened(note, self._keys, "the newest checkpoint")
        self._old = _opened(held.checkpoint(), self._keys, "the checkpoint that the mirror holds") if held else None
        self._before = self._old.size if self._old else 0
        self._suite = suite_of_origin(self._new.origin)
        self._fresh = folder / ".new"

    def run(self, tell: Tell) -> Mirrored:
        """All steps."""
        shutil.rmtree(self._fresh, ignore_errors=True)
        if self._new.size < self._before or (self._new.size == self._before and self._grown_apart()):
            raise NotMirrored(self._not_extended())
        if self._new.size > self._before or self._old is None:
            self._fetch(tell)
            self._require_root()
        notes = self._earlier()
        self._publish(notes)
        return Mirrored(self._new.origin, self._new.size, self._before, self._new.root)

    def _grown_apart(self) -> bool:
        return self._old is not None and self._new.root != self._old.root

    def _fetch(self, tell: Tell) -> None:
        held = self._held("entries", self._before // TILE_WIDTH, self._before % TILE_WIDTH)
        bundle = list(texts_in(held))
        tiles = TileStack(self._write, self._suite, self._before, self._held)
        new = self._source.texts(self._before, self._new.size)
        for index, text in self._in_order(counted(new, "entries mirrored 镜像", self._new.size - self._before, tell)):
            tiles.add(leaf_hash(text, self._suite))
            bundle.append(text)
            if len(bundle) == TILE_WIDTH or index + 1 == self._new.size:
                self._write(tile_path("entries", index // TILE_WIDTH, len(bundle)), bundle_bytes(bundle))
                bundle = []
        tiles.finish()

    def _in_order(self, rows: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        expected = self._before
        for index, text in rows:
            if index != expected:
                break
            yield index, text
            expected += 1
        if expected != self._new.size:
            raise NotMirrored(f"entry {expected} is missing at the source, which signed for {self._new.size} entries")

    def _require_root(self) -> None:
        if self._root(self._new.size) != self._new.root:
            strange = self._strange_entry()
            if strange is None:
                raise NotMirrored(self._not_extended())
            raise NotMirrored(f"entry {strange} is not what the source's own tree of {self._new.size} entries holds")

    def _strange_entry(self) -> int | None:
        """The first new entry that the source's own tree states another hash for; None if there is none."""
        ours, theirs = nodes_from_tiles(self._new.size, self._tile, self._suite), self._source.nodes(self._new.size)
        for number in range(self._before // TILE_WIDTH, -(-self._new.size // TILE_WIDTH)):
            first, end = number * TILE_WIDTH, min(self._new.size, (number + 1) * TILE_WIDTH)
            try:
                if end - first == TILE_WIDTH and ours(8, number) == theirs(8, number):
                    continue
                for index in range(max(first, self._before), end):
                    if ours(0, index) != theirs(0, index):
                        return index
            except (OSError, StoreError, LookupError):
                return None
        return None

    def _not_extended(self) -> str:
        new = f"{self._new.size} entries, root {self._new.root.hex()}"
        if self._old is None:
            return f"the source's entries do not have the root that it signed: {new}"
        old = f"{self._old.size} entries, root {self._old.root.hex()}"
        return f"the source does not extend this mirror: the mirror holds {old}; the source signed {new}"

    def _root(self, size: int) -> bytes:
        return root_hash(size, nodes_from_tiles(size, self._tile, self._suite), self._suite)

    def _tile(self, level: int, number: int, width: int) -> bytes:
        """A tile of at least this width of the tree that is being made."""
        widest = min(TILE_WIDTH, (self._new.size >> (8 * level)) - number * TILE_WIDTH)
        for folder in (self._fresh, self._folder):
            file = folder / tile_path(level, number, widest)
            if file.exists():
                return file.read_bytes()
        return LogFiles(self._folder).read_tile(level, number, width)

    def _held(self, level: int | str, number: int, width: int) -> bytes:
        return (self._folder / tile_path(level, number, width)).read_bytes() if width else b""

    def _earlier(self) -> list[str]:
        """Checkpoints below the new one, those held first; each must be of the same tree."""
        held = MirrorSource(self._folder).checkpoints() if self._old else []
        known = {unverified_checkpoint(note).size: note for note in held}
        for note in self._source.checkpoints():
            stated = _signed(note, self._keys)
            if stated is None or stated.size in known or stated.size >= self._new.size:
                continue
            if self._root(stated.size) != stated.root:
                raise NotMirrored(
                    f"the source signed {stated.size} entries, root {stated.root.hex()}, and later "
                    f"{self._new.size} entries, root {self._new.root.hex()}, which do not extend them"
                )
            known[stated.size] = note
        return [known[size] for size in sorted(known) if size < self._new.size]

    def _publish(self, earlier: Sequence[str]) -> None:
        moved = sorted(path for path in self._fresh.rglob("*") if path.is_file()) if self._fresh.exists() else []
        for path in moved:
            target = self._folder / path.relative_to(self._fresh)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        for parent in {self._folder, *((self._folder / path.relative_to(self._fresh)).parent for path in moved)}:
            sync_folder(parent)
        shutil.rmtree(self._fresh, ignore_errors=True)
        (self._folder / "tile" / "entries").mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{json.dumps(note, ensure_ascii=False)}\n" for note in earlier)
        replace_file(self._folder / "checkpoints", lines.encode())
        files = LogFiles(self._folder)
        files.publish_keys(self._vkeys)
        if self._rotations:
            files.publish_rotations(self._rotations)
        files.publish(self._note)
        sync_folder(self._folder)
        self._drop_replaced()

    def _drop_replaced(self) -> None:
        places: list[tuple[int | str, int, int]] = [*tiles_of(self._before)]
        places += [("entries", number, width) for level, number, width in tiles_of(self._before) if level == 0]
        for level, number, width in places:
            height = 8 * level if isinstance(level, int) else 0
            widest = min(TILE_WIDTH, (self._new.size >> height) - number * TILE_WIDTH)
            if width < widest:
                (self._folder / tile_path(level, number, width)).unlink(missing_ok=True)

    def _write(self, name: str, data: bytes) -> None:
        replace_file(self._fresh / name, data)


class TileStack:
    """Makes a tree's tiles out of leaf hashes that come one after another; holds one unfinished tile of each level."""

    def __init__(
        self,
        write: Callable[[str, bytes], None],
        suite: Suite,
        size: int = 0,
        held: Callable[[int, int, int], bytes] = lambda *_: b"",
    ) -> None:
        """Go on from a tree of `size`, whose partial tiles ``held(level, number, width)`` reads."""
        self._write, self._suite = write, suite
        self._numbers: list[int] = []
        self._tiles: list[bytearray] = []
        while count := size >> (8 * len(self._tiles)):
            number, width = divmod(count, TILE_WIDTH)
            self._tiles.append(bytearray(held(len(self._tiles), number, width)))
            self._numbers.append(number)

    def add(self, hash: bytes, level: int = 0) -> None:  # noqa: A002 - the field's word
        """Add the next hash of a level; a tile that it fills is written, and stands as one hash in the level above."""
        if level == len(self._tiles):
            self._tiles.append(bytearray())
            self._numbers.append(0)
        tile = self._tiles[level]
        tile += hash
        if len(tile) == TILE_WIDTH * HASH_SIZE:
            full = bytes(tile)
            self._write(tile_path(level, self._numbers[level]), full)
            self._numbers[level] += 1
            tile.clear()
            self.add(fold_tile(full, self._suite), level + 1)

    def finish(self) -> None:
        """Write the tiles that are not full."""
        for level, tile in enumerate(self._tiles):
            if tile:
                self._write(tile_path(level, self._numbers[level], len(tile) // HASH_SIZE), bytes(tile))


def _parsed(vkeys: Sequence[str]) -> list[LogKey]:
    try:
        keys = parse_log_keys(vkeys)
    except KeyFormatError as error:
        raise StoreError(f"not a verifying key name+id+base64, as in the log's file keys: {error}") from error
    if not keys:
        raise StoreError("say whose log this should be: --vkey KEY or a file with the key")
    return keys


def _successors(keys: Sequence[LogKey], text: str) -> list[VerifyingKey]:
    """The keys that followed on `keys`, oldest first."""
    try:
        rotations = parse_rotations(text)
    except RotationError as error:
        raise NotMirrored(f"the source's statements about rotated keys do not hold: {error}") from error
    found = [new for key in keys if isinstance(key, VerifyingKey) for new in successors(key, rotations)]
    return [key for key in dict.fromkeys(found) if key not in keys]


def _opened(note: str, keys: Sequence[LogKey], what: str) -> Checkpoint:
    try:
        return open_checkpoint(note, keys)
    except CheckpointError as error:
        raise NotMirrored(f"{what} is not signed by the key that is known: {error}") from error


def _signed(note: str, keys: Sequence[LogKey]) -> Checkpoint | None:
    try:
        return open_checkpoint(note, keys)
    except CheckpointError:
        return None
