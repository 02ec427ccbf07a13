"""Law: change one byte of any stored entry, hash, copied column, state, index or checkpoint; the audit finds it."""

import json
import random
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from cylinder_codes.keys import format_vkey
from cylinder_trace import cli
from ledgers.homes import KEY, Home, bound, registered, returned

_CYLINDERS = 12
_PLACES = (
    ("entry", "text"), ("entry", "hash"), ("entry", "id"), ("entry", "subject"), ("entry", "type"),
    ("entry", "occurred_at"), ("entry", "recorded_at"), ("entry", "n"),
    ("subject_now", "state"), ("subject_now", "head"), ("checkpoint", "note"), ("entry_ref", "ref"),
    ("code", "code"), ("code", "cylinder_id"),
)  # fmt: skip

_KEYS = {
    "entry": "log_index", "entry_ref": "log_index", "checkpoint": "size", "subject_now": "subject", "code": "code",
}  # fmt: skip


def check(seed: int, folder: Path) -> None:
    """One run: a small random ledger, one change at a random place, one audit that must not pass."""
    dice = random.Random(seed)
    url = f"sqlite:///{folder}/ledger.db"
    with Home(url, folder).open() as ledger:
        ledger.append([registered(number) for number in range(_CYLINDERS)])
        ledger.append([bound(number) for number in range(_CYLINDERS)])
        ledger.append([returned(dice.randrange(_CYLINDERS), f"r{turn}") for turn in range(dice.randrange(40))])
    assert _audit(folder)["ok"], f"seed {seed}: the untouched ledger does not pass"
    changed = None
    while changed is None:
        changed = _change_one(url, *dice.choice(_PLACES), dice)
    assert _audit(folder)["faults"], f"seed {seed}: {changed} was changed and nobody noticed"


def _change_one(url: str, table: str, column: str, dice: random.Random) -> str | None:
    """What was changed; None when even the database by itself refuses it: two rows would have one key."""
    key = _KEYS[table]
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            for verb in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{verb}"))
            place, old = dice.choice(connection.execute(text(f"SELECT {key}, {column} FROM {table}")).all())
            statement = text(f"UPDATE {table} SET {column} = :new WHERE {key} = :place")
            connection.execute(statement, {"new": _one_byte_off(old, dice), "place": place})
    except IntegrityError:
        return None
    finally:
        engine.dispose()
    return f"{table}.{column} of row {place}"


def _one_byte_off(old: object, dice: random.Random) -> object:
    if isinstance(old, int):
        return old + dice.choice((-1, 1))
    data = bytearray(old if isinstance(old, bytes) else str(old).encode())
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(7)
    return bytes(data) if isinstance(old, bytes) else data.decode("latin-1")


def _audit(folder: Path) -> Any:
    """What `cylinder-trace audit` says of the data folder."""
    said = StringIO()
    with redirect_stdout(said):
        cli.main(["audit", str(folder), "--vkey", format_vkey(KEY.verifying_key), "--json", "--jobs", "1"])
    return json.loads(said.getvalue())
