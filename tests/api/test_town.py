"""A generated town is whole, true to its figures, the same every time, and keeps people out of the ledger."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from cylinder_api.town.answer_key import NOT_PLANTED, SCHEMA
from cylinder_api.town.organisations import make_organisations
from cylinder_api.town.people import id_check_character
from cylinder_api.town.plan import TownPlan, figures_for
from cylinder_api.town.town import Town, generate_town, write_answer_key
from cylinder_codes.authenticity import TagKey, tag_is_genuine
from cylinder_codes.identifiers import Code, is_cylinder_id
from cylinder_trace.admission import decide_fill
from cylinder_trace.chain import NO_PREVIOUS
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import HOUR_MS, MINUTE_MS, local_day, start_of_day_ms
from cylinder_trace.events import Entry, FillDecided, Filled, Record, Sold, parse_record, record_text
from cylinder_trace.identity import commit_identity
from cylinder_trace.rulebook import parse_rulebook
from cylinder_trace.station import StationState, facts_for
from cylinder_trace.subjects import SubjectState, next_subject_state

KEY = TagKey("town-test", bytes(range(32)))
TINY = TownPlan(seed=7, as_of="2026-11-20", tag_key=KEY, cylinders=200)

GOLDEN = "851e5deac87f950f7d100b0a5746acd7bf67705d002b9de0590ddf0dde5aba30"
"""`digest` of the tiny town without its codes, which are held to vectors of their own. It may change only with a change
to the generator, the rules or the events that is meant to change what is generated; then the new value is put here."""
_CODE = re.compile(r"[0-9A-Z#]{24}[0-9]{2}")


def digest(town: Town, without: re.Pattern[str] | None = None) -> str:
    """One hash over everything in a town but the text of the rulebook, in order; without what matches `without`."""
    records = [(at, record_text(record)) for at, record in town.records if record.type != "rulebook_published"]
    text = repr((records, town.customers, list(town.salts.items()), list(town.codes.items()), town.answer_key))
    return hashlib.sha256((without.sub("", text) if without else text).encode()).hexdigest()


def again() -> str:
    """The digest of the tiny town, for another process."""
    return digest(generate_town(TINY))


@pytest.fixture(scope="module")
def tiny() -> Town:
    return generate_town(TINY)


@pytest.fixture(scope="module")
def texts(tiny: Town) -> str:
    return "\n".join(record_text(record).decode() for _, record in tiny.records)


def entries(town: Town) -> list[Entry]:
    """The town's entries as far as folding looks at them."""
    positions: Counter[str] = Counter()
    placed = []
    for recorded_at, record in town.records:
        fields = {**record.__dict__, "n": positions[record.subject], "recorded_at": recorded_at}
        placed.append(Entry.model_construct(**fields, prev=NO_PREVIOUS))
        positions[record.subject] += 1
    return placed


def test_the_same_plan_gives_the_same_town_to_the_last_byte(tiny: Town) -> None:
    assert digest(generate_town(TINY)) == digest(tiny)


def test_another_machine_makes_the_same_town(tiny: Town) -> None:
    assert digest(tiny, without=_CODE) == GOLDEN


def test_the_order_in_which_a_process_keeps_its_sets_makes_no_difference(tiny: Town) -> None:
    script = f"import runpy; print(runpy.run_path({__file__!r}, run_name='again')['again']())"
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
        assert run.stdout.decode().strip() == digest(tiny)


def test_another_seed_gives_another_town(tiny: Town) -> None:
    other = generate_town(TownPlan(seed=8, as_of=TINY.as_of, tag_key=KEY, cylinders=200))
    assert not set(other.codes) & set(tiny.codes)


def test_the_default_town_has_the_published_figures() -> None:
    figures = figures_for(TownPlan(seed=1, as_of="2026-11-20", tag_key=KEY).cylinders)
    assert (figures.companies, figures.delivery_points, figures.delivery_workers) == (7, 21, 289)
    assert (figures.restaurants, figures.areas, figures.streets) == (5137, 69, 99)
    organisations = make_organisations(figures)
    assert len(organisations.companies) == 7
    assert len(organisations.points) == 21
    assert len(organisations.workers) == 289
    assert Counter(district.kind for district in organisations.districts) == {"area": 69, "street": 99}
    stations = Counter(station.company_id for station in organisations.stations)
    assert set(stations) == {company.company_id for company in organisations.companies}
    assert set(stations.values()) == {1, 2}


