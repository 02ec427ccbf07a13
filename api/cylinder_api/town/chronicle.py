"""Writing down what happened: every record of the town with its moment of recording, every state folded along.

What happened before the ledger went live is recorded when the companies' registers were taken over, one
millisecond after the other; what happened later is recorded moments after it happened.
"""

from operator import itemgetter

from cylinder_trace.chain import NO_PREVIOUS
from cylinder_trace.cylinder import CylinderState, next_state
from cylinder_trace.events import Entry, Event, Record, state_event
from cylinder_trace.rulebook import parse_rulebook
from cylinder_trace.station import StationState, next_station_state


class Chronicle:
    """All records of a town, gathered subject by subject, given out in the order of their recording."""

    def __init__(self, rulebook_text: str, go_live_at: int) -> None:
        self.book = parse_rulebook(rulebook_text)
        self.stations: dict[str, StationState] = {}
        self._go_live_at = go_live_at
        self._import_at = go_live_at
        self._records: list[tuple[int, Record]] = []

    def add(self, record: Record, n: int, delay_ms: int = 0) -> Entry:
        """Keep `record`, recorded `delay_ms` after it happened, or at the take-over if it is older.

        Answers the entry as far as folding looks at it; the real chain is made where the ledger stores it.
        """
        recorded_at = record.occurred_at + delay_ms
        if record.occurred_at < self._go_live_at:
            recorded_at = self._import_at
            self._import_at += 1
        self._records.append((recorded_at, record))
        return Entry.model_construct(**record.__dict__, n=n, prev=NO_PREVIOUS, recorded_at=recorded_at)

    def add_to_station(self, station_id: str, event: Event, at: int, by: str) -> None:
        """State `event` about a station."""
        state = self.stations.get(station_id)
        n = state.n if state else 0
        record = state_event(event, id=f"{station_id}.{n}", subject=f"station/{station_id}", occurred_at=at, by=by)
        self.stations[station_id] = next_station_state(state, self.add(record, n), event)

    def in_order(self) -> list[tuple[int, Record]]:
        """(recorded_at, record) in the order of recording; at the same moment, as they were stated."""
        return sorted(self._records, key=itemgetter(0))


class Life:
    """One cylinder's life as it is written: its state after everything that happened so far."""

    def __init__(self, chronicle: Chronicle, cylinder_id: str, code: str) -> None:
        self.cylinder_id = cylinder_id
        self.code = code
        """The living code on the cylinder."""
        self._chronicle = chronicle
        self._state: CylinderState | None = None

    @property
    def state(self) -> CylinderState:
        """State after all events; AssertionError before the cylinder is registered."""
        assert self._state is not None, "a life begins with cylinder_registered"  # noqa: S101
        return self._state

    def happen(
        self, event: Event, at: int, by: str, refs: tuple[str, ...] = (), id: str = "", delay_ms: int = 900
    ) -> None:
        """State `event` about this cylinder, recorded `delay_ms` later; events come in the order of recording."""
        n = self._state.n if self._state else 0
        record = state_event(
            event,
            id=id or f"{self.cylinder_id}.{n}",
            subject=f"cylinder/{self.cylinder_id}",
            occurred_at=at,
            by=by,
            refs=refs,
        )
        self._state = next_state(self._state, self._chronicle.add(record, n, delay_ms), event)
