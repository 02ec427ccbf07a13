"""Calendar months and days at Beijing time."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_trace import dates


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-11-30T15:59:59Z", "2026-11-30"),
        ("2026-11-30T16:00:00Z", "2026-12-01"),
        ("2026-12-31T16:00:00Z", "2027-01-01"),
        ("2028-02-28T16:00:00Z", "2028-02-29"),
        ("1970-01-01T00:00:00Z", "1970-01-01"),
    ],
)
def test_a_day_begins_at_midnight_in_beijing(instant: str, day: str) -> None:
    assert dates.format_day(dates.local_day(at(instant))) == day
    assert dates.format_month(dates.local_month(at(instant))) == day[:7]


@given(st.integers(0, dates.LATEST_INSTANT))
def test_the_day_of_an_instant_is_the_one_the_standard_library_tells(instant: int) -> None:
    local = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=instant + dates.BEIJING_OFFSET_MS)
    assert dates.local_day(instant) == local.date().toordinal()
    assert dates.start_of_day_ms(dates.local_day(instant)) <= instant


@given(st.dates())
def test_days_and_months_come_back_from_their_text(day: date) -> None:
    text = day.isoformat()
    assert dates.format_day(dates.parse_day(text)) == text
    assert dates.format_month(dates.parse_month(text[:7])) == text[:7]
    month = dates.parse_month(text[:7])
    assert dates.first_day(month) <= day.toordinal() <= dates.last_day(month)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-13",
        "2026-00",
        "2026-1",
        "26-01",
        "2026/01",
        "2026-01-01",
        "2026W01",
        "0000-01",
        "２０２６-01",
        "2026-01\n",
    ],
)
def test_what_is_not_a_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"month|year|date|format"):
        dates.parse_month(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-02-29",
        "2026-02-30",
        "20260201",
        "2026-W01-1",
        "2026-2-1",
        "10000-01-01",
        "２０２６-02-01",
        "2026-02-01\n",
    ],
)
def test_what_is_not_a_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"day|date|format"):
        dates.parse_day(text)


def test_a_deadline_beyond_the_calendar_is_later_than_every_day() -> None:
    last = dates.parse_month("9999-12")
    assert dates.last_day(last) == date.max.toordinal()
    assert dates.first_day(last + 480) > date.max.toordinal()
