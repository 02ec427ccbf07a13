"""Rows about the decision."""

import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from itertools import cycle, islice

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.measure import Pair, Row, Scale
from benchmarks.rows.samples import NOW, cylinder, fill_request, station_facts
from cylinder_trace.admission import decide_fill
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.rulebook import parse_rulebook


@contextmanager
def _prepare_decide_fill(scale: Scale) -> Iterator[Pair]:
    book = parse_rulebook(files("cylinder_trace").joinpath("rulebooks/cn-default.toml").read_text(encoding="utf-8"))
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


def _cylinders() -> list[CylinderState | None]:
    """What a filling line sees: mostly good cylinders, some refused, one unknown."""
    good = cylinder()
    overdue = good.model_copy(update={"inspection": good.inspection and good.inspection.model_copy(
        update={"inspected_month": "2020-05", "next_due_month": "2024-05"})})  # fmt: skip
    flagged = good.model_copy(update={"flags": ("black",)})
    foreign = good.model_copy(update={"owner_id": "company-2"})
    return [good] * 16 + [overdue, flagged, foreign, None]


def _median_us(action: Callable[[CylinderState | None], None], states: list[CylinderState | None]) -> float:
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
