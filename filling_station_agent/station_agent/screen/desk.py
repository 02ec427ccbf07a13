"""The desk (操作台): what the person at the keyboard looks at and has chosen, and what each key makes of it. Pure.

A page belongs to the lane for which it was opened, whatever happens at the other lanes meanwhile.
"""

from dataclasses import dataclass, replace
from typing import Literal

from station_agent.devices import scanner
from station_agent.lists import ITEM_OF_FAULT, ITEMS_OF_FINDING
from station_agent.screen.board import Board

Page = Literal["lanes", "which", "help", "before", "after", "handover", "ticket", "sign_on"]
Language = Literal["zh", "en"]

Exceptions = tuple[tuple[str, str], ...]
"""Item of a list and what may be wrong with it; its number on the screen is its place."""

BEFORE: Exceptions = tuple((items[0], finding) for finding, items in ITEMS_OF_FINDING.items())
"""The list before the fill, P1 to P17 (充装前检查)."""
AFTER: Exceptions = tuple((item, fault) for fault, item in ITEM_OF_FAULT.items())
"""The list after the fill, Q1 to Q6 (充装后检查)."""

_OPENS: dict[str, Page] = {
    "f1": "help",
    "f4": "before",
    "f5": "after",
    "f6": "handover",
    "f7": "ticket",
    "f9": "sign_on",
}
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
    """Digits of an item's number so far, or the line that is typed on the page."""
    marked: tuple[int, ...] = ()
    """Items chosen, by their numbers."""
    role: Literal["filler", "checker"] | None = None
    """As what somebody signs on by PIN."""
    worker_id: str = ""
    """Who; the PIN is typed next."""

    @property
    def takes_keys(self) -> bool:
        """Whether keys are for the page and not the beginning of a code."""
        return self.page != "lanes"


Acts = tuple[scanner.ScannerEvent, ...]


def press(desk: Desk, key: str, board: Board) -> tuple[Desk, Acts]:
    """The desk after a key (a character, or the name of a key without one), and what is stated by it at a lane."""
    if key in _SWITCHES:
        return _switched(desk, key), ()
    if key in _OPENS:
        return _opened(desk, _OPENS[key], board), ()
    if key == "escape":
        return (_closed(desk) if desk.takes_keys else replace(desk, grown=None)), ()
    match desk.page:
        case "lanes":
            return _stepped(desk, key, board), ()
        case "which":
            return _chosen(desk, key, board), ()
        case "sign_on":
            return _signing_on(desk, key, board)
        case "before" | "after":
            return _marked(desk, key, board)
        case "handover" if key == "enter":
            return desk, (scanner.Statement(desk.lane, "handover", typed=True),)
    return desk, ()


def exceptions(page: Page) -> Exceptions:
    """What may be chosen on a page."""
    return AFTER if page == "after" else BEFORE


_SWITCHES = ("f2", "f3", "f8")


def _switched(desk: Desk, key: str) -> Desk:
    if key == "f2":
        return replace(desk, language="en" if desk.language == "zh" else "zh")
    if key == "f3":
        return replace(desk, theme="day" if desk.theme == "night" else "night")
    return replace(desk, sound=not desk.sound)


def _opened(desk: Desk, page: Page, board: Board) -> Desk:
    if page == desk.page:
        return _closed(desk)
    if page in _OF_NO_LANE:
        return replace(_closed(desk), page=page)
    lane = board.lanes[0].number if len(board.lanes) == 1 else desk.grown
    if lane is None:
        return replace(_closed(desk), page="which", after=page)
    return replace(_closed(desk), page=page, lane=lane)


def _closed(desk: Desk) -> Desk:
    return replace(desk, page="lanes", after="lanes", lane=None, typed="", marked=(), role=None, worker_id="")


def closed(desk: Desk) -> Desk:
    """The desk with its page closed and nothing stated."""
    return _closed(desk)


def _signing_on(desk: Desk, key: str, board: Board) -> tuple[Desk, Acts]:
    """Role, worker id and PIN, one after the other (工号、口令)."""
    if desk.role is None:
        role = _ROLES.get(key)
        return (replace(desk, role=role) if role else desk), ()
    if key == "backspace":
        return replace(desk, typed=desk.typed[:-1]), ()
    if key != "enter":
        return (replace(desk, typed=desk.typed + key) if _is_part_of_an_id(desk, key) else desk), ()
    if not desk.typed:
        return desk, ()
    if not desk.worker_id:
        badge = scanner.Badge(desk.lane, desk.typed, typed=True)
        first = (scanner.Statement(desk.lane, "checker", typed=True),) if desk.role == "checker" else ()
        return replace(desk, worker_id=desk.typed, typed=""), (*first, badge)
    asked = desk.lane is not None and board.lane(desk.lane).asks_pin
    # a PIN that nobody asks for any more would be taken for a scan, and recorded
    return _closed(desk), (scanner.Scan(desk.lane, desk.typed, typed=True),) if asked else ()


_ROLES: dict[str, Literal["filler", "checker"]] = {"1": "filler", "2": "checker"}
_LONGEST_ID = 80


def _is_part_of_an_id(desk: Desk, key: str) -> bool:
    return len(key) == 1 and key.isascii() and key.isprintable() and len(desk.typed) < _LONGEST_ID


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


def _marked(desk: Desk, key: str, board: Board) -> tuple[Desk, Acts]:
    """Digits choose an item or let go of it again; Enter states what is chosen, and that the list was gone through."""
    if key.isdigit() and key.isascii():
        return _typed(desk, key), ()
    if key == " ":
        return _taken(desk), ()
    if key == "backspace":
        return (replace(desk, typed=desk.typed[:-1]) if desk.typed else replace(desk, marked=desk.marked[:-1])), ()
    if key != "enter":
        return desk, ()
    return _closed(desk), _stated(_taken(desk), board)


def _typed(desk: Desk, digit: str) -> Desk:
    """One digit more; a number that cannot become another one counts at once."""
    numbers = [str(number + 1) for number in range(len(exceptions(desk.page)))]
    typed = next((text for text in (desk.typed + digit, digit) if text in numbers), "")
    desk = replace(desk, typed=typed)
    may_go_on = any(number.startswith(typed) and number != typed for number in numbers)
    return desk if typed and may_go_on else _taken(desk)


def _taken(desk: Desk) -> Desk:
    """The number typed so far counts."""
    if not desk.typed:
        return desk
    number = int(desk.typed)
    others = tuple(n for n in desk.marked if n != number)
    return replace(desk, typed="", marked=others if number in desk.marked else (*desk.marked, number))


def _stated(desk: Desk, board: Board) -> Acts:
    chosen = exceptions(desk.page)
    found = [scanner.Finding(desk.lane, chosen[number - 1][1], typed=True) for number in sorted(desk.marked)]
    if desk.page == "before":
        return (*found, scanner.Statement(desk.lane, "checked", typed=True))
    if desk.lane is not None and board.lane(desk.lane).kind == "check":
        return tuple(found)
    return (scanner.Statement(desk.lane, "reweigh", typed=True), *found)  # on a lane that fills it is said first
