"""`station-agent scanner-test`: each scanner reads the test sheet, and what it does wrong is told (扫码枪自检).

For every scan it says the lane and the scanner, the time between its keys, what arrived character by character, what
the agent made of it, what is wrong and how to mend it.  `cylinder-codes scanner sheet` prints the sheet; each scanner
goes through it by itself, in its order.  A card or a cylinder's code may be scanned at any time.
"""

import asyncio
import itertools
import os
import select
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from typing import Any

from cylinder_codes.legacy_forms import ScanForms
from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_codes.scanner_check import Diagnosis, shown
from cylinder_codes.scanner_examination import SAMPLE_CODE, SYMBOLS, Examination, SheetSymbol
from cylinder_codes.scanner_faults import Fault, Finding
from station_agent.devices.scanner import Dropped, Scan, ScannerEvent, WedgeDecoder, one_key_at_a_time
from station_agent.devices.scanner_frames import FrameDecoder, Framing
from station_agent.devices.scanner_sources import LOOK_S, Chunks, ListeningSource, ScannerSource, decoded, reading

_BURST_PAUSE_MS = 400
_CTRL_C = "\x03"
_TRY_AGAIN_S = 1.0
KEYBOARD = "keyboard"


@dataclass(frozen=True, slots=True)
class Burst:
    """What a scanner sent in one go, and the pauses between its keys or pieces."""

    text: str
    gaps_ms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong that the symbols do not show."""

    what_zh: str
    what_en: str
    mend_zh: str
    mend_en: str


@dataclass(frozen=True, slots=True)
class Report:
    """What one scan showed."""

    source: str
    lane: int | None
    arrived: str
    slowest_ms: int
    made_of_it: str
    symbol: str | None
    good: bool
    findings: tuple[Finding, ...]
    troubles: tuple[Trouble, ...]
    next_symbol: str | None

    def to_json(self) -> dict[str, Any]:
        """The report as an object."""
        found = [{"fault": one.fault.value, "detail": one.detail, **asdict(one.words)} for one in self.findings]
        return {**asdict(self), "findings": found}

    def lines(self) -> list[str]:
        """The report for people."""
        lane = "?" if self.lane is None else str(self.lane)
        verdict = "好 good" if self.good else "有问题 to be mended"
        lines = [
            f"工位 lane {lane} · {self.source} · 键间 between keys ≤ {self.slowest_ms} ms",
            f"  收到 arrived: {self.arrived}",
            f"  识别 read as: {self.made_of_it}",
            f"  {self.symbol}: {verdict}" if self.symbol else f"  {verdict}",
        ]
        for one in self.findings:
            lines += [f"  {one.zh}", f"    → {one.words.mend_zh}", f"  {one.en}", f"    → {one.words.mend_en}"]
        for trouble in self.troubles:
            lines += [f"  {trouble.what_zh}", f"    → {trouble.mend_zh}"]
            lines += [f"  {trouble.what_en}", f"    → {trouble.mend_en}"]
        return [*lines, f"  下一个 next: {self.next_symbol}"] if self.next_symbol else lines


NO_LANE = Trouble(
    "没有枪位号，分不清工位",
    "it names no lane",
    "扫码枪前缀设为 ~ 加枪位号（如 ~1），或在 [[scanners]] 里写 lane",
    "set its prefix to ~ and the lane's digit (such as ~1), or name its lane in [[scanners]]",
)  # fmt: skip
UNFRAMED = Trouble(
    "前缀、后缀或结束符与设置不符，扫码会被丢弃",
    "prefix, suffix or terminator are not those of the settings: it is dropped",
    "对照上面收到的内容，改 [[scanners]] 的 prefix、suffix、terminator、framed",
    "compare what arrived with prefix, suffix, terminator and framed in [[scanners]]",
)  # fmt: skip
OTHER_LANE = Trouble(
    "枪位号是另一工位的", "it types the digit of another lane",
    "改扫码枪的前缀，或把它放回自己的工位", "set its prefix again, or put it back to its own lane",
)  # fmt: skip


def too_slow(slowest_ms: int, limit_ms: int) -> Trouble:
    """Keys that come so slowly that the agent takes them for a person's, or for a broken scan."""
    return Trouble(
        f"键间隔 {slowest_ms} ms，超过设置的 {limit_ms} ms，会当作手工输入或残码",
        f"{slowest_ms} ms between keys, more than the {limit_ms} ms of the settings: taken for typing, or for broken",
        "减小扫码枪的键间延时，或加大 inter_key_ms",
        "a shorter delay between keys in the scanner, or a larger inter_key_ms",
    )


