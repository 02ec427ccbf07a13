"""Reading the ledger: histories, entries by index or by reference, states, checkpoints, history bundles.

A reader never sees what is not committed, and never blocks the writer.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, and_, case, func, inspect, select

from cylinder_trace.audit import StoredEntry
from cylinder_trace.chain import EMPTY, Head
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import HandedOver
from cylinder_trace.proof import HistoryBundle, make_bundle
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.tables import (
    ENTRY_ID,
    CheckpointRow,
    CodeRow,
    CosignatureRow,
    EntryRefRow,
    EntryRow,
    SubjectNowRow,
)
from cylinder_trace.store.understood import state_of
from cylinder_trace.subjects import SubjectState
from cylinder_trace.suite import Suite
from cylinder_trace.tiles import nodes_from_tiles

_entry = EntryRow.__table__  # type: ignore[attr-defined]
_ref = EntryRefRow.__table__  # type: ignore[attr-defined]
_now = SubjectNowRow.__table__  # type: ignore[attr-defined]
_code = CodeRow.__table__  # type: ignore[attr-defined]
_checkpoint = CheckpointRow.__table__  # type: ignore[attr-defined]
_cosignature = CosignatureRow.__table__  # type: ignore[attr-defined]

_IS_ENTRUSTED = and_(_now.c.kind == "cylinder", _now.c.state.contains('"custody_basis":"', autoescape=True))
"""Whether somebody may fill a cylinder besides its owner: the stored state leaves the field out where nobody may."""
_NEWS = 10_000
"""Entries up to which it is quicker to go through them than through all states of an owner."""


class NotPublished(LookupError):
    """The history is not yet covered by a published checkpoint: ask again in a second."""


class Changed(NamedTuple):
    """A subject that changed, and if it is a cylinder who owns it now, and to whom it is entrusted."""

    subject: str
    owner_id: str | None
    custodian_id: str | None
    """Only where it may be filled for this one (托管、供用气合同)."""


class RefFound(NamedTuple):
    """A reference that entries carry: how many do, and the index of the first."""

    ref: str
    entries: int
    first_index: int


class Reader:
    """Reads from one database, each statement by itself."""

    def __init__(self, engine: Engine, files: LogFiles, vkey: str) -> None:
        self._engine = _without_transactions(engine)
        self._files = files
        self._vkey = vkey
        self._knows_cosignatures = False

    @property
    def suite(self) -> Suite:
        """By which hashes the log is made."""
        return self._files.suite

    def size(self) -> int:
        """Number of entries in the log."""
        return int(self._scalar(select(func.coalesce(func.max(_entry.c.log_index) + 1, 0))))

    def entries(self, start: int = 0, limit: int = 1000) -> list[StoredEntry]:
        """Up to `limit` entries from index `start` on."""
        query = select(_entry).where(_entry.c.log_index >= start).order_by(_entry.c.log_index).limit(limit)
        return self._entries(query)

    def texts(self, start: int = 0, limit: int = 1000) -> list[tuple[int, bytes]]:
        """Index and stored bytes of up to `limit` entries from index `start` on."""
        query = select(_entry.c.log_index, _entry.c.text).where(_entry.c.log_index >= start)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(_entry.c.log_index).limit(limit))
            return [(index, _as_bytes(text)) for index, text in rows]

    def all_entries(self, chunk: int = 5000) -> Iterator[StoredEntry]:
        """Every entry in order, read in chunks."""
        start = 0
        while rows := self.entries(start, chunk):
            yield from rows
            start = rows[-1].index + 1

    def entry(self, id: str) -> StoredEntry | None:
        """The entry with this id."""
        rows = self.entries_called([id])
        return rows[0] if rows else None

    def entries_called(self, ids: Sequence[str]) -> list[StoredEntry]:
        """The entries with these ids, of some hundred at most, in any order."""
        query = select(_entry).where(_entry.c.id.in_(ids))
        if self._engine.dialect.name == "postgresql":
            # There the id is no key of any part of `entry`; the table beside it says in which one it is.
            place = and_(_entry.c.subject == ENTRY_ID.c.subject, _entry.c.log_index == ENTRY_ID.c.log_index)
            query = select(_entry).join(ENTRY_ID, place).where(ENTRY_ID.c.id.in_(ids))
        return self._entries(query)

    def history(self, subject: str, below: int | None = None) -> list[StoredEntry]:
        """All entries of a subject's chain, oldest first; with `below`, those with a smaller log index."""
        query = select(_entry).where(_entry.c.subject == subject).order_by(_entry.c.n)
        return self._entries(query if below is None else query.where(_entry.c.log_index < below))

    def by_type(self, type_word: str, after: int = -1, limit: int = 100) -> list[StoredEntry]:
        """Entries of one type behind index `after`."""
        query = select(_entry).where(_entry.c.type == type_word, _entry.c.log_index > after)
        return self._entries(query.order_by(_entry.c.log_index).limit(limit))

    def by_ref(self, ref: str, type_word: str | None = None, after: int = -1, limit: int = 100) -> list[StoredEntry]:
        """Entries behind index `after` that touch `ref`, of one type if given."""
        query = select(_entry).join(_ref, _ref.c.log_index == _entry.c.log_index)
        query = query.where(_ref.c.ref == ref, _ref.c.log_index > after)
        if type_word is not None:
            query = query.where(_entry.c.type == type_word)
        return self._entries(query.order_by(_ref.c.log_index).limit(limit))

    def refs(self, kind: str) -> list[RefFound]:
        """Every reference ``kind/…`` in the ledger, in the order in which it first came up; reads all references."""
        first = func.min(_ref.c.log_index)
        query = select(_ref.c.ref, func.count().label("entries"), first.label("first_index"))
        query = query.where(_ref.c.ref.like(f"{kind}/%")).group_by(_ref.c.ref).order_by(first)
        with self._engine.connect() as connection:
            return [RefFound(row.ref, row.entries, row.first_index) for row in connection.execute(query)]

    def count_under(self, ref: str) -> int:
        """How many entries bear a reference."""
        return int(self._scalar(select(func.count()).where(_ref.c.ref == ref)) or 0)

    def state(self, subject: str) -> SubjectState | None:
        """What a subject's chain adds up to."""
        text = self._scalar(select(_now.c.state).where(_now.c.subject == subject))
        return state_of(subject, text) if text else None

    def head(self, subject: str) -> Head:
        """Where a subject's chain ends."""
        with self._engine.connect() as connection:
            row = connection.execute(select(_now.c.n, _now.c.head).where(_now.c.subject == subject)).one_or_none()
        return Head(row.n, row.head) if row else EMPTY

    def states(self, kind: str, *, owner_id: str | None = None, since: int = 0) -> list[SubjectState]:
        """States of a kind whose last entry has index `since` or more, in the order of that entry."""
        if since and self.size() - since < _NEWS:
            columns = (_now.c.subject, _now.c.state, _now.c.kind, _now.c.owner_id)
            rows = self._news(columns, _entry.c.log_index >= since)
            rows = [row for row in rows if row.kind == kind and owner_id in (None, row.owner_id)]
        else:
            rows = self._of_kind(kind, owner_id, since)
        return [state_of(row.subject, row.state) for row in rows]

    def _of_kind(self, kind: str, owner_id: str | None, since: int) -> Sequence[Row[Any]]:
        query = select(_now.c.subject, _now.c.state).where(_now.c.kind == kind, _now.c.log_index >= since)
        if owner_id is not None:
            query = query.where(_now.c.owner_id == owner_id)
        with self._engine.connect() as connection:
            return connection.execute(query.order_by(_now.c.log_index)).all()

    def entrusted(self, company_id: str, since: int = 0) -> list[CylinderState]:
        """Cylinders of others that a company may fill (托管、供用气合同), with `since` as `states` has it.

        They are found by the hand-overs that name the company, or where little is new by what is new: a state is read
        only where one of the two points at it.
        """
        not_owned = _now.c.owner_id != company_id
        if since and self.size() - since < _NEWS:
            rows = self._news((_now.c.subject, _now.c.state), _entry.c.log_index >= since, not_owned, _IS_ENTRUSTED)
        else:
            rows = self._handed_over_to(company_id, _now.c.log_index >= since, not_owned, _IS_ENTRUSTED)
        states = [state_of(row.subject, row.state) for row in rows]
        return [state for state in states if isinstance(state, CylinderState) and state.basis_of(company_id)]

    def _handed_over_to(self, company_id: str, *which: ColumnElement[bool]) -> Sequence[Row[Any]]:
        handed = select(_entry.c.subject).join(_ref, _ref.c.log_index == _entry.c.log_index)
        handed = handed.where(_ref.c.ref == f"holder/{company_id}", _entry.c.type == HandedOver.type)
        query = select(_now.c.subject, _now.c.state).where(_now.c.subject.in_(handed), *which)
        with self._engine.connect() as connection:
            return connection.execute(query.order_by(_now.c.log_index)).all()

    def read_model(self) -> dict[str, str]:
        """Every subject's stored state, as text."""
        with self._engine.connect() as connection:
            return {row.subject: row.state for row in connection.execute(select(_now.c.subject, _now.c.state))}

    def cylinder_id(self, code: str) -> str | None:
        """The cylinder a code leads to, alive or dead."""
        found: str | None = self._scalar(select(_code.c.cylinder_id).where(_code.c.code == code))
        return found

    def changed(self, since: int, until: int) -> list[Changed]:
        """Subjects whose last entry has index `since` or more, but below `until`, in the order of that entry."""
        span = _entry.c.log_index >= since, _entry.c.log_index < until
        entrusted = case((_IS_ENTRUSTED, _now.c.state)).label("entrusted")
        rows = self._news((_now.c.subject, _now.c.owner_id, entrusted), *span)
        return [Changed(row.subject, row.owner_id, _custodian(row.entrusted)) for row in rows]

    def _news(self, columns: Sequence[ColumnElement[Any]], *span: ColumnElement[bool]) -> Sequence[Row[Any]]:
        """Subjects whose last entry lies in a span, found by the entries: no index has to follow each append."""
        last = and_(_now.c.subject == _entry.c.subject, _now.c.log_index == _entry.c.log_index)
        query = select(*columns).join(_entry, last).where(*span)
        with self._engine.connect() as connection:
            return connection.execute(query.order_by(_entry.c.log_index)).all()

    def tile(self, level: int, number: int, width: int) -> bytes:
        """A tile of the published tree; raises FileNotFoundError."""
        return self._files.read_tile(level, number, width)

    def checkpoint(self) -> tuple[int, str] | None:
        """Size and signed note of the newest published checkpoint, with the cosignatures it has by now."""
        query = select(_checkpoint.c.size, _checkpoint.c.note).order_by(_checkpoint.c.size.desc()).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
            return (row.size, row.note + self._cosignatures(connection, row.size)) if row else None

    def newest_published(self) -> tuple[int, int] | None:
        """Size of the newest published checkpoint, and when it was published (UTC ms)."""
        query = select(_checkpoint.c.size, _checkpoint.c.published_at).order_by(_checkpoint.c.size.desc()).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return (row.size, row.published_at) if row else None

    def newest_cosigned(self, key: str) -> tuple[int, int] | None:
        """The same of the newest that a witness has cosigned; `key` is its name and key id, ``name+hex``."""
        query = select(_checkpoint.c.size, _checkpoint.c.published_at).join(
            _cosignature, _cosignature.c.size == _checkpoint.c.size
        )
        query = query.where(_cosignature.c.key == key).order_by(_checkpoint.c.size.desc()).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return (row.size, row.published_at) if row else None

    def rotations(self) -> str:
        """The statements by which the log's key was rotated; empty when it never was."""
        return self._files.rotations()

    def _cosignatures(self, connection: Connection, size: int) -> str:
        # Whoever only looks at a ledger from before there were cosignatures finds no table, and none is made.
        if not self._knows_cosignatures:
            self._knows_cosignatures = inspect(connection).has_table(CosignatureRow.__tablename__)
        if not self._knows_cosignatures:
            return ""
        query = select(_cosignature.c.line).where(_cosignature.c.size == size).order_by(_cosignature.c.key)
        return "".join(connection.scalars(query))

    def checkpoints(self) -> list[str]:
        """Every published checkpoint, smallest first."""
        with self._engine.connect() as connection:
            return list(connection.scalars(select(_checkpoint.c.note).order_by(_checkpoint.c.size)))

    def bundle(self, subject: str) -> HistoryBundle:
        """The subject's history under the newest checkpoint; raises NotPublished if there is none yet."""
        newest = self.checkpoint()
        rows = self.history(subject, below=newest[0]) if newest else []
        if newest is None or not rows:
            raise NotPublished(f"{subject} has no entry under a published checkpoint yet")
        size, note = newest
        nodes = nodes_from_tiles(size, self._files.read_tile, self._files.suite)
        return make_bundle(subject, [row.text for row in rows], rows[-1].index, size, nodes, note, self._vkey)

    def _scalar(self, query: Select[Any]) -> Any:
        with self._engine.connect() as connection:
            return connection.scalar(query)

    def _entries(self, query: Select[Any]) -> list[StoredEntry]:
        with self._engine.connect() as connection:
            # Taken apart and not asked for by name, which takes twice as long as all the rest.
            return [
                StoredEntry(index, id, subject, n, word, occurred_at, recorded_at, _as_bytes(digest), _as_bytes(text))
                for index, id, subject, n, word, occurred_at, recorded_at, digest, text in connection.execute(query)
            ]


def _without_transactions(engine: Engine) -> Engine:
    """On PostgreSQL, where begin and end of a transaction are messages of their own and hold nothing together here."""
    return engine.execution_options(isolation_level="AUTOCOMMIT") if engine.dialect.name == "postgresql" else engine


def _custodian(state: str | None) -> str | None:
    custodian_id: str | None = orjson.loads(state).get("custodian_id") if state else None
    return custodian_id


def _as_bytes(value: bytes | str | memoryview) -> bytes:
    """What stands in a column of bytes; SQLite also lets text be put there, and an audit must be able to say so."""
    return value.encode() if isinstance(value, str) else bytes(value)
