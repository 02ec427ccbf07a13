"""What anybody sees who scans a label: the verdict of the decision, facts to compare, and nothing about a person."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any, get_args

import pytest
from api_house import Bottle, House, filled, new_id, now
from resolver_calls import ask
from test_cylinder_acts import BUYER, sale

from cylinder_api.catalogue import Language
from cylinder_api.resolving.answer import PublicAnswer, public_answer
from cylinder_api.resolving.asking import Label
from cylinder_api.resolving.finding import Found
from cylinder_api.resolving.history import MOST_LINES, NOT_PUBLIC, PUBLIC
from cylinder_api.resolving.keeping import Kept
from cylinder_api.resolving.pages import answer_page
from cylinder_api.resolving.words import CONDITIONS, LINK_FAULTS, told_of
from cylinder_codes.errors import CodeErrorKind
from cylinder_codes.identifiers import Code
from cylinder_trace import cylinder as life
from cylinder_trace import events
from cylinder_trace.admission import OF_THE_RECORD, judge_record
from cylinder_trace.cylinder import CylinderState, Status
from cylinder_trace.dates import DAY_MS
from cylinder_trace.decision import Refusal
from cylinder_trace.events import state_event
from cylinder_trace.reasons import REASONS, WARNINGS
from cylinder_trace.rulebook import Rulebook
from cylinder_trace.store.called import Called
from vectors.admission.cases import base_case, load_cases

LARGEST = 20_000
PHONE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
VERDICT_OF = {"ALLOW": "in_order", "WARN": "due_soon", "DENY": "not_to_be_filled"}
ACCUSING = re.compile(
    r"非法|违法|违规|假冒|伪造|盗|偷|黑气瓶|翻新|illegal|stolen|theft|fake|forged|fraud|black|guilt|crime|suspect",
    re.IGNORECASE,
)


def a_fill(at: int) -> events.Filled:
    return filled(new_id("check")).model_copy(update={"started_at": at, "ended_at": at})


CODE = "04HMASW9NF6YZZPW1011YN6955"


def answer_for(cylinder: CylinderState, code: str, book: Rulebook | None, at: int) -> PublicAnswer:
    """As if the label bore `CODE`: the vectors' own codes are no real ones."""
    found = Found(Called(cylinder.n, "00" * 32, cylinder.model_dump_json().replace(code, CODE)), book)
    return public_answer(Label(Code(CODE), f"/c/{CODE}"), found, at)


# --- the verdict is the decision's ----------------------------------------------------------------------------------


def test_the_verdict_is_the_one_that_the_rules_of_the_record_give_over_every_admission_vector() -> None:
    seen = set()
    for case in load_cases():
        if case.cylinder is None or case.request.code is None or case.cylinder.status == "withdrawn":
            continue
        answer = answer_for(case.cylinder, case.request.code, case.book, case.now)
        judged = judge_record(case.cylinder, case.request.code, case.book, case.now)
        assert answer.verdict == VERDICT_OF[judged.outcome], case.name
        assert [one.code for one in answer.reasons] == [one.code for one in judged.reasons or judged.warnings], (
            case.name
        )
        seen |= {one.code for one in answer.reasons}
        for language in get_args(Language):
            page = answer_page(Label(Code(CODE), f"/c/{CODE}"), answer, language)
            assert "{" not in re.sub(r"<style>.*</style>", "", page), case.name
            assert not ACCUSING.search(page), case.name
    assert seen == OF_THE_RECORD | WARNINGS.keys(), "every sentence was seen"


CAUSES = (
    ("R03", "cloned"), ("R06", "tag_replaced"), ("R06", "tag_request_open"), ("R13", "head_mark_of_another"),
    ("R22", "inspection_items_missing"), ("R22", "inspection_items_unrecorded"), ("R22", "valve_not_replaced"),
    ("R22", "inspection_body_not_licensed"), ("R38", "seized"), ("R46", "tare_below_model"),
)  # fmt: skip
"""Reasons that the record can give for another cause than their usual one."""


