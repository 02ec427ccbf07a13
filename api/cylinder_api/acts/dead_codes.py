"""The list of all dead and black codes in the land, as each process keeps it: apart from the ledger's writing.

What belongs on it is found in the database by the few events that put a cylinder there.  A thread makes the list when
the process starts, and makes it anew once a day, so that what was cleared goes, and when it has outgrown its size.  No
request waits for that: each adds what came since to the list that is there, and before the first one is told to ask
again.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from cylinder_api.refusals import Refused
from cylinder_codes.keys import SigningKey, encode_base64, format_vkey
from cylinder_trace.canonical import canonical_json
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import DAY_MS
from cylinder_trace.dead_codes import KIND, DeadCodes, digest_of, listed_codes
from cylinder_trace.store.background import Background
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.tables import EntryRow, SubjectNowRow

log = logging.getLogger(__name__)

_PUTS_ON_LIST = (
    "code_voided", "retag_approved", "condemned", "destroyed", "registration_cancelled", "flagged", "seized",
    "reported_lost",
)  # fmt: skip
_entry = EntryRow.__table__  # type: ignore[attr-defined]
_now = SubjectNowRow.__table__  # type: ignore[attr-defined]
_AT_ONCE = 500
_SPARE = 1000
_REST_S = 0.005
"""Between two reads, so that the requests of the process go on meanwhile."""
_ASK_AGAIN_S = 5


class _Added(NamedTuple):
    place: int
    """Where the ledger says so."""
    digest: bytes


@dataclass(slots=True)
class _Made:
    """A list, and what came onto it since it was made."""

    codes: DeadCodes
    base: int
    """The log's size when it was made."""
    made_at: int
    version: int
    count: int
    added: list[_Added] = field(default_factory=list)

    def add(self, news: Sequence[_Added], version: int) -> None:
        self.added += news
        for one in news:
            self.codes.add(one.digest)
        self.count += len(news)
        self.version = version

    def is_worn(self, as_of: int) -> bool:
        """Whether it should be made anew."""
        return as_of - self.made_at > DAY_MS or self.count > self.codes.capacity


class DeadCodesKept(Background):
    """The list of one process. `start` has it made, now and whenever it is worn; `stop` gives up one that is begun."""

    def __init__(self, engine: Engine, reader: Reader, clock: Callable[[], int]) -> None:
        self._engine, self._reader, self._clock = engine, reader, clock
        self._lock = threading.Lock()
        self._made: _Made | None = None
        super().__init__("dead-codes")

    def answer(self, since: int, as_of: int, key: SigningKey) -> dict[str, Any]:
        """The signed list, or what came onto it behind version `since` of the log.

        `as_of` must have been read before the call: what was recorded until then is on it.  Raises Refused while the
        first list is being made.
        """
        with self._lock:
            made = self._made
            if made is None:
                raise Refused("unavailable", "the list of dead codes is being made; ask again", _ASK_AGAIN_S)
            version = self._reader.size()
            made.add([one for some in self._found(made.version) for one in some], version)
            if made.is_worn(as_of):
                self.notify()
            builds_on = made.base <= since <= version and since > 0
            digests = [one.digest for one in made.added if one.place >= since] if builds_on else []
            said: dict[str, Any] = {"kind": KIND, "version": version, "as_of": as_of, "count": made.count,
                                    "since": since if builds_on else 0,
                                    "digests": encode_base64(b"".join(digests))}  # fmt: skip
            if not builds_on:
                said["bits"] = encode_base64(bytes(made.codes))
        said["vkey"] = format_vkey(key.verifying_key)
        return {**said, "signature": encode_base64(key.sign(canonical_json(said)))}

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self._made is None or self._made.is_worn(self._clock()):
                    self._make()
                self._wake.wait()
                self._wake.clear()
            except (SQLAlchemyError, OSError) as error:
                log.warning("the list of dead codes cannot be made, trying again: %s", type(error).__name__)
                self._stop.wait(_ASK_AGAIN_S)

    def _make(self) -> None:
        made_at, version = self._clock(), self._reader.size()
        digests: list[bytes] = []
        for some in self._found(0):
            digests += [one.digest for one in some]
            if self._stop.wait(_REST_S):
                return
        codes = DeadCodes.for_count(len(digests) + len(digests) // 8 + _SPARE)
        for number, digest in enumerate(digests):
            codes.add(digest)
            if number % _AT_ONCE == 0 and self._stop.wait(_REST_S):
                return
        with self._lock:
            self._made = _Made(codes, version, made_at, version, len(digests))

    def _found(self, since: int) -> Iterator[list[_Added]]:
        """What the events from `since` on have put on the list; a code that was on it already may come once more."""
        newest: dict[str, int] = {}
        with self._engine.connect() as connection:
            for word in _PUTS_ON_LIST:
                about = select(_entry.c.subject, _entry.c.log_index)
                for row in connection.execute(about.where(_entry.c.type == word, _entry.c.log_index >= since)):
                    newest[row.subject] = max(row.log_index, newest.get(row.subject, 0))
            subjects = [subject for subject in newest if subject.startswith("cylinder/")]
        for start in range(0, len(subjects), _AT_ONCE):
            some = subjects[start : start + _AT_ONCE]
            with self._engine.connect() as connection:
                rows = connection.execute(select(_now.c.subject, _now.c.state).where(_now.c.subject.in_(some))).all()
            states = ((row.subject, CylinderState.model_validate_json(row.state)) for row in rows)
            yield [_Added(newest[name], digest_of(code)) for name, state in states for code in listed_codes(state)]
