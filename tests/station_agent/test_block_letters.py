"""The large letters of the screen (大字): every verdict can be written with them; their licence ships with them."""

import block_letters
from station_agent.screen import letters as large_letters
from station_agent.screen import verdicts
from station_agent.screen.blocks import block_width
from station_agent.screen.letters import large, letters


def test_every_verdict_can_be_written_in_every_height() -> None:
    for height, drawn in letters().items():
        for verdict in verdicts.ALL:
            wanted = {verdict.shape, *verdict.zh, *verdict.en.replace(" ", "")}
            assert wanted <= set(drawn), f"run tools/block_letters.py again: {height} lacks {wanted - set(drawn)}"


def test_every_letter_has_ink_and_its_height_and_no_two_look_alike() -> None:
    for height, drawn in letters().items():
        assert len(set(drawn.values())) == len(drawn)
        for bits in drawn.values():
            assert len(bits) == height
            assert any(pixel for row in bits for pixel in row)


def test_the_largest_letters_that_have_room_are_taken() -> None:
    heights = sorted(letters())
    for height in heights:
        block = large(("充",), height, height // 2, "good")
        assert block is not None
        assert (block_width(block), len(block)) == (height, height // 2)
    assert large(("充",), heights[0] - 1, 99, "good") is None
    assert large(("充", "瓩"), 999, 99, "good") is None


def test_an_upper_pixel_and_a_lower_one_make_one_cell() -> None:
    bits = ((True, False, True, False), (False, True, True, False))
    rows = large_letters._half_blocks(bits, "good")
    assert rows == (((("\u2580\u2584\u2588 "), "good"),),)


def test_the_file_names_the_tool_and_the_licence_of_the_font_and_has_it_beside() -> None:
    text = (block_letters.FOLDER / "letters.txt").read_text("utf-8")
    assert text.startswith(block_letters.HEAD)
    assert (block_letters.FOLDER / "OFL.txt").read_bytes() == block_letters.LICENCE.read_bytes()
    assert set(block_letters.HEIGHTS) == set(letters())
