"""From when on something is worth a look (线索阈值): part of the rulebook, because places and years differ."""

from typing import Annotated

from pydantic import Field

from cylinder_trace.values import Frozen

Many = Annotated[int, Field(ge=1, le=100_000)]
Hour = Annotated[int, Field(ge=0, le=24)]


class DetectionRules(Frozen):
    """Thresholds of detection; each default is our own proposal, to be set from what a district sees."""

    fills_window_hours: Annotated[int, Field(ge=1, le=168)] = 24
    fills_in_window: Many = 3
    """So many fills of one cylinder within the window."""
    back_and_forth_days: Annotated[int, Field(ge=1, le=365)] = 30
    """Given away and had back within this time."""
    looked_back_days: Annotated[int, Field(ge=1, le=730)] = 180
    """How far back fills are listed when something about the cylinder becomes known."""
    inspections_a_day: Many = 2_000
    """Twice what a line does: six stations do 100,000 to 300,000 a year each, about 1,000 a day at most."""
    same_readings: Many = 20
    no_rejects: Many = 500
    balance_permille: Annotated[int, Field(ge=0, le=1_000)] = 10
    """More filled than received, beyond this share."""
    night_from_hour: Hour = 0
    night_to_hour: Hour = 5
    night_fills: Many = 20
