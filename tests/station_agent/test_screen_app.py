"""The screen as a program: no barcode presses a button of the framework, and a verdict is drawn when it is told."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from textual import events
from textual.pilot import Pilot

from station_agent import words
from station_agent.devices.scanner import Scan, ScannerEvent, WedgeDecoder
from station_agent.lane import Lane, LaneState
from station_agent.link import Link, LinkState
from station_agent.replica import Known
from station_agent.screen.app import Sources, StationApp
from station_agent.screen.board import Memory
from station_agent.screen.keys import KeySorter
from stations.bench import BenchScale, frozen_clock, station_state
from vectors.admission.cases import base_case

CASE = base_case()
KNOWN = Known(10, CASE.now, (CASE.book,), station_state(CASE))


class Stage:
    """The screen of one lane, without a terminal."""

    def __init__(self) -> None:
        self.lane = Lane(1, "scale-1", BenchScale(), worker_id="worker-1")
        self.taken: list[ScannerEvent] = []
        self.memory = Memory("station-1")
        sources = Sources(
            lanes=[self.lane],
            link=LinkState(online=True, link=Link.ONLINE),
            known=lambda: KNOWN,
            clock=frozen_clock(CASE.now, 0),
            take=self._take,
            sorter=KeySorter(WedgeDecoder(), prefix="~"),
        )
        self.app = StationApp(sources, self.memory)

    async def _take(self, event: ScannerEvent) -> None:
        self.taken.append(event)

    def play(self, scene: Callable[[Pilot[Any]], Awaitable[None]]) -> None:
        """Run the screen while the scene lasts."""

        async def pilot(hands: Pilot[Any]) -> None:
            await hands.pause()
            await scene(hands)
            self.app.exit()

        asyncio.run(self.app.run_async(headless=True, size=(80, 24), auto_pilot=pilot, mouse=False))

    def type(self, keys: list[tuple[str, str | None]]) -> None:
        """Keys as a terminal tells them: the name and the character, all at once."""
        for name, character in keys:
            self.app.post_message(events.Key(name, character))

    def text(self) -> str:
        """What is shown."""
        sheet = self.app.screen.query_one("Sheet")
        return "\n".join(sheet.render_line(y).text for y in range(self.app.size.height))

    async def shows(self, hands: Pilot[Any], text: str) -> None:
        """Wait until it is shown."""
        async with asyncio.timeout(20):
            while text not in self.text():
                await hands.pause()


def test_every_control_character_in_a_scan_is_content() -> None:
    stage = Stage()
    names = {"\x03": "ctrl+c", "\x11": "ctrl+q", "\x1a": "ctrl+z", "\x10": "ctrl+p", "\t": "tab", "\x1d": "ctrl+]"}

    async def scene(hands: Pilot[Any]) -> None:
        content: list[tuple[str, str | None]] = [(name, char) for char, name in names.items()]
        stage.type([("tilde", "~"), ("1", "1"), *content, ("enter", "\r")])
        async with asyncio.timeout(20):
            while not stage.taken:
                await hands.pause()

    stage.play(scene)
    assert stage.taken == [Scan(1, "".join(names), typed=False)]


def test_what_happens_at_a_lane_is_drawn_when_it_is_told() -> None:
    stage = Stage()

    async def scene(hands: Pilot[Any]) -> None:
        await stage.shows(hands, "请扫码")
        stage.lane.move(LaneState.SCANNED)
        stage.lane.move(LaneState.FAULT)
        stage.lane.view.message = words.SCALE_FAULT
        stage.memory.tell("fault", stage.lane, words.fields(words.SCALE_FAULT))
        stage.app.wake()
        await stage.shows(hands, "停 STOPPED")
        await stage.shows(hands, "秤无应答或不稳定")

    stage.play(scene)


def test_keys_that_end_nothing_are_left_alone_and_pages_open_and_close() -> None:
    stage = Stage()

    async def scene(hands: Pilot[Any]) -> None:
        stage.type([("ctrl+q", "\x11"), ("f1", None)])
        await stage.shows(hands, "帮助")
        stage.type([("escape", "\x1b"), ("f2", None), ("f3", None)])
        await stage.shows(hands, "SCAN 请扫码")

    stage.play(scene)
    assert stage.app.return_code == 0
