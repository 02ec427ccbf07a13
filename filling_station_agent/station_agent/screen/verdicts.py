"""Verdicts (判定): for each state of a lane one word, one shape, one tone and one sound. Colour never stands alone."""

from typing import NamedTuple

from station_agent.lane import Lane, LaneState
from station_agent.lists import not_in_order


class Verdict(NamedTuple):
    """What is seen from three metres."""

    zh: str
    en: str
    shape: str
    """Its name in the file of large letters."""
    sign: str
    """The same shape as one character."""
    tone: str
    """Name of its style: good, done, bad, halt, busy or calm."""
    says_en: str
    """The English word where there is room for more of it."""

    def said(self, language: str) -> str:
        """The word as it stands in a line of text."""
        return f"{self.zh} {self.says_en}" if language == "zh" else f"{self.says_en} {self.zh}"


SCAN = Verdict("请扫码", "SCAN", "ring", "○", "calm", "SCAN")
CHECKING = Verdict("核对中", "CHECK", "dots", "…", "busy", "CHECKING")
MAY_FILL = Verdict("可充", "FILL", "tick", "✔", "good", "FILL")
FILLING = Verdict("充装中", "FILLING", "play", "▶", "good", "FILLING")
FILLED = Verdict("已充", "FILLED", "ticks", "✔", "done", "FILLED")
REFUSED = Verdict("禁充", "NO FILL", "cross", "✘", "bad", "DO NOT FILL")
STOPPED = Verdict("停", "STOP", "stop", "■", "halt", "STOPPED")
PASSED = Verdict("合格", "PASS", "ticks", "✔", "good", "PASSED")
DRAIN = Verdict("超装", "DRAIN", "drain", "▼", "bad", "TOO FULL, DRAW OFF")
NOT_TO_LEAVE = Verdict("禁出", "HOLD", "cross", "✘", "bad", "NOT TO LEAVE")
NOT_CHECKED = Verdict("未检", "NOT YET", "stop", "■", "halt", "NOT CHECKED YET")
LOCKED = Verdict("锁停", "LOCKED", "lock", "■", "halt", "LOCKED")

VERDICTS: dict[LaneState, Verdict] = {
    LaneState.IDLE: SCAN,
    LaneState.SCANNED: CHECKING,
    LaneState.DECIDING: CHECKING,
    LaneState.PERMITTED: MAY_FILL,
    LaneState.FILLING: FILLING,
    LaneState.DONE: FILLED,
    LaneState.CHECKED: PASSED,
    LaneState.REFUSED: REFUSED,
    LaneState.FAULT: STOPPED,
}
ALL = (SCAN, CHECKING, MAY_FILL, FILLING, FILLED, PASSED, DRAIN, NOT_TO_LEAVE, NOT_CHECKED, REFUSED, STOPPED, LOCKED)


def verdict_of(lane: Lane, *, locked: bool) -> Verdict:
    """The lane's verdict; a lock counts where nothing is under way."""
    if lane.state is LaneState.REFUSED:
        return _refused(lane)
    return LOCKED if locked and lane.is_ready else VERDICTS[lane.state]


def _refused(lane: Lane) -> Verdict:
    """A refused scan: of an empty cylinder there is a decision, of a full one at most a second weight and a list."""
    view = lane.view
    if view.decision is not None:
        return REFUSED
    if view.reweigh is not None and not view.reweigh.within_limit:
        return DRAIN
    return NOT_TO_LEAVE if not_in_order(view.list_items) else NOT_CHECKED
