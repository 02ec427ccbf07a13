"""The curves of growth: measured on one ledger that grows, drawn so that a line that rises is seen to rise."""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

# the benchmarks are no installed package
sys.path.insert(0, str(Path(__file__).parents[2] / "loadtests"))

import pytest

from benchmarks.growth import CURVES, Curve, Point, grow
from benchmarks.growth_pictures import picture, table, write_pictures

POINTS = [
    Point(10_000, 100.0, {curve.name: 1.0 for curve in CURVES}),
    Point(100_000, 100.0, {curve.name: 2.0 for curve in CURVES}),
    Point(1_000_000, 200.0, {curve.name: 4.0 for curve in CURVES}),
]


def places(svg: str) -> list[tuple[float, float]]:
    (line,) = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}polyline")
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.attrib["points"].split())]


@pytest.mark.parametrize("curve", CURVES, ids=[curve.name for curve in CURVES])
def test_a_figure_that_doubles_stands_twice_as_high_above_nothing(curve: Curve) -> None:
    svg = picture(curve, POINTS)
    (first, second, third) = [220 - 34 - y for _x, y in places(svg)]
    assert second == pytest.approx(2 * first, abs=0.2)
    assert third == pytest.approx(4 * first, abs=0.4)


def test_sizes_stand_at_equal_steps_because_each_is_ten_times_the_one_before() -> None:
    (first, second, third) = [x for x, _y in places(picture(CURVES[0], POINTS))]
    assert second - first == pytest.approx(third - second)


def test_a_single_size_is_drawn_too() -> None:
    assert len(places(picture(CURVES[0], POINTS[:1]))) == 1


def test_times_are_told_in_verifies_of_the_same_moment_and_bytes_are_not() -> None:
    rows = {row.split(" | ")[0]: row for row in table(POINTS).splitlines()}
    assert "| 1 (10 verifies) | 2 (20 verifies) | 4 (20 verifies) |" in rows["| one append, durable 单条写入"]
    assert "| 1 | 2 | 4 |" in rows["| the disk that an entry takes 磁盘占用"]


def test_each_curve_is_a_file_of_its_own(tmp_path: Path) -> None:
    written = write_pictures(POINTS, tmp_path / "pictures")
    assert {path.name for path in written} == {f"growth-{curve.name.replace('_', '-')}.svg" for curve in CURVES}


@pytest.mark.slow
def test_every_figure_of_a_size_is_measured() -> None:
    points = list(grow((100, 1000), lambda _line: None))
    assert [point.entries for point in points] == [100, 1000]
    for point in points:
        assert point.figures.keys() == {curve.name for curve in CURVES}
        assert all(figure > 0 for figure in (point.verify_us, *point.figures.values()))
