"""The agent on a real terminal: somebody scans and presses keys, reads the verdicts, and leaves with Ctrl+C."""

import re
from pathlib import Path

import pytest

from stations.pieces import station_in, wait_until
from stations.service import FILLER, code_of, running_service
from stations.terminal import ESCAPE, F1, F2, F3, F4, F6, Terminal

pytestmark = pytest.mark.slow
GREEN, RED = "008700", "af0000"
SLOWLY = 20
"""Times faster than a real fill: it lasts some seconds, so that it is seen."""


def test_a_shift_at_the_screen_with_the_network_cut_and_a_black_cylinder(tmp_path: Path) -> None:
    scales = {"scales": 1, "time_factor": SLOWLY}
    with running_service(tmp_path / "service", scales=1) as service, station_in(tmp_path / "st", **scales) as place:
        place.enrol(service.url, service.enrolment_code())
        service.flag(2)
        terminal = Terminal(place.config)
        terminal.shows("请扫码", "请先刷上岗卡", "● 在线")
        terminal.type(f"~1PL:W:{FILLER}\r")
        terminal.shows(f"充装 {FILLER}")

        place.scales.place(1, "c1")
        terminal.type(f"~1{code_of(1)}\r")
        terminal.shows("充装中", "A000001", "◆")
        assert terminal.ground_of("▶  充装中") == GREEN
        terminal.hold()  # a terminal that takes nothing must not stop the lanes
        wait_until(lambda: place.scales.lines(1, "valve_shut"), "the fill ends although nobody takes the picture")
        terminal.let_go()
        terminal.shows("已充", "净重 14.50 kg", "✔14.50")
        assert terminal.bells > 0

        service.stop()
        terminal.shows("○ 离线", "还可 72 小时", "记录留在本机")
        place.scales.place(1, "c2")
        terminal.type(f"~1{code_of(2)}\r")
        terminal.shows("✘  禁充 DO NOT FILL  ✘", "此瓶被标记为黑气瓶", "→ 放入红架", "✘R32")
        assert terminal.ground_of("✘  禁充") == RED

        terminal.press(F6)
        terminal.shows("交班", FILLER, "待传记录")
        terminal.press(ESCAPE, F2)
        terminal.shows("DO NOT FILL 禁充", "It is marked as a black cylinder", "○ offline", "serial")
        night = terminal.ground_of("serial")
        terminal.press(F3)
        wait_until(lambda: terminal.ground_of("serial") != night, "the day theme is on")
        terminal.press(F1)
        terminal.shows("Help", "Ctrl+C")
        assert terminal.leave() == 0
        assert [place.scales.openings(label) for label in ("c1", "c2")] == [1, 0]


def test_two_lanes_a_list_by_number_keys_windows_of_every_size_and_no_colours(tmp_path: Path) -> None:
    with running_service(tmp_path / "service", scales=2) as service, station_in(tmp_path / "st", scales=2) as place:
        place.enrol(service.url, service.enrolment_code())
        terminal = Terminal(place.config, columns=110, rows=36)
        terminal.shows("请扫码")
        for lane in (1, 2):
            terminal.type(f"~{lane}PL:W:{FILLER}\r")
        terminal.shows("1 号工位", "2 号工位")
        terminal.press(F4)
        terminal.shows("哪个工位?")
        terminal.press("2")
        terminal.shows("2 号工位 · 充装前检查")
        place.scales.place(1, "c1")
        terminal.press("1")
        terminal.shows("1_")
        terminal.type(f"~1{code_of(1)}\r")  # another lane's scanner types into the same keyboard
        terminal.shows("1 ✔ 已充", "1_")
        terminal.press("1")
        terminal.shows("已选  11")
        terminal.press("\r")
        terminal.shows("✘ 瓶阀松动、损坏或异形")
        place.scales.place(2, "c2")
        terminal.type(f"~2{code_of(2)}\r")
        terminal.shows("瓶阀松动、损坏或不合规", "禁充")

        terminal.resize(40, 24)
        terminal.shows("1 ✔ 已充", "禁充")
        terminal.resize(30, 8)
        terminal.shows("窗口太小", "2 ✘ 禁充")
        terminal.resize(80, 24)
        terminal.shows("1 号工位", "2 号工位")
        assert terminal.close_window() == 0

        terminal = Terminal(place.config, NO_COLOR="1")
        terminal.shows("○  请扫码 SCAN  ○")
        assert not re.search(rb"\x1b\[[0-9;]*[34]8;", terminal.written)
        assert terminal.leave() == 0
        assert [place.scales.openings(label) for label in ("c1", "c2")] == [1, 0]
