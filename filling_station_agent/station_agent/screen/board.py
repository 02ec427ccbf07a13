"""The board (看板): everything that the screen shows at one moment, as plain values. `Memory.photograph` takes it.

A board of the same values draws the same screen, so what did not change need not be drawn again.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import format_minute, format_month
from cylinder_trace.decision import Decision
from cylinder_trace.reasons import REASONS, next_step
from cylinder_trace.rulebook import Rulebook
from cylinder_trace.rules.deadlines import due_month
from station_agent import words
from station_agent.lane import HandOver, Lane, LaneKind, LaneState, Shift
from station_agent.link import Link, LinkSaid, LinkState
from station_agent.replica import Known
from station_agent.screen.verdicts import Verdict, verdict_of
from station_agent.ticket import Ticket
from station_agent.words import Said

_LAST_TEN = 10
_ALARMS_KEPT = 20
_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_STEPS = frozenset(
    {"scanned", "decided", "filling", "filled", "refused", "fault", "reweighed", "postfill_checked", "not_checked"}
)
_SAID_BY_THE_STATE = frozenset(
    {"refused", "fault", "finding", "alarm", "not_checked", "numbers_missing", "postfill_checked", "scanned", "link"}
)
"""Events with a sentence that the lane shows anyway, or that is shown in a place of its own."""
_ENDS = frozenset({"filled", "refused", "fault", "postfill_checked", "not_checked", "numbers_missing"})
"""Nothing is under way at the lane any more."""
_STOPS_ALL = (Link.JOURNAL_CLOSED, Link.CUT_OFF, Link.DISK)

ClockStanding = Literal["checked", "unknown", "off"]


class Steel(NamedTuple):
    """What the eye compares with the steel (钢印)."""

    serial: str
    maker: str
    model: str
    tare_g: int
    due: str | None


class Tile(NamedTuple):
    """One of the last ten cylinders."""

    lane: int
    filled: bool
    text: str
    """Its net weight, or the code of the refusal."""


class Counts(NamedTuple):
    """What was done at a lane in this shift (本班)."""

    fills: int
    net_g: int
    refusals: int
    faults: int
    checks: int
    to_drain: int
    alarms: int


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """One lane as it is drawn."""

    number: int
    verdict: Verdict
    code: str | None = None
    steel: Steel | None = None
    says: Said | None = None
    next_step: Said | None = None
    more: tuple[words.Told, ...] = ()
    """Further reasons and warnings behind the first."""
    noted: tuple[Said, ...] = ()
    """What was found on the cylinder that is scanned next."""
    notice: Said | None = None
    worker_id: str | None = None
    checker_id: str | None = None
    gross_g: int | None = None
    empty_gross_g: int | None = None
    net_g: int | None = None
    stop_at_gross_g: int | None = None
    cap_gross_g: int | None = None
    """What the full cylinder may weigh at most: stamped tare and legal maximum."""
    ticket: Ticket | None = None
    """The rack ticket of the last cylinder, if it has one."""
    asks_pin: bool = False
    """Whether somebody is to type a PIN: then what is typed is not shown."""
    first_code: str | None = None
    """The code of the first reason, for the rack ticket and the tiles."""
    kind: LaneKind = "fill"
    counts: Counts | None = None
    """Of the shift; None while nobody is signed on."""


@dataclass(frozen=True, slots=True)
class Board:
    """The whole station as it is drawn."""

    station_id: str
    time: str
    lanes: tuple[LaneFacts, ...]
    active: int
    """The lane at which something happened last."""
    online: bool = True
    link: LinkSaid | None = None
    """How the link stands, where there is something to say about it."""
    stopped: bool = False
    """Whether that alone stops all filling."""
    unsent: int = 0
    disputed: int = 0
    data_minutes: int | None = None
    """Age of the data; None if there is none."""
    data_limit_hours: int | None = None
    clock: ClockStanding = "checked"
    unchecked_minutes: int | None = None
    """How long a clock that nobody has checked since the machine's restart is believed yet; None where it is not."""
    last: tuple[Tile, ...] = ()
    notice: Said | None = None
    alarms: tuple[Said, ...] = ()
    """The newest first."""
    leaving: bool = False
    """Whether somebody has asked the agent to stop."""
    handovers: tuple[HandOver, ...] = ()
    """The last hand-over of each lane that had one."""

    @property
    def window_over(self) -> bool:
        """Whether the station may decide nothing any more: no data, or older than the rulebook allows."""
        if self.data_minutes is None or self.data_limit_hours is None:
            return True
        return self.data_minutes > self.data_limit_hours * 60

    def lane(self, number: int) -> LaneFacts:
        """The lane of this number."""
        return next(lane for lane in self.lanes if lane.number == number)


