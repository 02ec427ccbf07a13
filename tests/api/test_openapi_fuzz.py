"""Schemathesis over the whole document with tokens that may call: no failure of the service, nothing undocumented."""

import pytest
from api_fuzz import Fuzz
from api_house import House

EXAMPLES = 3
"""Requests that fit and that do not, each, for each operation; `make fuzz-api` draws more for as long as one likes."""


@pytest.mark.slow
def test_every_operation_answers_as_its_document_says_whatever_is_sent(
    one_house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    fuzz = Fuzz(one_house)
    fuzz.try_good_ones()
    assert {name for name, _operation in fuzz.operations()} == set(fuzz.tally.statuses)
    assert fuzz.tally.never_succeeded() == []
    assert fuzz.tally.failures == []
    fuzz.try_drawn_ones(EXAMPLES)
    with capsys.disabled():
        print(f"\n{fuzz.tally.table()}\n{fuzz.tally.calls} calls, {fuzz.tally.let_in} past authentication and limits")
    assert fuzz.tally.failures == []
    assert fuzz.tally.let_in >= 0.6 * fuzz.tally.calls
    assert one_house.audit() == []