def test_no_sentence_for_the_public_accuses_anybody() -> None:
    facts: dict[str, str | int] = dict.fromkeys(("due", "until", "inspected", "since"), "2026-03")
    facts |= {"bearer_id": "co_2", "model": "YSP35.5", "station_id": "st_2", "days": 30, "minutes": 3}
    facts |= {"tare_g": 1, "empty_g": 1, "model_tare_g": 2}
    for code, cause in (*((code, "") for code in (*OF_THE_RECORD, *WARNINGS)), *CAUSES):
        word = (REASONS.get(code) or WARNINGS[code]).word
        for text in told_of(Refusal(code=code, word=word, detail={**facts, **({"because": cause} if cause else {})})):
            assert text
            assert not ACCUSING.search(text), (code, cause, text)


def test_without_a_rulebook_in_force_nothing_is_said_to_be_in_order() -> None:
    good = base_case()
    assert good.cylinder is not None
    answer = answer_for(good.cylinder, good.cylinder.codes[0], None, good.now)
    assert (answer.verdict, answer.reasons, answer.next_inspection_month) == ("cannot_tell", (), None)


def test_a_rulebook_that_has_ended_decides_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    text = House(tmp_path_factory.mktemp("none")).rulebook
    ended = re.sub(r"(?m)^valid_until.*\n", "", text)
    ended = re.sub(r"(?m)^(valid_from *=.*)$", '\\1\nvalid_until = "2026-01-31"', ended)
    with House(tmp_path_factory.mktemp("ended"), rulebook=ended) as house:
        told = ask(house.url, f"/about/c/{house.new_bottle().code}", Accept="application/json").json
        assert told["verdict"] == "cannot_tell"


def test_a_code_that_was_found_on_several_cylinders_says_so(one_house: House) -> None:
    copied = one_house.new_bottle()
    one_house.append(copied.subject, events.Flagged(flag="cloned", authority_id="au_1", cause="seen at two places"))
    told = ask(one_house.url, f"/about/c/{copied.code}", Accept="application/json").json
    assert told["reasons"][0] == {
        "code": "R03", "zh": "此码被认定对应多只气瓶", "en": "An authority found this code on more than one cylinder"
    }  # fmt: skip
    assert "钢印" in told["next_zh"]


# --- the page -------------------------------------------------------------------------------------------------------


