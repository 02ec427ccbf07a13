"""The same code at two lanes of one station is refused at the second (R03), and an old record says nothing of it."""

from cylinder_trace.admission import decide_fill
from cylinder_trace.reasons import REASONS, sentence
from cylinder_trace.values import plain
from vectors.admission.cases import base_case


def test_the_second_lane_is_told_at_which_lane_the_code_is() -> None:
    case = base_case()
    busy = case.station.model_copy(update={"busy_lane": 4})
    decision = decide_fill(case.request, case.cylinder, busy, case.book, case.now)
    assert decision.codes == ("R03",)
    detail = decision.reasons[0].detail
    assert sentence(REASONS["R03"], detail, "zh") == "4 号工位正在处理同一个码"
    assert sentence(REASONS["R03"], detail, "en") == "The same code is under way at lane 4"


def test_where_nobody_else_has_it_nothing_of_it_is_recorded() -> None:
    assert "busy_lane" not in plain(base_case().station)
