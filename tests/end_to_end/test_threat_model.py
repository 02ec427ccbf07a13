"""The page about attackers names, for each, a test that tries it: the tests must be there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "threat-model.md"


def rows() -> list[list[str]]:
    """The attackers: who, what they try, what stops them, tests."""
    lines = [
        line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ") and "attacker |" not in line
    ]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_attacker_is_stopped_by_a_test_that_exists() -> None:
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert len(rows()) >= 20
    for row in rows():
        assert len(row) == 4, row
        named = re.findall(r"`(test_\w+)`", row[3])
        assert named, row
        assert set(named) <= there, (row[0], set(named) - there)
