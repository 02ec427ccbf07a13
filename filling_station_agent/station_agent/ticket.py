"""The rack ticket (挂牌票): what is hung on a cylinder that is not filled, or must not leave, and why.

    瓶链 挂牌票 RACK TICKET                2026-11-22 16:03
    ✘ 不予充装 NOT TO BE FILLED       黄牌 YELLOW
    码 code   PL-…                    1 号工位 lane 1
    R20 检验已于 2026-02 到期
        Inspection was due in 2026-02
    → 挂黄牌,送检验机构。
      Hang the yellow tag and send it to the inspection body.
    █▀▀▀█ …

The symbol says the same in one line, for whoever works at the rack with a phone:
``PLT1 DENY <code> R20+R41 inspect yellow 2026-11-22T08:03Z <check id>``.  It is a note and no proof: what counts is in
the ledger under that check id.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

from cylinder_codes.symbols import Symbol, qr_symbol
from cylinder_trace.reasons import NextAct

Rack = Literal["red", "yellow", "blue", "white"]
_RACK_OF: dict[NextAct, Rack] = {
    "scrap": "red",
    "inspect": "yellow",
    "reinspect": "yellow",
    "return": "blue",
    "investigate": "blue",
    "correct": "blue",
    "drain": "white",
    "mend": "white",
}
"""Where the cylinder goes: 红 to be scrapped, 黄 to the inspection body, 蓝 held, 白 to be worked on here."""
RACKS: dict[Rack, tuple[str, str]] = {
    "red": ("红架", "RED rack"),
    "yellow": ("黄牌", "YELLOW tag"),
    "blue": ("待处理区", "BLUE, hold area"),
    "white": ("处理区", "WHITE, to be worked on"),
}
_BEIJING = timezone(timedelta(hours=8))
_QUIET = 2
_BLOCKS = {(1, 1): "█", (0, 1): "▄", (1, 0): "▀", (0, 0): " "}


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket. Every sentence is a pair, Chinese and English."""

    verdict: tuple[str, str]
    outcome: str
    """``DENY``, or ``HOLD`` for a full cylinder that must not leave."""
    code: str | None
    lane: int
    check_id: str
    at: int
    """UTC ms."""
    rack: Rack
    next_act: str
    codes: tuple[str, ...]
    """Refusal codes, or the items of the list that are not in order."""
    found: tuple[tuple[str, str], ...]
    """What was found, one sentence for each of `codes`."""
    next_step: tuple[str, str]
    serial: str | None = None
    """The number on the steel, where the file is known."""

    @property
    def said(self) -> str:
        """What the symbol holds."""
        at = datetime.fromtimestamp(self.at / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")
        words = (self.outcome, self.code or "-", "+".join(self.codes) or "-", self.next_act, self.rack, at)
        return " ".join(("PLT1", *words, self.check_id))

    def lines(self) -> list[str]:
        """The words, without the symbol."""
        at = datetime.fromtimestamp(self.at / 1000, _BEIJING).strftime("%Y-%m-%d %H:%M")
        found = [
            line
            for code, (zh, en) in zip(self.codes, self.found, strict=True)
            for line in (f"{code} {zh}", f"    {en}")
        ]
        return [
            f"瓶链 挂牌票 RACK TICKET  {at}",
            f"✘ {self.verdict[0]} {self.verdict[1]}",
            "挂 {} {}".format(*RACKS[self.rack]),
            f"码 code {self.code or '-'}",
            *([f"编号 serial {self.serial}"] if self.serial else []),
            f"{self.lane} 号工位 lane {self.lane}  {self.check_id}",
            *found,
            f"→ {self.next_step[0]}",
            f"  {self.next_step[1]}",
        ]

    def symbol(self) -> Symbol:
        """The QR symbol of `said`."""
        return qr_symbol(self.said, level="M")

    def text(self) -> str:
        """The whole ticket as lines of text, the symbol drawn with block characters, two rows a line."""
        return "\n".join((*self.lines(), *block_rows(self.symbol().modules))) + "\n"


def rack_for(next_act: NextAct) -> Rack | None:
    """Where a cylinder with this next step goes; None where it stays on the lane and nothing is hung on it."""
    return _RACK_OF.get(next_act)


def block_rows(modules: Sequence[bytes]) -> Iterator[str]:
    """A symbol as text for dark letters on light paper, two rows of modules a line, with a quiet zone."""
    width = len(modules[0]) + 2 * _QUIET
    blank = bytes(width)
    rows = [blank] * _QUIET + [bytes(_QUIET) + row + bytes(_QUIET) for row in modules] + [blank] * _QUIET
    rows += [blank] * (len(rows) % 2)
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        yield "".join(_BLOCKS[above, below] for above, below in zip(upper, lower, strict=True))
