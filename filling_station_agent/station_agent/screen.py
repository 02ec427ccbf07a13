"""The screen (工位屏): per lane one verdict in word, shape and colour, one sentence, one next step. Chinese first.

Colour never stands alone: ✔ and 可充 say the same as green, ✘ and 禁充 the same as red.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from rich.align import Align
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from station_agent import words
from station_agent.lane import Lane, LaneState
from station_agent.replica import Known
from station_agent.sync import LinkState

_PER_SECOND = 5
_REMEMBERED = 10
_LANE_WIDTH = 46

_VERDICTS: dict[LaneState, tuple[str, str, str]] = {
    LaneState.IDLE: ("○", "请扫码  SCAN", "bold"),
    LaneState.SCANNED: ("…", "核对中  CHECKING", "bold"),
    LaneState.DECIDING: ("…", "核对中  CHECKING", "bold"),
    LaneState.PERMITTED: ("✔", "可充  FILL", "bold white on green"),
    LaneState.FILLING: ("✔", "充装中  FILLING", "bold white on green"),
    LaneState.DONE: ("✔", "已充  FILLED", "bold white on green"),
    LaneState.REFUSED: ("✘", "禁充  DO NOT FILL", "bold white on red"),
    LaneState.FAULT: ("!", "停  STOPPED", "bold black on yellow"),
}


class Screen:
    """Draws the lanes of a station until it is cancelled."""

    def __init__(self, console: Console, now: Callable[[], int]) -> None:
        self._console = console
        self._now = now
        self._last: deque[tuple[str, str]] = deque(maxlen=_REMEMBERED)
        self._notice: words.Said | None = None

    def tell(self, event: str, lane: Lane | None, fields: dict[str, Any]) -> None:
        """Take notice of what the lanes' own state does not show."""
        number = str(lane.number) if lane else "-"
        if event in ("filled", "refused"):
            self._last.appendleft((number, "✔" if event == "filled" else "✘"))
        if event in ("scanned", "signed_on"):
            self._notice = None
        if event in ("busy", "dropped") and "zh" in fields:
            self._notice = (f"{number} 号: {fields['zh']}", f"Lane {number}: {fields['en']}")

    async def show(
        self, lanes: Iterable[Lane], link: LinkState, known: Callable[[], Known | None], clock_known: Callable[[], bool]
    ) -> None:
        """Draw, a few times a second."""
        with Live(console=self._console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(self.drawn(lanes, link, known(), clock_known()), refresh=True)
                await asyncio.sleep(1 / _PER_SECOND)

    def drawn(self, lanes: Iterable[Lane], link: LinkState, known: Known | None, clock_known: bool) -> RenderableType:
        """The whole screen as it is now."""
        panels = Columns([_lane_panel(lane) for lane in lanes], equal=True)
        notice = Text(" · ".join(self._notice) if self._notice else "", style="bold yellow")
        return Group(self._header(link, known, clock_known), panels, notice, self._last_ten())

    def _header(self, link: LinkState, known: Known | None, clock_known: bool) -> RenderableType:
        line = Text()
        if link.online:
            line.append("● 在线 online", "green")
        else:
            line.append("○ 离线 offline", "bold yellow")
        line.append(f"   数据 data: {age(known, self._now())}", "" if known else "bold red")
        line.append(f"   待传 to send: {link.unsent}")
        if link.disputed:
            line.append(f"   争议 disputed: {link.disputed}", "bold yellow")
        if not clock_known:
            line.append("   时钟未核对 clock not checked", "bold red")
        return line

    def _last_ten(self) -> RenderableType:
        line = Text("最近 last: ")
        for number, shape in self._last:
            line.append(f" {number}{shape} ", "white on green" if shape == "✔" else "white on red")
            line.append(" ")
        return line


def age(known: Known | None, now: int) -> str:
    """How old the station's data is, for people."""
    if known is None:
        return "没有 none"
    minutes = max(0, now - known.as_of) // 60_000
    if minutes < 1:
        return "刚刚 now"
    return f"{minutes} 分钟前 min old" if minutes < 120 else f"{minutes // 60} 小时前 h old"


def _lane_panel(lane: Lane) -> RenderableType:
    shape, word, style = _VERDICTS[lane.state]
    verdict = Align.center(Text(f" {shape}  {word}  {shape} ", style=style))
    filler = lane.worker_id or "未上岗 nobody signed on"
    parts = [verdict, Text(""), *_noted(lane), *_sentences(lane), *_steel(lane), *_weight(lane)]
    title = f"{lane.number} 号工位 lane {lane.number}"
    return Panel(Group(*parts), title=title, subtitle=filler, width=_LANE_WIDTH)


def _noted(lane: Lane) -> list[RenderableType]:
    """What was shown by cards about the cylinder that is scanned next."""
    return [Text(f"✘ {zh} {en}", style="bold yellow") for zh, en in (words.FINDINGS[one] for one in lane.findings)]


def _sentences(lane: Lane) -> list[RenderableType]:
    view = lane.view
    if lane.state in (LaneState.FAULT, LaneState.DONE) and view.message:
        return [Text(view.message[0], style="bold"), Text(view.message[1], style="dim")]
    if view.decision is None:
        return []
    told = words.all_told(view.decision)
    if not told:
        return []
    first, more = told[0], len(told) - 1
    lines = [
        Text(first.zh, style="bold"),
        Text(first.en, style="dim"),
        Text(f"→ {first.next_zh}", style="bold"),
        Text(f"→ {first.next_en}", style="dim"),
    ]
    if more:
        lines.append(Text(f"另有 {more} 项: {' '.join(item.code for item in told[1:])}", style="dim"))
    return [*lines]


def _steel(lane: Lane) -> list[RenderableType]:
    """What the eye compares with the steel."""
    cylinder = lane.view.cylinder
    if cylinder is None:
        return [Text(lane.view.code)] if lane.view.code else []
    stamp, inspection = cylinder.stamp, cylinder.inspection
    table = Table.grid(padding=(0, 1))
    table.add_row("编号 serial", stamp.serial)
    table.add_row("制造 maker", stamp.maker)
    table.add_row("型号 model", stamp.model)
    table.add_row("皮重 tare", f"{kilograms(stamp.tare_g)} kg")
    if inspection and inspection.next_due_month:
        table.add_row("下检 due", inspection.next_due_month)
    return [table]


def _weight(lane: Lane) -> list[RenderableType]:
    view = lane.view
    if view.gross_g is None:
        return []
    line = Text(f"{kilograms(view.gross_g)} kg", style="bold")
    if view.net_g is not None:
        line.append(f"   净重 net {kilograms(view.net_g)} kg")
    if view.stop_at_gross_g is None or view.empty_gross_g is None:
        return [line]
    line.append(f" / {kilograms(view.stop_at_gross_g)} kg")
    total = max(1, view.stop_at_gross_g - view.empty_gross_g)
    done = min(total, max(0, view.gross_g - view.empty_gross_g))
    return [line, ProgressBar(total=total, completed=done, width=_LANE_WIDTH - 4)]


def kilograms(grams: int) -> str:
    """A mass in kilograms with two decimals, exactly."""
    sign = "-" if grams < 0 else ""
    return f"{sign}{abs(grams) // 1000}.{abs(grams) % 1000 // 10:02d}"
