"""Where a ledger to be checked can lie: a database, a data folder, a running service or a mirror. Only reading.

A source gives the stored rows, the checkpoints and, from a database, the read model.  It trusts nothing it reads.
"""

import json
import weakref
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from itertools import islice
from pathlib import Path
from typing import Protocol
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from sqlalchemy.exc import DBAPIError

from cylinder_trace.audit import StoredEntry
from cylinder_trace.checkpoint import CheckpointError, parse_checkpoint, unverified_checkpoint
from cylinder_trace.merkle import HashesInMemory, NodeReader, leaf_hash
from cylinder_trace.store.database import StoreError, first_line, open_engine, parse_url, sqlite_path
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.reader import Reader
from cylinder_trace.suite import SHA256, Suite, suite_of_origin
from cylinder_trace.tiles import TILE_WIDTH, nodes_from_tiles, tile_path

_TIMEOUT_S = 30
_CHUNK = 5000


class LogSource(Protocol):
    """A log to be mirrored."""

    def texts(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Index and stored bytes of the entries from `start` up to, not including, `end`, in order."""

    def checkpoints(self) -> list[str]:
        """All signed checkpoints it keeps."""

    def vkeys(self) -> list[str]:
        """The keys it names itself: enough to try out, no proof of whose log it is."""

    def rotations(self) -> str:
        """The statements by which the log's key was rotated; empty where there are none to be had."""

    def checkpoint(self) -> str | None:
        """The newest signed checkpoint, with the cosignatures it has; None before the first."""

    def nodes(self, size: int) -> NodeReader:
        """Node hashes of the tree of `size`."""


class Source(LogSource, Protocol):
    """A ledger to be read and checked."""

    def size(self) -> int:
        """How many entries it has."""

    def entries(self) -> Iterator[StoredEntry]:
        """All entries in the order of the log."""

    def read_model(self) -> Mapping[str, str] | None:
        """Stored states by subject; None where there are none to check."""

    def entry(self, name: str) -> StoredEntry | None:
        """The entry with this index or, where that can be looked up, this id."""


def open_source(place: str, token: str | None = None) -> Source:
    """The ledger at a URL, database file, data folder or mirror; raises StoreError with one clear sentence."""
    if place.startswith(("http://", "https://")):
        return ServiceSource(place.rstrip("/"), token)
    path = Path(place)
    if is_mirror(path):
        return MirrorSource(path)
    if path.is_dir():
        return DatabaseSource(f"sqlite:///{path / 'ledger.db'}", path)
    if "://" in place:
        return DatabaseSource(place, None)
    return DatabaseSource(f"sqlite:///{path}", path.parent)


class DatabaseSource:
    """A ledger in SQLite or PostgreSQL."""

    def __init__(self, url: str, folder: Path | None) -> None:
        parsed = parse_url(url)
        path = sqlite_path(parsed)
        if path is not None:
            require_readable(path)
        self._folder = folder
        engine = open_engine(parsed, writer=False)
        weakref.finalize(self, engine.dispose)  # connections are closed as soon as nobody reads here any more
        self._reader = Reader(engine, LogFiles((folder or Path()) / "log"), "")

    def size(self) -> int:
        try:
            return self._reader.size()
        except DBAPIError as error:
            raise StoreError(f"the database cannot be read as a ledger: {first_line(error)}") from error

    def entries(self) -> Iterator[StoredEntry]:
        return self._reader.all_entries()

    def texts(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        while start < end and (rows := self._reader.texts(start, min(_CHUNK, end - start))):
            yield from (row for row in rows if row[0] < end)
            start = rows[-1][0] + 1

    def checkpoints(self) -> list[str]:
        return self._reader.checkpoints()

    def checkpoint(self) -> str | None:
        newest = self._reader.checkpoint()
        return newest[1] if newest else None

    def entry(self, name: str) -> StoredEntry | None:
        if not _is_index(name):
            return self._reader.entry(name)
        rows = self._reader.entries(int(name), 1)
        return rows[0] if rows and rows[0].index == int(name) else None

    def nodes(self, size: int) -> NodeReader:
        """From the tiles in the data folder; without one from every entry's stored hash, which reads them all."""
        suite = _suite_of(self.checkpoint())
        if self._folder is not None:
            return nodes_from_tiles(size, self._reader.tile, suite)
        return HashesInMemory([row.hash for row in islice(self._reader.all_entries(), size)], suite)

    def read_model(self) -> Mapping[str, str]:
        return self._reader.read_model()

    def vkeys(self) -> list[str]:
        keys = self._folder / "log" / "keys" if self._folder else None
        return keys.read_text().split() if keys and keys.is_file() else []

    def rotations(self) -> str:
        return self._reader.rotations() if self._folder else ""


def require_readable(path: Path) -> None:
    """Raise StoreError unless a database lies at `path`: opening one that is not there would make it."""
    try:
        with path.open("rb"):
            pass
    except (FileNotFoundError, IsADirectoryError) as error:
        raise StoreError(f"there is no database {path}; name the data folder or its ledger.db") from error
    except OSError as error:
        raise StoreError(f"the database {path} cannot be read: {error.strerror}") from error


class ServiceSource:
    """A ledger behind HTTP: entry bundles need a token, checkpoint and tiles do not. Raises StoreError."""

    def __init__(self, url: str, token: str | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise StoreError(f"{url} is not the address of a service: it begins with http:// or https://")
        self._url, self._token = url, token

    def size(self) -> int:
        try:
            return parse_checkpoint(self.checkpoint()).size
        except CheckpointError as error:
            raise StoreError(f"{self._place('/log/checkpoint')} is not a checkpoint: {error}") from error

    def checkpoint(self) -> str:
        """The newest signed checkpoint."""
        return self._text("/log/checkpoint")

    def entry(self, name: str) -> StoredEntry | None:
        if not _is_index(name):
            raise StoreError("a service is asked by index: name the entry's index, which its receipt shows")
        index, size = int(name), self.size()
        number, start = index // TILE_WIDTH, index - index % TILE_WIDTH
        if index >= size:
            return None
        bundle = self.get(f"/log/{tile_path('entries', number, min(TILE_WIDTH, size - start))}")
        rows = _rows(start, bundle, _suite_of(self.checkpoint()))
        return next((row for row in rows if row.index == index), None)

    def checkpoints(self) -> list[str]:
        return [self.checkpoint()]

    def vkeys(self) -> list[str]:
        return self._text("/log/keys").split()

    def rotations(self) -> str:
        try:
            return self._text("/log/rotations")
        except StoreError:
            return ""  # a plain server has no such file while the key was never rotated

    def read_model(self) -> None:
        return None

    def entries(self) -> Iterator[StoredEntry]:
        size, suite = self.size(), _suite_of(self.checkpoint())
        for start in range(0, size, TILE_WIDTH):
            width = min(TILE_WIDTH, size - start)
            bundle = self.get(f"/log/{tile_path('entries', start // TILE_WIDTH, width)}")
            yield from _rows(start, bundle, suite)

    def bundle_rows(self, number: int, width: int) -> list[StoredEntry]:
        """The entries of one bundle of this width."""
        bundle = self.get(f"/log/{tile_path('entries', number, width)}")
        return list(_rows(number * TILE_WIDTH, bundle, _suite_of(self.checkpoint())))

    def texts(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        for first in range(start - start % TILE_WIDTH, end, TILE_WIDTH):
            bundle = self.get(f"/log/{tile_path('entries', first // TILE_WIDTH, min(TILE_WIDTH, end - first))}")
            found = enumerate(texts_in(bundle), first)
            yield from ((index, text) for index, text in found if start <= index < end)

    def nodes(self, size: int) -> NodeReader:
        """Node hashes of the tree of `size`, read from tiles."""
        return nodes_from_tiles(size, self._tile, _suite_of(self.checkpoint()))

    def _tile(self, level: int, number: int, width: int) -> bytes:
        return self.get(f"/log/{tile_path(level, number, width)}")

    def _text(self, path: str) -> str:
        try:
            return self.get(path).decode()
        except UnicodeDecodeError as error:
            raise StoreError(f"{self._place(path)} is not text; is this the address of a service?") from error

    def _place(self, path: str) -> str:
        """How a file is named to people."""
        return f"{self._url}{path}"

    def get(self, path: str) -> bytes:
        """The body at `path`; raises StoreError when the service does not give it."""
        try:
            request = Request(self._url + path)  # noqa: S310 - only http(s) comes this far
            if self._token:
                request.add_header("Authorization", f"Bearer {self._token}")
            with urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
                body: bytes = response.read()
                return body
        except HTTPError as error:
            mend = "; name a token of an auditor with --token" if error.code in (401, 403) else ""
            raise StoreError(f"{self._url}{path} did not answer: {error}{mend}") from error
        except (OSError, HTTPException, ValueError) as error:  # ValueError: an address or token that cannot be sent
            raise StoreError(f"{self._url}{path} did not answer: {getattr(error, 'reason', error)}") from error


class MirrorSource(ServiceSource):
    """The files of a log in a folder, as `cylinder-trace mirror` writes them. Raises StoreError."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._url, self._token = folder, str(folder), None

    def checkpoints(self) -> list[str]:
        """Earlier checkpoints too, smallest first."""
        size, file = self.size(), self._folder / "checkpoints"
        lines = self._text("/log/checkpoints").splitlines() if file.exists() else []
        try:
            kept = [note for note in map(json.loads, lines) if unverified_checkpoint(note).size < size]
        except (ValueError, TypeError, AttributeError) as error:
            raise StoreError(f"{file} is damaged; take it away, or make a new mirror") from error
        return [*kept, self.checkpoint()]

    def get(self, path: str) -> bytes:
        """The file; a partial tile or bundle that is gone is read from the full one."""
        file = Path(self._place(path))
        try:
            try:
                return file.read_bytes()
            except FileNotFoundError:
                if file.parent.suffix != ".p":
                    raise
                return file.parent.with_suffix("").read_bytes()
        except OSError as error:
            raise StoreError(f"the mirror's file {file} cannot be read: {error.strerror}") from error

    def _place(self, path: str) -> str:
        return str(self._folder / path.removeprefix("/log/"))


def is_mirror(folder: Path) -> bool:
    """Whether a log's own files lie in the folder itself, and no database."""
    return (folder / "checkpoint").is_file() and not (folder / "ledger.db").exists()


def texts_in(bundle: bytes) -> Iterator[bytes]:
    """The entries of a bundle; what is cut off in the middle comes shorter than it should be."""
    at = 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        yield bundle[at + 2 : end]
        at = end


def _suite_of(note: str | None) -> Suite:
    try:
        return suite_of_origin(unverified_checkpoint(note).origin) if note else SHA256
    except CheckpointError as error:
        raise StoreError(f"the newest checkpoint is none: {error}") from error


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) <= 16


def _rows(start: int, bundle: bytes, suite: Suite) -> Iterator[StoredEntry]:
    return (_row(index, text, suite) for index, text in enumerate(texts_in(bundle), start))


def _row(index: int, text: bytes, suite: Suite) -> StoredEntry:
    try:
        entry = json.loads(text)
        id, subject, n, type_word = entry["id"], entry["subject"], entry["n"], entry["type"]
        occurred_at, recorded_at = entry["occurred_at"], entry["recorded_at"]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"entry {index} of the service is not an entry") from error
    return StoredEntry(index, id, subject, n, type_word, occurred_at, recorded_at, leaf_hash(text, suite), text)
