"""What this station did itself and has not yet seen come back from the service.

The replica shows the ledger as of its version.  A fill of a minute ago is not in it yet, and without network it will
not be for hours; so the station's own records are folded on top, or one code could be filled many times.
"""

from heapq import heappop, heappush

from cylinder_trace.chain import NO_PREVIOUS
from cylinder_trace.cylinder import CylinderState, StateError, next_state
from cylinder_trace.events import RECORD_FIELDS, Entry, FillDecided, Filled, Record

_FOLDED = (FillDecided.type, Filled.type)


class OwnActs:
    """Own records by cylinder, each with its index in the service's log once that is known."""

    def __init__(self) -> None:
        self._acts: dict[str, dict[str, tuple[Record, int | None]]] = {}
        self._subject_of: dict[str, str] = {}
        self._settled: list[tuple[int, str]] = []
        """A heap of what the service holds, by index: most cylinders are not scanned again for weeks."""

    def add(self, record: Record, log_index: int | None = None) -> None:
        """Remember `record` until the replica holds it."""
        if record.subject.startswith("cylinder/") and record.type in _FOLDED:
            self._acts.setdefault(record.subject, {})[record.id] = (record, log_index)
            self._subject_of[record.id] = record.subject
            self.settle(record.id, log_index)

    def settle(self, record_id: str, log_index: int | None) -> None:
        """The service holds the record with this id at `log_index` of its log."""
        acts = self._acts.get(self._subject_of.get(record_id, ""), {})
        if log_index is not None and record_id in acts:
            acts[record_id] = (acts[record_id][0], log_index)
            heappush(self._settled, (log_index, record_id))

    def on_top_of(self, state: CylinderState, version: int) -> tuple[CylinderState, tuple[str, ...]]:
        """`state`, which reflects the first `version` entries of the log, after the own acts beyond them; their ids."""
        ids: list[str] = []
        for record in self._beyond(f"cylinder/{state.cylinder_id}", version):
            try:
                state = next_state(state, _entry(record, state.n), record.event())
            except StateError:  # the ledger will judge it; the cylinder's other reasons stand
                continue
            ids.append(record.id)
        return state, tuple(ids)

    def _beyond(self, subject: str, version: int) -> list[Record]:
        while self._settled and self._settled[0][0] < version:
            self._forget(heappop(self._settled)[1])
        return [record for record, _ in self._acts.get(subject, {}).values()]

    def _forget(self, record_id: str) -> None:
        """The replica holds it, and what the ledger made of it."""
        subject = self._subject_of.pop(record_id, None)
        if subject is not None:
            del self._acts[subject][record_id]
            if not self._acts[subject]:
                del self._acts[subject]


def _entry(record: Record, n: int) -> Entry:
    """The entry as far as folding looks at it; its real place is made where the ledger stores it."""
    fields = {name: getattr(record, name) for name in RECORD_FIELDS}
    return Entry.model_construct(**fields, n=n, prev=NO_PREVIOUS, recorded_at=record.occurred_at)
