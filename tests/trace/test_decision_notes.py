"""A decision is signed with the hash of its inputs: nobody changes the answer, the permit or what it was taken from."""

from typing import Any

import pytest

from cylinder_codes.keys import SigningKey
from cylinder_trace.admission import decide_fill
from cylinder_trace.decision_note import DecisionNoteError, check_decision_note, inputs_hash, sign_decision
from vectors.admission.cases import Case, base_case, load_cases

KEY = SigningKey("ledger.example/cylinders", bytes(range(32)))
TRUSTED = [KEY.verifying_key]
CASE = base_case()
REFUSED = next(case for case in load_cases("R20") if case.expected_reasons == ("R20",))


def hashed(case: Case) -> str:
    return inputs_hash(case.request, case.station, decided(case))


def decided(case: Case) -> Any:
    return decide_fill(case.request, case.cylinder, case.station, case.book, case.now)


@pytest.mark.parametrize("case", [CASE, REFUSED], ids=["a permit", "a refusal"])
def test_a_signed_decision_checks_with_its_signer_s_key(case: Case) -> None:
    note = sign_decision(case.request, decided(case), hashed(case), KEY)
    assert check_decision_note(note, case.request, decided(case), hashed(case), TRUSTED) == KEY.name


def test_the_note_reads_as_the_page_says() -> None:
    note = sign_decision(CASE.request, decided(CASE), "0f" * 32, KEY)
    assert note.partition("\n\n")[0].split("\n") == [
        "pinglian-decision/1",
        "check-0001",
        "ALLOW",
        "cylinder/cyl_00000000000000000000000001",
        "station-1 scale-1 boot-1",
        "14900",
        "1795312980000",
        "cn-default@2026.1",
        "Dw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8=",
        "1795312800000",
    ]


@pytest.mark.parametrize(
    ("of_request", "of_decision"),
    [
        ({"scale_id": "scale-2"}, {}),
        ({"boot_id": "boot-2"}, {}),
        ({"station_id": "station-2"}, {}),
        ({}, {"outcome": "DENY"}),
        ({}, {"max_net_g": 15_000}),
        ({}, {"start_before": 1_795_312_990_000}),
        ({}, {"rulebook": "cn-default@2026.2"}),
        ({}, {"cylinder_id": "cyl_2"}),
        ({}, {"check_id": "check-0002"}),
        ({}, {"decided_at": 1_795_312_800_001}),
    ],
)
def test_whatever_is_changed_in_answer_or_permit_breaks_the_note(
    of_request: dict[str, Any], of_decision: dict[str, Any]
) -> None:
    note = sign_decision(CASE.request, decided(CASE), hashed(CASE), KEY)
    request, decision = CASE.request.model_copy(update=of_request), decided(CASE).model_copy(update=of_decision)
    with pytest.raises(DecisionNoteError, match="another decision"):
        check_decision_note(note, request, decision, hashed(CASE), TRUSTED)


def test_every_input_counts_in_the_hash() -> None:
    decision = decided(CASE)
    others = [
        inputs_hash(CASE.request.model_copy(update={"empty_gross_g": 16_601}), CASE.station, decision),
        inputs_hash(CASE.request, CASE.station.model_copy(update={"scale_locked": True}), decision),
        inputs_hash(CASE.request, CASE.station, decision.model_copy(update={"cylinder_n": 5})),
        inputs_hash(CASE.request, CASE.station, decision.model_copy(update={"cylinder_id": None})),
        inputs_hash(CASE.request, CASE.station, decision.model_copy(update={"rulebook": "b@2"})),
        inputs_hash(CASE.request, CASE.station, decision, ("act-1",)),
    ]
    assert len({hashed(CASE), *others}) == 7


def test_a_stranger_s_note_and_a_damaged_one_are_refused() -> None:
    stranger = SigningKey(KEY.name, bytes(32))
    for note in (sign_decision(CASE.request, decided(CASE), hashed(CASE), stranger), "", "x"):
        with pytest.raises(DecisionNoteError):
            check_decision_note(note, CASE.request, decided(CASE), hashed(CASE), TRUSTED)
