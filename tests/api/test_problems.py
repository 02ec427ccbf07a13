"""What the service answers when it does not do what it is asked: named, in two languages, with a page and a trace."""

import re
from pathlib import Path

import httpx
import pytest
from api_house import House, check_body

from cylinder_api.catalogue import WORDS, language_for, markdown
from cylinder_api.refusals import KINDS

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
DOCUMENT = Path(__file__).parents[2] / "docs" / "problems.md"


def refused(house: House, **headers: str) -> httpx.Response:
    return house.as_("station").get("/v1/cylinders/nonsense", headers=headers)


def test_every_code_has_words_in_both_languages_and_says_what_to_do_next() -> None:
    assert list(WORDS) == [code for code in KINDS if code in WORDS]
    assert set(WORDS) == set(KINDS)
    for code, words in WORDS.items():
        assert all(words), code
        assert re.search(r"[\u4e00-\u9fff]", words.title_zh), code
        assert re.search(r"[\u4e00-\u9fff]|/", words.next_zh), code
        assert words.next_en.isascii(), code


def test_the_document_of_problems_is_the_catalogue() -> None:
    assert DOCUMENT.read_text("utf-8") == markdown(), "the catalogue has changed: make openapi"


def test_a_problem_leads_to_its_page_which_anybody_may_read(one_house: House) -> None:
    told = refused(one_house).json()
    assert told["type"] == "/problems/code_unreadable"
    page = one_house.as_(None).get(told["type"])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for text in (WORDS["code_unreadable"].next_zh, WORDS["code_unreadable"].next_en, KINDS["code_unreadable"].title):
        assert text in page.text
    nowhere = one_house.as_(None).get("/problems/nonsense")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, "zh-CN"),
        ("", "zh-CN"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("en;q=0.4, zh-CN;q=0.5", "zh-CN"),
        ("en;q=0.5, zh-TW;q=0.4", "en"),
        ("fr", "zh-CN"),
        ("en;q=0", "zh-CN"),
        ("en;q=much", "zh-CN"),
        ("*", "zh-CN"),
        ("en, *;q=0.1", "en"),
    ],
)
def test_titles_are_chinese_unless_english_is_preferred(accepted: str | None, language: str) -> None:
    assert language_for(accepted) == language


def test_the_title_follows_the_reader_and_the_code_does_not(one_house: House) -> None:
    chinese, english = (refused(one_house, **{"Accept-Language": language}) for language in ("zh-CN", "en-GB"))
    assert (chinese.json()["title"], english.json()["title"]) == ("这不是气瓶码", "This is not a cylinder code")
    assert (chinese.headers["content-language"], english.headers["content-language"]) == ("zh-CN", "en")
    assert chinese.json()["code"] == english.json()["code"] == "code_unreadable"
    assert chinese.headers["vary"] == "Accept-Language"


def test_a_callers_trace_goes_on_in_the_answer_and_in_the_problem(one_house: House) -> None:
    answer = refused(one_house, traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    assert answer.json()["traceId"] == TRACE
    version, trace_id, span_id, _ = answer.headers["traceparent"].split("-")
    assert (version, trace_id) == ("00", TRACE)
    assert span_id != "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "sent",
    [
        "nonsense",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7-01-more",
        f"00-{TRACE}",
    ],
)
def test_a_trace_that_is_none_is_replaced(one_house: House, sent: str) -> None:
    told = refused(one_house, traceparent=sent).json()["traceId"]
    assert re.fullmatch(r"[0-9a-f]{32}", told)
    assert told not in (TRACE, "0" * 32)


def test_each_request_without_a_trace_gets_one_of_its_own(one_house: House) -> None:
    answers = [one_house.as_("station").post("/v1/fill-checks", json=check_body("no code")) for _ in range(3)]
    assert len({answer.headers["traceparent"] for answer in answers}) == 3
