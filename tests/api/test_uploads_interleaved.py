"""Two stations upload and people act online: in whatever order, the same states and the same disputes."""

import base64
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cylinder_api.acts.journal import SignedHead, head_text, read_lines, take_records
from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace import events
from cylinder_trace.audit import Auditor, read_vkey
from cylinder_trace.chain import next_link, record_hash
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.decision import Decision, FillRequest, StationFacts
from cylinder_trace.events import Event, Record, record_text, state_event
from cylinder_trace.fill_acts import POSTFILL
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.unit import Unit
from ledgers.homes import KEY, START, Home, bound, registered

MINUTE = 60_000
LONG_AGO = START - 1_000 * MINUTE
CYLINDERS = ("cyl_1", "cyl_2")


class Station:
    """A station that was cut off: its device's chain of what it did meanwhile, with something wrong in it."""

    def __init__(self, number: int) -> None:
        self.id, self.device, self.key = (
            f"st_{number}",
            f"dev_{number}",
            SigningKey(f"dev_{number}", bytes([number]) * 32),
        )
        self.records: list[Record] = []
        start = START - 600 * MINUTE + number * 7 * MINUTE
        for turn, cylinder in enumerate([*CYLINDERS, *CYLINDERS]):
            at, check = start + turn * 60 * MINUTE, f"check.{number}.{turn}"
            self._did(self._decided(check, cylinder, at), cylinder, check, at)
            self._did(self._filled(check, at, 14_500 if turn else 15_300), cylinder, f"{check}.filled", at + MINUTE)
            if turn == 2:  # gas went in twice under one permit
                self._did(self._filled(check, at, 14_000), cylinder, f"{check}.again", at + 2 * MINUTE)
            self._did(events.Returned(station_id=self.id), cylinder, f"{check}.returned", at + 3 * MINUTE)
        self._did(self._filled("no-permit", start, 14_500), "cyl_1", f"none.{number}", start + 500 * MINUTE)

    def _did(self, event: Event, cylinder: str, id: str, at: int) -> None:
        link = next_link(self.device, self.records[-1] if self.records else None)
        refs = (f"station/{self.id}",)
        record = state_event(
            event, id=id, subject=f"cylinder/{cylinder}", occurred_at=at, by=self.id, refs=refs, device=link
        )
        self.records.append(record)

    def _decided(self, check_id: str, cylinder: str, at: int) -> Event:
        request = FillRequest(
            check_id=check_id, raw_scan=cylinder, code=cylinder, station_id=self.id, scale_id="sc_1", lane=1,
            boot_id="b", worker_id="fl_1", empty_gross_g=16_600, requested_at=at,
        )  # fmt: skip
        decision = Decision(
            check_id=check_id, outcome="ALLOW", cylinder_id=cylinder, cylinder_n=2, max_net_g=14_900,
            target_net_g=14_500, rulebook="cn-default@2026.1", data_as_of=at, decided_at=at,
        )  # fmt: skip
        facts = StationFacts(station_id=self.id, data_as_of=at)
        return events.FillDecided(request=request, station=facts, decision=decision, decided_by="station")

    def _filled(self, check_id: str, at: int, net_g: int) -> Event:
        return events.Filled(
            check_id=check_id, station_id=self.id, scale_id="sc_1", lane=1, worker_id="fl_1", started_at=at,
            ended_at=at + MINUTE, empty_gross_g=16_600, full_gross_g=16_500 + net_g, net_g=net_g,
            ended_because="limit_reached",
        )  # fmt: skip

    def upload(self, first: int, after: int) -> Callable[[Ledger], None]:
        """Upload these records of the chain under a signed head."""
        last = self.records[after - 1]
        signature = self.key.sign(head_text(self.device, after - 1, record_hash(last)))
        head = SignedHead(seq=after - 1, hash=record_hash(last), signature=base64.b64encode(signature).decode())
        texts = [record_text(record).decode() for record in self.records[first:after]]
        lines, trouble = read_lines(texts, self.device, head)
        assert trouble is None

        def send(ledger: Ledger) -> None:
            def work(unit: Unit) -> Any:
                return take_records(unit, self.device, lines, None, head)

            assert ledger.transact(work).problem is None

        return send

    def enrolled(self) -> Record:
        event = events.DeviceEnrolled(station_id=self.id, vkey=format_vkey(self.key.verifying_key))
        subject = f"device/{self.device}"
        return state_event(event, id=f"enrol.{self.device}", subject=subject, occurred_at=START, by="admin")


def _stated(event: Event, cylinder: str, at: int, id: str) -> Callable[[Ledger], None]:
    record = state_event(event, id=id, subject=f"cylinder/{cylinder}", occurred_at=at, by="authority_1")
    return lambda ledger: _append(ledger, record)


def _append(ledger: Ledger, *records: Record) -> None:
    ledger.append(list(records))


def _acts(dice: random.Random) -> list[list[Callable[[Ledger], None]]]:
    """What each author will send, in the author's own order; where a station cuts its uploads is left to chance."""
    authors: list[list[Callable[[Ledger], None]]] = []
    for station in (Station(1), Station(2)):
        cuts = sorted({0, len(station.records), *(dice.randrange(len(station.records)) for _ in range(3))})
        authors.append([station.upload(first, after) for first, after in pairwise(cuts)])
    flag = events.Flagged(flag="recalled", authority_id="authority_1", cause="batch")
    clear = events.FlagCleared(flag="recalled", authority_id="authority_1", cause="checked")
    sold = events.Sold(
        order_no="o", point_id="p", worker_id="w", customer_id="c", identity_commitment="ab" * 32,
        safety_check_passed=True,
    )  # fmt: skip
    authors.append([
        _stated(clear, "cyl_1", START - 100 * MINUTE, "cleared"),
        _stated(flag, "cyl_1", START - 200 * MINUTE, "flagged"),
    ])  # fmt: skip
    authors.append([_stated(sold, "cyl_2", START - 450 * MINUTE, "sold"), _stated(sold, "cyl_1", START - 1, "sold-2")])
    return authors


