"""Under the writer's lock two messages go to PostgreSQL: while an answer is waited for, no other process may write."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from cylinder_trace.store.database import StoreError
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.tables import MetaRow
from cylinder_trace.store.unit import Hints, Receipt, Unit
from ledgers.homes import Clock, Home, bound, registered, returned
from servers.stoppable import LosingLine

_LOCK = b"pinglian-writer"
_REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no rows today'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON code EXECUTE FUNCTION refuse();
"""


@pytest.fixture
def line(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[LosingLine]:
    monkeypatch.setattr("cylinder_trace.store.publisher._GATHER_S", 60.0)  # its messages are not to be counted
    with closing(LosingLine(make_url(postgres_url).port or 5432)) as line:
        yield line


@pytest.fixture
def two(postgres_url: str, tmp_path: Path, line: LosingLine) -> Iterator[tuple[Ledger, Ledger]]:
    """Two processes of which the first speaks over the line that is listened to."""
    heard, clock = make_url(postgres_url).set(port=line.port), Clock()
    first = Home(heard.render_as_string(hide_password=False), tmp_path, clock)
    with first.open() as one, Home(postgres_url, tmp_path, clock).open() as other:
        yield one, other


def messages(line: LosingLine) -> int:
    """How often the writer's connection has said something and waited for the answer."""
    return sum(len(said) for said in line.said if any(_LOCK in message for message in said))


def fill(unit: Unit) -> Receipt:
    cylinder = unit.cylinder_by_code("CODE1")
    assert cylinder is not None
    return unit.append(returned(1, "filled"))


@pytest.mark.parametrize("who_wrote", [0, 1], ids=["this process", "the other one"])
def test_an_act_takes_two_messages_whoever_wrote_before_it(
    who_wrote: int, two: tuple[Ledger, Ledger], line: LosingLine
) -> None:
    one, _ = two
    one.append([registered(1), bound(1)])
    one.append([returned(1, "r0")])
    two[who_wrote].append([returned(1, "r1")])
    before = messages(line)
    assert one.submit(fill, Hints(ids=["filled"], codes=["CODE1"])).result().n == 4
    assert messages(line) == before + 2


def test_many_acts_of_one_commit_take_no_more(two: tuple[Ledger, Ledger], line: LosingLine) -> None:
    one, other = two
    numbers = range(20)
    one.append([registered(number) for number in numbers])
    other.append([returned(number, f"r{number}") for number in numbers])
    before = messages(line)
    assert {receipt.n for receipt in one.append([returned(number, f"s{number}") for number in numbers])} == {2}
    assert messages(line) == before + 2


def test_a_row_of_the_service_that_is_looked_up_and_changed_takes_none_of_its_own(
    two: tuple[Ledger, Ledger], line: LosingLine
) -> None:
    def count(unit: Unit) -> int:
        row = unit.find(MetaRow, "count")
        so_far = int(row.value) if row else 0
        unit.put(MetaRow(key="count", value=str(so_far + 1)))
        return so_far

    one, other = two
    one.append([registered(1)])
    hints = Hints(rows=[(MetaRow, ("count",)), (MetaRow, ("no such",))])
    assert [ledger.transact(count, hints) for ledger in (one, other)] == [0, 1]
    before = messages(line)
    assert one.transact(count, hints) == 2
    assert messages(line) == before + 2


def test_what_the_database_refuses_behind_the_rows_is_said_not_to_be_recorded(two: tuple[Ledger, Ledger]) -> None:
    one, _ = two
    one.append([registered(1)])
    with one.engine.begin() as connection:
        connection.execute(text(_REFUSE))
    with pytest.raises(StoreError, match="nothing of this was recorded"):
        one.append([bound(1)])
    with one.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER refuse ON code"))
    assert not one.append([bound(1)])[0].replayed
    assert one.reader.size() == 2
