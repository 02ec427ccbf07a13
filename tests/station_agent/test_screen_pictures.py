"""Pictures of the screen: its main states, compared to the last character (`screen_pictures.py` draws them again)."""

from dataclasses import replace

import pytest
from rich.cells import cell_len
from screen_pictures import FOLDER, PICTURES, as_picture

from station_agent.screen import verdicts
from station_agent.screen.drawing import draw_lanes
from station_agent.screen.themes import DAY, NIGHT


@pytest.mark.parametrize("name", PICTURES)
def test_the_screen_is_as_it_was_looked_at(name: str) -> None:
    drawn = as_picture(PICTURES[name].drawn())
    assert drawn == (FOLDER / f"{name}.txt").read_text("utf-8"), (
        "after a wanted change: python tests/station_agent/screen_pictures.py"
    )


def test_there_is_no_picture_of_a_state_that_is_gone() -> None:
    assert {file.stem for file in FOLDER.glob("*.txt")} == set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_every_row_fills_the_window_exactly_and_has_a_style_in_both_themes(name: str) -> None:
    picture = PICTURES[name]
    block = picture.drawn()
    assert len(block) == picture.height
    for row in block:
        assert sum(cell_len(text) for text, _ in row) == picture.width
        for _, style in row:
            assert style in NIGHT
            assert style in DAY


@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 7, 10])
def test_any_window_and_any_number_of_lanes_is_filled_exactly(lanes: int) -> None:
    board = PICTURES["eight_lanes"].board
    facts = tuple(replace(board.lanes[n % 8], number=n) for n in range(lanes))
    board = replace(board, lanes=facts, active=0)
    for width in (1, 20, 39, 40, 41, 63, 80, 133, 220):
        for height in (1, 5, 11, 12, 13, 24, 31, 60):
            for language in ("zh", "en"):
                block = draw_lanes(board, language, None, width, height, ("F1",))
                assert len(block) == height
                assert {sum(cell_len(text) for text, _ in row) for row in block} == {width}


def test_no_two_verdicts_look_or_read_alike() -> None:
    for field in ("zh", "en", "says_en"):
        assert len({getattr(verdict, field) for verdict in verdicts.ALL}) == len(verdicts.ALL)
    tones_and_shapes = {(verdict.tone, verdict.shape) for verdict in verdicts.ALL}
    assert {tone for tone, shape in tones_and_shapes if shape == "cross"} == {"bad"}
    assert {shape for tone, shape in tones_and_shapes if tone == "good"} == {"tick", "ticks", "play"}
