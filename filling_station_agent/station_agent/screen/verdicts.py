"""Verdicts (判定): for each state of a lane one word, one shape, one tone and one sound. Colour never stands alone."""

from typing import NamedTuple

from station_agent.lane import LaneState


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
ALL = (SCAN, CHECKING, MAY_FILL, FILLING, FILLED, PASSED, REFUSED, STOPPED, LOCKED)
