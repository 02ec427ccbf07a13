"""Two runs held against each other (两次对比): the ratios of a row should be the same on any day of one machine."""

from collections.abc import Mapping
from typing import Any, NamedTuple

AGREE_WITHIN = 1.25
"""So many times as much, or as little, is still the same."""


class Difference(NamedTuple):
    """A row whose median ratio is another than it was."""

    name: str
    before: float
    now: float


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """The rows of both runs that do not agree; a slowest hundredth, and the usual way's speed, vary by themselves."""
    known = {row["name"]: row["ratio"] for row in before["rows"]}
    steady = (row for row in now["rows"] if row["kind"] != "usual" and not row["name"].endswith("_p99"))
    found = (Difference(row["name"], known[row["name"]], row["ratio"]) for row in steady if row["name"] in known)
    return [row for row in found if max(row.now / row.before, row.before / row.now) > AGREE_WITHIN]
