"""The people at the scales: they put a cylinder on, show cards, scan as a keyboard wedge types, and take it off."""

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ANSWER_S = 60.0
_END_OF_ACT = ("refused", "filled", "fault")


@dataclass(slots=True)
class Scan:
    """One act at a scale, as planned, and what the agent said of it."""

    number: int
    raw_text: str
    empty_gross_g: int
    lane: int
    worker_id: str
    findings: tuple[str, ...] = ()
    planted: dict[str, Any] | None = None
    """The answer key's words on it; None for a good cylinder."""
    follows: int | None = None
    """Number of the scan that must have ended before (one code scanned twice)."""
    leads: bool = False
    """Whether another scan follows on this one."""
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What the simulated scale's own log calls what stands on it."""
        return f"scan-{self.number}"


class Keyboard:
    """The one keyboard stream of the station PC; scanners of all lanes type into it."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._typing = asyncio.Lock()

    async def type(self, lane: int, text: str) -> None:
        """Type as a scanner does: prefix, content, Enter, in one burst."""
        async with self._typing:
            os.write(self._terminal, f"~{lane % 10}{text}\r".encode())
            await asyncio.sleep(0.005)


class World:
    """The operators' hands: puts cylinders on the simulated scales and takes them off."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._turn = asyncio.Lock()

    async def connect(self) -> "World":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def tell(self, words: dict[str, Any]) -> None:
        """One command to the world; raises RuntimeError if the world refuses."""
        async with self._turn:
            self._writer.write(json.dumps(words).encode() + b"\n")
            await self._writer.drain()
            answer = json.loads(await self._reader.readline())
        if not answer.get("ok"):
            raise RuntimeError(f"the scale simulator refused {words}: {answer}")

    def close(self) -> None:
        self._writer.close()


class AgentEvents:
    """Follows the agent's JSON lines and hands each lane its own."""

    def __init__(self, log: Path, lanes: int) -> None:
        self._log = log
        self._lanes: dict[int, asyncio.Queue[dict[str, Any]]] = {
            lane % 10: asyncio.Queue() for lane in range(1, lanes + 1)
        }

    async def follow(self) -> None:
        """Read new lines for ever."""
        rest = ""
        with self._log.open(encoding="utf-8", errors="replace") as lines:
            while True:
                rest += lines.read()
                *whole, rest = rest.split("\n")
                for line in whole:
                    self._hand_out(line)
                await asyncio.sleep(0.02)

    def _hand_out(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return
        if isinstance(event, dict) and event.get("lane") in self._lanes:
            self._lanes[event["lane"]].put_nowait(event)

    async def wait_for(self, lane: int, *names: str) -> dict[str, Any]:
        """The lane's next event with one of these names."""
        async with asyncio.timeout(_ANSWER_S):
            while (event := await self._lanes[lane % 10].get()).get("event") not in names:
                pass
        return event


@dataclass(slots=True)
class Station:
    """Everything an operator touches."""

    keyboard: Keyboard
    world: World
    events: AgentEvents
    signed_on: dict[int, str] = field(default_factory=dict)
    ended: dict[int, asyncio.Event] = field(default_factory=dict)

    async def work(self, scans: list[Scan], count: Callable[[], None]) -> None:
        """All lanes at once, each its own scans in order."""
        self.ended |= {scan.number: asyncio.Event() for scan in scans}
        lanes: dict[int, list[Scan]] = {}
        for scan in scans:
            lanes.setdefault(scan.lane, []).append(scan)
        async with asyncio.TaskGroup() as group:
            for lane_scans in lanes.values():
                group.create_task(self._work_lane(lane_scans, count))

    async def _work_lane(self, scans: list[Scan], count: Callable[[], None]) -> None:
        for scan in scans:
            if scan.follows is not None:
                await self.ended[scan.follows].wait()
            await self._act(scan)
            self.ended[scan.number].set()
            count()

    async def _act(self, scan: Scan) -> None:
        if self.signed_on.get(scan.lane) != scan.worker_id:
            await self.keyboard.type(scan.lane, f"PL:W:{scan.worker_id}")
            self.signed_on[scan.lane] = scan.worker_id
        await self.world.tell({"scale": scan.lane, "place": {"label": scan.label, "empty_g": scan.empty_gross_g}})
        for finding in scan.findings:
            await self.keyboard.type(scan.lane, f"PL:F:{finding}")
        await self.keyboard.type(scan.lane, scan.raw_text)
        scan.said = await self.events.wait_for(scan.lane, *_END_OF_ACT)
        await self.world.tell({"scale": scan.lane, "remove": True})
