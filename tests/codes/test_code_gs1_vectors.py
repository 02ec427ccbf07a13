"""GRAI and GIAI as others publish them: what their tests take, this register takes, but for a few named exceptions."""

import json
from pathlib import Path
from typing import Any

import pytest

from cylinder_codes.digital_link import format_link, parse_link
from cylinder_codes.elements import AIS
from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import Code
from cylinder_codes.reading import ReadFailure, read_scan

PUBLISHED = json.loads((Path(__file__).parents[1] / "vectors/codes/gs1.json").read_text(encoding="utf-8"))
VECTORS = PUBLISHED["vectors"]
LINKS = [vector for vector in VECTORS if vector["raw"].startswith("http")]


@pytest.mark.parametrize("vector", [v for v in VECTORS if "code" in v], ids=lambda v: v["sentence"])
def test_a_published_code_is_read(vector: dict[str, str]) -> None:
    assert read_scan(vector["raw"]) == Code(vector["code"])


@pytest.mark.parametrize("vector", [v for v in VECTORS if "kind" in v], ids=lambda v: v["sentence"])
def test_a_published_mistake_is_refused_by_name(vector: dict[str, str]) -> None:
    read = read_scan(vector["raw"])
    assert isinstance(read, ReadFailure)
    assert read.kind == vector["kind"]


@pytest.mark.parametrize("vector", LINKS, ids=lambda v: v["sentence"])
def test_the_strict_parser_says_of_a_published_link_what_the_reader_says(vector: dict[str, str]) -> None:
    try:
        said = parse_link(vector["raw"]).code.text
    except CodeError as error:
        said = error.kind
    assert said == vector.get("code", vector.get("kind"))


@pytest.mark.parametrize("vector", [v for v in LINKS if "code" in v], ids=lambda v: v["sentence"])
def test_a_published_link_is_written_again_as_one_that_reads_back(vector: dict[str, str]) -> None:
    code = Code(vector["code"])
    assert parse_link(format_link(code, "id.gs1.org")).code == code


def test_every_exception_is_named_and_every_name_is_used() -> None:
    used = {vector["exception"] for vector in VECTORS if "exception" in vector}
    assert used == PUBLISHED["exceptions"].keys()
    assert {vector["source"] for vector in VECTORS} <= PUBLISHED["sources"].keys()


def test_each_published_vector_has_a_sentence_of_its_own() -> None:
    sentences = [vector["sentence"] for vector in VECTORS]
    assert len(sentences) == len(set(sentences)) > 100


def test_every_application_identifier_has_the_length_that_gs1_gives_it() -> None:
    published: dict[str, Any] = {}
    for ranges, *facts in PUBLISHED["application_identifiers"]["rows"]:
        first, _, last = ranges.partition("-")
        for number in range(int(first), int(last or first) + 1):
            published[f"{number:0{len(first)}d}"] = facts
    assert {ai: [facts.shortest, facts.longest, facts.predefined] for ai, facts in AIS.items()} == published


def test_no_application_identifier_is_the_beginning_of_another() -> None:
    assert not [(ai, other) for ai in AIS for other in AIS if ai != other and other.startswith(ai)]
