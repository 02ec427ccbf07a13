"""Detection over a generated year: an innocent one leaves no signal, each planted oddity leaves its own."""

import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

# the load tests are no installed package
sys.path.insert(0, str(Path(__file__).parents[2] / "loadtests"))

import pytest

from benchmarks.town_year import PLANTED, town_year
from cylinder_trace.canonical import canonical_json
from cylinder_trace.chain import NO_PREVIOUS
from cylinder_trace.detection.facts import read_fact
from cylinder_trace.detection.signals import Kind
from cylinder_trace.detection.watch import detect
from cylinder_trace.events import parse_entry
from cylinder_trace.merkle import leaf_hash
from cylinder_trace.rulebook import parse_rulebook
from vectors.admission.cases import rulebook_text

BOOK = parse_rulebook(rulebook_text("cn-default"))
Stored = tuple[bytes, bytes]


@pytest.fixture(scope="module")
def innocent() -> list[Stored]:
    return list(town_year(200, odd=False))


@pytest.fixture(scope="module")
def odd() -> list[Stored]:
    return list(town_year(40, odd=True))


def kinds(entries: list[Stored]) -> Counter[Kind]:
    return Counter(signal.kind for signal in detect(entries, BOOK))


def test_an_innocent_year_with_rejects_night_shifts_and_days_without_a_line_leaves_no_signal(
    innocent: list[Stored],
) -> None:
    told = [read_fact(*entry) for entry in innocent]
    assert {"condemned", "inspection_item_recorded", "gas_lot_received"} <= {fact.type for fact in told}
    assert any(later.at < fact.at for fact, later in pairwise(told))
    assert kinds(innocent) == {}


def test_each_planted_oddity_leaves_its_signal_and_no_other(odd: list[Stored]) -> None:
    assert kinds(odd) == PLANTED


def test_the_generated_year_is_one_that_a_ledger_could_hold(innocent: list[Stored], odd: list[Stored]) -> None:
    for entries in (innocent[::20], odd[::7]):
        for text, digest in entries:
            entry = parse_entry(text)
            entry.event()
            assert canonical_json(entry.model_dump(mode="json", exclude_none=True)) == text
            assert leaf_hash(text) == digest
    heads: dict[str, tuple[int, str]] = {}
    for text, digest in odd:
        entry = parse_entry(text)
        assert (entry.n, entry.prev) == heads.get(entry.subject, (0, NO_PREVIOUS))
        heads[entry.subject] = entry.n + 1, digest.hex()
