"""Rows about the decision."""

import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from itertools import cycle, islice
from typing import get_args

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.measure import Pair, Row, Scale
from benchmarks.rows.samples import CODE, NOW, cylinder, fill_request, station_facts
from cylinder_trace.admission import decide_fill
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.decision import FillRequest, Finding, StationFacts
from cylinder_trace.events import FlagKind
from cylinder_trace.rulebook import Rulebook, parse_rulebook

_PROMISED_US, _WORST_PROMISED_US = 40.0, 150.0
Scan = tuple[CylinderState | None, FillRequest, StationFacts]


@contextmanager
def _prepare_decide_fill(scale: Scale) -> Iterator[Pair]:
    book = _book()
    request, facts = fill_request(), station_facts()
    key, message = Ed25519PrivateKey.generate(), secrets.token_bytes(300)
    public_key, signature = key.public_key(), key.sign(message)

    def decide(state: CylinderState | None) -> None:
        decide_fill(request, state, facts, book, NOW)

    asked = list(islice(cycle(_cylinders()), scale.count(5000)))
    yield Pair(
        ours=lambda: _median_us(decide, asked),
        other=lambda: _median_us(lambda _: public_key.verify(signature, message), asked),
    )


@contextmanager
def _prepare_decide_fill_time(scale: Scale) -> Iterator[Pair]:
    with _prepare_decide_fill(scale) as pair:
        yield Pair(pair.ours, other=lambda: _PROMISED_US)


@contextmanager
def _prepare_decide_fill_worst(scale: Scale) -> Iterator[Pair]:
    book, count = _book(), scale.count(1000)
    kinds = [(state, fill_request(), station_facts()) for state in _cylinders()[-5:]] + [_all_wrong()]

    def median_us(kind: Scan) -> float:
        state, request, facts = kind
        return _median_us(lambda state: decide_fill(request, state, facts, book, NOW), [state] * count)

    yield Pair(ours=lambda: max(map(median_us, kinds)), other=lambda: _WORST_PROMISED_US)


def _all_wrong() -> Scan:
    """As many reasons as one scan can have: what is found takes longer than what is only looked for."""
    good = cylinder()
    wrong = good.model_copy(update={
        "flags": get_args(FlagKind), "status": "destroyed", "owner_id": "company-2", "registration_no": None,
        "voided_codes": (CODE,), "retags": {"retag-1": CODE}, "transferred_on": "2026-11-20",
        "last_seen_station_id": "station-2", "last_seen_at": NOW, "marks": {"lost/company-2": NOW},
        "stamp": good.stamp.model_copy(update={"manufactured_month": "2001-05"}),
        "inspection": good.inspection and good.inspection.model_copy(
            update={"inspected_month": "2020-05", "next_due_month": "2024-05", "result": "failed"}),
    })  # fmt: skip
    request = fill_request().model_copy(update={"findings": get_args(Finding), "prefill_checked": False})
    facts = StationFacts(station_id="station-1", licence_suspended=True, scale_locked=True, data_as_of=0)
    return wrong, request, facts


def _cylinders() -> list[CylinderState | None]:
    """What a filling line sees: mostly good cylinders, some refused, one unknown."""
    good = cylinder()
    overdue = good.model_copy(update={"inspection": good.inspection and good.inspection.model_copy(
        update={"inspected_month": "2020-05", "next_due_month": "2024-05"})})  # fmt: skip
    flagged = good.model_copy(update={"flags": ("black",)})
    foreign = good.model_copy(update={"owner_id": "company-2"})
    return [good] * 16 + [overdue, flagged, foreign, None]


def _book() -> Rulebook:
    return parse_rulebook(files("cylinder_trace").joinpath("rulebooks/cn-default.toml").read_text(encoding="utf-8"))


def _median_us(action: Callable[[CylinderState | None], object], states: list[CylinderState | None]) -> float:
    times = []
    for state in states:
        started = time.perf_counter_ns()
        action(state)
        times.append(time.perf_counter_ns() - started)
    return statistics.median(times) / 1000


DECIDE_FILL = Row(
    name="trace.decide_fill",
    unit="µs",
    better="lower",
    goal=0.4,
    kind="bound",
    against="one Ed25519 verify",
    prepare=_prepare_decide_fill,
)
"""All rules are asked about a scan; no hashing, no signing, no disk."""

DECIDE_FILL_TIME = Row(
    name="trace.decide_fill_time",
    unit="µs",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: 40 µs",
    prepare=_prepare_decide_fill_time,
)
"""The same, in time."""

DECIDE_FILL_WORST = Row(
    name="trace.decide_fill_worst",
    unit="µs",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: 150 µs in the worst case",
    prepare=_prepare_decide_fill_worst,
)
"""The slowest kind of scan, one with some thirty reasons among them; median of its calls."""
