"""Single bits flipped in random places of a store, each audited from the store alone: none may go unnoticed."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import IntegrityError

from cylinder_codes.keys import format_vkey
from cylinder_trace.audit import Auditor, AuditReport, read_vkey
from cylinder_trace.store.audit_reading import DatabaseRows
from ledgers.attacks import fill_ledger, make_ledger
from ledgers.homes import KEY, Home

LOG_KEY = read_vkey(format_vkey(KEY.verifying_key))
FLIPS_IN_SQLITE, FLIPS_IN_POSTGRESQL = 1_000, 60
KEYS = {"entry": "id", "checkpoint": "size", "subject_now": "subject", "journal": "seq"}
COLUMNS = [
    *[("entry", "text")] * 6, *[("entry", "hash")] * 3, ("entry", "id"), ("entry", "subject"), ("entry", "n"),
    ("entry", "type"), ("entry", "occurred_at"), ("entry", "recorded_at"), ("entry", "log_index"),
    *[("checkpoint", "note")] * 3, ("checkpoint", "size"), ("subject_now", "state"), ("subject_now", "head"),
    ("subject_now", "n"), ("subject_now", "kind"), ("subject_now", "log_index"), *[("journal", "text")] * 2,
    ("journal", "hash"), ("journal", "id"), ("journal", "status"), ("journal", "seq"), ("journal", "log_index"),
]  # fmt: skip


class Flip(NamedTuple):
    """A flipped bit, and how to put it back."""

    place: str
    undo: Callable[[], object]


def audit(source: DatabaseRows) -> AuditReport:
    auditor = Auditor(source.checkpoints(), LOG_KEY, published=source.published())
    size = source.count()
    auditor.check(source.rows(-(2**62), 2**62), source.tiles(0, size))
    return auditor.finish(
        source.read_model(-(2**62)), journal=source.journal({}), heads=source.heads(-(2**62)),
        upper_tiles=source.upper_tiles(size),
    )  # fmt: skip


def flipped(value: Any, dice: random.Random) -> Any:
    """The value with one bit the other way round; in a text only one that leaves it a text."""
    if isinstance(value, int):
        return value ^ 1 << dice.randrange(40)
    data = bytearray(value if isinstance(value, bytes) else value.encode())
    at = dice.choice([at for at, byte in enumerate(data) if byte < 0x80] or [0])
    data[at] ^= 1 << dice.randrange(8 if isinstance(value, bytes) else 7)
    if isinstance(value, bytes):
        return bytes(data)
    return value if 0 in data else data.decode()


def flip_a_column(connection: Connection, dice: random.Random) -> Flip | None:
    """None when that would break what even a database by itself refuses: two rows under one key, a nought in a text."""
    table, column = dice.choice(COLUMNS)
    key = KEYS[table]
    rows = connection.execute(text(f"SELECT {key}, {column} FROM {table}")).all()
    place, old = dice.choice(rows)
    new = flipped(old, dice)
    statement = text(f"UPDATE {table} SET {column} = :new WHERE {key} = :place")
    try:
        connection.execute(statement, {"new": new, "place": place})
    except IntegrityError:
        return None
    if new == old:
        return None
    now_at = new if column == key else place

    def undo() -> None:
        connection.execute(statement, {"new": old, "place": now_at})

    return Flip(f"{table}.{column} of {place}: {old!r} → {new!r}", undo)


def flip_a_file(folder: Path, dice: random.Random) -> Flip:
    files = sorted(path for path in folder.glob("log/tile/[0-9]*/**/*") if path.is_file())
    path = dice.choice([*files, folder / "log" / "checkpoint"])
    old = path.read_bytes()
    data = bytearray(old)
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    path.write_bytes(data)
    return Flip(f"{path.name}", lambda: path.write_bytes(old))


def unnoticed(home: Home, flips: int, seed: int) -> Iterator[str]:
    """Places of flipped bits that the audit did not find."""
    dice, source = random.Random(seed), DatabaseRows(home.url, home.folder)
    assert audit(source).faults == []
    engine = create_engine(home.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        disarm(connection)
        done = 0
        while done < flips:
            flip = flip_a_file(home.folder, dice) if dice.randrange(8) == 0 else flip_a_column(connection, dice)
            if flip is None:
                continue
            done += 1
            if not audit(source).faults:
                yield flip.place
            flip.undo()
    assert audit(source).faults == [], "what was flipped was not put back"
    source.close()
    engine.dispose()


def disarm(connection: Connection) -> None:
    """Take the triggers away that keep the tables append-only: whoever owns the database can."""
    for table in ("entry", "checkpoint", "journal"):
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        else:
            connection.execute(text(f"DROP TRIGGER {table}_no_update"))


def test_a_thousand_single_bits_flipped_in_an_sqlite_store_are_all_found(tmp_path: Path) -> None:
    folder = make_ledger(tmp_path / "data")
    home = Home(f"sqlite:///{folder}/ledger.db", folder)
    assert list(unnoticed(home, FLIPS_IN_SQLITE, seed=2026)) == []


def test_single_bits_flipped_in_a_postgresql_store_are_all_found(postgres_url: str, tmp_path: Path) -> None:
    home = Home(postgres_url, tmp_path)
    with home.open() as ledger:
        fill_ledger(ledger)
    assert list(unnoticed(home, FLIPS_IN_POSTGRESQL, seed=11)) == []


@pytest.mark.parametrize("column", ["id", "subject", "type"])
def test_bytes_in_a_text_column_that_are_no_text_are_named_and_crash_nothing(column: str, tmp_path: Path) -> None:
    folder = make_ledger(tmp_path / "data")
    engine = create_engine(f"sqlite:///{folder}/ledger.db", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        disarm(connection)
        statement = text(f"UPDATE entry SET {column} = CAST(:bad AS TEXT) WHERE log_index = 3")
        connection.execute(statement, {"bad": b"\xff\xfe\x80"})
    engine.dispose()
    source = DatabaseRows(f"sqlite:///{folder}/ledger.db", folder)
    faults = audit(source).faults
    source.close()
    assert ("edited", 3, column) in {(fault.kind, fault.index, fault.field) for fault in faults}
