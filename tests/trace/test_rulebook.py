"""The rulebook is data: its mistakes are named by their place, and its numbers change decisions without code."""

import tomllib

import pytest

from cylinder_trace.admission import decide_fill
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.rulebook import Rulebook, RulebookError, parse_rulebook
from vectors.admission.cases import Case, base_case, load_cases, rulebook_text

TEXT = rulebook_text("cn-default")
GOOD = base_case()


def replaced(old: str, new: str) -> str:
    assert TEXT.count(old) == 1, old
    return TEXT.replace(old, new)


def codes(book_text: str, case: Case = GOOD, cylinder: CylinderState | None = None) -> tuple[str, ...]:
    book = parse_rulebook(book_text)
    return decide_fill(case.request, cylinder or case.cylinder, case.station, book, case.now).codes


def test_the_shipped_rulebook_says_what_the_text_says() -> None:
    book, plain = parse_rulebook(TEXT), tomllib.loads(TEXT)
    assert book.name == "cn-default@2026.1"
    assert book.inspection.interval_months == plain["inspection"]["interval_months"] == 48
    assert book.fill.coefficient_g_per_l == plain["fill"]["coefficient_g_per_l"] == 420
    assert set(book.models) == set(plain["models"])


def test_the_book_of_the_vectors_differs_from_the_shipped_one_in_its_due_day_alone() -> None:
    shipped, lenient = tomllib.loads(TEXT), tomllib.loads(rulebook_text("cn-last-day"))
    shipped["inspection"]["due_precision"] = "last_day"
    shipped |= {"rulebook_id": lenient["rulebook_id"], "title": lenient["title"]}
    assert lenient == shipped


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "rulebook: rulebook_id: Field required"),
        ("not toml", "rulebook is not TOML: .*line 1"),
        (replaced("interval_months = 48 ", "interval_months = "), r"rulebook is not TOML: .*line \d+"),
        (replaced("interval_months = 48", "interval_months = 48\ninterval_months = 36"), "rulebook is not TOML"),
        (replaced("warn_days = 30", "warn_days = 30\nforced_fill = true"), r"rulebook: inspection\.forced_fill: "),
        (replaced("[fill] ", "[filling] "), r"rulebook: (fill|filling): "),
        (replaced('valid_from = "2026-01-01"', 'valid_from = "2026-01-01"\nowner = "x"'), "rulebook: owner: "),
        (replaced("interval_months = 48", 'interval_months = "48"'), r"rulebook: inspection\.interval_months: "),
        (replaced("interval_months = 48", "interval_months = 48.0"), r"rulebook: inspection\.interval_months: "),
        (replaced("interval_months = 48", "interval_months = true"), r"rulebook: inspection\.interval_months: "),
        (replaced("interval_months = 48", "interval_months = -1"), r"rulebook: inspection\.interval_months: "),
        (replaced("guard_days = 0", ""), r"rulebook: inspection\.guard_days: Field required"),
        (
            replaced('due_precision = "first_day"', 'due_precision = "any_day"'),
            r"rulebook: inspection\.due_precision: ",
        ),
        (replaced("water_volume_ml = 4700", "water_volume_ml = 0"), r"rulebook: models\.YSP4\.7\.water_volume_ml: "),
        (replaced("nominal_g = 1900", "nominal_g = 2000001"), r"rulebook: models\.YSP4\.7\.nominal_g: "),
        (replaced('valid_from = "2026-01-01"', 'valid_from = "2026-02-30"'), "rulebook: valid_from: "),
        (replaced('valid_from = "2026-01-01"', "valid_from = 2026-01-01T08:00:00"), "rulebook: valid_from: "),
        (replaced('version = "2026.1"', 'version = ""'), "rulebook: version: "),
        (replaced('version = "2026.1"', 'version = "2026 1"'), "rulebook: version: "),
        ("models = []\n" + TEXT[: TEXT.index("[models")], "rulebook: models: "),
    ],
)
def test_a_mistake_in_a_rulebook_is_named_by_its_place(text: str, says: str) -> None:
    with pytest.raises(RulebookError, match=says):
        parse_rulebook(text)


