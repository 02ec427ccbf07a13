"""The expected matrix of who may do what, as it is written by hand in tests/vectors/access."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from cylinder_api.access import ROLES

FOLDER = Path(__file__).parents[1] / "vectors" / "access"
WHOSE = ("own", "foreign", "other_district")
YES = "yes"
Cells = Mapping[str, str]
"""Role → yes, or the code of the refusal."""


def _read() -> tuple[dict[str, dict[str, Cells]], frozenset[str]]:
    tables, public = dict[str, dict[str, Cells]](), set[str]()
    for file in sorted(FOLDER.glob("*.toml")):
        for operation, table in tomllib.loads(file.read_text("utf-8")).items():
            assert operation not in tables | dict.fromkeys(public), f"{operation} stands twice in the matrix"
            if "everybody" in table:
                assert table == {"everybody": YES}, operation
                public.add(operation)
            else:
                tables[operation] = _rows(operation, table)
    return tables, frozenset(public)


def _rows(operation: str, table: dict[str, dict[str, str]]) -> dict[str, Cells]:
    rows = dict.fromkeys(WHOSE, table["any"]) if set(table) == {"any"} else table
    assert set(rows) == set(WHOSE), f"{operation}: one row for each of {WHOSE}, or one called any"
    return {whose: _cells(operation, row) for whose, row in rows.items()}


def _cells(operation: str, row: dict[str, str]) -> Cells:
    named = dict.fromkeys([str(role) for role in ROLES], row["everyone"]) if set(row) == {"everyone"} else row
    assert set(named) <= set(ROLES), f"{operation} names a role that is none"
    return dict.fromkeys([str(role) for role in ROLES], "not_allowed") | named


EXPECTED, PUBLIC = _read()
"""Operation → whose data → role → what is expected; and the operations that everybody may call."""


def may_call(operation: str, role: str) -> bool:
    """Whether the matrix lets the role call the operation at all."""
    return operation in PUBLIC or any(cells[role] != "not_allowed" for cells in EXPECTED[operation].values())