@dataclass
class Memory:
    """What the lanes' own state does not hold: the last ten, the counts of the shift, notices, alarms."""

    station_id: str
    active: int | None = None
    _last: deque[Tile] = field(default_factory=lambda: deque(maxlen=_LAST_TEN))
    _alarms: deque[Said] = field(default_factory=lambda: deque(maxlen=_ALARMS_KEPT))
    _notices: dict[int | None, Said] = field(default_factory=dict)

    def tell(self, event: str, lane: Lane | None, fields: dict[str, Any]) -> None:
        """Take notice of what happens."""
        number = lane.number if lane else None
        if event in _STEPS and number is not None:
            self.active = number
        if event == "scanned" or event == "signed_on":
            self._notices.pop(number, None)
            self._notices.pop(None, None)
        if event in _ENDS and self._notices.get(number) == words.BUSY:
            del self._notices[number]
        if event not in _SAID_BY_THE_STATE and "zh" in fields:
            self._notice(number, event, (fields["zh"], fields["en"]))
        if event == "alarm" and "zh" in fields:
            self._alarms.appendleft((fields["zh"], fields["en"]))
        if event in ("filled", "refused") and number is not None:
            codes = fields.get("reasons") or ("",)
            text = kilograms(fields["net_g"]) if event == "filled" else codes[0]
            self._last.appendleft(Tile(number, event == "filled", text))

    def _notice(self, number: int | None, event: str, said: Said) -> None:
        """Who signed on is seen anyway; that no certificate is known is not."""
        if event != "signed_on" or said == words.NOT_CERTIFIED:
            self._notices[number] = said

    def photograph(
        self,
        lanes: Iterable[Lane],
        link: LinkState,
        known: Known | None,
        skew_ms: int | None,
        now: int,
        unchecked_ms: int | None = None,
    ) -> Board:
        """The station at the moment `now`; `skew_ms` is the clock's error, None where nobody can tell.

        `unchecked_ms`: how far it stands, after a restart, beyond the last moment at which somebody could.
        """
        lanes = tuple(lanes)
        book = known.book_at(now) if known else None
        slack_ms = book.station.clock_skew_max_seconds * 1000 if book else 0
        clock: ClockStanding = (
            "unknown" if skew_ms is None else "off" if book and abs(skew_ms) > slack_ms else "checked"
        )
        return Board(
            station_id=self.station_id,
            time=format_minute(now)[-5:],
            lanes=tuple(self._lane(lane, known, now) for lane in lanes),
            active=self.active if self.active is not None else lanes[0].number,
            online=link.online,
            link=None if link.link in (Link.ONLINE, Link.STARTING) else link.said,
            stopped=link.link in _STOPS_ALL,
            unsent=link.unsent,
            disputed=link.disputed,
            data_minutes=max(0, now - known.as_of) // _MINUTE_MS if known else None,
            data_limit_hours=book.station.data_max_age_hours if book else None,
            clock=clock,
            unchecked_minutes=_unchecked_left(book, unchecked_ms) if clock == "unknown" else None,
            last=tuple(self._last),
            notice=self._notices.get(None),
            alarms=tuple(self._alarms),
            handovers=tuple(lane.handover for lane in lanes if lane.handover),
        )

    def _lane(self, lane: Lane, known: Known | None, now: int) -> LaneFacts:
        view = lane.view
        locked = lane.is_ready and known is not None and known.is_locked(lane.scale_id, lane.number, now)
        told = words.all_told(view.decision) if view.decision and lane.state is not LaneState.IDLE else []
        book = known.book_at(now) if known else None
        says, step = _sentence(lane, told, locked)
        number = lane.number
        return LaneFacts(
            number=number,
            verdict=verdict_of(lane, locked=locked),
            code=view.code,
            steel=_steel(view.cylinder, book) if view.cylinder else None,
            says=says,
            next_step=step,
            more=tuple(told[1:]),
            noted=tuple(words.FINDINGS[one] for one in dict.fromkeys(lane.findings)),
            notice=None if lane.asks_pin_of else self._notices.get(number),
            worker_id=lane.worker_id,
            checker_id=lane.checker_id,
            ticket=view.ticket,
            asks_pin=lane.asks_pin_of is not None,
            gross_g=view.gross_g,
            empty_gross_g=view.empty_gross_g,
            net_g=view.net_g,
            stop_at_gross_g=view.stop_at_gross_g,
            cap_gross_g=_cap(view.cylinder, view.decision),
            first_code=told[0].code if told else None,
            kind=lane.kind,
            counts=_counts(lane.shift) if lane.shift else None,
        )


