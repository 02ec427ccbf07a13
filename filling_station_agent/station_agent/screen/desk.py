"""The desk (操作台): what the person at the keyboard looks at and has chosen, and what each key makes of it. Pure.

A page belongs to the lane for which it was opened, whatever happens at the other lanes meanwhile.
"""

from dataclasses import dataclass, replace
from typing import Literal

from cylinder_trace.decision import Finding
from station_agent.devices import scanner
from station_agent.screen.board import Board

Page = Literal["lanes", "which", "help", "before", "handover", "ticket"]
Language = Literal["zh", "en"]

EXCEPTIONS: tuple[tuple[str, Finding], ...] = (
    ("P1", "stamp_mismatch"),
    ("P1", "tag_refitted"),
    ("P4", "stamp_altered"),
    ("P4", "converted"),
    ("P5", "marking_wrong"),
    ("P6", "mark_absent"),
    ("P6", "mark_differs"),
    ("P8", "not_evacuated"),
    ("P10", "body_damaged"),
    ("P11", "fittings_missing"),
    ("P12", "valve_damaged"),
    ("P13", "refurbished"),
    ("P13", "scrap_mark"),
    ("P13", "threaded_collar"),
    ("P14", "tare_unclear"),
    ("P16", "dual_phase"),
    ("P17", "head_mark_absent"),
)
"""What may be wrong with an empty cylinder, by the items of the list P1 to P17; its number is its place here."""

_OPENS: dict[str, Page] = {"f1": "help", "f4": "before", "f6": "handover", "f7": "ticket"}
_OF_NO_LANE = ("lanes", "which", "help")


@dataclass(frozen=True, slots=True)
class Desk:
    """What somebody chose."""

    page: Page = "lanes"
    language: Language = "zh"
    theme: Literal["night", "day"] = "night"
    sound: bool = True
    lane: int | None = None
    """The lane that the page is about."""
    grown: int | None = None
    """The lane somebody wants to see large; None = the one at which something happened last."""
    after: Page = "lanes"
    """What opens once the lane is chosen."""
    typed: str = ""
    """Digits of an item's number so far."""
    marked: tuple[int, ...] = ()
    """Items chosen, by their numbers."""

    @property
    def takes_keys(self) -> bool:
        """Whether keys are for the page and not the beginning of a code."""
        return self.page != "lanes"


Acts = tuple[scanner.ScannerEvent, ...]


def press(desk: Desk, key: str, board: Board) -> tuple[Desk, Acts]:
    """The desk after a key (a character, or the name of a key without one), and what is stated by it at a lane."""
    if key == "f2":
        return replace(desk, language="en" if desk.language == "zh" else "zh"), ()
    if key == "f3":
        return replace(desk, theme="day" if desk.theme == "night" else "night"), ()
    if key == "f8":
        return replace(desk, sound=not desk.sound), ()
    if key in _OPENS:
        return _opened(desk, _OPENS[key], board), ()
    if key == "escape":
        return (_closed(desk) if desk.takes_keys else replace(desk, grown=None)), ()
    match desk.page:
        case "lanes":
            return _stepped(desk, key, board), ()
        case "which":
            return _chosen(desk, key, board), ()
        case "before":
            return _marked(desk, key)
    return desk, ()


def _opened(desk: Desk, page: Page, board: Board) -> Desk:
    if page == desk.page:
        return _closed(desk)
    if page in _OF_NO_LANE:
        return replace(desk, page=page, typed="", marked=())
    lane = board.lanes[0].number if len(board.lanes) == 1 else desk.grown
    if lane is None:
        return replace(desk, page="which", after=page, typed="", marked=())
    return replace(desk, page=page, lane=lane, typed="", marked=())


def _closed(desk: Desk) -> Desk:
    return replace(desk, page="lanes", lane=None, typed="", marked=())


def closed(desk: Desk) -> Desk:
    """The desk with its page closed and nothing stated."""
    return _closed(desk)


def _stepped(desk: Desk, key: str, board: Board) -> Desk:
    """The lane beside the one that is seen large."""
    if key not in ("left", "right"):
        return desk
    numbers = [lane.number for lane in board.lanes]
    at = numbers.index(desk.grown if desk.grown in numbers else board.active)
    return replace(desk, grown=numbers[(at + (1 if key == "right" else -1)) % len(numbers)])


def _chosen(desk: Desk, key: str, board: Board) -> Desk:
    if not (key.isdigit() and int(key) in [lane.number for lane in board.lanes]):
        return desk
    return replace(desk, page=desk.after, lane=int(key))


def _marked(desk: Desk, key: str) -> tuple[Desk, Acts]:
    """Digits choose an item or let go of it again; Enter states what is chosen, and that the list was gone through."""
    if key.isdigit() and key.isascii():
        typed = desk.typed + key
        if not 1 <= int(typed) <= len(EXCEPTIONS):
            typed = key if key != "0" else ""
        more = typed and any(str(n).startswith(typed) and str(n) != typed for n in range(1, len(EXCEPTIONS) + 1))
        desk = replace(desk, typed=typed)
        return (desk if more else _taken(desk)), ()
    if key == " ":
        return _taken(desk), ()
    if key == "backspace":
        return (replace(desk, typed=desk.typed[:-1]) if desk.typed else replace(desk, marked=desk.marked[:-1])), ()
    if key != "enter":
        return desk, ()
    return _closed(desk), _stated(_taken(desk))


def _taken(desk: Desk) -> Desk:
    """The number typed so far counts."""
    if not desk.typed:
        return desk
    number = int(desk.typed)
    others = tuple(n for n in desk.marked if n != number)
    return replace(desk, typed="", marked=others if number in desk.marked else (*desk.marked, number))


def _stated(desk: Desk) -> Acts:
    found: list[scanner.ScannerEvent] = [
        scanner.Finding(desk.lane, EXCEPTIONS[number - 1][1], typed=True) for number in sorted(desk.marked)
    ]
    return (*found, scanner.Statement(desk.lane, "checked", typed=True))
