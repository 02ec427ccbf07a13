"""Keys and their times become scans: what a keyboard-wedge scanner, a card and a typing person produce."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_agent.devices.scanner import (
    Badge,
    Dropped,
    Finding,
    Scan,
    ScannerEvent,
    StampSeen,
    Statement,
    WedgeDecoder,
)

CODE = "HTTPS://ID.PINGLIAN.EXAMPLE/C/7K2M9QRT4XWZB8NDPVHC3J5E42"
contents = st.text(
    st.characters(exclude_characters="~\r\n", exclude_categories=["Cs"]), min_size=1, max_size=512
).filter(lambda text: not text.upper().startswith(("PL", "]")))
lanes = st.integers(0, 9)


class Keyboard:
    """Types into a decoder and gathers what comes out."""

    def __init__(self, decoder: WedgeDecoder | None = None) -> None:
        self.decoder = decoder or WedgeDecoder()
        self.at_ms = 1_000
        self.events: list[ScannerEvent] = []

    def keys(self, text: str, every_ms: int = 3) -> "Keyboard":
        for char in text:
            self.at_ms += every_ms
            self.events += self.decoder.feed(char, self.at_ms)
        return self

    def wait(self, ms: int) -> "Keyboard":
        self.at_ms += ms
        return self


def scanned(text: str) -> list[ScannerEvent]:
    return Keyboard().keys(text).events


def test_a_scan_knows_its_lane() -> None:
    assert scanned(f"~3{CODE}\r") == [Scan(3, CODE, typed=False)]


def test_a_code_typed_by_hand_is_marked_as_typed_and_has_no_lane() -> None:
    assert Keyboard().keys("7K2M-9QRT\r", every_ms=120).events == [Scan(None, "7K2M-9QRT", typed=True)]


def test_a_typist_may_now_and_then_strike_two_keys_at_once() -> None:
    keyboard = Keyboard().keys("7K", every_ms=10).keys("2M", every_ms=150).keys("-9QRT\r", every_ms=20)
    assert keyboard.events == [Scan(None, "7K2M-9QRT", typed=True)]


def test_a_code_pasted_before_enter_is_taken_as_typed() -> None:
    assert Keyboard().keys(CODE).wait(900).keys("\r").events == [Scan(None, CODE, typed=True)]


def test_cards_are_badges_and_findings() -> None:
    assert scanned("~1PL:W:wkr_7Q2\r~2PL:F:valve_damaged\r") == [
        Badge(1, "wkr_7Q2", typed=False),
        Finding(2, "valve_damaged", typed=False),
    ]


def test_a_device_that_reads_stamps_types_what_it_read_as_one_line() -> None:
    assert scanned('~3PL:S:{"maker":"某厂","tare_g":16500}\r') == [
        StampSeen(3, '{"maker":"某厂","tare_g":16500}', typed=False)
    ]


def test_what_was_done_before_the_fill_is_stated_by_a_card() -> None:
    assert scanned("~1PL:P:checked\r~1pl:p:LOT=LOT-7\r") == [
        Statement(1, "checked", typed=False),
        Statement(1, "lot=lot-7", typed=False),
    ]


@pytest.mark.parametrize("text", ["pl:w:WKR_7q2", "PL;W;wkr_7Q2", "]C0PL:W:wkr_7Q2"])
def test_a_card_is_read_despite_caps_lock_a_foreign_layout_or_a_symbology_mark(text: str) -> None:
    assert scanned(f"~1{text}\r") == [Badge(1, "wkr_7Q2", typed=False)]


def test_a_typed_badge_shows_that_it_was_typed() -> None:
    assert Keyboard().keys("PL:W:w1\r", every_ms=100).events == [Badge(None, "w1", typed=True)]


def test_a_card_without_content_is_no_card() -> None:
    assert scanned("~1PL:W:\r") == [Scan(1, "PL:W:", typed=False)]


def test_a_burst_that_stops_half_way_is_dropped_and_the_next_one_is_read() -> None:
    keyboard = Keyboard().keys("~3HTTPS://ID").wait(48).keys(f"~3{CODE}\r")
    assert keyboard.events == [Dropped(3, "unfinished"), Scan(3, CODE, typed=False)]


def test_a_burst_that_stops_on_a_prefix_character_is_dropped_too() -> None:
    keyboard = Keyboard().keys("~3AB~").wait(80).keys("5CD\r")
    assert keyboard.events == [Dropped(3, "unfinished"), Scan(None, "5CD", typed=False)]


def test_a_gap_of_exactly_the_limit_still_belongs_to_the_burst() -> None:
    assert Keyboard().keys("~3AB").wait(47).keys("CD\r").events == [Scan(3, "ABCD", typed=False)]


def test_an_endless_burst_is_dropped_once() -> None:
    assert scanned("~4" + "A" * 2_000 + "\r") == [Dropped(4, "too_long")]


def test_an_overlong_burst_that_ends_on_a_prefix_character_does_not_cost_the_next_scan() -> None:
    keyboard = Keyboard().keys("~4" + "A" * 512 + "~").wait(60).keys(f"~4{CODE}\r")
    assert keyboard.events == [Dropped(4, "too_long"), Scan(4, CODE, typed=False)]


def test_two_scanners_at_once_are_both_dropped_because_either_text_could_be_either_lane() -> None:
    mixed = "~3~5AABB\rCC\r"
    assert scanned(f"{mixed}~5{CODE}\r") == [
        Dropped(3, "interleaved"),
        Dropped(5, "interleaved"),
        Scan(5, CODE, typed=False),
    ]


def test_silence_ends_a_muddle_whose_enters_got_lost() -> None:
    keyboard = Keyboard().keys("~3AAA~5BBB").wait(60).keys(f"~5{CODE}\r")
    assert keyboard.events[2:] == [Scan(5, CODE, typed=False)]


def test_a_prefix_character_inside_a_foreign_symbol_is_content() -> None:
    assert scanned("~3HTTP://X.EXAMPLE/~USER\r") == [Scan(3, "HTTP://X.EXAMPLE/~USER", typed=False)]


def test_an_empty_scan_is_named_and_an_empty_enter_is_nothing() -> None:
    assert scanned("\r~6\r\r") == [Dropped(6, "empty")]


def test_a_scan_into_half_a_typed_line_keeps_its_lane() -> None:
    keyboard = Keyboard().keys("7K2", every_ms=200).wait(200).keys(f"~2{CODE}\r")
    assert keyboard.events == [Dropped(None, "interleaved"), Scan(2, CODE, typed=False)]


def test_prefix_and_suffix_can_be_set() -> None:
    keyboard = Keyboard(WedgeDecoder(prefix="!", suffix="\t"))
    assert keyboard.keys("!1~A\r\t").events == [Scan(1, "~A\r", typed=False)]
    with pytest.raises(ValueError, match="prefix"):
        WedgeDecoder(prefix="\r")


@given(st.lists(st.tuples(lanes, contents)), st.sampled_from(["\r", "\n", "\r\n"]))
def test_scans_one_after_another_all_arrive_unchanged(scans: list[tuple[int, str]], enter: str) -> None:
    keys = "".join(f"~{lane}{text}{enter}" for lane, text in scans)
    assert scanned(keys) == [Scan(lane, text, typed=False) for lane, text in scans]


@given(st.lists(st.tuples(st.characters(exclude_categories=["Cs"]) | st.sampled_from("~~35\r\n"), st.integers(0, 200))))
def test_no_keys_can_upset_the_decoder_and_a_pause_always_heals_it(keys: list[tuple[str, int]]) -> None:
    keyboard = Keyboard()
    for char, pause_ms in keys:
        keyboard.keys(char, every_ms=pause_ms)
    keyboard.wait(20_000).keys(f"~3{CODE}\r")
    assert keyboard.events[-1] == Scan(3, CODE, typed=False)


@given(
    st.lists(lanes, min_size=2, max_size=2, unique=True),
    st.text("ABC", min_size=1, max_size=40),
    st.text("XYZ", min_size=1, max_size=40),
    st.data(),
)
def test_keys_of_two_scanners_mixed_in_any_order_never_give_a_lane_the_code_of_the_other(
    pair: list[int], one: str, two: str, data: st.DataObject
) -> None:
    streams = [list(f"~{pair[0]}{one}\r"), list(f"~{pair[1]}{two}\r")]
    mixed = ""
    while all(streams):
        mixed += streams[data.draw(st.integers(0, 1))].pop(0)
    mixed += "".join(streams[0] + streams[1])
    scans = {event for event in scanned(mixed) if isinstance(event, Scan)}
    assert not scans & {Scan(pair[0], two, typed=False), Scan(pair[1], one, typed=False)}