class ScannerTrial:
    """Takes what the scanners send and says what each does; keeps no clock. Symbols are asked for one by one."""

    def __init__(self, forms: ScanForms) -> None:
        self._forms = forms
        self._examinations: dict[tuple[str, int | None], Examination] = {}

    @property
    def good(self) -> bool:
        """Whether every scanner that was tried went through the whole sheet without a fault."""
        done = self._examinations.values()
        return bool(done) and all(one.asked is None and all(each.good for each in one.diagnoses) for one in done)

    def finished(self, source: str) -> bool:
        """Whether a scanner has gone through the whole sheet."""
        return any(one.asked is None for (name, _), one in self._examinations.items() if name == source)

    def typed(self, burst: Burst, wedge: WedgeDecoder, inter_key_ms: int) -> Report:
        """A burst of keys at the keyboard that all wedges share; `wedge` is a decoder that has taken nothing yet."""
        events = [event for char in burst.text for event in wedge.feed(char, 0)]
        unfinished = [Dropped(event.lane, "unfinished") for event in wedge.feed("\r", 0)]
        event = (events or unfinished or [Dropped(None, "empty")])[0]
        troubles = () if event.lane is not None else (NO_LANE,)
        return self._report(KEYBOARD, burst, burst.text, event, troubles, inter_key_ms)

    def sent(self, source: str, burst: Burst, decoder: FrameDecoder, framing: Framing) -> Report:
        """A burst of a scanner with a plug of its own."""
        events = decoder.feed(burst.text, 0) or decoder.pause(framing.gap_ms + 1) or decoder.lose()
        event = events[0] if events else Dropped(None, "unfinished")
        troubles: list[Trouble] = []
        if isinstance(event, Dropped):
            troubles.append(OTHER_LANE if event.reason == "other_lane" else UNFRAMED)
        elif event.lane is None:
            troubles.append(NO_LANE)
        content = f"{event.text}\r" if isinstance(event, Scan) else burst.text
        return self._report(source, burst, content, event, tuple(troubles), framing.gap_ms)

    def _report(
        self,
        source: str,
        burst: Burst,
        content: str,
        event: ScannerEvent,
        troubles: tuple[Trouble, ...],
        limit_ms: int,
    ) -> Report:
        slowest_ms = max(burst.gaps_ms, default=0)
        if slowest_ms > limit_ms:
            troubles = (*troubles, too_slow(slowest_ms, limit_ms))
        key = (source, event.lane)
        examined = self._examine(key, content, event)
        diagnosis, symbol = examined or (None, None)
        asked = self._examinations[key].asked if key in self._examinations else None
        return Report(
            source=source,
            lane=event.lane,
            arrived=shown(burst.text),
            slowest_ms=slowest_ms,
            made_of_it=self._made_of(event),
            symbol=symbol,
            good=not troubles and (diagnosis is None or diagnosis.good),
            findings=diagnosis.findings if diagnosis else (),
            troubles=troubles,
            next_symbol=_title(asked) if asked else None,
        )

    def _examine(self, key: tuple[str, int | None], content: str, event: ScannerEvent) -> tuple[Diagnosis, str] | None:
        """What a symbol of the sheet shows; None for a card or a cylinder's own code, which may come at any time."""
        if not isinstance(event, Scan | Dropped) or self._is_cylinder(event):
            return None
        examination = self._examinations.setdefault(key, Examination())
        diagnosis = examination.take(content)
        if diagnosis is None or diagnosis.has(Fault.NOTHING):
            return None
        symbol = next(symbol for symbol in SYMBOLS if symbol.text == diagnosis.expected)
        return diagnosis, _title(symbol)

    def _is_cylinder(self, event: Scan | Dropped) -> bool:
        if isinstance(event, Dropped) or any(symbol.text in event.text for symbol in SYMBOLS):
            return False
        read = read_scan(event.text, self._forms.hosts, self._forms.legacy_forms)
        return not isinstance(read, ReadFailure) and read != SAMPLE_CODE

    def _made_of(self, event: ScannerEvent) -> str:
        if isinstance(event, Dropped):
            return f"丢弃 dropped ({event.reason})"
        if not isinstance(event, Scan):
            return f"卡 card {type(event).__name__}"
        read = read_scan(event.text, self._forms.hosts, self._forms.legacy_forms)
        return f"不是码 no code ({read.kind.value})" if isinstance(read, ReadFailure) else f"码 code {read.text}"


