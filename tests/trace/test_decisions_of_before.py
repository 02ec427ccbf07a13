"""What was decided once comes out the same for ever: decisions as the first thirty rules took them, byte for byte.

Four more of that time are not among them: they were taken in 2025, before their rulebook began, which R66 refuses now.
"""

import json
from typing import Any

import pytest

from cylinder_trace.admission import decide_fill
from cylinder_trace.canonical import canonical_json
from vectors.admission.cases import FOLDER, read_case

STORED = json.loads((FOLDER.parent / "decisions.json").read_text("utf-8"))


@pytest.mark.parametrize("number", range(len(STORED["decisions"])))
def test_a_decision_taken_before_is_taken_again_bit_for_bit(number: int) -> None:
    stored: dict[str, Any] = STORED["decisions"][number]
    book_text = STORED["rulebooks"][stored["rulebook"]]
    patches = {**stored, "name": str(number), "expect": {"outcome": "DENY", "reasons": []}}
    case = read_case("decisions", STORED["base"], patches, book_text)
    again = decide_fill(case.request, case.cylinder, case.station, case.book, case.now)
    assert canonical_json(again.model_dump(mode="json", exclude_none=True)).decode() == stored["decision"]
