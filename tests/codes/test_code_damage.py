"""A label stands the damage that is promised: measured on seeded labels, by decoders that are not ours."""

import itertools
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cylinder_codes.identifiers import Code, format_code_human
from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_codes.symbols import LEVELS, QUIET_ZONE, Level
from damaged_labels.damages import KINDS, Kind, sample
from damaged_labels.decoders import by_opencv, by_photo_reader, by_zxing
from damaged_labels.measure import kind_named
from damaged_labels.patches import Shape, grow_patch
from damaged_labels.plates import MODULE_PX, draw_plate, finders
from damaged_labels.report import BEGIN, END, put_into

COUNT = 200
UPPER_TIMING = 6


@pytest.mark.slow
@pytest.mark.parametrize(("share", "level"), [("15 %", "H"), ("10 %", "Q")])
def test_a_patch_of_15_percent_at_h_and_10_percent_at_q_is_read_by_two_foreign_decoders(
    share: str, level: Level
) -> None:
    kind = kind_named(f"patch {share}, version 7")
    by_both = [0, 0]
    for number in range(COUNT):
        damaged = sample(kind, level, number)
        for which, found in enumerate((by_zxing(damaged.picture), by_opencv(damaged.picture))):
            assert found in ([], [damaged.plate.link]), "a wrong text is worse than none"
            by_both[which] += bool(found)
    assert by_both[0] >= 0.99 * COUNT
    assert by_both[1] >= 0.75 * COUNT


@pytest.mark.slow
@pytest.mark.parametrize(("share", "level"), [("15 %", "H"), ("10 %", "Q")])
def test_in_the_smallest_symbol_too_zxing_reads_such_patches_and_opencv_those_off_the_upper_timing_pattern(
    share: str, level: Level
) -> None:
    kind = kind_named(f"patch {share}")
    by_zxing_all, by_opencv_off_timing, off_timing = 0, 0, 0
    for number in range(COUNT):
        damaged = sample(kind, level, number)
        by_zxing_all += by_zxing(damaged.picture) == [damaged.plate.link]
        undamaged_row = damaged.plate.picture[(QUIET_ZONE + UPPER_TIMING) * MODULE_PX]
        if np.array_equal(damaged.picture[(QUIET_ZONE + UPPER_TIMING) * MODULE_PX], undamaged_row):
            off_timing += 1
            by_opencv_off_timing += by_opencv(damaged.picture) == [damaged.plate.link]
    assert by_zxing_all >= 0.99 * COUNT
    assert off_timing > COUNT / 3
    assert by_opencv_off_timing >= 0.9 * off_timing


@pytest.mark.parametrize("level", LEVELS)
def test_zxing_reads_a_patched_symbol_exactly_when_error_correction_can_restore_it(level: Level) -> None:
    outcomes = set()
    for name, number in itertools.product(("patch 10 %", "patch 15 %", "ragged patch 15 %"), range(15)):
        damaged = sample(kind_named(name), level, number)
        assert by_zxing(damaged.picture) == ([damaged.plate.link] if damaged.restorable else [])
        outcomes.add(damaged.restorable)
    assert outcomes == ({False} if level == "L" else {True, False})


@settings(max_examples=40)
@given(
    st.randoms(use_true_random=False),
    st.integers(3, 10),
    st.sampled_from([0.01, 0.05, 0.10, 0.15]),
    st.sampled_from(["compact", "ragged"]),
)
def test_a_patch_is_connected_has_its_share_of_all_modules_and_spares_the_finder_patterns(
    dice: random.Random, version: int, share: float, shape: Shape
) -> None:
    side = 17 + 4 * version
    patch = grow_patch(dice, side, share, shape)
    assert patch.sum() == round(share * side * side)
    assert not (patch & finders(side)).any()
    reached = {next(zip(*np.nonzero(patch), strict=True))}
    waiting = list(reached)
    while waiting:
        row, column = waiting.pop()
        for near in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
            if 0 <= near[0] < side and 0 <= near[1] < side and patch[near] and near not in reached:
                reached.add(near)
                waiting.append(near)
    assert len(reached) == patch.sum()


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if "patch" in kind.name or "finder" in kind.name], ids=lambda kind: kind.name
)
def test_damage_to_the_symbol_leaves_the_text_below_whole_and_the_text_typed_in_is_read(kind: Kind) -> None:
    for number in range(20):
        damaged = sample(kind, "H", number)
        below = (2 * QUIET_ZONE + damaged.plate.side) * MODULE_PX
        assert np.array_equal(damaged.picture[below:], damaged.plate.picture[below:])
        typed: object = read_scan(format_code_human(damaged.plate.code))
        assert typed == Code(damaged.plate.code.text)


def test_a_text_typed_with_one_wrong_character_is_refused() -> None:
    dice = random.Random(1)
    for _ in range(COUNT):
        text = draw_plate(dice, "M").code.text
        place = dice.randrange(len(text))
        other = dice.choice([char for char in "0123456789ABCDEFGHJKMNPQRSTVWXYZ" if char != text[place]])
        answer: object = read_scan(text[:place] + other + text[place + 1 :])
        assert isinstance(answer, ReadFailure)


def test_noise_in_a_pale_photo_is_not_taken_for_a_small_symbol() -> None:
    damaged = sample(kind_named("contrast 8 %"), "H", 148)
    assert by_photo_reader(damaged.picture) == [damaged.plate.link]


def test_the_measured_link_has_58_characters() -> None:
    for level in LEVELS:
        assert len(draw_plate(random.Random(level), level).link) == 58


def test_the_same_number_is_always_the_same_damaged_label() -> None:
    for kind in KINDS:
        first, second = sample(kind, "Q", 3), sample(kind, "Q", 3)
        assert first.plate.code == second.plate.code
        assert np.array_equal(first.picture, second.picture)
        assert not np.array_equal(first.picture, sample(kind, "Q", 4).picture)


def test_make_damage_prints_a_table_or_json_and_puts_the_table_into_a_document(tmp_path: Path) -> None:
    document = tmp_path / "damage.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    program = str(Path(__file__).parents[1] / "damaged_labels")
    command = [sys.executable, program, "--count", "2", "--only", "tilt"]
    printed = subprocess.run([*command, "--into", str(document)], capture_output=True, text=True, check=True)
    assert "| tilt up to 30° 倾斜 ≤ 30° | H | – | 100 |" in printed.stdout
    assert "4 of 4" in printed.stderr
    assert document.read_text(encoding="utf-8").startswith("before\n")
    assert printed.stdout.strip() in document.read_text(encoding="utf-8")
    as_json = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    assert {row["level"] for row in json.loads(as_json.stdout)["rows"]} == set("LMQH")


def test_a_kind_of_damage_that_nobody_knows_is_one_sentence_and_exit_2() -> None:
    program = str(Path(__file__).parents[1] / "damaged_labels")
    refused = subprocess.run([sys.executable, program, "--only", "fire"], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)


def test_a_document_without_its_marks_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "other.md"
    document.write_text("nothing measured here", encoding="utf-8")
    with pytest.raises(ValueError, match="marks"):
        put_into(document, "table")
    assert document.read_text(encoding="utf-8") == "nothing measured here"
