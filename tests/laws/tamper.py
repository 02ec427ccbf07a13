"""Law: change one byte of any stored entry, hash, copied column, state or checkpoint; the audit finds it."""

import random
from pathlib import Path

from sqlalchemy import create_engine, text

from cylinder_codes.keys import format_vkey
from cylinder_trace.audit import Auditor, AuditReport, read_vkey
from cylinder_trace.store.sources import DatabaseSource
from ledgers.homes import KEY, Home, bound, registered, returned

_CYLINDERS = 12
_PLACES = (
    ("entry", "text"), ("entry", "hash"), ("entry", "id"), ("entry", "subject"), ("entry", "type"),
    ("entry", "occurred_at"), ("entry", "recorded_at"), ("entry", "n"),
    ("subject_now", "state"), ("checkpoint", "note"),
)  # fmt: skip


def check(seed: int, folder: Path) -> None:
    """One run: a small random ledger, one change at a random place, one audit that must not pass."""
    dice = random.Random(seed)
    url = f"sqlite:///{folder}/ledger.db"
    with Home(url, folder).open() as ledger:
        ledger.append([registered(number) for number in range(_CYLINDERS)])
        ledger.append([bound(number) for number in range(_CYLINDERS)])
        ledger.append([returned(dice.randrange(_CYLINDERS), f"r{turn}") for turn in range(dice.randrange(40))])
    assert _audit(url).ok, f"seed {seed}: the untouched ledger does not pass"
    table, column = dice.choice(_PLACES)
    changed = _change_one(url, table, column, dice)
    report = _audit(url)
    assert report.faults, f"seed {seed}: {table}.{column} of row {changed} was changed and nobody noticed"


def _change_one(url: str, table: str, column: str, dice: random.Random) -> object:
    key = {"entry": "log_index", "subject_now": "subject", "checkpoint": "size"}[table]
    engine = create_engine(url)
    with engine.begin() as connection:
        for verb in ("update", "delete"):
            connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{verb}"))
        rows = connection.execute(text(f"SELECT {key}, {column} FROM {table}")).all()
        place, old = dice.choice(rows)
        statement = text(f"UPDATE {table} SET {column} = :new WHERE {key} = :place")
        connection.execute(statement, {"new": _one_byte_off(old, dice), "place": place})
    engine.dispose()
    return place


def _one_byte_off(old: object, dice: random.Random) -> object:
    if isinstance(old, int):
        return old + dice.choice((-1, 1))
    data = bytearray(old if isinstance(old, bytes) else str(old).encode())
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(7)
    return bytes(data) if isinstance(old, bytes) else data.decode("latin-1")


def _audit(url: str) -> AuditReport:
    source = DatabaseSource(url, None)
    auditor = Auditor(source.checkpoints(), read_vkey(format_vkey(KEY.verifying_key)))
    auditor.check(source.entries())
    return auditor.finish(source.read_model())