def test_a_small_town_keeps_its_places_and_has_fewer_people() -> None:
    small, large = figures_for(1_000), figures_for(20_000)
    assert (small.companies, small.stations, small.delivery_points) == (7, 12, 21)
    assert (small.areas, small.streets) == (69, 99)
    assert small.delivery_workers < large.delivery_workers
    assert small.restaurants == 257
    assert figures_for(200).delivery_workers == 21


def test_a_town_too_small_for_every_case_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 200 cylinders"):
        TownPlan(seed=1, as_of="2026-11-20", tag_key=KEY, cylinders=100)
    with pytest.raises(ValueError, match="not a date"):
        TownPlan(seed=1, as_of="20 November", tag_key=KEY)


def test_a_town_has_as_many_cylinders_as_planned_each_with_a_genuine_code(tiny: Town) -> None:
    assert len(tiny.codes) == 200
    assert all(is_cylinder_id(cylinder_id) for cylinder_id in tiny.codes)
    assert all(tag_is_genuine(Code(code), KEY) for code in tiny.codes.values())
    assert len(set(tiny.codes.values())) == 200


def test_records_come_in_the_order_of_recording_and_never_before_they_happened(tiny: Town) -> None:
    moments = [recorded_at for recorded_at, _ in tiny.records]
    assert moments == sorted(moments)
    assert all(recorded_at >= record.occurred_at for recorded_at, record in tiny.records)
    assert moments[-1] < start_of_day_ms(TINY.today)


def test_the_rulebook_comes_first_then_the_stations_then_the_cylinders(tiny: Town) -> None:
    kinds = [record.subject.partition("/")[0] for _, record in tiny.records]
    stations = kinds.count("station")
    assert kinds[0] == "rulebook"
    assert set(kinds[1 : stations + 1]) == {"station"}
    assert set(kinds[stations + 1 :]) == {"cylinder"}


def test_every_record_is_good_to_store_and_its_id_is_its_own(tiny: Town) -> None:
    assert all(parse_record(record_text(record)) == record for _, record in tiny.records)
    assert len({record.id for _, record in tiny.records}) == len(tiny.records)


def test_every_fill_of_the_month_was_allowed_and_replays_bit_for_bit(tiny: Town) -> None:
    states: dict[str, SubjectState] = {}
    decided = 0
    book = parse_rulebook(tiny.rulebook_text)
    for entry in entries(tiny):
        event, state = entry.event(), states.get(entry.subject)
        if isinstance(event, FillDecided):
            decided += 1
            station = states[f"station/{event.request.station_id}"]
            assert isinstance(station, StationState)
            assert isinstance(state, CylinderState)
            facts = event.station
            assert facts == facts_for(station, event.request, facts.data_as_of, facts.clock_skew_ms)
            again = decide_fill(event.request, state, facts, book, event.decision.decided_at)
            assert again == event.decision
            assert again.outcome == "ALLOW"
            assert event.decided_by == "service"
        states[entry.subject] = next_subject_state(state, entry, event)
    assert decided > 20


def _fills(town: Town) -> list[Filled]:
    events = (record.event() for _, record in town.records if record.type == Filled.type)
    return [event for event in events if isinstance(event, Filled)]


def test_every_fill_follows_its_decision_and_stays_below_the_limit(tiny: Town) -> None:
    decisions = {record.id: record.event() for _, record in tiny.records if record.type == FillDecided.type}
    fills = _fills(tiny)
    assert len(fills) == len(decisions)
    for fill in fills:
        decision = decisions[fill.check_id]
        assert isinstance(decision, FillDecided)
        assert decision.decision.start_before is not None
        assert decision.decision.decided_at < fill.started_at <= decision.decision.start_before
        assert fill.net_g <= (decision.decision.max_net_g or 0)
        assert fill.full_gross_g > fill.empty_gross_g
        assert fill.ended_at - fill.started_at < 900_000