@pytest.mark.parametrize("table", ["inspection", "life", "ownership", "identity", "fill", "station"])
def test_a_missing_table_is_named(table: str) -> None:
    lines = TEXT.splitlines(keepends=True)
    start = next(at for at, line in enumerate(lines) if line.startswith(f"[{table}]"))
    end = next(at for at in range(start + 1, len(lines)) if lines[at].startswith("["))
    with pytest.raises(RulebookError, match=f"rulebook: {table}: Field required"):
        parse_rulebook("".join([*lines[:start], *lines[end:]]))


def test_a_rulebook_without_models_is_a_rulebook() -> None:
    book = parse_rulebook(TEXT[: TEXT.index("# 各型号")])
    assert book.models == {}
    assert isinstance(book, Rulebook)


def test_a_shorter_interval_in_the_text_makes_a_cylinder_overdue_without_a_line_of_code() -> None:
    assert GOOD.cylinder is not None
    assert GOOD.cylinder.inspection is not None
    three_years_ago = GOOD.cylinder.inspection.model_copy(
        update={"inspected_month": "2023-06", "next_due_month": None, "recorded_on": "2023-06-20"}
    )
    cylinder = GOOD.cylinder.model_copy(update={"inspection": three_years_ago})
    assert codes(TEXT, cylinder=cylinder) == ()
    assert codes(replaced("interval_months = 48", "interval_months = 36"), cylinder=cylinder) == ("R20",)


NUMBERS: list[tuple[str, str, str, str, str]] = [
    ("R20", "due in December 2026, scanned on 30 November", "guard_days = 0", "guard_days = 2", "R20"),
    ("R46", "500 g above the tare", "tare_drift_g = 500", "tare_drift_g = 300", "R46"),
    (
        "R46",
        "the tare on file is nine tenths of its model's",
        "tare_least_percent = 90",
        "tare_least_percent = 91",
        "R46",
    ),
    (
        "R22",
        "passed, and its valve was put in 35 months before",
        "valve_kept_months = 36",
        "valve_kept_months = 35",
        "R22",
    ),
    ("R03", "seen at another station exactly 30 minutes ago", "travel_minutes = 30", "travel_minutes = 31", "R03"),
    ("R15", "changed hands 30 days ago, signed by both", "cooling_days = 30", "cooling_days = 31", "R15"),
    (
        "R11",
        "the 30th day in service without registration is the last",
        "registration_grace_days = 30",
        "registration_grace_days = 29",
        "R11",
    ),
    ("R65", "120 s ahead", "clock_skew_max_seconds = 120", "clock_skew_max_seconds = 119", "R65"),
    ("R66", "72 hours old", "data_max_age_hours = 72", "data_max_age_hours = 71", "R66"),
    (
        "R24",
        "no stated life, 15 years end in December 2026, scanned on 30 November",
        "unstated_life_months = 180",
        "unstated_life_months = 179",
        "R24",
    ),
]


@pytest.mark.parametrize(("file", "name", "old", "new", "code"), NUMBERS, ids=[row[2] for row in NUMBERS])
def test_each_number_in_the_text_moves_its_own_boundary(file: str, name: str, old: str, new: str, code: str) -> None:
    case = next(case for case in load_cases(file) if case.name == name)
    assert code not in codes(TEXT, case)
    assert code in codes(replaced(old, new), case)


def test_a_decision_quotes_the_rulebook_it_was_taken_by() -> None:
    book = parse_rulebook(replaced('version = "2026.1"', 'version = "2026.2"'))
    decision = decide_fill(GOOD.request, GOOD.cylinder, GOOD.station, book, GOOD.now)
    assert decision.rulebook == "cn-default@2026.2"


def test_a_permit_starts_within_the_time_the_rulebook_gives() -> None:
    book = parse_rulebook(replaced("permit_start_seconds = 180", "permit_start_seconds = 60"))
    decision = decide_fill(GOOD.request, GOOD.cylinder, GOOD.station, book, GOOD.now)
    assert decision.start_before == GOOD.now + 60_000
