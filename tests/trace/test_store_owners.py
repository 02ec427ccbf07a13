"""Where a cylinder's chain ends is found under its owner, also when one batch moves some cylinders and others not."""

from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import OwnershipTransferred, Record, state_event
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.subjects import format_state
from ledgers.homes import Home, registered, returned

CYLINDERS = 200


def sold_on(number: int) -> Record:
    event = OwnershipTransferred(from_owner_id="co_1", to_owner_id="co_2", cosigned=True)
    subject = f"cylinder/cyl_{number}"
    return state_event(event, id=f"sold-on-{number}", subject=subject, occurred_at=2, by="co_1")


def owned(ledger: Ledger, owner_id: str) -> dict[str, CylinderState]:
    states = ledger.reader.states("cylinder", owner_id=owner_id)
    return {state.cylinder_id: state for state in states if isinstance(state, CylinderState)}


def test_cylinders_moved_in_one_batch_with_others_are_each_found_under_their_owner(home: Home) -> None:
    moved = {number for number in range(CYLINDERS) if number % 3 == 0}
    with home.open() as ledger:
        ledger.append([registered(number) for number in range(CYLINDERS)])
        acts = (
            sold_on(number) if number in moved else returned(number, f"back-{number}") for number in range(CYLINDERS)
        )
        ledger.append(list(acts))
        first, second = owned(ledger, "co_1"), owned(ledger, "co_2")
        kept = ledger.reader.read_model()
    assert set(second) == {f"cyl_{number}" for number in moved}
    assert set(first) == {f"cyl_{number}" for number in range(CYLINDERS)} - set(second)
    assert {state.n for state in (*first.values(), *second.values())} == {2}
    assert kept == {f"cylinder/{id}": format_state(state) for id, state in (first | second).items()}