def _title(symbol: SheetSymbol) -> str:
    return f"{SYMBOLS.index(symbol) + 1}/{len(SYMBOLS)} {symbol.zh} {symbol.en}"


# ---------------------------------------------------------------- listening


async def bursts(chunks: Chunks) -> AsyncIterator[Burst]:
    """What arrives, cut where nothing comes for a while."""
    text, times = "", list[int]()
    arriving = asyncio.ensure_future(anext(chunks, None))
    try:
        while True:
            await asyncio.wait({arriving}, timeout=_BURST_PAUSE_MS / 1000 if text else None)
            if not arriving.done():
                yield _burst(text, times)
                text, times = "", []
                continue
            chunk = arriving.result()
            if chunk is None:
                break
            text, times = text + chunk[0], [*times, chunk[1]]
            arriving = asyncio.ensure_future(anext(chunks, None))
    except OSError:
        pass
    finally:
        arriving.cancel()
    if text:
        yield _burst(text, times)


def _burst(text: str, times: list[int]) -> Burst:
    return Burst(text, tuple(later - earlier for earlier, later in itertools.pairwise(times)))


Say = Callable[[Report], None]


async def listen(
    sources: list[ScannerSource | ListeningSource],
    keyboard: int,
    wedge: Callable[[], WedgeDecoder],
    inter_key_ms: int,
    trial: ScannerTrial,
    say: Say,
    clock: Callable[[], int],
) -> None:
    """Try every scanner until the keyboard's stream has ended and each other scanner has read the whole sheet."""
    listening = [asyncio.create_task(_try(source, trial, say, clock)) for source in sources]
    try:
        with one_key_at_a_time(keyboard):
            async with reading(lambda: _keys_of(keyboard), clock) as chunks:
                async for burst in bursts(decoded(chunks)):
                    if burst.text == _CTRL_C:
                        signal.raise_signal(signal.SIGINT)
                    say(trial.typed(burst, wedge(), inter_key_ms))
        await asyncio.gather(*listening)
    finally:
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)


def _keys_of(keyboard: int) -> bytes:
    ready, _, _ = select.select([keyboard], [], [], LOOK_S)
    if not ready:
        return b""
    if keys := os.read(keyboard, 4096):
        return keys
    raise OSError("the stream has ended")


async def _try(
    source: ScannerSource | ListeningSource, trial: ScannerTrial, say: Say, clock: Callable[[], int]
) -> None:
    """Until this scanner has read the whole sheet."""
    done, told = asyncio.Event(), False

    async def hear(chunks: Chunks) -> None:
        print(f"{source.name}: 就绪,请扫描检测页 ready, scan the test sheet", file=sys.stderr, flush=True)
        async for burst in bursts(chunks):
            say(trial.sent(source.name, burst, source.decoder(), source.framing))
            if trial.finished(source.name):
                done.set()

    ended = asyncio.create_task(done.wait())
    while not done.is_set():
        hearing = asyncio.create_task(source.hear(hear, clock))
        try:
            await asyncio.wait({hearing, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hearing.cancel()
        lost = (await asyncio.gather(hearing, return_exceptions=True))[0]
        if isinstance(lost, OSError) and not told:
            print(f"{source.name}: {lost.strerror or lost}", file=sys.stderr)
            told = True
        if not done.is_set():
            await asyncio.sleep(_TRY_AGAIN_S)
