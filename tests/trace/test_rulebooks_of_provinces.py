"""The shipped rulebooks: each is whole, readable alone, and differs from the national one where its law does."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

import cylinder_trace.rulebook
from cylinder_trace.dates import parse_day
from cylinder_trace.rulebook import SAFETY_CORE, RulebookError, parse_rulebook

FOLDER = Path(cylinder_trace.rulebook.__file__).parent / "rulebooks"
NATIONAL = (FOLDER / "cn-default.toml").read_text("utf-8")
DIFFERENCES: dict[str, dict[str, Any]] = {
    "cn-zhejiang": {
        "condition.residue_max_g": 1000,
        "condition.prefill_check": "required",
        "ownership.regions": "same",
    },
    "cn-shandong": {"ownership.basis": ["owned", "entrusted"], "station.gas_lot": "required"},
    "cn-beijing": {"ownership.basis": ["owned", "supply_contract"]},
}
NAMES = {"rulebook_id", "title"}


def flat(text: str) -> dict[str, Any]:
    """Every parameter of a rulebook by its place, such as ``inspection.interval_months``."""
    told = tomllib.loads(text)
    tables = {key: value for key, value in told.items() if isinstance(value, dict)}
    inner = {f"{table}.{key}": value for table, values in tables.items() for key, value in values.items()}
    return {**{key: value for key, value in told.items() if key not in tables}, **inner}


def test_these_rulebooks_ship_and_each_is_named_as_its_file() -> None:
    shipped = {file.stem: parse_rulebook(file.read_text("utf-8")) for file in FOLDER.glob("*.toml")}
    assert set(shipped) == {"cn-default", *DIFFERENCES}
    assert all(book.rulebook_id == name for name, book in shipped.items())


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_province_differs_from_the_nation_in_these_parameters_alone(name: str) -> None:
    national, own = flat(NATIONAL), flat((FOLDER / f"{name}.toml").read_text("utf-8"))
    differs = {place for place in national.keys() | own.keys() if national.get(place) != own.get(place)}
    assert differs - NAMES == set(DIFFERENCES[name])
    assert {place: own[place] for place in DIFFERENCES[name]} == DIFFERENCES[name]


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.toml")), ids=lambda file: file.stem)
def test_every_parameter_names_where_it_comes_from(file: Path) -> None:
    law = file.read_text("utf-8").split("# 各型号")[0]
    tables = law[law.index("[inspection]") :].splitlines()
    bare = [line for line in tables if "=" in line and "#" not in line]
    assert bare == ["longest_fill_seconds = 900", "rules = []", "regions = []"]


# --- bounds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "absurd"),
    [
        ("interval_months = 48", "interval_months = 0"),
        ("interval_months = 48", "interval_months = 4800"),
        ("guard_days = 0", "guard_days = 731"),
        ("unstated_life_months = 180", "unstated_life_months = 1800"),
        ("cooling_days = 30", "cooling_days = 3000"),
        ("travel_minutes = 30", "travel_minutes = 1441"),
        ("coefficient_g_per_l = 420", "coefficient_g_per_l = 4200"),
        ("coefficient_g_per_l = 420", "coefficient_g_per_l = 42"),
        ("tare_drift_g = 500", "tare_drift_g = 50000"),
        ("tare_least_percent = 90", "tare_least_percent = 9"),
        ("tare_least_percent = 90", "tare_least_percent = 101"),
        ("evaluation_notice_days = 30", "evaluation_notice_days = 3000"),
        ("valve_kept_months = 36", "valve_kept_months = 0"),
        ("tare_g = 16500", "tare_g = 16"),
        ("permit_start_seconds = 180", "permit_start_seconds = 18000"),
        ("data_max_age_hours = 72", "data_max_age_hours = 7200"),
        ("clock_skew_max_seconds = 120", "clock_skew_max_seconds = 12000"),
        ("nominal_g = 1900", "nominal_g = 19"),
    ],
)
def test_a_number_that_nobody_can_mean_is_refused_by_its_place(place: str, absurd: str) -> None:
    assert NATIONAL.count(place) == 1
    with pytest.raises(RulebookError, match=place.split(" ")[0]):
        parse_rulebook(NATIONAL.replace(place, absurd))


# --- from when to when --------------------------------------------------------------------------------------


def test_a_rulebook_is_in_force_from_its_first_day_to_its_last() -> None:
    book = parse_rulebook(
        NATIONAL.replace('valid_from = "2026-01-01"', 'valid_from = "2026-01-01"\nvalid_until = "2026-12-31"')
    )
    days = ["2025-12-31", "2026-01-01", "2026-12-31", "2027-01-01"]
    assert [book.covers(parse_day(day)) for day in days] == [False, True, True, False]
    assert parse_rulebook(NATIONAL).covers(parse_day("2099-12-31"))


def test_a_rulebook_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(RulebookError, match="valid_until 2025-12-31 lies before valid_from 2026-01-01"):
        parse_rulebook(
            NATIONAL.replace('valid_from = "2026-01-01"', 'valid_from = "2026-01-01"\nvalid_until = "2025-12-31"')
        )


# --- on trial -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(SAFETY_CORE & {"R20", "R24", "R30", "R32", "R38"}))
def test_the_safety_core_is_never_only_tried_out(code: str) -> None:
    with pytest.raises(RulebookError, match=f"{code} belongs to the safety core"):
        parse_rulebook(NATIONAL.replace("rules = []", f'rules = ["{code}"]'))


@pytest.mark.parametrize("code", ["R01", "R02", "R65", "R66", "R67"])
def test_what_says_that_nothing_can_be_told_is_never_only_tried_out(code: str) -> None:
    with pytest.raises(RulebookError, match=f"{code} says that nothing can be told"):
        parse_rulebook(NATIONAL.replace("rules = []", f'rules = ["{code}"]'))


@pytest.mark.parametrize("code", ["R99", "W20", "r40", ""])
def test_what_is_tried_out_is_a_refusal_that_exists(code: str) -> None:
    with pytest.raises(RulebookError, match=r"rulebook: shadow\.rules\.0: "):
        parse_rulebook(NATIONAL.replace("rules = []", f'rules = ["{code}"]'))
