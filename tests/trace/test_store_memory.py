"""What the writer remembers between two commits never says anything else than the database."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from cylinder_trace.cylinder import CylinderState, StateError
from cylinder_trace.events import Record
from cylinder_trace.store import memory
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.tables import MetaRow
from cylinder_trace.store.unit import CodeTaken, Hints, IdConflict, Receipt, Unit, hints_for
from ledgers.homes import Clock, Home, bound, registered, returned, withdrawn

_CUT_ALL_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE pid <> pg_backend_pid() AND datname = current_database()
"""


@pytest.fixture
def two(postgres_url: str, tmp_path: Path) -> Iterator[tuple[Ledger, Ledger]]:
    clock = Clock()
    with Home(postgres_url, tmp_path, clock).open() as one, Home(postgres_url, tmp_path, clock).open() as other:
        yield one, other


def unwritable(unit: Unit) -> None:
    """Stage a row that no database takes: the whole commit fails when it is written."""
    unit.put(MetaRow(key="k", value="\ud800"))


def append(unit: Unit, record: Record) -> Receipt:
    return unit.append(record)


def chain_of(ledger: Ledger, number: int) -> list[int]:
    return [row.n for row in ledger.reader.history(f"cylinder/cyl_{number}")]


def fail_with(ledger: Ledger, record: Record) -> None:
    """A commit that carries `record`, and fails."""

    def work(unit: Unit) -> None:
        unit.append(record)
        unwritable(unit)

    with pytest.raises(StoreError):
        ledger.transact(work)


def test_an_id_of_a_failed_commit_is_free_to_be_used_again(ledger: Ledger) -> None:
    ledger.append([registered(1)])
    fail_with(ledger, returned(1, "r1"))
    receipt = ledger.append([returned(1, "r1")])[0]
    assert not receipt.replayed
    assert (receipt.n, receipt.index) == (1, 1)
    assert chain_of(ledger, 1) == [0, 1]


def test_an_id_of_a_failed_commit_may_even_say_something_else(ledger: Ledger) -> None:
    ledger.append([registered(1), registered(2)])
    fail_with(ledger, returned(1, "r1"))
    assert not ledger.append([returned(2, "r1")])[0].replayed
    with pytest.raises(IdConflict):
        ledger.append([returned(1, "r1")])


def test_a_chain_goes_on_behind_a_failed_commit_where_it_stood_before_it(ledger: Ledger) -> None:
    ledger.append([registered(1)])
    for turn in range(3):
        fail_with(ledger, returned(1, f"lost{turn}"))
        ledger.append([returned(1, f"kept{turn}")])
    assert chain_of(ledger, 1) == [0, 1, 2, 3]


def test_a_code_bound_in_a_failed_commit_is_still_free(ledger: Ledger) -> None:
    ledger.append([registered(1), registered(2)])
    fail_with(ledger, bound(1, "SAME"))
    ledger.append([bound(2, "SAME")])
    assert ledger.reader.cylinder_id("SAME") == "cyl_2"


def test_work_that_raises_leaves_nothing_in_memory_either(ledger: Ledger) -> None:
    def work(unit: Unit) -> None:
        unit.append(bound(1, "SAME"))
        raise KeyError("changed his mind")

    ledger.append([registered(1), registered(2)])
    with pytest.raises(KeyError):
        ledger.transact(work)
    assert not ledger.append([bound(2, "SAME")])[0].replayed
    assert chain_of(ledger, 1) == [0]
    assert not ledger.append([bound(1, "OTHER")])[0].replayed


def test_a_code_set_free_is_remembered_as_free_and_one_bound_again_as_bound(ledger: Ledger) -> None:
    ledger.append([registered(1), bound(1, "SAME")])
    with pytest.raises(CodeTaken):
        ledger.append([registered(2), bound(2, "SAME")])
    ledger.append([withdrawn(1)])
    ledger.append([registered(3), bound(3, "SAME")])
    with pytest.raises(CodeTaken, match="cyl_3"):
        ledger.append([registered(4), bound(4, "SAME")])


def test_a_remembered_state_is_the_stored_one(ledger: Ledger) -> None:
    def cylinder(unit: Unit) -> CylinderState | None:
        return unit.cylinder_by_code("CODE1")

    ledger.append([registered(1), bound(1)])
    ledger.append([returned(1, "r1")])
    assert ledger.transact(cylinder) == ledger.reader.state("cylinder/cyl_1")


