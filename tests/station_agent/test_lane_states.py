"""A lane's states: whatever happens, gas is only reached by way of a permit, and a busy lane takes no scan."""

import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from station_agent.lane import Lane, LaneError, LaneState
from stations.bench import BenchScale


class LaneMachine(RuleBasedStateMachine):
    """Random steps and scans."""

    def __init__(self) -> None:
        super().__init__()
        self.lane = Lane(1, "scale-1", BenchScale())
        self.before = self.lane.state
        self.waiting = 0

    @rule(to=st.sampled_from(LaneState))
    def step(self, to: LaneState) -> None:
        before = self.lane.state
        try:
            self.lane.move(to)
        except LaneError:
            assert self.lane.state is before
        else:
            self.before = before

    @rule()
    def scan(self) -> None:
        ready, before = self.lane.is_ready, self.lane.state
        assert self.lane.offer("scan") == ready
        if ready:
            self.before = before
        self.waiting += ready

    @precondition(lambda self: self.waiting)
    @rule()
    def take(self) -> None:
        assert asyncio.run(asyncio.wait_for(self.lane.next_scan(), 1)) == "scan"
        self.waiting -= 1

    @invariant()
    def gas_needs_a_permit(self) -> None:
        if self.lane.state is LaneState.FILLING:
            assert self.before is LaneState.PERMITTED
        if self.lane.state is LaneState.PERMITTED:
            assert self.before is LaneState.DECIDING


TestLane = LaneMachine.TestCase


def test_findings_belong_to_one_cylinder() -> None:
    lane = Lane(1, "scale-1", BenchScale())
    lane.findings += ["body_damaged", "body_damaged", "valve_damaged"]
    assert lane.take_findings() == ("body_damaged", "valve_damaged")
    assert lane.take_findings() == ()


def test_an_idle_lane_cannot_begin_to_fill() -> None:
    with pytest.raises(LaneError):
        Lane(1, "scale-1", BenchScale()).move(LaneState.FILLING)
