"""On PostgreSQL entries lie in sixteen parts: what must be unique is so over all of them, and none is rewritten."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import RaiseException, UniqueViolation

from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.postgres_wire import PostgresWire
from cylinder_trace.store.tables import PARTS
from cylinder_trace.store.wire import ENTRY, Values
from ledgers.homes import Home, bound, registered, returned

Connection = psycopg.Connection[tuple[str | int, ...]]


@pytest.fixture
def ledger(postgres_url: str, tmp_path: Path) -> Iterator[Ledger]:
    with Home(postgres_url, tmp_path).open() as opened:
        opened.append([registered(number) for number in range(40)])
        opened.append([bound(7), returned(7, "r7"), bound(8)])
        yield opened


@pytest.fixture
def two(ledger: Ledger, postgres_url: str) -> Iterator[tuple[Connection, Connection]]:
    """Two connections of writers that do not take the writer's lock."""
    url = postgres_url.replace("+psycopg", "")
    with psycopg.connect(url) as one, psycopg.connect(url) as other:
        yield one, other


def entry(index: int, id: str, subject: str, n: int = 0) -> Values:
    return (index, id, subject, n, "code_bound", 1, 1, bytes(32), b"{}")


def write(connection: Connection, row: Values, together: threading.Barrier) -> None:
    """Begin as a writer does who has not asked for the lock; commit at the moment at which the other does."""
    connection.autocommit = True  # as the writer's line has it: whoever speaks over it begins and commits
    connection.execute("BEGIN")
    wire = PostgresWire(connection, psycopg.Error)
    wire.insert(ENTRY, [row])
    wire.put_subjects([(row[2], "cylinder", row[3] + 1, "ab", row[0], None, "{}")])
    together.wait(20)
    wire.commit()


@pytest.mark.parametrize(
    "second",
    [
        entry(43, "other.id", "cylinder/other"),
        entry(44, "taken", "cylinder/other"),
        entry(44, "other.id", "cylinder/x"),
    ],
    ids=["the same index", "the same id", "the same place in a chain"],
)
def test_of_two_writers_without_the_lock_one_fails(two: tuple[Connection, Connection], second: Values) -> None:
    together = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        rows = entry(43, "taken", "cylinder/x"), second
        writing = [pool.submit(write, connection, row, together) for connection, row in zip(two, rows, strict=True)]
    refused = [written.exception() for written in writing if written.exception()]
    assert list(map(type, refused)) == [UniqueViolation]
    two[0].execute("ROLLBACK")
    assert two[0].execute("SELECT count(*) FROM entry WHERE log_index >= 43").fetchall() == [(1,)]


def parts_of(connection: Connection) -> list[str]:
    found = connection.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'entry'::regclass")
    return sorted(str(name) for (name,) in found)


@pytest.mark.parametrize("change", ["UPDATE {} SET log_index = -1", "DELETE FROM {}", "TRUNCATE {}"])
def test_no_part_is_rewritten_by_itself_nor_all_of_them_at_once(
    change: str, two: tuple[Connection, Connection]
) -> None:
    one, _ = two
    parts = parts_of(one)
    assert len(parts) == PARTS
    empty = {part for part in parts if one.execute(f"SELECT count(*) FROM {part}").fetchall() == [(0,)]}
    for table in ("entry", "entry_id", *(set(parts) if "TRUNCATE" in change else set(parts) - empty)):
        with pytest.raises(RaiseException, match="append-only"), one.transaction():
            one.execute(change.format(table))


def test_a_part_that_is_attached_later_is_guarded_too(two: tuple[Connection, Connection]) -> None:
    one, _ = two
    part = next(part for part in parts_of(one) if one.execute(f"SELECT count(*) FROM {part}").fetchall() != [(0,)])
    remainder = int(part[-2:])
    one.execute(f"CREATE TABLE later (LIKE {part} INCLUDING DEFAULTS)")
    one.execute(f"INSERT INTO later SELECT * FROM {part}")
    one.execute(f"ALTER TABLE entry DETACH PARTITION {part}")
    one.execute(f"ALTER TABLE entry ATTACH PARTITION later FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {remainder})")
    for change in ("UPDATE later SET n = n + 1", "DELETE FROM later", "DELETE FROM entry"):
        with pytest.raises(RaiseException, match="append-only"), one.transaction():
            one.execute(change)


def plan_of(connection: Connection, query: str) -> str:
    """How the server would go about it if the tables were large."""
    connection.execute("SET LOCAL enable_seqscan = off")
    connection.execute("SET LOCAL enable_bitmapscan = off")
    return "\n".join(str(line) for (line,) in connection.execute(f"EXPLAIN {query}"))


def test_publishing_merges_the_parts_in_order_and_sorts_nothing(two: tuple[Connection, Connection]) -> None:
    plan = plan_of(two[0], "SELECT * FROM entry WHERE log_index >= 5 ORDER BY log_index LIMIT 4096")
    assert "Merge Append" in plan
    assert plan.count("Index Scan using entry_part_") == PARTS
    assert "Sort Key: entry.log_index" in plan
    assert "->  Sort" not in plan


def test_a_history_touches_one_part_and_an_id_is_one_probe(two: tuple[Connection, Connection]) -> None:
    history = plan_of(two[0], "SELECT * FROM entry WHERE subject = 'cylinder/cyl_7' ORDER BY n")
    assert history.count("Scan") == 1
    assert "Index Scan using entry_part_" in history
    found = plan_of(two[0], "SELECT subject, log_index FROM entry_id WHERE id = 'reg.7'")
    assert "Index Scan using entry_id_id_key" in found


def test_the_table_of_ids_says_of_each_entry_what_the_entry_says(ledger: Ledger, postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        columns = "log_index, id, subject, recorded_at"
        both = [
            connection.execute(f"SELECT {columns} FROM {table} ORDER BY log_index").fetchall()
            for table in ("entry", "entry_id")
        ]
    assert both[0] == both[1]
    assert len(both[0]) == 43


def test_an_entry_is_found_by_its_id_in_whatever_part_it_is(ledger: Ledger) -> None:
    for number in range(40):
        found = ledger.reader.entry(f"reg.{number}")
        assert found is not None
        assert (found.index, found.subject) == (number, f"cylinder/cyl_{number}")
    assert ledger.reader.entry("never.seen") is None
    assert ledger.append([registered(3), returned(7, "r7")])[1].replayed