def test_what_was_forgotten_for_want_of_room_is_read_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_MOST", 3)
    with home.open() as ledger:
        ledger.append([record for number in range(8) for record in (registered(number), bound(number))])
        ledger.append([returned(number, f"r{number}") for number in range(8)])
        assert all(chain_of(ledger, number) == [0, 1, 2] for number in range(8))
        assert ledger.append([registered(0)])[0].replayed
        with pytest.raises(CodeTaken, match="cyl_0"):
            ledger.append([bound(7, "CODE0")])


def test_two_processes_that_take_turns_see_each_other_s_entries(two: tuple[Ledger, Ledger]) -> None:
    one, other = two
    one.append([registered(1)])
    for turn in range(6):
        two[turn % 2].append([returned(1, f"r{turn}")])
    assert chain_of(one, 1) == list(range(7))
    assert other.append([returned(1, "r0")])[0].replayed
    with pytest.raises(IdConflict):
        one.append([returned(1, "r5").model_copy(update={"by": "account_2"})])


def test_a_code_bound_by_another_process_is_taken(two: tuple[Ledger, Ledger]) -> None:
    one, other = two
    one.append([registered(1), registered(2)])
    assert one.transact(lambda unit: unit.cylinder_by_code("SAME")) is None
    other.append([bound(1, "SAME")])
    with pytest.raises(CodeTaken, match="cyl_1"):
        one.append([bound(2, "SAME")])


def test_a_code_freed_and_bound_anew_by_another_process_leads_where_it_leads_now(two: tuple[Ledger, Ledger]) -> None:
    one, other = two
    one.append([registered(1), bound(1, "SAME"), registered(2)])
    other.append([withdrawn(1), bound(2, "SAME")])
    found = one.transact(lambda unit: unit.cylinder_by_code("SAME"))
    assert found is not None
    assert found.cylinder_id == "cyl_2"


def test_what_another_process_wrote_is_forgotten_and_the_rest_is_still_known(two: tuple[Ledger, Ledger]) -> None:
    one, other = two
    one.append([registered(number) for number in range(3)])
    other.append([returned(1, "r1")])
    assert one.append([returned(2, "r2")])[0].n == 1
    assert one._memory is not None
    assert set(one._memory.subjects) == {"cylinder/cyl_0", "cylinder/cyl_2"}
    assert one.append([returned(1, "r3")])[0].n == 2