def test_a_scale_fills_one_cylinder_at_a_time_between_seven_and_six(tiny: Town) -> None:
    by_scale: dict[str, list[Filled]] = defaultdict(list)
    for fill in _fills(tiny):
        by_scale[fill.scale_id].append(fill)
        since_midnight = fill.started_at - start_of_day_ms(local_day(fill.started_at))
        assert 7 * HOUR_MS <= since_midnight <= 18 * HOUR_MS + 30 * MINUTE_MS
    for fills in by_scale.values():
        fills.sort(key=lambda fill: fill.started_at)
        assert all(first.ended_at < second.started_at for first, second in pairwise(fills))


def test_sales_name_a_customer_a_worker_and_a_point_that_belong_together(tiny: Town) -> None:
    customers = {customer.customer_id: customer for customer in tiny.customers}
    workers = {worker.worker_id: worker.point_id for worker in tiny.organisations.workers}
    sales = [event for _, record in tiny.records if isinstance(event := record.event(), Sold)]
    assert sales
    for sale in sales:
        customer = customers[sale.customer_id]
        assert customer.point_id == sale.point_id == workers[sale.worker_id]
        assert sale.identity_commitment == commit_identity(customer.identity, tiny.salts[sale.customer_id])


def test_every_customer_lives_in_one_district_and_is_distinct(tiny: Town) -> None:
    districts = {district.district_id for district in tiny.organisations.districts}
    assert {customer.district_id for customer in tiny.customers} <= districts
    for name in ("name", "id_number", "phone", "address", "customer_id"):
        values = [getattr(customer, name) for customer in tiny.customers]
        assert len(set(values)) == len(values)
        assert min(len(value) for value in values) >= 4


def test_identity_numbers_have_right_check_characters_and_an_area_that_does_not_exist(tiny: Town) -> None:
    assert id_check_character("11010519491231002") == "X"
    assert id_check_character("44052418800101001") == "4"
    for customer in tiny.customers:
        assert customer.id_number.startswith("99")
        assert len(customer.id_number) == 18
        assert id_check_character(customer.id_number[:17]) == customer.id_number[17]
        assert customer.phone.startswith("000")
        assert len(customer.phone) == 11


def test_nothing_that_is_stored_or_handed_out_holds_personal_data(tiny: Town, texts: str, tmp_path: Path) -> None:
    write_answer_key(tiny, tmp_path / "answer-key.json")
    public = texts + (tmp_path / "answer-key.json").read_text(encoding="utf-8")
    for customer in tiny.customers:
        for secret in (customer.name, customer.id_number, customer.phone, customer.address):
            assert secret not in public


def test_salts_and_seeds_of_people_do_not_reach_the_ledger(tiny: Town, texts: str) -> None:
    assert not [salt for salt in tiny.salts.values() if salt.hex() in texts]


def test_the_answer_key_is_written_in_its_schema(tiny: Town, tmp_path: Path) -> None:
    path = tmp_path / "answer-key.json"
    write_answer_key(tiny, path)
    key = json.loads(path.read_text(encoding="utf-8"))
    assert (key["schema"], key["generated"], key["cylinders"]) == (SCHEMA, True, 200)
    assert key["not_planted"] == dict(NOT_PLANTED)
    assert len(key["planted"]) == len(tiny.answer_key.planted)
    assert len(key["good"]) == len(tiny.answer_key.good)
    assert all(scan["expected_reason"] == scan["expected_reasons"][0] for scan in key["planted"])


def test_many_cylinders_are_at_customers_and_many_empty_in_station(tiny: Town) -> None:
    states: dict[str, SubjectState] = {}
    for entry in entries(tiny):
        states[entry.subject] = next_subject_state(states.get(entry.subject), entry, entry.event())
    where = Counter(state.status for state in states.values() if isinstance(state, CylinderState))
    assert where["at_customer"] > 20
    assert where["empty"] > 100


def test_the_summary_counts_what_is_there(tiny: Town) -> None:
    summary = tiny.summary
    assert summary["records"] == len(tiny.records)
    assert summary["restaurants"] + summary["households"] == len(tiny.customers)
    assert summary["records_cylinder_registered"] == summary["cylinders"] == 200


def test_a_town_for_a_thousand_cylinders_lacks_nothing() -> None:
    town = generate_town(TownPlan(seed=3, as_of="2026-11-20", tag_key=KEY, cylinders=1_000))
    assert len(town.answer_key.planted) >= 75
    assert len(town.answer_key.good) >= 125
    assert isinstance(town.records[0][1], Record)
