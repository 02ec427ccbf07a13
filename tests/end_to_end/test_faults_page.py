"""docs/faults.md is held to the crash points there are, and to what is stored at each of them."""

import re
from pathlib import Path

from laws.crash_points import POINTS

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
ANSWERS = {"no": "no", "yes": "yes", "unknown": "ask again"}


def rows_under(heading: str) -> list[list[str]]:
    section = PAGE.read_text(encoding="utf-8").partition(f"## {heading}")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_page_has_a_row_for_every_crash_point_and_says_what_is_stored_there() -> None:
    told = [(row[0].strip("`"), row[2]) for row in rows_under("Crash points")]
    assert told == [(point.name, ANSWERS[point.stored]) for point in POINTS]


def test_every_row_answers_every_question_and_names_its_test() -> None:
    rows = rows_under("Crash points") + rows_under("What breaks around it")
    assert len(rows) > 40
    assert all(len(row) == 6 and all(row) for row in rows)
    assert all(re.fullmatch(r"the same|`tests/[\w/]+\.py: \w+`", row[5]) for row in rows)
