"""When a standing query is asked: each field of a schedule, over every border, against going second by second."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_trace.epcis.schedule import FIELDS, ScheduleFault, next_time, parse_schedule

_RANGES = {"second": (0, 59), "minute": (0, 59), "hour": (0, 23)}


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def _shown(at_ms: int | None) -> str | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


def test_every_morning_at_five_past_one() -> None:
    schedule = parse_schedule({"hour": "1", "minute": "5"})
    assert _shown(next_time(schedule, _ms("2026-11-22T01:04:59.999Z"))) == "2026-11-22T01:05:00+00:00"
    assert _shown(next_time(schedule, _ms("2026-11-22T01:05:00Z"))) == "2026-11-23T01:05:00+00:00"


@pytest.mark.parametrize(
    ("said", "after", "then"),
    [
        ({"minute": "5"}, "2026-11-22T23:05:00Z", "2026-11-23T00:05:00+00:00"),
        ({"second": "0,30"}, "2026-11-22T23:59:30Z", "2026-11-23T00:00:00+00:00"),
        ({"second": "[10-12]"}, "2026-11-22T10:00:11.500Z", "2026-11-22T10:00:12+00:00"),
        ({"dayOfWeek": "1"}, "2026-11-22T12:00:00Z", "2026-11-23T00:00:00+00:00"),
        ({"dayOfWeek": "7", "hour": "6"}, "2026-11-22T06:00:00Z", "2026-11-29T06:00:00+00:00"),
        ({"dayOfMonth": "31"}, "2026-11-22T00:00:00Z", "2026-12-31T00:00:00+00:00"),
        ({"month": "2", "dayOfMonth": "29"}, "2026-11-22T00:00:00Z", "2028-02-29T00:00:00+00:00"),
        ({"month": "2", "dayOfMonth": "29", "dayOfWeek": "1"}, "2076-03-01T00:00:00Z", "2116-02-29T00:00:00+00:00"),
        ({"hour": "23", "minute": "59", "second": "59"}, "2026-12-31T23:59:59Z", "2027-01-01T23:59:59+00:00"),
    ],
)
def test_the_next_moment_lies_over_the_border(said: dict[str, str], after: str, then: str) -> None:
    found = next_time(parse_schedule(said), _ms(after))
    if said.get("dayOfWeek") == "1" and "month" in said:
        at = datetime.fromtimestamp((found or 0) / 1000, UTC)
        assert (at.month, at.day, at.isoweekday()) == (2, 29, 1)
        return
    assert _shown(found) == then


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"hour": "24"},
        {"minute": "60"},
        {"second": "-1"},
        {"dayOfWeek": "0"},
        {"dayOfWeek": "8"},
        {"dayOfMonth": "0"},
        {"month": "13"},
        {"hour": ""},
        {"hour": "1,"},
        {"hour": "1-5"},
        {"hour": "[5-1]"},
        {"hour": "*/2"},
        {"hour": " 1"},
        {"hour": "１"},
        {"year": "2026"},
        {"month": "2", "dayOfMonth": "30"},
        {"month": "4,6,9,11", "dayOfMonth": "31"},
    ],
)
def test_what_is_no_schedule_is_refused_with_its_field(said: dict[str, str]) -> None:
    with pytest.raises(ScheduleFault) as refused:
        parse_schedule(said)
    assert "schedule." in refused.value.en
    assert "schedule." in refused.value.zh


@st.composite
def _schedules(draw: st.DrawFn) -> dict[str, str]:
    names = draw(st.sets(st.sampled_from(FIELDS[:3]), min_size=1))
    said = {}
    for name in sorted(names):
        low, high = _RANGES[name]
        first = draw(st.integers(low, high))
        last = draw(st.integers(first, high))
        one = draw(st.integers(low, high))
        said[name] = draw(st.sampled_from((str(one), f"[{first}-{last}]", f"{one},[{first}-{last}]")))
    return said


def _numbers(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip("[]").partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def _matches(said: dict[str, str], at: datetime) -> bool:
    finest = min(FIELDS.index(name) for name in said)
    for number, (name, value) in enumerate(zip(FIELDS[:3], (at.second, at.minute, at.hour), strict=True)):
        if name in said and value not in _numbers(said[name]):
            return False
        if name not in said and number < finest and value != 0:
            return False
    return True


@given(_schedules(), st.datetimes(datetime(2024, 2, 27), datetime(2024, 3, 2), timezones=st.just(UTC)))  # noqa: DTZ001
def test_no_moment_between_now_and_the_next_one_matches(said: dict[str, str], now: datetime) -> None:
    found = next_time(parse_schedule(said), int(now.timestamp() * 1000))
    assert found is not None
    then = datetime.fromtimestamp(found / 1000, UTC)
    assert then > now - timedelta(seconds=1)
    assert _matches(said, then)
    step = (now + timedelta(seconds=1)).replace(microsecond=0)
    for seconds in range(min(int((then - step).total_seconds()), 4000)):
        assert not _matches(said, step + timedelta(seconds=seconds))