def test_where_another_process_wrote_more_than_is_remembered_all_is_read_again(
    two: tuple[Ledger, Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_MOST", 3)
    one, other = two
    one.append([registered(1), bound(1, "SAME")])
    other.append([*(returned(1, f"r{turn}") for turn in range(4)), withdrawn(1)])
    assert one.append([registered(2), bound(2, "SAME")])[1].n == 1
    assert chain_of(one, 1) == list(range(7))


def test_a_chain_that_nobody_changed_goes_on_when_all_was_forgotten(
    two: tuple[Ledger, Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_MOST", 3)
    one, other = two
    one.append([registered(1), registered(2), bound(2, "SAME")])
    other.append([returned(1, f"r{turn}") for turn in range(5)])
    assert one.append([returned(2, "r")])[0].n == 2
    other.append([returned(1, f"s{turn}") for turn in range(5)])
    found = one.submit(lambda unit: unit.cylinder_by_code("SAME"), Hints(codes=["SAME"])).result()
    assert found == one.reader.state("cylinder/cyl_2")


def test_a_row_that_was_found_is_its_finder_s_own_until_it_is_put(ledger: Ledger) -> None:
    def changed(unit: Unit) -> str:
        row = unit.find(MetaRow, "k")
        assert row is not None
        before, row.value = row.value, "changed, and not put"
        return before

    ledger.transact(lambda unit: unit.put(MetaRow(key="k", value="v")))
    told = [ledger.submit(changed, Hints(rows=[(MetaRow, ("k",)), (MetaRow, ("no such",))])) for _ in range(3)]
    assert [future.result() for future in told] == ["v", "v", "v"]


def test_two_processes_at_once_lose_nothing_and_double_nothing(two: tuple[Ledger, Ledger]) -> None:
    def write(ledger: Ledger, name: str) -> None:
        for turn in range(20):
            ledger.append([returned(turn % 3, f"{name}.{turn}")])

    two[0].append([registered(number) for number in range(3)])
    threads = [threading.Thread(target=write, args=(two[turn % 2], f"w{turn}")) for turn in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert two[0].reader.size() == 3 + 4 * 20
    assert [chain_of(two[1], number) for number in range(3)] == [list(range(29)), list(range(29)), list(range(25))]


def test_hints_change_nothing_but_the_number_of_queries(ledger: Ledger) -> None:
    wrong = Hints(ids=["nobody"], subjects=["cylinder/cyl_9"], codes=["NOWHERE"])
    ledger.append([registered(1)])
    receipt = ledger.submit(lambda unit: unit.append(returned(1, "r1")), wrong).result()
    again = ledger.submit(lambda unit: unit.append(returned(1, "r1")), hints_for([returned(1, "r1")])).result()
    assert (receipt.n, again.n, again.replayed) == (1, 1, True)
    with pytest.raises(StateError):
        ledger.append([returned(9, "r9")])


def test_a_caller_is_served_in_the_order_in_which_he_handed_in(ledger: Ledger) -> None:
    ledger.append([registered(1)])
    handed_in = [ledger.submit(partial(append, record=returned(1, f"r{turn}"))) for turn in range(30)]
    last = ledger.append([returned(1, "last")])[0]
    assert [future.result().n for future in handed_in] == list(range(1, 31))
    assert last.n == 31


def test_bulk_work_comes_some_at_a_time_and_behind_what_else_waits(ledger: Ledger) -> None:
    begun, go_on = threading.Event(), threading.Event()
    told: list[str] = []

    def hold(unit: Unit) -> None:
        begun.set()
        assert go_on.wait(30)

    def tell(unit: Unit, name: str) -> None:
        told.append(name)

    held = ledger.submit(hold)
    assert begun.wait(30)
    pieces = [ledger.submit(partial(tell, name=f"piece {number}"), bulk=500) for number in range(3)]
    others = [ledger.submit(partial(tell, name=f"check {number}")) for number in range(2)]
    pieces[1].add_done_callback(lambda _: told.append("committed"))
    go_on.set()
    for future in (held, *pieces, *others):
        future.result(timeout=30)
    assert told == ["check 0", "check 1", "piece 0", "piece 1", "committed", "piece 2"]


def test_a_closed_ledger_takes_no_more_work(home: Home) -> None:
    with home.open() as ledger:
        ledger.append([registered(1)])
    with pytest.raises(StoreError, match="closed"):
        ledger.append([returned(1, "r1")])
    with pytest.raises(StoreError, match="closed"):
        ledger.submit(lambda unit: unit.now)


def test_what_was_handed_in_before_the_end_is_still_written(home: Home) -> None:
    with home.open() as ledger:
        ledger.append([registered(1)])
        futures = [ledger.submit(partial(append, record=returned(1, f"r{turn}"))) for turn in range(40)]
    assert [future.result(timeout=0).n for future in futures] == list(range(1, 41))


def test_an_interrupt_in_the_caller_s_own_commit_leaves_nothing_and_the_ledger_goes_on(ledger: Ledger) -> None:
    def interrupted(unit: Unit) -> None:
        unit.append(returned(1, "r1"))
        raise KeyboardInterrupt

    ledger.append([registered(1)])
    with pytest.raises(KeyboardInterrupt):
        ledger.transact(interrupted)
    assert not ledger.append([returned(1, "r1")])[0].replayed
    assert chain_of(ledger, 1) == [0, 1]


def test_a_line_that_the_server_cut_is_laid_anew_before_any_work_runs(postgres_url: str, tmp_path: Path) -> None:
    with Home(postgres_url, tmp_path).open() as ledger:
        ledger.append([registered(1)])
        with ledger.engine.begin() as connection:
            connection.execute(text(_CUT_ALL_OTHERS))
        assert ledger.append([returned(1, "r1")])[0].n == 1


def test_a_line_that_is_cut_in_the_middle_of_work_fails_the_commit_and_nothing_else(
    postgres_url: str, tmp_path: Path
) -> None:
    def cut(unit: Unit) -> None:
        unit.append(returned(1, "r1"))
        unit.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with Home(postgres_url, tmp_path).open() as ledger:
        ledger.append([registered(1)])
        with pytest.raises(StoreError):
            ledger.transact(cut)
        assert not ledger.append([returned(1, "r1")])[0].replayed
