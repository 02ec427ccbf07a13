"""Keys at the screen: a burst is a scan on every page, a finger's digit chooses, no lane takes the keys of another."""

from dataclasses import replace
from typing import get_args

import pytest
from screen_pictures import IDLE, MANY, station

from cylinder_trace.decision import Finding as FindingWord
from station_agent import words
from station_agent.devices.scanner import Badge, Finding, Scan, ScannerEvent, Statement, WedgeDecoder
from station_agent.screen.board import Board
from station_agent.screen.desk import AFTER, BEFORE, Desk, Page, exceptions, press
from station_agent.screen.keys import KeySorter

ONE = station(IDLE)
FINGER_MS, SCANNER_MS = 200, 4


class Hands:
    """Keys with their times, and what came of them."""

    def __init__(self) -> None:
        self.sorter = KeySorter(WedgeDecoder(), prefix="~")
        self.at_ms = 0
        self.scanned: list[ScannerEvent] = []
        self.fingers: list[str] = []

    def keys(self, text: str, gap_ms: int, *, on_page: bool = True) -> None:
        """Keys in a row, so far apart."""
        for char in text:
            self.at_ms += gap_ms
            if on_page:
                scanned, fingers = self.sorter.pressed(char, self.at_ms)
                self.fingers += fingers
            else:
                scanned = self.sorter.scanned(char, self.at_ms)
            self.scanned += scanned

    def silence(self) -> None:
        """Nothing for a while."""
        self.at_ms += FINGER_MS
        self.fingers += self.sorter.silence(self.at_ms)


@pytest.fixture
def hands() -> Hands:
    return Hands()


def test_a_finger_counts_only_once_no_scanner_can_be_typing(hands: Hands) -> None:
    hands.keys("4", FINGER_MS)
    assert hands.fingers == []
    assert hands.sorter.wait_ms is not None
    hands.silence()
    assert hands.fingers == ["4"]
    assert hands.sorter.wait_ms is None


def test_slow_digits_are_fingers_one_by_one(hands: Hands) -> None:
    hands.keys("412\r", FINGER_MS)
    hands.silence()
    assert (hands.fingers, hands.scanned) == (["4", "1", "2", "\r"], [])


def test_a_burst_with_the_prefix_is_a_scan_although_a_page_is_open(hands: Hands) -> None:
    hands.keys("~3123456\r", SCANNER_MS)
    hands.silence()
    assert (hands.fingers, hands.scanned) == ([], [Scan(3, "123456", typed=False)])


def test_a_finger_just_before_a_burst_still_counts_and_the_scan_is_whole(hands: Hands) -> None:
    hands.keys("9", FINGER_MS)
    hands.at_ms += FINGER_MS
    hands.keys("~1ABC\r", SCANNER_MS)
    assert (hands.fingers, hands.scanned) == (["9"], [Scan(1, "ABC", typed=False)])


def test_a_burst_without_a_prefix_is_a_scan_from_its_fourth_key(hands: Hands) -> None:
    hands.keys("12345678\r", SCANNER_MS)
    hands.silence()
    assert (hands.fingers, hands.scanned) == ([], [Scan(None, "12345678", typed=False)])


def test_two_keys_of_a_quick_hand_are_fingers(hands: Hands) -> None:
    hands.keys("12", SCANNER_MS)
    hands.silence()
    assert hands.fingers == ["1", "2"]


def test_a_scanner_that_stopped_half_way_takes_no_fingers_for_long(hands: Hands) -> None:
    hands.keys("~1AB", SCANNER_MS)
    hands.at_ms += 1_001
    hands.keys("7", FINGER_MS)
    hands.silence()
    assert hands.fingers == ["7"]


def test_in_the_usual_view_a_typed_code_ends_with_enter(hands: Hands) -> None:
    hands.keys("AB12\r", FINGER_MS, on_page=False)
    assert hands.scanned == [Scan(None, "AB12", typed=True)]


def test_a_key_held_back_when_the_page_closes_is_not_lost(hands: Hands) -> None:
    hands.keys("A", FINGER_MS)
    hands.keys("BCD\r", SCANNER_MS, on_page=False)
    assert hands.scanned == [Scan(None, "ABCD", typed=False)]


# ---------------------------------------------------------------- the desk


def pressed(desk: Desk, *keys: str, board: Board = ONE) -> tuple[Desk, list[ScannerEvent]]:
    acts: list[ScannerEvent] = []
    for key in keys:
        desk, more = press(desk, key, board)
        acts += more
    return desk, acts


