"""What changed lately, as stations and live pages ask for it: the same on both homes, however far back they ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cylinder_trace.cylinder import CylinderState
from cylinder_trace.store import reader
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.subjects import SubjectState
from ledgers.homes import Home, bound, registered, returned


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/ledger.db" if sqlite else request.getfixturevalue("postgres_url")
    with Home(url, tmp_path).open() as opened:
        opened.append([registered(1), registered(2, owner="co_2"), registered(3)])
        opened.append([bound(2), bound(1), returned(2, "r2")])
        yield opened


def names(states: list[SubjectState]) -> list[str]:
    return [state.cylinder_id for state in states if isinstance(state, CylinderState)]


@pytest.mark.parametrize("near", [10_000, 0], ids=["few entries since then", "many entries since then"])
def test_a_delta_holds_the_owner_s_cylinders_in_the_order_of_their_last_entries(
    near: int, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_NEWS", near)
    assert names(ledger.reader.states("cylinder")) == ["cyl_3", "cyl_1", "cyl_2"]
    assert names(ledger.reader.states("cylinder", owner_id="co_1", since=2)) == ["cyl_3", "cyl_1"]
    assert names(ledger.reader.states("cylinder", owner_id="co_1", since=3)) == ["cyl_1"]
    assert names(ledger.reader.states("cylinder", owner_id="co_2", since=5)) == ["cyl_2"]
    assert ledger.reader.states("station", since=1) == []
    assert ledger.reader.states("cylinder", since=6) == []


def test_a_subject_counts_as_changed_where_its_last_entry_stands_and_only_there(ledger: Ledger) -> None:
    assert [item.subject for item in ledger.reader.changed(0, 6)] == [f"cylinder/cyl_{n}" for n in (3, 1, 2)]
    assert [(item.subject, item.owner_id) for item in ledger.reader.changed(3, 6)] == [
        ("cylinder/cyl_1", "co_1"),
        ("cylinder/cyl_2", "co_2"),
    ]
    assert ledger.reader.changed(3, 4) == []
