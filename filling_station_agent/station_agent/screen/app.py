"""The screen on a terminal: draws the board when it changed, gives keys to scanners or pages, rings the bell.

One widget covers the terminal; only the rows that differ from what is shown are written.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rich.segment import Segment
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from station_agent.clock import TrustedClock
from station_agent.devices.scanner import ScannerEvent
from station_agent.lane import Lane
from station_agent.replica import Known
from station_agent.screen.blocks import Block, Row
from station_agent.screen.board import Board, Memory
from station_agent.screen.desk import Desk, closed, press
from station_agent.screen.keys import KeySorter
from station_agent.screen.pages import draw
from station_agent.screen.sounds import SOUNDS, Tone, has_tones, play
from station_agent.screen.themes import DAY, NIGHT, NO_COLOURS, Theme
from station_agent.sync import LinkState

_EVERY_S = 0.1
_PAGE_OPEN_S = 120.0
_ECHO_AFTER_MS = 60
_ECHO_MOST = 28
_BELL_GAP_S = 0.25
_MOST_BEHIND = 8


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the screen reads, and where it brings what people state."""

    lanes: Iterable[Lane]
    link: LinkState
    known: Callable[[], Known | None]
    clock: TrustedClock
    take: Callable[[ScannerEvent], Awaitable[None]]
    sorter: KeySorter


class Sheet(Widget):
    """The one widget: rows of a block."""

    DEFAULT_CSS = "Sheet { width: 100%; height: 100%; }"

    def __init__(self) -> None:
        super().__init__()
        self._block: Block = ()
        self._theme = NIGHT

    def show(self, block: Block, theme: Theme, *, whole: bool) -> None:
        """Take new rows; what stays the same is not written again, unless the `whole` is wanted."""
        before, anew = self._block, theme is not self._theme or len(block) != len(self._block)
        self._block, self._theme = block, theme
        if whole or anew:
            self.refresh()
            return
        width = self.size.width
        changed = [Region(0, y, width, 1) for y, row in enumerate(block) if row != before[y]]
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        """One row in the colours of the theme."""
        row: Row = self._block[y] if y < len(self._block) else ()
        theme = self._theme
        return Strip([Segment(text, theme[name]) for text, name in row]).adjust_cell_length(self.size.width, theme[""])


