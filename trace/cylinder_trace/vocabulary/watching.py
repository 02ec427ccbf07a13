"""What a station sees at its lanes, and who stands there: alarms and shifts (报警、交接班)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cylinder_trace.values import Count, Frozen, Id, Instant, Text

Amount = Annotated[int, Field(ge=-(2**53 - 1), le=2**53 - 1)]
"""A measured or counted number; its unit is in its name: ``gain_g``, ``curves``."""


class AlarmFact(Frozen):
    """One piece of evidence: a number or an id, never words about a person."""

    name: Id
    value: Amount | Id


class AlarmRaised(Frozen):
    """A lane's scale and its records do not fit together (报警): something to look at, never a finding of guilt.

    Told once per episode, with the numbers that it was seen from.
    """

    type: ClassVar[str] = "alarm_raised"
    station_id: Id
    kind: Id
    """A station of a newer version may know kinds that the ledger does not: they are kept all the same."""
    lane: Count | None = None
    scale_id: Id | None = None
    worker_id: Id | None = None
    """Who was signed on as filler then."""
    check_id: Id | None = None
    """The scan that it is about, if it is about one."""
    cylinder_id: Id | None = None
    from_at: Instant
    to_at: Instant
    facts: Annotated[tuple[AlarmFact, ...], Field(max_length=24)] = ()
    zh: Text
    """The sentence that the screen showed."""
    en: Text


class ShiftChanged(Frozen):
    """Who fills and who checks at a lane from now on, and how it was handed over (交接班).

    The counts are of the shift that ends here; absent where none ends.
    """

    type: ClassVar[str] = "shift_changed"
    station_id: Id
    lane: Count
    change: Literal["signed_on", "handed_over", "signed_off", "left_alone"]
    """上岗、交接、下岗、离岗自动签退."""
    worker_id: Id | None = None
    """The filler (充装人) from now on; absent: none."""
    checker_id: Id | None = None
    """The checker (检查人) from now on; absent: none."""
    left_worker_id: Id | None = None
    """The filler until now."""
    left_checker_id: Id | None = None
    since: Instant | None = None
    """When the shift that ends here began."""
    fills: Count | None = None
    net_g: Count | None = None
    """Gas filled in the shift, as the sum of the fills' gains on the scale."""
    refusals: Count | None = None
    unsent: Count | None = None
    """Records that the service had not answered for."""
    open_fills: Count | None = None
    alarms: Count | None = None
    lot_id: Id | None = None
    """The gas lot behind the lane (气质批次)."""
    stock_g: Count | None = None
    """What the tank of that lot held, as somebody read and stated it (罐存)."""
