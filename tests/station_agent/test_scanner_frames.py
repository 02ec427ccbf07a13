"""From what a scanner sends to scans: frames, lanes, pauses, repetitions; nothing inside a scan is touched."""

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_codes.identifiers import Code
from cylinder_codes.reading import read_scan
from station_agent.devices.evdev import EvdevKeys
from station_agent.devices.scanner import Badge, Dropped, Scan, ScannerEvent
from station_agent.devices.scanner_frames import FrameDecoder, Framing

GS1 = "]d2800309520001123450ZJ33010000017\x1d0109520123456788"
STX_ETX = Framing(framed=True)


def heard(*pieces: str, framing: Framing = Framing(), lane: int | None = 1, every_ms: int = 3) -> list[ScannerEvent]:  # noqa: B008
    decoder, events = FrameDecoder(framing, lane, "~"), list[ScannerEvent]()
    for number, piece in enumerate(pieces, start=1):
        events += decoder.feed(piece, number * every_ms)
    return events


def test_each_line_is_a_scan_of_the_scanners_lane() -> None:
    assert heard("7K2M\r\n9QRT\r") == [Scan(1, "7K2M", typed=False), Scan(1, "9QRT", typed=False)]


def test_a_group_separator_arrives_as_it_was_printed_and_the_code_is_read() -> None:
    (scan,) = heard(GS1, "\r\n")
    assert scan == Scan(1, GS1, typed=False)
    assert isinstance(scan, Scan)
    assert read_scan(scan.text) == Code("grai:09520001123450ZJ33010000017")


def test_what_stands_between_stx_and_etx_is_the_scan_and_all_else_is_not() -> None:
    assert heard("noise\x02AB\x1dC\r\x03\r\n\x02DEF\x03", framing=STX_ETX) == [
        Scan(1, "AB\x1dC\r", typed=False),
        Scan(1, "DEF", typed=False),
    ]


def test_a_frame_that_begins_before_the_last_one_ended_drops_the_first() -> None:
    assert heard("\x02AB\x02CD\x03", framing=STX_ETX) == [Dropped(1, "unfinished"), Scan(1, "CD", typed=False)]


def test_a_prefix_and_a_suffix_are_taken_off_and_a_scan_without_them_is_dropped() -> None:
    framing = Framing(prefix="F9", suffix="*")
    assert heard("F9ABC*\r", "ABC*\r", "F9ABC\r", "F9*\r", framing=framing) == [
        Scan(1, "ABC", typed=False),
        Dropped(1, "unframed"),
        Dropped(1, "unframed"),
        Dropped(1, "empty"),
    ]


def test_any_character_may_end_a_scan() -> None:
    assert heard("ABC\t", framing=Framing(terminator="\t")) == [Scan(1, "ABC", typed=False)]


def test_without_a_terminator_a_pause_ends_a_scan() -> None:
    decoder = FrameDecoder(Framing(terminator="", gap_ms=100), 2, "~")
    assert decoder.feed("AB", 0) == []
    assert decoder.feed("CD", 100) == []
    assert decoder.pause(200) == []
    assert decoder.pause(201) == [Scan(2, "ABCD", typed=False)]
    assert decoder.feed("EF", 300) == []
    assert decoder.feed("GH", 500) == [Scan(2, "EF", typed=False)]


def test_a_pause_inside_a_scan_drops_it_whole_and_the_next_is_good() -> None:
    decoder = FrameDecoder(Framing(gap_ms=500), 1, "~")
    assert decoder.feed("8003095200", 0) == []
    assert decoder.feed("01123450\r", 501) == [Dropped(1, "unfinished")]
    assert decoder.feed("ABC\r", 2_000) == [Scan(1, "ABC", typed=False)]


def test_a_scanner_that_stopped_half_way_does_not_spoil_its_next_scan() -> None:
    decoder = FrameDecoder(Framing(), 1, "~")
    assert decoder.feed("80030952", 0) == []
    assert decoder.feed("ABC\r", 5_000) == [Dropped(1, "unfinished"), Scan(1, "ABC", typed=False)]


def test_what_was_begun_when_the_scanner_was_unplugged_is_no_scan() -> None:
    decoder = FrameDecoder(Framing(), 1, "~")
    assert decoder.feed("8003", 0) == []
    assert decoder.lose() == [Dropped(1, "unfinished")]
    assert decoder.feed("ABC\r", 10) == [Scan(1, "ABC", typed=False)]


def test_an_endless_scan_is_dropped() -> None:
    assert heard("A" * 600, "B" * 600 + "\rC\r") == [Dropped(1, "too_long"), Scan(1, "C", typed=False)]


