"""The list of all dead and black codes in the land, as each process keeps it: apart from the ledger's writing.

What belongs on it is found in the database by the few events that put a cylinder there.  A process makes the list when
it is first asked for it, adds to it what came since each time, and makes it anew once a day, so that what was cleared
goes, and when it has outgrown its size.
"""

import threading
from typing import Any, NamedTuple

from sqlalchemy import Engine, select

from cylinder_codes.keys import SigningKey, encode_base64, format_vkey
from cylinder_trace.canonical import canonical_json
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import DAY_MS
from cylinder_trace.dead_codes import DeadCodes, digest_of, listed_codes
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.tables import EntryRow, SubjectNowRow

KIND = "pinglian-dead-codes/1"
_PUTS_ON_LIST = (
    "code_voided", "retag_approved", "condemned", "destroyed", "registration_cancelled", "flagged", "seized",
    "reported_lost",
)  # fmt: skip
_entry = EntryRow.__table__  # type: ignore[attr-defined]
_now = SubjectNowRow.__table__  # type: ignore[attr-defined]
_AT_ONCE = 500
_SPARE = 1000


class _Added(NamedTuple):
    place: int
    """Where the ledger says so."""
    digest: bytes


class DeadCodesKept:
    """The list of one process."""

    def __init__(self, engine: Engine, reader: Reader) -> None:
        self._engine, self._reader = engine, reader
        self._lock = threading.Lock()
        self._list = DeadCodes.for_count(0)
        self._added: list[_Added] = []
        self._base = self._version = 0
        self._count = 0
        self._made_at: int | None = None

    def answer(self, since: int, as_of: int, key: SigningKey) -> dict[str, Any]:
        """The signed list, or what came onto it behind version `since` of the log.

        `as_of` must have been read before the call: what was recorded until then is on it.
        """
        with self._lock:
            self._catch_up(as_of)
            builds_on = self._base <= since <= self._version and since > 0
            digests = [one.digest for one in self._added if one.place >= since] if builds_on else []
            said: dict[str, Any] = {"kind": KIND, "version": self._version, "as_of": as_of, "count": self._count,
                                    "since": since if builds_on else 0,
                                    "digests": encode_base64(b"".join(digests))}  # fmt: skip
            if not builds_on:
                said["bits"] = encode_base64(bytes(self._list))
        said["vkey"] = format_vkey(key.verifying_key)
        return {**said, "signature": encode_base64(key.sign(canonical_json(said)))}

    def _catch_up(self, as_of: int) -> None:
        version = self._reader.size()
        anew = self._made_at is None or as_of - self._made_at > DAY_MS
        added = self._found(0 if anew else self._version)
        if anew or self._count + len(added) > self._list.capacity:
            added = added if anew else self._found(0)
            self._list = DeadCodes.for_count(len(added) + len(added) // 8 + _SPARE)
            self._added, self._base, self._count, self._made_at = [], version, 0, as_of
        else:
            self._added += added
        for one in added:
            self._list.add(one.digest)
        self._count += len(added)
        self._version = version

    def _found(self, since: int) -> list[_Added]:
        """What the events from `since` on have put on the list; a code that was on it already may come once more."""
        newest: dict[str, int] = {}
        with self._engine.connect() as connection:
            for word in _PUTS_ON_LIST:
                about = select(_entry.c.subject, _entry.c.log_index)
                for row in connection.execute(about.where(_entry.c.type == word, _entry.c.log_index >= since)):
                    newest[row.subject] = max(row.log_index, newest.get(row.subject, 0))
            subjects = [subject for subject in newest if subject.startswith("cylinder/")]
            added: list[_Added] = []
            for start in range(0, len(subjects), _AT_ONCE):
                some = subjects[start : start + _AT_ONCE]
                for row in connection.execute(select(_now.c.subject, _now.c.state).where(_now.c.subject.in_(some))):
                    state = CylinderState.model_validate_json(row.state)
                    added += [_Added(newest[row.subject], digest_of(code)) for code in listed_codes(state)]
        return added