def _counts(shift: Shift) -> Counts:
    return Counts(shift.fills, shift.net_g, shift.refusals, shift.faults, shift.checks, shift.to_drain, shift.alarms)


def _unchecked_left(book: Rulebook | None, unchecked_ms: int | None) -> int | None:
    hours = book.station.clock_unchecked_hours if book else 0
    if unchecked_ms is None or not 0 <= unchecked_ms < hours * 60 * _MINUTE_MS:
        return None
    return hours * 60 - unchecked_ms // _MINUTE_MS


def _steel(cylinder: CylinderState, book: Rulebook | None) -> Steel:
    """The facts; where no inspection says the next one's month, it is reckoned from the month of making."""
    stamp, inspection = cylinder.stamp, cylinder.inspection
    due = inspection.next_due_month if inspection else None
    if due is None and book is not None and (month := due_month(cylinder, book)) is not None:
        due = format_month(month)
    return Steel(stamp.serial, stamp.maker, stamp.model, stamp.tare_g, due)


def _cap(cylinder: CylinderState | None, decision: Decision | None) -> int | None:
    if cylinder is None or decision is None or decision.max_net_g is None:
        return None
    return cylinder.stamp.tare_g + decision.max_net_g


# fmt: off
_BADGE: Said = ("请先刷上岗卡。", "Scan your badge first.")
_PIN: Said = ("输入口令,按 Enter。", "Type the PIN, then Enter.")
_SCAN: Said = ("扫气瓶上的二维码。", "Scan the code on the cylinder.")
_SCAN_FULL: Said = ("扫下一只重瓶的二维码。", "Scan the code on the next full cylinder.")
_ASKING: Said = ("正在核对档案和秤。", "The file and the scale are being asked.")
_MAY_FILL: Said = ("接好枪,充到目标自动关阀。", "Connect the gun; the valve shuts by itself at the target.")
_FILLING: Said = ("充到目标自动关阀,请勿移动气瓶。", "The valve shuts at the target; do not move the cylinder.")
_FILLED: Said = ("取下气瓶,复秤、检漏,再扫下一只。",
                 "Take it off, weigh it again, test for leaks, then scan the next one.")
_CALL: Said = words.CALL_MANAGER
# fmt: on
_STEP: dict[LaneState, Said] = {
    LaneState.IDLE: _SCAN,
    LaneState.SCANNED: _ASKING,
    LaneState.DECIDING: _ASKING,
    LaneState.PERMITTED: _MAY_FILL,
    LaneState.FILLING: _FILLING,
    LaneState.DONE: _FILLED,
    LaneState.REFUSED: _CALL,
}


def _sentence(lane: Lane, told: list[words.Told], locked: bool) -> tuple[Said | None, Said | None]:
    """What is said at a lane, and the next step."""
    state, message = lane.state, lane.view.message
    if locked and state is not LaneState.REFUSED:
        return _reason("R63")
    if lane.asks_pin_of is not None:
        return None, _PIN
    if message and state in (LaneState.FAULT, LaneState.DONE, LaneState.REFUSED):
        return message, _FILLED if state is LaneState.DONE else None
    if state is LaneState.CHECKED:
        return message, _SCAN_FULL
    if told:
        first = told[0]
        refused = state is LaneState.REFUSED
        return (first.zh, first.en), (first.next_zh, first.next_en) if refused else _STEP.get(state)
    if state is LaneState.IDLE and lane.kind == "check":
        return None, _SCAN_FULL if lane.checker_id else _BADGE
    if state is LaneState.IDLE and lane.worker_id is None:
        return None, _BADGE
    return None, _STEP.get(state)


def _reason(code: str) -> tuple[Said, Said]:
    reason = REASONS[code]
    return (reason.zh, reason.en), (next_step(reason, "zh"), next_step(reason, "en"))


def age(known: Known | None, now: int) -> str:
    """How old the station's data is, for people, in both languages."""
    minutes = max(0, now - known.as_of) // _MINUTE_MS if known else None
    return " ".join(age_in(minutes, language) for language in ("zh", "en"))


def age_in(minutes: int | None, language: str) -> str:
    """An age of data in one language."""
    zh = language == "zh"
    if minutes is None:
        return "没有" if zh else "none"
    if minutes < 1:
        return "刚刚" if zh else "now"
    if minutes < 120:
        return f"{minutes} 分钟前" if zh else f"{minutes} min old"
    return f"{minutes // 60} 小时前" if zh else f"{minutes // 60} h old"


def kilograms(grams: int) -> str:
    """A mass in kilograms with two decimals, exactly."""
    sign = "-" if grams < 0 else ""
    return f"{sign}{abs(grams) // 1000}.{abs(grams) % 1000 // 10:02d}"
