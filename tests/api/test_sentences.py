"""What a refusal says reaches people at a station, at a door and in an office in their own language."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from api_house import House, check_body

from cylinder_api.refusals import KINDS
from cylinder_api.sentences import SENTENCES, chinese_of

ROOT = Path(__file__).parents[2]
SOURCES = (
    "api/cylinder_api/*.py", "api/cylinder_api/acts/*.py", "api/cylinder_api/routers/*.py",
    "api/cylinder_api/resolving/*.py", "api/cylinder_api/epcis/*.py", "trace/cylinder_trace/*.py",
    "trace/cylinder_trace/store/unit.py", "trace/cylinder_trace/store/reader.py",
    "trace/cylinder_trace/store/understood.py",
)  # fmt: skip
CODES = {
    "StateError": "cannot_follow",
    "IdConflict": "id_conflict",
    "CodeTaken": "code_taken",
    "NotUnderstood": "unavailable",
}
"""Refusals of the core, and the code that the service gives them."""
PLACES = {"Refused": 1, "problem": 2}
"""Which argument is the sentence; the one before it is the code."""
CHINESE = re.compile(r"[\u4e00-\u9fff]")
NOT_FOR_PEOPLE = {
    "x is not a kind of subject",
    "x is not a cylinder",
    "state of another kind: x",
    "x cannot follow in a device's chain",
    "x cannot follow in a capture's chain",
    "a capture is recorded once",
}
"""Nobody gets them over HTTP: the routes choose subjects and events."""


def literal(node: ast.AST) -> str | None:
    """A sentence as it may read: whatever it is about is called x."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    return None


def sentences_in(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """Code and sentence of each refusal that a source raises with words of its own."""
    for node in nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        code, said = CODES.get(node.func.id), node.args[0]
        if node.func.id in PLACES and len(node.args) > PLACES[node.func.id]:
            place = PLACES[node.func.id]
            code, said = literal(node.args[place - 1]), node.args[place]
        with_chinese = any(keyword.arg == "detail_zh" for keyword in node.keywords)
        if code in KINDS and not with_chinese and (sentence := literal(said)) is not None:
            yield code, sentence


@cache
def read() -> tuple[frozenset[tuple[str, str]], str]:
    """Codes and sentences of all refusals; and every text of the sources, one a line."""
    paths = [path for pattern in SOURCES for path in ROOT.glob(pattern) if path.name != "sentences.py"]
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    texts = (text for node in nodes if (text := literal(node)) and " " in text and "\n" not in text)
    return frozenset(sentences_in(nodes)), "\n".join(texts)


def test_every_sentence_of_a_refusal_has_its_chinese() -> None:
    said, _ = read()
    assert len(said) > 120
    missing = [pair for pair in sorted(said) if chinese_of(*pair) is None and pair[1] not in NOT_FOR_PEOPLE]
    assert missing == [], "write them into api/cylinder_api/sentences.py"


def test_no_chinese_stands_for_a_sentence_that_nobody_says() -> None:
    _, spoken = read()
    for sentence in (sentence for sentences in SENTENCES.values() for sentence in sentences):
        assert CHINESE.search(sentence.zh), sentence
        words = r"[\w.\[\] ]+".join(map(re.escape, re.split(r"\{\w+\}", sentence.en)))
        assert re.search(rf"^{words}$", spoken, re.MULTILINE), sentence.en


def test_what_a_sentence_is_about_is_the_same_in_both_languages() -> None:
    for sentences in SENTENCES.values():
        for sentence in sentences:
            english, chinese = (set(re.findall(r"\{(\w+)\}", text)) - {"a"} for text in sentence)
            assert english == chinese, sentence


@pytest.mark.parametrize(
    ("code", "english", "chinese"),
    [
        ("other_station", "this token speaks for station st_1", "本令牌代表充装站 st_1"),
        ("cannot_follow", "filled is not an event of a customer", "filled 不是 customer 的事件"),
        ("cannot_follow", "owner is co_1, not co_2", "产权单位是 co_1，不是 co_2"),
        ("too_many", "more than 5 requests a minute; go on in 7 s", "每分钟超过 5 次请求；请 7 秒后继续"),
        ("other_station", "nobody ever said this", None),
    ],
)
def test_a_sentence_is_said_in_chinese(code: str, english: str, chinese: str | None) -> None:
    assert chinese_of(code, english) == chinese


def test_the_detail_is_chinese_unless_english_is_preferred(one_house: House) -> None:
    foreign = check_body(one_house.new_bottle(), station_id="st_2")
    station = one_house.as_("station")
    said = station.post("/v1/fill-checks", json=foreign)
    assert said.json()["detail"] == "本令牌代表充装站 st_1"
    english = station.post("/v1/fill-checks", json=foreign, headers={"Accept-Language": "en"})
    assert english.json()["detail"] == "this token speaks for station st_1"


def test_a_field_that_does_not_fit_is_named_in_chinese_too(one_house: House) -> None:
    body = {**check_body("x"), "lane": "one"}
    del body["station_id"]
    said = one_house.as_("station").post("/v1/fill-checks", json=body).json()
    told = {fault["pointer"]: fault["detail"] for fault in said["errors"]}
    assert told["/body/station_id"] == "缺少此项（Field required）"
    assert told["/body/lane"].startswith("须为整数（")
    assert said["detail"].startswith("/body/")
    assert CHINESE.search(said["detail"])


def test_an_unreadable_code_is_told_in_chinese_with_what_is_wrong_with_it(one_house: House) -> None:
    said = one_house.as_("station").get("/v1/cylinders/nonsense").json()
    assert said["code"] == "code_unreadable"
    assert CHINESE.search(said["detail"])
    assert "（" not in said["detail"], "a sentence of its own, no title with English behind it"