def _outcome(folder: Path, seed: int) -> tuple[list[dict[str, Any]], set[tuple[str, str, str]]]:
    """Facts of the cylinders and the disputes raised, when everything came in as the dice of `seed` fell."""
    dice = random.Random(seed)
    with Home(f"sqlite:///{folder}/ledger.db", folder).open() as ledger:
        _append(ledger, *(registered(number).model_copy(update={"occurred_at": LONG_AGO}) for number in (1, 2)))
        _append(ledger, bound(1), bound(2), Station(1).enrolled(), Station(2).enrolled())
        waiting = _acts(dice)
        turns = [place for place, acts in enumerate(waiting) for _ in acts]
        dice.shuffle(turns)
        for place in turns:
            waiting[place].pop(0)(ledger)
        ledger.publisher.publish()
        auditor = Auditor(ledger.reader.checkpoints(), read_vkey(format_vkey(KEY.verifying_key)))
        auditor.check(ledger.reader.all_entries())
        assert auditor.finish(ledger.reader.read_model()).faults == []
        stored = [row for row in ledger.reader.all_entries() if row.type == "dispute_raised"]
        disputes = {_dispute(row.subject, row.text) for row in stored}
        return [_facts(ledger, cylinder) for cylinder in CYLINDERS], disputes


def _dispute(subject: str, text: bytes) -> tuple[str, str, str]:
    event = events.parse_entry(text).event()
    assert isinstance(event, events.DisputeRaised)
    return subject, event.about_id, event.kind


def _facts(ledger: Ledger, cylinder: str) -> dict[str, Any]:
    state = ledger.reader.state(f"cylinder/{cylinder}")
    assert isinstance(state, CylinderState)
    return dict(state)


@pytest.fixture(scope="module")
def in_one_order(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return _outcome(tmp_path_factory.mktemp("first"), 0)


@pytest.mark.parametrize("seed", range(1, 9))
def test_two_stations_uploads_and_online_acts_end_in_the_same_states_and_raise_the_same_disputes(
    seed: int, tmp_path: Path, in_one_order: Any
) -> None:
    states, disputes = _outcome(tmp_path, seed)
    assert states == in_one_order[0]
    assert disputes == in_one_order[1]
    assert [(state["status"], state["flags"]) for state in states] == [("at_customer", ()), ("empty", ())]
    kinds = {kind for _, _, kind in disputes}
    assert kinds == {"overfilled", "permit_used_twice", "fill_without_permit"}
    assert len(disputes) == 6


def _with_lists(station: Station) -> Station:
    """The same station, which also told its lists and second weights: one that fits, one too heavy, one of no fill."""
    for number, (check, net_g) in enumerate([("check.1.0", 14_500), ("check.1.1", 15_300), ("nobody-checked", 1)]):
        at, cylinder, who = START - 60 * MINUTE + number, CYLINDERS[number % 2], "fl_2"
        items = tuple(events.CheckItem(item=item, passed=True) for item in POSTFILL)
        listed = events.PostfillChecked(
            check_id=check, station_id=station.id, worker_id=who, items=items, passed=True, seal_no="1", label_no="2"
        )
        weighed = events.Reweighed(
            check_id=check, station_id=station.id, scale_id="sc_2", worker_id=who, full_gross_g=16_500 + net_g,
            net_g=net_g, within_limit=True,
        )  # fmt: skip
        station._did(listed, cylinder, f"{check}.listed.{number}", at)
        station._did(weighed, cylinder, f"{check}.weighed.{number}", at + 1)
    return station


def _taken(home: Home, uploads: int) -> tuple[list[tuple[Any, ...]], list[dict[str, Any]]]:
    """What stands in the cylinders' chains, and their states, after the journal came in with so many uploads."""
    station = _with_lists(Station(1))
    cuts = [len(station.records) * place // uploads for place in range(uploads + 1)]
    with home.open() as ledger:
        _append(ledger, registered(1), registered(2), bound(1), bound(2), station.enrolled())
        for first, after in pairwise(cuts):
            station.upload(first, after)(ledger)
        chains = [row for cylinder in CYLINDERS for row in ledger.reader.history(f"cylinder/{cylinder}")]
        entries = [events.parse_entry(row.text) for row in chains]
        told = [(entry.subject, entry.n, entry.id, entry.occurred_at, entry.refs, entry.event()) for entry in entries]
        return told, [_facts(ledger, cylinder) for cylinder in CYLINDERS]


@pytest.mark.parametrize("home", ["sqlite", "postgresql"])
def test_a_journal_taken_over_at_once_says_the_same_as_one_taken_over_record_by_record(
    home: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "alone").mkdir()
    alone = Home(f"sqlite:///{tmp_path}/alone/ledger.db", tmp_path / "alone")
    url = f"sqlite:///{tmp_path}/ledger.db" if home == "sqlite" else request.getfixturevalue("postgres_url")
    told, states = _taken(Home(url, tmp_path), 1)
    assert (told, states) == _taken(alone, len(_with_lists(Station(1)).records))
    kinds = {event.kind for *_, event in told if isinstance(event, events.DisputeRaised)}
    assert kinds == {"fill_without_permit", "limit_misjudged", "no_fill", "overfilled", "permit_used_twice"}
