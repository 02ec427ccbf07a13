"""The acts around a fill (充装前检查、充装、充装后检查、复秤): their lists, and what is doubtful about them.

What happened is never rejected: an act that does not fit is recorded as it was told, and each doubt about it becomes a
dispute for a person to look at.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from cylinder_trace.rulebook import Rulebook
from cylinder_trace.vocabulary.filling import (
    CheckItem,
    FillDecided,
    Filled,
    PostfillChecked,
    PrefillChecked,
    Reweighed,
)


class Doubt(NamedTuple):
    """What is doubtful about an act: a word, and a sentence."""

    kind: str
    message: str


class Item(NamedTuple):
    """One line of a check list."""

    zh: str
    en: str


PREFILL: Mapping[str, Item] = {
    "P1": Item("电子识读标识可读且与档案一致", "the code can be read and fits the file"),
    "P2": Item("自有或合法托管,档案在本单位,有使用登记", "owned or entrusted, on file here, registered for use"),
    "P3": Item("制造许可单位生产", "made under a licence"),
    "P4": Item("钢印齐全清晰,无打磨补打", "stamps complete and clear, none ground off or struck again"),
    "P5": Item("颜色标记符合规定", "colour and letters as they must be"),
    "P6": Item("检验在有效期内,标识与记录一致", "inspection in date, its mark there and as recorded"),
    "P7": Item("未超设计使用年限,评定有效", "within its service life, evaluation in force"),
    "P8": Item("瓶内有剩余压力,介质已确认", "residual pressure, medium known"),
    "P9": Item("首充、检后首充已抽真空或置换", "evacuated or purged for a first fill"),
    "P10": Item("无裂纹、腐蚀、变形、凹坑、火烤水烫", "no cracks, corrosion, deformation, dents or burns"),
    "P11": Item("护罩、底座、手轮、螺栓齐全", "collar, foot ring, handwheel and bolts complete"),
    "P12": Item("瓶阀无松动,为自闭阀,在寿命内", "valve tight, self-closing, within its life"),
    "P13": Item("无报废、翻新、黑气瓶、召回、查封标志", "not scrapped, refurbished, black, recalled or seized"),
    "P14": Item("皮重清楚,空瓶称重在限内", "tare legible, empty weight within the limit"),
    "P15": Item("残液未超限", "residue within the limit"),
    "P16": Item("介质、相别与标记一致", "medium and phase as marked"),
    "P17": Item("封头凹印为本充装单位", "the filling company's mark in the head"),
}
"""充装前检查表: what is looked at before gas flows."""

POSTFILL: Mapping[str, Item] = {
    "Q1": Item("复秤净重在限内", "weighed again: net mass within the limit"),
    "Q2": Item("瓶阀及瓶口检漏合格", "no leak at valve and neck"),
    "Q3": Item("瓶体无鼓包、变形、异常温升", "no bulge, deformation or unusual warmth"),
    "Q4": Item("安全附件完好", "safety fittings in order"),
    "Q5": Item("警示标签、充装标签、封口齐全", "warning label, filling label and seal in place"),
    "Q6": Item("复核人不是充装人", "checked by another person than the filler"),
}
"""充装后检查表: what is looked at before the full cylinder leaves."""


def doubts_about_fill(
    fill: Filled, subject: str, decided: FillDecided | None, book: Rulebook | None, model: str | None = None
) -> list[Doubt]:
    """Doubts about gas that went into the cylinder of `subject`, measured against the decision that it quotes.

    `book` is the rulebook of that decision, None where it is not at hand; `model` is that of the cylinder's stamp.
    """
    check = f"check {fill.check_id}"
    if decided is None or not decided.decision.permits:
        return [Doubt("fill_without_permit", f"it quotes {check}, which permits nothing")]
    permit = decided.decision
    if (decided.request.station_id, f"cylinder/{permit.cylinder_id}") != (fill.station_id, subject):
        return [Doubt("fill_without_permit", "it quotes the permit of another cylinder or station")]
    doubts = [*_doubts_about_place_and_time(fill, decided), *_doubts_about_length(fill, book, model)]
    gas_g = max(fill.net_g, fill.full_gross_g - fill.empty_gross_g)
    if permit.max_net_g is not None and gas_g > permit.max_net_g:
        doubts.insert(0, Doubt("overfilled", f"{gas_g} g, more than the permitted {permit.max_net_g} g"))
    return doubts


def _doubts_about_place_and_time(fill: Filled, decided: FillDecided) -> Iterable[Doubt]:
    permit, scale = decided.decision, decided.request.scale_id
    # The two clocks were this far apart when the permit was given; a second more is the way of the answer.
    slack_ms = abs(decided.station.clock_skew_ms or 0) + 1_000
    if fill.scale_id != scale:
        yield Doubt("other_scale", f"it was filled at scale {fill.scale_id}; the permit is for {scale}")
    if permit.start_before is not None and fill.started_at > permit.start_before + slack_ms:
        late_s = (fill.started_at - permit.start_before) // 1000
        yield Doubt("permit_expired", f"it began {late_s} s after the permit's last moment")
    if fill.started_at < permit.decided_at - slack_ms:
        yield Doubt("before_the_permit", "it began before the decision that it quotes")


def _doubts_about_length(fill: Filled, book: Rulebook | None, model: str | None) -> Iterable[Doubt]:
    longest = book.longest_fill_seconds(model) if book else None
    seconds = (fill.ended_at - fill.started_at) // 1000
    if seconds < 0:
        yield Doubt("ends_before_it_begins", "its end lies before its beginning")
    elif longest is not None and seconds > longest:
        yield Doubt("fill_too_long", f"it took {seconds} s, more than {longest} s")


def doubts_about_prefill(check: PrefillChecked, decided: FillDecided | None) -> list[Doubt]:
    """Doubts about a list P1 to P17: items missing, unknown or twice, a failed one under a passed list."""
    doubts = _doubts_about_list(check.items, check.passed, PREFILL)
    if decided is not None and decided.request.station_id != check.station_id:
        doubts.append(Doubt("other_station", f"check {check.check_id} belongs to another station"))
    if decided is not None and decided.decision.permits and not check.passed:
        doubts.append(Doubt("permitted_all_the_same", "an item of the list failed, and a permit was given"))
    return doubts


def doubts_about_postfill(check: PostfillChecked, fill: Filled | None) -> list[Doubt]:
    """Doubts about a list Q1 to Q6: as above, and that a second person made it of a fill that is on record."""
    doubts = _doubts_about_list(check.items, check.passed, POSTFILL)
    doubts += _doubts_about_second_person(check.worker_id, check.station_id, fill)
    if check.passed and (check.seal_no is None or check.label_no is None):
        doubts.append(Doubt("seal_or_label_missing", "it passed without the number of the seal and of the label"))
    return doubts


def doubts_about_reweighing(
    weighed: Reweighed, fill: Filled | None, max_net_g: int | None, book: Rulebook | None
) -> list[Doubt]:
    """Doubts about a re-weighing: not a second scale and person, over the cap, or far from the first weight."""
    doubts = _doubts_about_second_person(weighed.worker_id, weighed.station_id, fill)
    if fill is not None and weighed.scale_id == fill.scale_id:
        doubts.append(Doubt("same_scale", f"it was weighed again on the scale that filled it, {fill.scale_id}"))
    apart = abs(weighed.full_gross_g - fill.full_gross_g) if fill else 0
    if book is not None and apart > book.fill.tare_drift_g:
        doubts.append(Doubt("weights_differ", f"the two scales are {apart} g apart"))
    within = max_net_g is None or weighed.net_g <= max_net_g
    if not within:
        doubts.append(Doubt("overfilled", f"{weighed.net_g} g, more than the permitted {max_net_g} g"))
    if within is not weighed.within_limit:
        doubts.append(Doubt("limit_misjudged", "what it says of the limit is not what the weights say"))
    return doubts


def _doubts_about_second_person(worker_id: str, station_id: str, fill: Filled | None) -> list[Doubt]:
    if fill is None:
        return [Doubt("no_fill", "there is no fill on record under this check")]
    doubts = []
    if worker_id == fill.worker_id:
        doubts.append(Doubt("same_person", f"{worker_id} filled it, and checks the own work"))
    if station_id != fill.station_id:
        doubts.append(Doubt("other_station", "the fill belongs to another station"))
    return doubts


def _doubts_about_list(items: Collection[CheckItem], passed: bool, wanted: Mapping[str, Item]) -> list[Doubt]:
    named = [item.item for item in items]
    doubts = []
    if missing := [item for item in wanted if item not in named]:
        doubts.append(Doubt("items_missing", f"not looked at: {' '.join(missing)}"))
    if strange := sorted({item for item in named if item not in wanted or named.count(item) > 1}):
        doubts.append(Doubt("items_unknown", f"unknown or named twice: {' '.join(strange)}"))
    failed = [item.item for item in items if not item.passed]
    if passed and failed:
        doubts.append(Doubt("passed_with_faults", f"passed, although {' '.join(failed)} is not in order"))
    if not passed and not failed:
        doubts.append(Doubt("failed_without_fault", "it failed, and names no item"))
    return doubts
