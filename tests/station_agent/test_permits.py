"""A permit opens one valve, once, for one cylinder, in one run of the agent, and only in time."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import station_agent
from cylinder_trace.admission import decide_fill
from station_agent.permit import Permit, PermitRefused, Permits
from vectors.admission.cases import base_case

CASE = base_case()
BOOT = CASE.request.boot_id
START_MS = 180_000


def _permits() -> tuple[Permits, Permit]:
    permits = Permits(BOOT)
    decision = decide_fill(CASE.request, CASE.cylinder, CASE.station, CASE.book, CASE.now)
    return permits, permits.issue(CASE.request, decision, 16_500, now=0)


def _opens(permits: Permits, permit: Permit, cylinder_id: str, scale_id: str, now: int) -> bool:
    try:
        permits.consume(permit, cylinder_id=cylinder_id, scale_id=scale_id, now=now)
    except PermitRefused:
        return False
    return True


@given(
    st.lists(
        st.tuples(
            st.sampled_from([CASE.cylinder.cylinder_id if CASE.cylinder else "", "cyl_other"]),
            st.sampled_from([CASE.request.scale_id, "scale-other"]),
            st.integers(0, 2 * START_MS),
            st.booleans(),
        )
    )
)
def test_a_permit_opens_at_most_once_and_only_its_own_valve_in_time(
    tries: list[tuple[str, str, int, bool]],
) -> None:
    permits, permit = _permits()
    withdrawn, opened = False, []
    for cylinder_id, scale_id, now, withdraw in tries:
        if withdraw:
            permits.withdraw(permit.check_id)
            withdrawn = True
        if _opens(permits, permit, cylinder_id, scale_id, now):
            opened.append((cylinder_id, scale_id, now, withdrawn))
    assert len(opened) <= 1
    for cylinder_id, scale_id, now, after_withdrawal in opened:
        assert (cylinder_id, scale_id) == (permit.cylinder_id, permit.scale_id)
        assert now < START_MS
        assert not after_withdrawal


def test_a_permit_of_an_earlier_run_opens_nothing() -> None:
    _, old = _permits()
    assert not _opens(Permits(BOOT), old, old.cylinder_id, old.scale_id, 0)
    assert not _opens(Permits("boot-2"), old, old.cylinder_id, old.scale_id, 0)


def test_a_forged_permit_opens_nothing() -> None:
    permits, permit = _permits()
    forged = Permit(permit.check_id, permit.cylinder_id, permit.scale_id, BOOT, permit.start_before, 99_000)
    assert not _opens(permits, forged, forged.cylinder_id, forged.scale_id, 0)


def test_a_refusal_gives_no_permit_and_a_decision_gives_only_one() -> None:
    denied = decide_fill(CASE.request, None, CASE.station, CASE.book, CASE.now)
    with pytest.raises(PermitRefused):
        Permits(BOOT).issue(CASE.request, denied, 16_500, now=0)
    permits, _ = _permits()
    allowed = decide_fill(CASE.request, CASE.cylinder, CASE.station, CASE.book, CASE.now)
    with pytest.raises(PermitRefused):
        permits.issue(CASE.request, allowed, 16_500, now=0)


def _functions_that_open() -> Iterator[tuple[str, ast.AsyncFunctionDef]]:
    root = Path(station_agent.__file__).parent
    for file in set(root.glob("*.py")) - {root / "driver_check.py"}:  # tries register maps on a simulated scale alone
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.AsyncFunctionDef) and "open_valve" in ast.dump(node):
                yield file.name, node


def test_the_one_function_that_opens_a_valve_asks_for_a_permit_and_uses_it_up_first() -> None:
    ((file, function),) = _functions_that_open()
    assert (file, function.name) == ("filling.py", "fill")
    assert "Permit" in {ast.unparse(argument.annotation) for argument in function.args.args if argument.annotation}
    lines = ast.unparse(function)
    assert lines.index("permits.consume") < lines.index("begin()") < lines.index("open_valve")