class StationApp(App[None]):
    """The screen while it is on a terminal. Ctrl+C ends the agent, and the screen with it."""

    CSS = "Screen { layout: vertical; overflow: hidden; }"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = []

    def __init__(self, sources: Sources, memory: Memory) -> None:
        # who asks for no colours gets none: without its own colours the framework drops them, else it makes them greys
        super().__init__(ansi_color="NO_COLOR" in os.environ)
        self._sources = sources
        self._memory = memory
        self._desk = Desk()
        self._echo = ""
        self._leaving = False
        self._last_key_ms = 0
        self._shown: tuple[Any, ...] = ()
        self._written_for: tuple[Size, str] | None = None
        """Size and minute of the last whole sheet: once a minute all is written anew, whatever a line did to it."""
        self._tones: dict[int, str] = {}
        self._sheet = Sheet()

    def compose(self) -> ComposeResult:
        """The sheet, and nothing else."""
        yield self._sheet

    def on_mount(self) -> None:
        """Begin to look."""
        self.call_later(self.look)
        self.set_interval(_EVERY_S, self.look)

    def wake(self) -> None:
        """Something happened: look at once and not at the next turn."""
        if self.is_running:
            self.call_later(self.look)

    def look(self) -> None:
        """Draw what changed. A terminal that is slow, or stopped by a hand, is left alone: the lanes go on."""
        if self._terminal_is_gone():
            self._leave()
        if self._backlog() > _MOST_BEHIND:
            return
        self._forget_page()
        board = self._photograph()
        echo = self._echo_of(board) if _now_ms() - self._last_key_ms > _ECHO_AFTER_MS else ""
        size = self._sheet.size  # not the window's, which is known before the sheet has got it
        now = (board, self._desk, size, echo)
        if now == self._shown or not size:
            return
        self._shown = now
        block = draw(board, self._desk, *size, echo)
        self._sheet.show(block, self._theme(), whole=self._written_for != (size, board.time))
        self._written_for = size, board.time
        self._sound(board)

    def _theme(self) -> Theme:
        if self.no_color:
            return NO_COLOURS
        return DAY if self._desk.theme == "day" else NIGHT

    def _backlog(self) -> int:
        """Writes that the terminal has not taken yet. Beyond thirty the framework would wait for it, and we with it."""
        writer = getattr(self._driver, "_writer_thread", None)
        queue = getattr(writer, "_queue", None)
        return 0 if queue is None else int(queue.qsize())

    def _echo_of(self, board: Board) -> str:
        """What is being typed; a PIN is not shown."""
        return "•" * len(self._echo) if any(lane.asks_pin for lane in board.lanes) else self._echo

    def _photograph(self) -> Board:
        sources, clock = self._sources, self._sources.clock
        skew_ms, unchecked = clock.skew_ms(), clock.unchecked()
        beyond_ms = unchecked.beyond_ms if unchecked else None
        now = clock.likely_now()
        board = self._memory.photograph(sources.lanes, sources.link, sources.known(), skew_ms, now, beyond_ms)
        return replace(board, leaving=True) if self._leaving else board

    def _forget_page(self) -> None:
        """A page that was left open closes; nothing is stated by that."""
        if self._desk.takes_keys and _now_ms() - self._last_key_ms > _PAGE_OPEN_S * 1000:
            self._desk = closed(self._desk)

    # ------------------------------------------------------------ sounds

    def _sound(self, board: Board) -> None:
        """One sound for each verdict that is new; of several at once the most urgent."""
        tones = {lane.number: lane.verdict.tone for lane in board.lanes}
        new = [tone for number, tone in tones.items() if self._tones.get(number, tone) != tone]
        self._tones = tones
        urgent = [tone for tone in ("halt", "bad", "good", "done") if tone in new]
        if urgent and self._desk.sound:
            self._ring(SOUNDS[urgent[0]])

    def _ring(self, tones: tuple[Tone, ...]) -> None:
        if has_tones():
            play(tones)
            return
        for n in range(len(tones)):
            self.set_timer(0.01 + n * _BELL_GAP_S, self._bell)

    def _bell(self) -> None:
        if self._backlog() <= _MOST_BEHIND:
            self.bell()

    # ------------------------------------------------------------ keys

    async def on_event(self, event: events.Event) -> None:
        """Every key is ours: no binding of the framework may be typed by a barcode."""
        if isinstance(event, events.Key):
            event.stop()
            await self._key(event.key, event.character, round(event.time * 1000))
        elif isinstance(event, events.Paste):
            event.stop()
            for char in event.text:
                await self._key(char, char, round(event.time * 1000))
        else:
            await super().on_event(event)

    async def _key(self, name: str, char: str | None, at_ms: int) -> None:
        quiet = at_ms - self._last_key_ms > _ECHO_AFTER_MS
        self._last_key_ms = at_ms
        if name == "ctrl+c" and quiet:
            self._leave()
        elif char is None or name in ("escape", "backspace"):
            await self._command(name)
        elif self._desk.takes_keys:
            scanned, fingers = self._sources.sorter.pressed(char, at_ms)
            await self._give(scanned, fingers)
            self._wait_for_silence()
        else:
            self._remember(char)
            await self._give(self._sources.sorter.scanned(char, at_ms), [])

    def _leave(self) -> None:
        """The agent winds down; the screen stays until it has."""
        if not self._leaving:
            self._leaving = True
            signal.raise_signal(signal.SIGINT)

    def _terminal_is_gone(self) -> bool:
        """Whether the window was closed without a word: the framework would read its end for ever."""
        return not self.is_headless and not (sys.__stdin__ and sys.__stdin__.isatty())

    def _remember(self, char: str) -> None:
        """What is being typed as a code is shown until Enter."""
        self._echo = "" if char in "\r\n" else (self._echo + char)[-_ECHO_MOST:] if char.isprintable() else self._echo

    def _wait_for_silence(self) -> None:
        wait_ms = self._sources.sorter.wait_ms
        if wait_ms is not None:
            self.set_timer(wait_ms / 1000, self._silence)

    async def _silence(self) -> None:
        await self._give([], self._sources.sorter.silence(_now_ms()))

    async def _give(self, scanned: list[ScannerEvent], fingers: list[str]) -> None:
        for event in scanned:
            await self._sources.take(event)
        for finger in fingers:
            await self._command("enter" if finger in "\r\n" else finger)
        if scanned:
            self.look()

    async def _command(self, key: str) -> None:
        self._desk, acts = press(self._desk, key, self._photograph())
        for act in acts:
            await self._sources.take(act)
        self.look()


class Screen:
    """The door of the screen: told of every event before and while it is on the terminal."""

    def __init__(self, station_id: str) -> None:
        self._memory = Memory(station_id)
        self._app: StationApp | None = None

    def tell(self, event: str, lane: Lane | None, fields: dict[str, Any]) -> None:
        """Take notice; the change is on the screen at once."""
        self._memory.tell(event, lane, fields)
        if self._app is not None:
            self._app.wake()

    async def show(self, sources: Sources) -> None:
        """Until somebody leaves, or the task is cancelled; the terminal is as it was then."""
        for stale in ("COLUMNS", "LINES"):  # some shells hand them on; the framework would believe them, not the window
            os.environ.pop(stale, None)
        self._app = StationApp(sources, self._memory)
        await self._app.run_async(mouse=False)
        if self._app.return_code:
            raise RuntimeError("The screen ended by a mistake in the program.")


def cannot_draw(environment: Mapping[str, str]) -> str | None:
    """Why this terminal gets no screen, and what to do; None if it can have one."""
    if environment.get("TERM") not in ("dumb", "unknown"):
        return None
    return (
        f"终端不支持全屏(TERM={environment['TERM']}),请换一个终端,或加 --headless。"
        f" This terminal (TERM={environment['TERM']}) has no full screen: use Windows Terminal or a Linux console,"
        " or add --headless."
    )


def _now_ms() -> int:
    """Now, on the clock by which the terminal's keys are dated."""
    return round(Message().time * 1000)
