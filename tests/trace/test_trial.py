"""A candidate rulebook tried on what was decided: which scans, stations and cylinders would come out differently."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cylinder_trace import cli, events
from cylinder_trace.admission import decide_fill
from cylinder_trace.decision import FillRequest, StationFacts
from cylinder_trace.events import Stamp, state_event
from cylinder_trace.rulebook import parse_rulebook
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.unit import Unit
from cylinder_trace.trial import Trial, try_rulebook
from ledgers.homes import START, Home
from vectors.admission.cases import base_case, rulebook_text

NATIONAL = rulebook_text("cn-default")
BOOK = parse_rulebook(NATIONAL)
CASE = base_case()
DAY_MS = 86_400_000


def stated(event: events.Event, id: str, subject: str) -> events.Record:
    return state_event(event, id=id, subject=subject, occurred_at=START, by="tests")


def registered(number: int, made: str) -> events.Record:
    stamp = Stamp(
        maker="M1", serial=f"S{number}", model="YSP35.5", manufactured_month=made, tare_g=16500, water_volume_ml=35500,
        max_fill_g=14900, design_life_months=96,
    )  # fmt: skip
    event = events.CylinderRegistered(
        stamp=stamp, owner_id="company-1", registration_no="R", in_service_on="2024-01-01"
    )
    return stated(event, f"reg.{number}", f"cylinder/cyl_{number}")


def decided(unit: Unit, number: int, station: str, at: int, empty_gross_g: int = 16600, check: str = "") -> None:
    cylinder, check = unit.cylinder(f"cyl_{number}"), check or f"check.{number}"
    changes: dict[str, Any] = {"check_id": check, "station_id": station, "empty_gross_g": empty_gross_g}
    request: FillRequest = CASE.request.model_copy(update={**changes, "requested_at": at})
    facts: StationFacts = CASE.station.model_copy(update={"station_id": station, "data_as_of": at})
    decision = decide_fill(request, cylinder, facts, BOOK, at)
    event = events.FillDecided(request=request, station=facts, decision=decision, decided_by="service")
    subject = f"cylinder/cyl_{number}"
    unit.append(state_event(event, id=check, subject=subject, occurred_at=at, by="tests"))


def decide_all(unit: Unit) -> None:
    for number in range(5):
        decided(unit, number, f"station-{number % 2}", START + number * DAY_MS, 17400 if number == 4 else 16600)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Five cylinders: two young, one of 43 months, one of 50, one that is 900 g heavier than its stamp says."""
    home = Home(f"sqlite:///{tmp_path}/ledger.db", tmp_path)
    with home.open() as ledger:
        ledger.append([stated(events.RulebookPublished(rulebook_id="cn-default", version="1", text=NATIONAL), "b",
                              "rulebook/cn-default")])  # fmt: skip
        made = ["2025-06", "2025-06", "2023-02", "2022-07", "2025-06"]
        ledger.append([registered(number, month) for number, month in enumerate(made)])
        ledger.transact(decide_all)
    return home


def tried(home: Home, text: str) -> Trial:
    with home.open() as ledger:
        return try_rulebook(lambda: texts(ledger), parse_rulebook(text))


def texts(ledger: Ledger) -> Iterator[bytes]:
    return (row.text for row in ledger.reader.all_entries())


def test_the_rulebook_of_that_time_changes_nothing(home: Home) -> None:
    trial = tried(home, NATIONAL)
    assert (trial.decisions, trial.not_in_ledger, trial.changes) == (5, 0, [])


def test_a_shorter_interval_names_the_station_and_cylinder_that_would_newly_be_refused(home: Home) -> None:
    trial = tried(home, NATIONAL.replace("interval_months = 48", "interval_months = 36"))
    assert [(change.cylinder_id, change.added) for change in trial.changes] == [("cyl_2", ("R20",))]
    assert {station: dict(counts) for station, counts in trial.by_station().items()} == {
        "station-0": {"newly_refused": 1}
    }
    assert trial.cylinders() == ["cyl_2"]


def test_a_longer_interval_and_a_wider_drift_name_what_would_newly_be_permitted(home: Home) -> None:
    text = NATIONAL.replace("interval_months = 48", "interval_months = 60").replace("drift_g = 500", "drift_g = 900")
    trial = tried(home, text)
    assert dict(trial.by_reason()) == {"-R20": 1, "-R46": 1}
    assert trial.cylinders() == ["cyl_3", "cyl_4"]


def test_a_smaller_fill_is_a_difference_without_a_change_of_verdict(home: Home) -> None:
    trial = tried(home, NATIONAL.replace("nominal_g = 14500", "nominal_g = 14000"))
    assert {kind for counts in trial.by_station().values() for kind in counts} == {"other"}
    assert trial.cylinders() == []


def test_the_command_line_tells_the_same_and_looks_at_the_days_that_are_asked_for(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    candidate = tmp_path / "mine.toml"
    candidate.write_text(NATIONAL.replace("interval_months = 48", "interval_months = 36"))
    assert cli.main(["trial", str(home.folder), str(candidate)]) == 0
    assert "station-0: 1 newly refused" in capsys.readouterr().out
    assert cli.main(["trial", str(home.folder), str(candidate), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["decisions"], told["reasons"], told["cylinders"]) == (5, {"+R20": 1}, ["cyl_2"])
    assert told["changes"][0]["before"] == ["ALLOW"]
    day = "2026-09-22"  # START is 2026-09-21 in Beijing, and cyl_2 was scanned two days later
    assert cli.main(["trial", str(home.folder), str(candidate), "--until", day, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["decisions"] == 2
    assert cli.main(["trial", str(home.folder), str(candidate), "--since", "2026-13-01"]) == 2
    candidate.write_text("nonsense")
    assert cli.main(["trial", str(home.folder), str(candidate)]) == 1


def test_a_refusal_with_several_facts_replays_in_whatever_order_they_were_found(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    with home.open() as ledger:
        ahead = events.Inspected(
            body_id="ib_1", inspected_month="2030-01", next_due_month="2034-01", result="passed", report_no="r"
        )
        ledger.append([stated(ahead, "ahead", "cylinder/cyl_0")])
        ledger.transact(lambda unit: decided(unit, 0, "station-0", START + 9 * DAY_MS, check="check.ahead"))
        found = ledger.reader.entry("check.ahead")
    assert found is not None
    assert b'"code":"R22"' in found.text
    assert cli.main(["replay", str(home.folder), "--check", "check.ahead", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["decisions"] == 1


def test_the_stored_decisions_still_replay_bit_for_bit(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["replay", str(home.folder), "--until", "2026-09-22", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "decisions": 2, "signed": 0, "differences": []}