def test_language_theme_and_sound_are_switched_on_every_page() -> None:
    pages: tuple[Page, ...] = ("lanes", "help", "before")
    for page in pages:
        desk, acts = pressed(Desk(page=page, lane=1), "f2", "f3", "f8")
        assert (desk.language, desk.theme, desk.sound, desk.page, acts) == ("en", "day", False, page, [])


@pytest.mark.parametrize("key", ["f1", "f4", "f5", "f6", "f7", "f9"])
def test_a_page_closes_with_its_own_key_and_with_escape(key: str) -> None:
    opened, _ = pressed(Desk(), key)
    assert opened.takes_keys
    assert pressed(opened, key)[0] == pressed(opened, "escape")[0] == Desk()


def test_with_several_lanes_a_page_asks_which_and_stays_with_it() -> None:
    desk, _ = pressed(Desk(), "f4", board=MANY)
    assert desk.page == "which"
    assert pressed(desk, "9", board=MANY)[0] == desk
    desk, _ = pressed(desk, "3", board=MANY)
    assert (desk.page, desk.lane) == ("before", 3)
    elsewhere = replace(MANY, active=7)
    _, acts = pressed(desk, "9", "enter", board=elsewhere)
    assert acts == [Finding(3, "body_damaged", typed=True), Statement(3, "checked", typed=True)]


def test_exceptions_are_chosen_by_number_and_stated_with_enter() -> None:
    desk, _ = pressed(Desk(), "f4", "4", "1", "2", "1", " ")
    assert desk.marked == (4, 12, 1)
    _, acts = pressed(desk, "enter")
    found = [BEFORE[number - 1][1] for number in (1, 4, 12)]
    assert acts == [*(Finding(1, word, typed=True) for word in found), Statement(1, "checked", typed=True)]


def test_a_number_chosen_again_is_let_go_of_and_escape_states_nothing() -> None:
    desk, _ = pressed(Desk(), "f4", "4", "5", "4")
    assert desk.marked == (5,)
    assert pressed(desk, "backspace")[0].marked == ()
    assert pressed(desk, "1", "backspace", "7")[0].marked == (5, 7)
    assert pressed(desk, "escape") == (Desk(), [])


def test_a_number_that_no_item_has_is_not_taken() -> None:
    desk, _ = pressed(Desk(), "f4", "0", "1", "8")
    assert (desk.typed, desk.marked) == ("", (8,))


def test_all_in_order_is_stated_by_enter_alone() -> None:
    assert pressed(Desk(), "f4", "enter") == (Desk(), [Statement(1, "checked", typed=True)])


def test_after_the_fill_a_lane_that_fills_is_told_first_that_the_cylinder_is_full() -> None:
    _, acts = pressed(Desk(), "f5", "1", "enter")
    assert acts == [Statement(1, "reweigh", typed=True), Finding(1, AFTER[0][1], typed=True)]
    _, acts = pressed(Desk(), "f5", "1", "enter", board=station(replace(IDLE, kind="check")))
    assert acts == [Finding(1, AFTER[0][1], typed=True)]


def test_the_hand_over_is_made_with_enter_on_its_page() -> None:
    assert pressed(Desk(), "f6", "enter")[1] == [Statement(1, "handover", typed=True)]


def test_somebody_signs_on_with_worker_id_and_pin() -> None:
    desk, acts = pressed(Desk(), "f9", "2", *"fw_02", "enter")
    assert acts == [Statement(1, "checker", typed=True), Badge(1, "fw_02", typed=True)]
    asked = station(replace(IDLE, asks_pin=True))
    assert pressed(desk, *"12345", "backspace", "enter", board=asked) == (Desk(), [Scan(1, "1234", typed=True)])


def test_a_pin_that_nobody_asks_for_any_more_goes_nowhere() -> None:
    desk, _ = pressed(Desk(), "f9", "1", *"fw_01", "enter", *"1234")
    assert pressed(desk, "enter") == (Desk(), [])


def test_arrows_choose_the_lane_that_is_seen_large_and_escape_lets_go() -> None:
    desk, _ = pressed(Desk(), "left", board=MANY)
    assert desk.grown == 1
    assert pressed(desk, "left", board=MANY)[0].grown == 8
    assert pressed(desk, "right", "escape", board=MANY)[0].grown is None


def test_every_finding_and_every_fault_is_on_a_list_and_has_its_words() -> None:
    assert {word for _, word in exceptions("before")} == set(get_args(FindingWord))
    assert {word for _, word in exceptions("after")} == set(words.FAULTS_AFTER)