def test_a_reader_that_repeats_the_tag_before_it_brings_it_once() -> None:
    framing = Framing(repeat_ms=1_000)
    decoder, tag = FrameDecoder(framing, 1, "~"), Scan(1, "E28011", typed=False)
    assert decoder.feed("E28011\r", 0) == [tag]
    assert [decoder.feed("E28011\r", at) for at in (500, 1_400, 2_300)] == [[], [], []]
    assert decoder.feed("E28012\r", 2_400) == [Scan(1, "E28012", typed=False)]
    assert decoder.feed("E28011\r", 2_500) == [tag]
    assert decoder.feed("E28011\r", 3_500) == [tag]


def test_cards_are_cards_on_every_scanner() -> None:
    assert heard("PL:W:wkr_7Q2\r") == [Badge(1, "wkr_7Q2", typed=False)]


# ---------------------------------------------------------------- whose lane


def test_a_scanner_without_a_lane_of_its_own_names_it() -> None:
    assert heard("~3ABC\r", "~4\r", "ABC\r", lane=None) == [
        Scan(3, "ABC", typed=False),
        Dropped(4, "empty"),
        Scan(None, "ABC", typed=False),
    ]


def test_a_lanes_own_scanner_may_name_its_lane_and_no_other() -> None:
    assert heard("~1ABC\r", "~2ABC\r") == [Scan(1, "ABC", typed=False), Dropped(1, "other_lane")]


@given(
    st.text(st.characters(exclude_characters="~\r\n", exclude_categories=["Cs"]), min_size=1, max_size=200).filter(
        lambda text: not text.upper().startswith(("PL", "]"))
    ),
    st.lists(st.integers(1, 200), max_size=6),
)
def test_however_a_scan_is_cut_into_pieces_it_arrives_whole(text: str, cuts: list[int]) -> None:
    at = sorted({0, *(cut for cut in cuts if cut < len(text)), len(text)})
    pieces = [text[start:stop] for start, stop in itertools.pairwise(at)]
    assert heard(*pieces, "\r") == [Scan(1, text, typed=False)]


# ---------------------------------------------------------------- keys straight from Linux


def keys(*strokes: tuple[int, int], kind: int = 1) -> bytes:
    return b"".join(struct.pack("llHHi", 0, 0, kind, code, value) for code, value in strokes)


def press(*codes: int) -> bytes:
    return b"".join(keys((code, 1), (code, 0)) for code in codes)


def held(modifier: int, *codes: int) -> bytes:
    return keys((modifier, 1)) + press(*codes) + keys((modifier, 0))


def test_the_records_of_an_input_device_are_the_characters_of_the_us_layout() -> None:
    typed = held(42, 35, 20, 20, 25) + held(54, 39) + press(53, 53, 2, 12, 28)
    assert EvdevKeys().feed(typed) == "HTTP://1-\r"


def test_gs_arrives_as_control_bracket_and_as_alt_029() -> None:
    assert EvdevKeys().feed(press(30) + held(29, 27) + press(48)) == "a\x1db"
    assert EvdevKeys().feed(held(56, 82, 80, 73)) == "\x1d"


def test_caps_lock_held_keys_and_other_records_change_nothing() -> None:
    assert EvdevKeys().feed(press(58, 30) + keys((48, 1), (48, 2), (48, 2), (48, 0)) + keys((4, 9), kind=4)) == "ab"


def test_a_record_may_come_in_two_pieces() -> None:
    typed, decoder = press(30, 48), EvdevKeys()
    assert "".join(decoder.feed(typed[at : at + 7]) for at in range(0, len(typed), 7)) == "ab"


@pytest.mark.parametrize("char", "~`!@#$%^&*()_+-={}[]|\\:\";'<>?,./09azAZ")
def test_every_character_of_a_link_can_be_typed(char: str) -> None:
    plain, shifted = (
        "`1234567890-=[]\\;',./abcdefghijklmnopqrstuvwxyz",
        '~!@#$%^&*()_+{}|:"<>?ABCDEFGHIJKLMNOPQRSTUVWXYZ',
    )
    codes = [41, *range(2, 14), 26, 27, 43, 39, 40, 51, 52, 53]
    codes += [30, 48, 46, 32, 18, 33, 34, 35, 23, 36, 37, 38, 50, 49, 24, 25, 16, 19, 31, 20, 22, 47, 17, 45, 21, 44]
    if char in plain:
        assert EvdevKeys().feed(press(codes[plain.index(char)])) == char
    else:
        assert EvdevKeys().feed(held(42, codes[shifted.index(char)])) == char
