"""Instants as a user writes them, and the whole seconds that tokens and trust lists count in."""

import argparse
import re
from datetime import UTC, datetime, timedelta, timezone

from cylinder_codes.trust import parse_instant

DAY_MS = 86_400_000
_BEIJING = timezone(timedelta(hours=8))
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

HELP = "a date (its beginning in Beijing, 北京时间零点) or an instant such as 2026-08-01T06:00:00Z"


def instant(text: str) -> int:
    """Read a date or an instant as UTC ms, for argparse."""
    try:
        if _DATE.fullmatch(text):
            beginning = datetime.fromisoformat(text).replace(tzinfo=_BEIJING)
            return parse_instant(beginning.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        return parse_instant(text)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a date such as 2026-08-01 or 2026-08-01T06:00:00Z"
        ) from error


def beijing_month(at: int) -> str:
    """The month ``YYYY-MM`` in which ``at`` (UTC ms) lies in Beijing."""
    return datetime.fromtimestamp(at / 1000, _BEIJING).strftime("%Y-%m")


def whole_second(at: int) -> int:
    """The second in which ``at`` (UTC ms) lies."""
    return at - at % 1000
