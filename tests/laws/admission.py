"""Law: no story of a cylinder, in whatever order it is told, lets a dead or marked cylinder be filled."""

import random
from pathlib import Path

from cylinder_trace import events
from cylinder_trace.admission import decide_fill
from cylinder_trace.cylinder import CylinderState, next_state
from cylinder_trace.events import Entry, Event
from vectors.admission.cases import base_case

_STORIES = 300
_HOUR = 3_600_000


def check(seed: int, folder: Path) -> None:
    """One run: hundreds of random lives that each end the cylinder somewhere in the middle."""
    dice = random.Random(seed)
    base = base_case()
    assert base.cylinder is not None
    for _ in range(_STORIES):
        state = base.cylinder
        story = [_any_event(dice) for _ in range(dice.randint(0, 12))]
        story.insert(dice.randint(0, len(story)), dice.choice((_DESTROYED, _CONDEMNED)))
        for event in story:
            state = _told(state, event, base.now - dice.randint(0, 90 * 24) * _HOUR)
        decision = decide_fill(base.request, state, base.station, base.book, base.now)
        assert "R30" in decision.codes, f"seed {seed}: {[type(event).__name__ for event in story]} was not refused"


_CONDEMNED = events.Condemned(body_id="ib_1", cause="壁厚不足")
_DESTROYED = events.Destroyed(body_id="ib_1", method="cut", evidence_sha256=("0" * 64,))
_OTHERS: tuple[Event, ...] = (
    events.Returned(station_id="st_1"),
    events.SentToInspection(body_id="ib_1"),
    events.Inspected(
        body_id="ib_1", inspected_month="2026-10", next_due_month="2030-10", result="passed", report_no="1"
    ),
    events.Evaluated(body_id="ib_1", passed=True, valid_until_month="2031-01", report_no="2"),
    events.Flagged(flag="lost", authority_id="au_1", cause="报失"),
    events.FlagCleared(flag="lost", authority_id="au_1", cause="找回"),
    events.CodeBound(code="NEWCODE"),
    _CONDEMNED,
)


def _any_event(dice: random.Random) -> Event:
    return dice.choice(_OTHERS)


def _told(state: CylinderState, event: Event, occurred_at: int) -> CylinderState:
    record = events.state_event(event, id="e", subject=f"cylinder/{state.cylinder_id}", occurred_at=occurred_at, by="a")
    entry = Entry(**record.model_dump(), n=state.n, prev="0" * 64, recorded_at=occurred_at)
    return next_state(state, entry, event)