class Seen(HTMLParser):
    """Which elements and addresses a page has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.addresses: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [str(value) for name, value in attrs if name in ("href", "src", "action")]


def doors(bottle: Bottle) -> list[str]:
    labelled = [f"{door}/c/{bottle.code}" for door in ("/about", "/history", "/certificates")]
    return [*labelled, f"/c/{bottle.code}?linkType=linkset", "/safety", "/c/nonsense", "/8004/9520001NOBODY"]


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_every_page_is_small_plain_and_whole_by_itself(one_house: House, language: str) -> None:
    for path in doors(one_house.new_bottle()):
        told = ask(one_house.url, path, Accept_Language=language, **PHONE)
        assert len(told.body) < LARGEST / 4, path
        page = Seen(told.text)
        assert set(page.elements) <= {
            "html", "head", "meta", "title", "style", "body", "main", "header", "span", "a", "section", "svg", "circle",
            "path", "h1", "p", "dl", "dt", "dd", "nav", "ul", "ol", "li",
        }, path  # fmt: skip
        assert not [name for name in page.attributes if name.startswith("on")]
        assert page.elements.count("h1") == 1
        assert not [address for address in page.addresses if not address.startswith(("/", "?"))], path
        assert f'<html lang="{language}">' in told.text
        policy = told.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        assert (told.headers["Referrer-Policy"], told.headers["X-Content-Type-Options"]) == ("no-referrer", "nosniff")


def test_the_policy_lets_in_the_one_style_that_the_page_has(one_house: House) -> None:
    told = ask(one_house.url, "/safety", **PHONE)
    style = told.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in told.headers["Content-Security-Policy"]
    for rule in ("prefers-color-scheme:dark", "@media print"):
        assert rule in style


def test_a_verdict_is_a_word_a_shape_and_a_colour_of_its_own(one_house: House) -> None:
    overdue = one_house.new_bottle(manufactured_month="2014-02")
    cards = set()
    for bottle in (one_house.new_bottle(), overdue):
        page = ask(one_house.url, f"/about/c/{bottle.code}", **PHONE).text
        card = re.search(r'<section class="verdict (\w+)"><svg[^>]*>(.*?)</svg><h1>(.*?)</h1>', page)
        assert card
        cards |= set(card.groups())
    assert len(cards) == 6
    assert {"ok", "stop", "登记正常", "不得充装"} <= cards


def test_the_reader_chooses_the_language_and_can_change_it(one_house: House) -> None:
    path = f"/about/c/{one_house.new_bottle().code}"
    assert "登记正常" in ask(one_house.url, path, **PHONE).text
    english = ask(one_house.url, path, Accept_Language="fr,en;q=0.5", **PHONE)
    assert "In order" in english.text
    assert '<a href="?lang=zh-CN">中文</a>' in english.text
    assert "登记正常" in ask(one_house.url, f"{path}?lang=zh-CN", Accept_Language="en", **PHONE).text


def test_an_error_is_told_calmly_with_its_status_and_what_to_do(one_house: House) -> None:
    for path, status, word in (
        ("/8004/9520001NOBODY", 404, "No cylinder is on file under this code"),
        ("/c/nonsense", 400, "This is not a valid link of a cylinder"),
        (f"/c/{one_house.new_bottle().code}?linkType=gs1:nosuchlt", 404, "There is no link of this type"),
    ):
        told = ask(one_house.url, path, Accept_Language="en", **PHONE)
        assert (told.status, told.headers["Content-Language"]) == (status, "en")
        assert f"<h1>{word}</h1>" in told.text
        assert 'class="verdict unsure"' in told.text
        assert re.search(r'<p class="next">[A-Z][^<]+\.</p>', told.text)
        assert not ACCUSING.search(told.text)


def test_every_fault_of_a_link_has_its_words() -> None:
    assert set(CodeErrorKind) <= LINK_FAULTS.keys()


# --- what is public -------------------------------------------------------------------------------------------------


def test_no_act_of_a_sale_a_delivery_or_a_return_changes_what_the_public_sees(one_house: House) -> None:
    sold = one_house.new_bottle()
    one_house.append(sold.subject, a_fill(now()))

    def told() -> list[Any]:
        asked = {"Accept": "application/json"}
        answers = [ask(one_house.url, f"{door}/c/{sold.code}", **asked).json for door in ("/about", "/history")]
        answers[0].pop("as_of")
        return answers

    before = told()
    assert one_house.as_("delivery").post("/v1/sales", json=sale(sold)).status_code == 201
    assert told() == before
    returned = {"id": new_id("r"), "code": sold.code, "station_id": "st_1", "occurred_at": now()}
    assert one_house.as_("delivery").post("/v1/returns", json=returned).is_success
    assert told() == before


def test_no_page_bears_anything_of_the_buyer_the_filler_or_the_whole_serial(one_house: House) -> None:
    sold = one_house.new_bottle(serial="SERIAL-778812")
    one_house.append(sold.subject, a_fill(now()))
    body = sale(sold)
    assert one_house.as_("delivery").post("/v1/sales", json=body).status_code == 201
    secret = (
        *BUYER.values(),
        body["order_no"],
        body["point_id"],
        body["worker_id"],
        "fl_1",
        "SERIAL-778812",
        "at_customer",
    )
    for door in ("/about", "/history", "/certificates", "/verify"):
        for form in ("html", "json"):
            for language in ("zh-CN", "en"):
                path = f"{door}/c/{sold.code}?format={form}&lang={language}"
                told = ask(one_house.url, path)
                assert told.status == 200
                assert [word for word in secret if word in told.text] == [], path
    page = ask(one_house.url, f"/about/c/{sold.code}", **PHONE).text
    for fact in ("…8812", "co_1", "YSP35.5", "35.5 L", "16.5 kg", "2028-03", "st_1"):
        assert fact in page


def test_every_event_of_a_cylinder_is_either_public_or_not() -> None:
    of_cylinders = {event.type for event in life._CHANGES} | {events.CylinderRegistered.type}
    assert PUBLIC.keys() | NOT_PUBLIC == of_cylinders
    assert not PUBLIC.keys() & NOT_PUBLIC
    assert not NOT_PUBLIC - of_cylinders


def test_every_status_has_a_word_that_tells_no_place() -> None:
    assert set(CONDITIONS) == set(get_args(Status))
    assert len({CONDITIONS[status] for status in ("empty", "filled", "in_delivery", "at_customer")}) == 1


def test_fillings_are_counted_by_the_month_and_inspections_name_their_body(one_house: House) -> None:
    bottle = one_house.new_bottle()
    for day in (0, 40, 41, 42):
        at = 1_760_000_000_000 + day * DAY_MS
        one_house.append(bottle.subject, a_fill(at), at=at)
    inspected = events.Inspected(
        body_id="ib_1", inspected_month="2026-03", next_due_month="2030-03", result="passed", report_no="R-118"
    )
    one_house.append(bottle.subject, inspected)
    lines = ask(one_house.url, f"/history/c/{bottle.code}", Accept="application/json").json["lines"]
    told = [(line["month"], line["en"], line["times"]) for line in lines]
    assert told == [
        ("2026-03", "inspected, passed", 1), ("2025-11", "filled", 3), ("2025-10", "filled", 1),
        ("2024-07", "given a code", 1), ("2024-07", "put on file", 1),
    ]  # fmt: skip
    assert (lines[0]["body_id"], lines[0]["next_due_month"]) == ("ib_1", "2030-03")
    page = ask(one_house.url, f"/history/c/{bottle.code}", Accept_Language="zh", **PHONE).text
    assert "<dt>2025-11</dt><dd>充装，3 次</dd>" in page


def test_a_long_history_ends_somewhere_and_says_so(one_house: House) -> None:
    old = one_house.new_bottle()
    months = MOST_LINES + 5
    acts = [
        state_event(a_fill(at), id=new_id("fill"), subject=old.subject, occurred_at=at, by="tests")
        for at in range(1_300_000_000_000, 1_300_000_000_000 + months * 31 * DAY_MS, 31 * DAY_MS)
    ]
    one_house.running.ledger.append(acts)
    told = ask(one_house.url, f"/history/c/{old.code}", Accept="application/json").json
    assert (len(told["lines"]), told["earlier"]) == (MOST_LINES, months + 2 - MOST_LINES)
    assert "更早的 7 行未显示" in ask(one_house.url, f"/history/c/{old.code}", **PHONE).text


# --- pages that are kept --------------------------------------------------------------------------------------------


def test_a_page_is_written_once_for_what_it_is_made_of() -> None:
    kept, written = Kept(most=2), list[str]()

    def get(name: str) -> str:
        def write() -> str:
            written.append(name)
            return f"page of {name}"

        return kept.get((name, "tag"), write)

    assert [get(name) for name in "aabacab"] == [f"page of {name}" for name in "aabacab"]
    assert written == ["a", "b", "c", "b"], "the one that nobody asked for longest made room"


def test_a_kept_page_says_when_the_register_was_asked(tmp_path_factory: pytest.TempPathFactory) -> None:
    times = [1_795_312_800_000]
    with House(tmp_path_factory.mktemp("clock"), clock=lambda: times[0]) as house:
        path = f"/about/c/{house.new_bottle().code}"
        first = ask(house.url, path, **PHONE)
        assert "北京时间 2026-11-22 10:00" in first.text
        times[0] += 60_000
        second = ask(house.url, path, **PHONE)
        assert "北京时间 2026-11-22 10:01" in second.text
        assert second.headers["ETag"] == first.headers["ETag"]
        times[0] += DAY_MS
        assert ask(house.url, path, **PHONE).headers["ETag"] != first.headers["ETag"], "tomorrow it may be overdue"
