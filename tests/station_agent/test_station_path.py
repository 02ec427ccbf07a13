"""The path of one scan when something goes wrong on the way; the scale's own log says whether gas could flow."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import make_code
from cylinder_codes.legacy_forms import ScanForms, parse_legacy_forms
from cylinder_trace.dates import parse_day, start_of_day_ms
from cylinder_trace.decision import Decision
from cylinder_trace.decision_note import check_decision_note, inputs_hash
from cylinder_trace.events import DisputeRaised, FillDecided, Filled
from cylinder_trace.rulebook import parse_rulebook
from station_agent import words
from station_agent.devices.scanner import Badge, Dropped, Finding, Scan, StampSeen, Statement
from station_agent.floor import Floor
from station_agent.journal import Start
from station_agent.lane import NOTHING_STATED, LaneState
from station_agent.replica import open_answer
from stations.bench import DEVICE_KEY, LOG_KEY, Bench, BenchScale, Home, bench_for, home_in, replica_text
from vectors.admission.cases import Case, base_case

CODE = make_code(bytes(10), TagKey("tests", bytes(32))).text
EMPTY_G, TARE_G, STOP_AT_G = 16_600, 16_500, 31_000


def _good_case() -> Case:
    case = base_case()
    assert case.cylinder is not None
    return replace(case, cylinder=case.cylinder.model_copy(update={"codes": (CODE,)}))


CASE = _good_case()
assert CASE.cylinder is not None
BLACK = replace(CASE, cylinder=CASE.cylinder.model_copy(update={"flags": ("black",)}))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = home_in(tmp_path)
    yield home
    home.close()


def _bench(home: Home, case: Case = CASE, **settings: object) -> Bench:
    bench = bench_for(case, home, **settings)  # type: ignore[arg-type]
    bench.scale.model.place("here", EMPTY_G, 0)
    return bench


def _fills(bench: Bench) -> list[Filled]:
    return [event for record in bench.records() if isinstance(event := record.event(), Filled)]


def _decide(bench: Bench) -> Decision:
    bench.scan_now(CODE)
    return bench.decided().decision


# ---------------------------------------------------------------- the day on which the rules change

MIDNIGHT = start_of_day_ms(parse_day("2026-11-23"))


def _three_years_ago(text: str, now: int) -> Case:
    """A cylinder that four years of interval permit, and three do not."""
    assert CASE.cylinder is not None
    assert CASE.cylinder.inspection is not None
    inspection = CASE.cylinder.inspection.model_copy(
        update={"inspected_month": "2023-06", "next_due_month": None, "recorded_on": "2023-06-20"}
    )
    cylinder = CASE.cylinder.model_copy(update={"inspection": inspection})
    return replace(CASE, cylinder=cylinder, book_text=text, book=parse_rulebook(text), now=now)


def _offline_over_midnight(home: Home, text: str, to_come: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    """What a station that heard from its service on the eve decides in the last and the first millisecond."""
    eve = _three_years_ago(text, MIDNIGHT - 1)
    assert eve.cylinder is not None
    answer = replica_text(eve, (eve.cylinder,), rulebooks_to_come=to_come)
    home.replica.take(open_answer(answer, eve.request.station_id, LOG_KEY.verifying_key))
    decisions = []
    for now in (MIDNIGHT - 1, MIDNIGHT):
        bench = _bench(home, replace(eve, now=now), known=False, remembers=False)
        bench.scan_now(CODE)
        decisions.append((bench.decided().decision.rulebook, bench.decided().decision.codes))
    return decisions


def test_a_station_without_network_decides_by_the_new_version_from_its_first_moment_on(home: Home) -> None:
    text = CASE.book_text
    new = text.replace('version = "2026.1"', 'version = "2026.2"').replace(
        "interval_months = 48", "interval_months = 36"
    )
    new = new.replace('valid_from = "2026-01-01"', 'valid_from = "2026-11-23"')
    assert _offline_over_midnight(home, text, [new]) == [
        ("cn-default@2026.1", ()),
        ("cn-default@2026.2", ("R20",)),
    ]


def test_a_station_without_network_refuses_when_its_version_has_ended_without_a_successor(home: Home) -> None:
    ends = CASE.book_text.replace('valid_from = "2026-01-01"', 'valid_from = "2026-01-01"\nvalid_until = "2026-11-22"')
    assert _offline_over_midnight(home, ends, []) == [
        ("cn-default@2026.1", ()),
        ("cn-default@2026.1", ("R66",)),
    ]


# ---------------------------------------------------------------- no record, no gas


def _journal_broken(bench: Bench, home: Home) -> None:
    home.journal.close()
    bench.scan_now(CODE)
    assert bench.lane.state is LaneState.REFUSED
    assert bench.scale.events("valve_opened") == []


def _journal_back(bench: Bench, home: Home, folder: Path) -> None:
    home.journal = bench.journal = bench.recorder.journal = home_in(folder / "again").journal


@pytest.mark.parametrize(("case", "codes"), [(CASE, ("R67",)), (BLACK, ("R32", "R67"))])
def test_what_was_refused_without_a_journal_is_written_down_when_it_is_back(
    home: Home, tmp_path: Path, case: Case, codes: tuple[str, ...]
) -> None:
    (tmp_path / "again").mkdir()
    bench = _bench(home, case)
    _journal_broken(bench, home)
    _journal_back(bench, home, tmp_path)
    bench.runner.run(bench.station.write_unwritten())
    (record,) = bench.records()
    event = record.event()
    assert isinstance(event, FillDecided)
    assert event.decision.codes == codes
    assert event.station.journal_writable is False
    assert record.occurred_at == event.decision.decided_at
    assert event.note is not None
    bench.runner.run(bench.station.write_unwritten())
    assert len(bench.records()) == 1


def test_the_next_scan_first_writes_what_was_refused_before_it_and_may_then_be_filled(
    home: Home, tmp_path: Path
) -> None:
    (tmp_path / "again").mkdir()
    bench = _bench(home)
    _journal_broken(bench, home)
    _journal_back(bench, home, tmp_path)
    bench.scan_now(CODE)
    decisions = [event.decision for record in bench.records() if isinstance(event := record.event(), FillDecided)]
    assert [decision.codes for decision in decisions] == [("R67",), ()]
    assert len(_fills(bench)) == 1


def test_a_permission_of_the_service_opens_no_valve_while_the_journal_cannot_be_written(
    home: Home, tmp_path: Path
) -> None:
    (tmp_path / "again").mkdir()
    bench = _bench(home)
    bench.service.case = CASE
    _journal_broken(bench, home)
    _journal_back(bench, home, tmp_path)
    bench.runner.run(bench.station.write_unwritten())
    assert (bench.decided().decision.outcome, bench.decided().decision.codes) == ("DENY", ("R67",))


# ---------------------------------------------------------------- what is scanned


def test_a_number_from_before_opens_the_valve_where_its_form_is_named_and_is_unreadable_elsewhere(home: Home) -> None:
    assert CASE.cylinder is not None
    old = replace(CASE, cylinder=CASE.cylinder.model_copy(update={"codes": ("province:ZJ330100000017",)}))
    forms = ScanForms(legacy_forms=parse_legacy_forms(["province=ZJ{digits:12}"]))
    for named, outcome in ((forms, "ALLOW"), (None, "DENY")):
        bench = _bench(home, old, forms=named)
        bench.scan_now("zj330100000017")
        assert bench.decided().decision.outcome == outcome


# ---------------------------------------------------------------- two deciders


def test_the_stricter_answer_holds_and_a_tie_is_told_in_the_services_words(home: Home) -> None:
    bench = _bench(home)
    bench.service.case = BLACK
    assert _decide(bench).codes == ("R32",)
    assert bench.decided().own_act_ids is None
    assert bench.scale.events("valve_opened") == []


def test_our_own_refusal_holds_against_the_services_permission(home: Home) -> None:
    bench = _bench(home, BLACK)
    bench.service.case = CASE
    assert _decide(bench).codes == ("R32",)
    assert bench.scale.events("valve_opened") == []


def test_unknown_here_is_a_refusal_joined_with_what_the_service_says(home: Home) -> None:
    bench = _bench(home, replace(CASE, cylinder=None))
    assert _decide(bench).codes == ("R02",)
    foreign = CASE.cylinder and CASE.cylinder.model_copy(update={"owner_id": "company-9"})
    bench.service.case = replace(CASE, cylinder=foreign)
    assert _decide(bench).codes == ("R10", "R02")
    assert bench.scale.events("valve_opened") == []


def test_a_denial_after_the_300_ms_stops_the_gas_and_is_recorded(home: Home) -> None:
    bench = _bench(home, scale=BenchScale(simulated_s_per_read=0.2))
    bench.service.case, bench.service.waits_for = BLACK, lambda: bench.scale.carries(20_000)
    assert _decide(bench).outcome == "ALLOW"
    (fill,) = _fills(bench)
    assert fill.ended_because == "stopped"
    assert fill.full_gross_g < STOP_AT_G
    kinds = [event.kind for record in bench.records() if isinstance(event := record.event(), DisputeRaised)]
    assert kinds == ["late_denial"]
    assert bench.scale.events("valve_shut")[0].cause == "command"


# ---------------------------------------------------------------- nothing known


def test_without_any_data_everything_is_refused_and_recorded(home: Home) -> None:
    bench = _bench(home, known=False, skew_ms=None)
    decision = _decide(bench)
    assert {"R02", "R60", "R61", "R62", "R65", "R66"} == set(decision.codes)
    assert decision.data_as_of == 0
    assert bench.records()[0].subject == "station/station-1"


def test_nobody_signed_on_is_refused(home: Home) -> None:
    bench = _bench(home)
    bench.lane.worker_id = None
    assert _decide(bench).codes == ("R61",)


def test_a_replica_damaged_behind_our_back_refuses(home: Home) -> None:
    bench = _bench(home)
    home.replica._db.execute("update cylinders set digest = 'x'")
    assert "R66" in _decide(bench).codes
    assert home.replica.known is None


def test_one_code_is_not_filled_twice_before_the_service_has_heard_of_the_first(home: Home) -> None:
    bench = _bench(home)
    assert _decide(bench).outcome == "ALLOW"
    bench.scale.model.remove(0)
    bench.scale.model.place("another cylinder", EMPTY_G, 0)
    assert _decide(bench).codes == ("R69",)
    first, second = (record.id for record in bench.records()[:2])
    assert bench.decided().own_act_ids == (first, second)
    after_restart = _bench(home)
    assert _decide(after_restart).codes == ("R69",)


# ---------------------------------------------------------------- the disk


def test_when_the_journal_is_full_no_gas_flows_and_with_room_again_every_refusal_is_written_in_its_order(
    home: Home,
) -> None:
    bench = _bench(home)
    home.journal._rows(f"pragma max_page_count = {home.journal._one('pragma page_count')}")
    for _ in range(40):  # fills the pages that are there already
        bench.scan_now("6901234567892")
        if "R67" in bench.said("refused")[-1]["reasons"]:
            break
    bench.scan_now(CODE)
    assert bench.said("refused")[-1]["reasons"] == ["R67"]
    assert bench.lane.state is LaneState.REFUSED
    assert bench.scale.events("valve_opened") == []
    home.journal._rows("pragma max_page_count = 100000")
    bench.runner.run(bench.station.write_unwritten())
    assert [record.id for record in bench.records()] == [line["check_id"] for line in bench.said("refused")]
    assert bench.decided().decision.codes == ("R67",)


def test_a_start_that_the_disk_does_not_take_opens_no_valve_and_is_on_record_later(home: Home) -> None:
    bench = _bench(home)
    home.journal._rows("create trigger full before insert on starts begin select raise(abort, 'disk full'); end")
    bench.scan_now(CODE)
    assert bench.said("refused")[-1]["reasons"] == ["R67"]
    assert bench.lane.state is LaneState.REFUSED
    assert bench.scale.events("valve_opened") == []
    home.journal._rows("drop trigger full")
    bench.runner.run(bench.station.write_unwritten())
    permitted, later = (record.event() for record in bench.records())
    assert isinstance(permitted, FillDecided)
    assert permitted.decision.permits
    assert isinstance(later, DisputeRaised)
    assert (later.about_id, later.kind) == (permitted.request.check_id, "not_begun")
    bench.scan_now(CODE)
    assert len(_fills(bench)) == 1


# ---------------------------------------------------------------- the scale


def test_a_scale_that_does_not_answer_gets_no_gas_and_is_noted(home: Home) -> None:
    bench = _bench(home)
    bench.scale.lost = True
    bench.scan_now(CODE)
    assert bench.lane.state is LaneState.FAULT
    assert bench.records() == []
    assert home.journal.notes()[0]["what"] == "fault"


def test_a_scale_lost_in_mid_fill_is_recorded_with_the_last_weight_seen(home: Home) -> None:
    scale = BenchScale(simulated_s_per_read=1.0)
    bench = _bench(home, scale=scale)

    async def lose_the_scale() -> None:
        scanning = asyncio.create_task(bench.scan(CODE))
        await scale.carries(20_000)
        scale.lost = True
        await asyncio.sleep(0.05)
        scale.lost = False  # it comes back, having shut by itself
        scale.model.remove(scale._wall_ms)
        await scanning

    bench.runner.run(lose_the_scale())
    (fill,) = _fills(bench)
    assert fill.ended_because == "fault"
    assert fill.full_gross_g >= 20_000
    assert bench.lane.state is LaneState.FAULT
    assert home.journal.open_starts() == []


def test_a_valve_that_did_not_open_leaves_no_record_of_a_fill(home: Home) -> None:
    bench = _bench(home)
    bench.scale.model.set_fault("overload", 0)
    assert _decide(bench).outcome == "ALLOW"
    assert _fills(bench) == []
    assert home.journal.open_starts() == []
    assert bench.lane.state is LaneState.FAULT


@pytest.mark.parametrize(("stands_there", "full_g"), [(True, 22_000), (False, 21_000)])
def test_a_fill_cut_short_by_a_crash_gets_its_one_record_at_the_next_start(
    home: Home, stands_there: bool, full_g: int
) -> None:
    bench = bench_for(CASE, home)
    assert CASE.cylinder is not None
    start = Start("chk_1", CODE, CASE.cylinder.cylinder_id, "scale-1", 1, "w", TARE_G, EMPTY_G, STOP_AT_G, 5, 21_000)
    home.journal.begin(start)
    if stands_there:
        bench.scale.model.place("cut", 22_000, 0)
    bench.scan_now(CODE)
    (fill,) = _fills(bench)
    assert (fill.check_id, fill.ended_because, fill.full_gross_g) == ("chk_1", "fault", full_g)
    assert fill.net_g == full_g - TARE_G
    assert "R69" in bench.decided().decision.codes
    bench.scan_now(CODE)
    assert len(_fills(bench)) == 1


def test_a_crash_before_any_gas_flowed_leaves_no_record_of_a_fill(home: Home) -> None:
    bench = _bench(home)
    assert CASE.cylinder is not None
    start = Start("chk_1", CODE, CASE.cylinder.cylinder_id, "scale-1", 1, "w", TARE_G, EMPTY_G, STOP_AT_G, 5, EMPTY_G)
    home.journal.begin(start)
    assert _decide(bench).outcome == "ALLOW"
    assert [fill.check_id for fill in _fills(bench)] == [bench.decided().decision.check_id]


# ---------------------------------------------------------------- the floor


def _floor(bench: Bench, *, sign_on_all: bool = False) -> Floor:
    lanes = [bench.lane]

    def tell(event: str, lane: object, fields: dict[str, object]) -> None:
        bench.told.append({"event": event, **fields})

    return Floor(lanes, bench.recorder, bench.replica, tell, sign_on_all=sign_on_all)


@pytest.mark.parametrize(
    ("event", "told", "check"),
    [
        (Badge(1, "worker-2", False), "signed_on", lambda lane: lane.worker_id == "worker-2"),
        (Badge(1, "坏", False), "dropped", lambda lane: lane.worker_id == "worker-1"),
        (Finding(1, "body_damaged", False), "finding", lambda lane: lane.findings == ["body_damaged"]),
        (Finding(1, "nonsense", False), "dropped", lambda lane: lane.findings == []),
        (Finding(1, "scrap_mark", False), "finding", lambda lane: lane.findings == ["scrap_mark"]),
        (Statement(1, "checked", False), "stated", lambda lane: lane.stated.prefill_checked is True),
        (Statement(1, "evacuated", False), "stated", lambda lane: lane.stated.evacuated is True),
        (Statement(1, "residue=350", False), "stated", lambda lane: lane.stated.residue_g == 350),
        (Statement(1, "residue=-1", False), "dropped", lambda lane: lane.stated == NOTHING_STATED),
        (Statement(1, "lot=lot-7", False), "stated", lambda lane: lane.lot_id == "lot-7"),
        (Statement(1, "lot=", False), "dropped", lambda lane: lane.lot_id is None),
        (Statement(1, "released", False), "dropped", lambda lane: lane.stated == NOTHING_STATED),
        (StampSeen(1, '{"serial":"A1"}', False), "stamp_seen", lambda lane: lane.stamp_seen.serial == "A1"),
        (StampSeen(1, '{"serial":1}', False), "dropped", lambda lane: lane.stamp_seen is None),
        (StampSeen(1, '{"serial":"A1","colour":"grey"}', False), "dropped", lambda lane: lane.stamp_seen is None),
        (StampSeen(1, "A1", False), "dropped", lambda lane: lane.stamp_seen is None),
        (Dropped(1, "unfinished"), "dropped", lambda lane: lane.is_ready),
        (Scan(7, CODE, False), "dropped", lambda lane: lane.is_ready),
        (Scan(None, CODE, True), None, lambda lane: not lane.is_ready),
    ],
)
def test_what_a_scanner_brings_goes_to_its_lane(
    home: Home, event: object, told: str | None, check: Callable[[object], bool]
) -> None:
    bench = bench_for(CASE, home)
    bench.runner.run(_floor(bench).take(event))  # type: ignore[arg-type]
    assert [line["event"] for line in bench.told] == ([told] if told else [])
    assert check(bench.lane)


def test_another_lanes_scanner_is_to_be_put_back(home: Home) -> None:
    bench = bench_for(CASE, home)
    for reason in ("other_lane", "unfinished"):
        bench.runner.run(_floor(bench).take(Dropped(1, reason)))
    assert [told["en"] for told in bench.said("dropped")] == [words.OTHER_LANES_SCANNER[1], words.SCAN_AGAIN[1]]
    assert "put it back to its lane" in words.OTHER_LANES_SCANNER[1]


def test_a_scan_while_another_is_under_way_is_kept_as_a_note(home: Home) -> None:
    bench = bench_for(CASE, home)
    floor = _floor(bench)
    bench.runner.run(floor.take(Scan(1, CODE, False)))
    bench.runner.run(floor.take(Scan(1, "second", False)))
    assert bench.said("busy")[0]["raw_scan"] == "second"
    assert [note["raw_scan"] for note in home.journal.notes()] == ["second"]


def test_a_stamp_that_a_device_read_is_compared_with_the_cylinder_scanned_next_and_with_no_other(home: Home) -> None:
    bench = _bench(home, CASE)
    bench.runner.run(_floor(bench).take(StampSeen(1, '{"serial":"another","tare_g":16500}', False)))
    _decide(bench)
    decided = bench.decided()
    assert decided.decision.codes == ("R04",)
    assert decided.decision.reasons[0].detail == {"stamp_fields": "serial"}
    assert bench.lane.stamp_seen is None


def test_what_was_stated_is_about_the_cylinder_scanned_next_and_the_gas_lot_stays_until_another_is_named(
    home: Home,
) -> None:
    bench = _bench(home, CASE)
    for text in ("checked", "residue=100", "evacuated", "lot=lot-7"):
        bench.runner.run(_floor(bench).take(Statement(1, text, False)))
    _decide(bench)
    first = bench.decided()
    assert (first.request.prefill_checked, first.request.evacuated, first.request.residue_g) == (True, True, 100)
    assert first.decision.codes == ("R51",), "nobody here knows this lot"
    _decide(bench)
    second = bench.decided().request
    assert (second.prefill_checked, second.evacuated, second.residue_g) == (None, None, None)
    assert second.lot_id == "lot-7"


def test_a_refusal_is_recorded_with_everything_it_was_taken_from(home: Home) -> None:
    bench = _bench(home, BLACK)
    bench.lane.findings.append("valve_damaged")
    _decide(bench)
    decided = bench.decided()
    assert isinstance(decided, FillDecided)
    assert (decided.request.raw_scan, decided.request.worker_id) == (CODE, "worker-1")
    assert decided.request.findings == ("valve_damaged",)
    assert decided.decision.codes == ("R32", "R41")
    assert decided.decision.rulebook == CASE.book.name
    assert decided.decision.data_as_of == CASE.station.data_as_of


def test_the_station_stands_by_its_own_decision_with_its_device_s_key(home: Home) -> None:
    bench = _bench(home)
    bench.scan_now(CODE)
    (decided,) = [event for record in bench.records() if isinstance(event := record.event(), FillDecided)]
    assert decided.note is not None
    assert decided.inputs_sha256 == inputs_hash(decided.request, decided.station, decided.decision)
    trusted = [DEVICE_KEY.verifying_key]
    signer = check_decision_note(decided.note, decided.request, decided.decision, decided.inputs_sha256, trusted)
    assert (signer, decided.replica_id) == (DEVICE_KEY.name, f"{decided.request.station_id}.10")
