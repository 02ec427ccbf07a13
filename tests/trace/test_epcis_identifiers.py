"""Every writing of a GS1 identifier has one canonical link; what claims to be one and is not is refused by name."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_codes.check_digits import gs1_check_digit
from cylinder_codes.digital_link import format_link, format_printed_link
from cylinder_codes.errors import CodeError, CodeErrorKind
from cylinder_codes.identifiers import Code
from cylinder_trace.epcis import normal
from cylinder_trace.epcis.addresses import code_address, code_at, epc_of, party_address, station_address
from cylinder_trace.epcis.normal import canonical, linked, urn_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from epcis_event_hash_generator.dl_normaliser import normaliser as reference

VECTORS: dict[str, list[Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors/epcis/identifiers.json").read_text("utf-8")
)
SERIAL = st.text("!\"%&'()*+,-./0123456789:;<=>?ABCXYZ_abcxyz", min_size=1, max_size=16)


def each(name: str) -> pytest.MarkDecorator:
    """Every vector of one kind, called by what it is about."""
    return pytest.mark.parametrize("vector", VECTORS[name], ids=lambda vector: str(vector["about"]))


@each("translations")
def test_an_epc_uri_becomes_its_link_and_the_link_it_again(vector: dict[str, Any]) -> None:
    assert canonical(vector["urn"]) == vector["link"]
    assert canonical(vector["link"]) == vector["link"]
    assert urn_of(vector["link"], vector["prefix"]) == vector["urn"]


@each("translations")
def test_the_reference_of_the_event_hash_gives_the_same_link(vector: dict[str, Any]) -> None:
    known_wrong = "a GRAI whose prefix leaves no room for a type"  # it asks for a third dot behind twelve digits
    assert reference(vector["urn"]) == (None if vector["about"] == known_wrong else vector["link"])


@each("writings")
def test_every_other_writing_has_the_same_link(vector: dict[str, Any]) -> None:
    assert canonical(vector["uri"]) == vector["link"]


@pytest.mark.parametrize("uri", VECTORS["no_claim"])
def test_what_does_not_claim_to_be_a_key_of_gs1_is_left_as_it_is(uri: str) -> None:
    assert canonical(uri) is None
    assert linked(uri) == uri


@each("wrong")
def test_what_claims_to_be_one_and_is_not_is_refused_by_name_and_place(vector: dict[str, Any]) -> None:
    with pytest.raises(CodeError) as refused:
        canonical(vector["uri"])
    assert (refused.value.kind, refused.value.position) == (CodeErrorKind(vector["kind"]), vector["position"])
    assert linked(vector["uri"]) == vector["uri"]


def test_the_vectors_hold_the_traps_and_every_kind_of_key() -> None:
    kinds = {vector["kind"] for vector in VECTORS["wrong"]}
    assert kinds >= {"wrong_check_digits", "missing_filler", "serial_too_long", "missing_serial", "wrong_character"}
    keys = {vector["link"].split("/")[3] for vector in VECTORS["translations"]}
    assert keys == set("00 01 253 255 401 402 414 417 8003 8004 8006 8010 8017 8018".split())


def test_a_wrong_check_digit_of_a_grai_passes_the_reference_and_not_us() -> None:
    wrong = "https://gas.example.org/8003/09520001123459ZJ33010000017"
    assert reference(wrong) == "https://id.gs1.org/8003/09520001123459ZJ33010000017"
    with pytest.raises(CodeError, match="the check digit is 9, but 0 fits"):
        canonical(wrong)


@pytest.mark.parametrize(
    ("link", "length"),
    [
        ("https://gas.example.org/8003/09520001123450ZJ1", 7),
        ("https://id.gs1.org/8003/09520001123450ZJ1", 5),
        ("https://id.gs1.org/8003/09520001123450ZJ1", 13),
        ("https://id.gs1.org/8004/9520001VLV", 8),
        ("https://id.gs1.org/8004/9520001", 7),
        ("https://id.gs1.org/8006/095200011111120102/10/L", 7),
        ("https://example.org/", 7),
    ],
)
def test_the_way_back_needs_a_canonical_link_and_the_length_of_its_prefix(link: str, length: int) -> None:
    with pytest.raises(CodeError):
        urn_of(link, length)


@pytest.mark.parametrize(
    ("before", "longest", "filled"),
    [
        ("https://id.gs1.org/8003/09520001123450", 16, "Z"),
        ("https://id.gs1.org/8004/9520001", 23, "Z"),
        ("https://id.gs1.org/253/9520001000096", 17, "Z"),
        ("https://id.gs1.org/255/9520001222221", 12, "7"),
        ("https://id.gs1.org/401/9520001", 23, "Z"),
        ("https://id.gs1.org/8010/9520001", 23, "Z"),
        ("https://id.gs1.org/8010/9520001Z/8011/", 12, "7"),
        ("https://id.gs1.org/01/09520001999994/21/", 20, "Z"),
        ("https://id.gs1.org/01/09520001999994/10/", 20, "Z"),
        ("https://id.gs1.org/01/09520001999994/22/", 20, "Z"),
        ("https://id.gs1.org/01/09520001999994/235/", 28, "Z"),
        ("https://id.gs1.org/8006/095200011111120102/21/", 20, "Z"),
        ("https://id.gs1.org/414/9520001000010/254/", 20, "Z"),
        ("https://id.gs1.org/8004/9520001Z/7040/", 4, "Z"),
    ],
)
def test_a_value_may_be_as_long_as_gs1_says_and_not_one_character_longer(
    before: str, longest: int, filled: str
) -> None:
    assert canonical(before + filled * longest)
    with pytest.raises(CodeError) as refused:
        canonical(before + filled * (longest + 1))
    assert refused.value.kind == CodeErrorKind.SERIAL_TOO_LONG
    assert refused.value.position == len(before) + longest + 1


@given(body=st.from_regex("[0-9]{12}", fullmatch=True), serial=SERIAL, length=st.integers(6, 12))
def test_every_grai_goes_there_and_back_whatever_its_serial_holds(body: str, serial: str, length: int) -> None:
    link = canonical(urn_of(str(linked(_grai(body, serial))), length))
    assert link == linked(_grai(body, serial))
    assert str(link).isascii()


def _grai(body: str, serial: str) -> str:
    escaped = "".join(f"%{ord(char):02X}" for char in serial)
    return f"https://id.gs1.org/8003/0{body}{gs1_check_digit(body)}{escaped}"


@given(st.text(max_size=80) | st.from_regex(r"(urn:epc:id(pat)?:[a-z]{3,5}:|https://id\.gs1\.org/)[!-~]{0,60}"))
def test_any_text_is_a_canonical_link_no_claim_or_a_named_error(text: str) -> None:
    try:
        link = canonical(text)
    except CodeError:
        assert linked(text) == text
    else:
        assert link is None or canonical(link) == link


# --- what we call things -------------------------------------------------------------------------------------

GRAI, GIAI, OWN = "grai:09520001123450ZJ33010000017", "giai:9520001VLV-0098231", "04HMASW9NF6YZZPW1011YN6955"


@pytest.mark.parametrize(
    ("codes", "address"),
    [
        ([OWN, GIAI, GRAI], "https://id.gs1.org/8003/09520001123450ZJ33010000017"),
        ([GIAI, OWN], "https://id.gs1.org/8004/9520001VLV-0098231"),
        (["7K2M9QRT4XWZB8NDPVHC3J5E42", OWN], f"https://id.pinglian.example/c/{OWN}"),
        (["province:ZJ330100000017"], "https://id.pinglian.example/c/province%3AZJ330100000017"),
        ([], "https://id.pinglian.example/cylinder/cyl_1"),
    ],
)
def test_a_cylinder_is_called_by_its_gs1_key_else_by_its_newest_own_code(codes: list[str], address: str) -> None:
    assert epc_of("cyl_1", codes) == address


@given(st.sampled_from(["grai:09520001123450", "giai:9520001"]), SERIAL)
def test_the_address_of_a_gs1_code_is_its_canonical_link(head: str, serial: str) -> None:
    code = Code(head + serial.upper())
    assert canonical(code_address(code.text)) == code_address(code.text)


@pytest.mark.parametrize(
    "text", [OWN, GRAI, GIAI, "province:ZJ330100000017", "stamp:某厂|2019-03|A'1;~", "maker:A=B/C D"]
)
def test_a_code_as_its_plate_bears_it_is_what_we_call_it(text: str) -> None:
    code = Code(text.replace(" ", ""))
    assert canonical(code_address(code.text)) == code_address(code.text)
    for printed in (format_printed_link(code), format_link(code), format_link(code).replace("https", "http")):
        assert canonical(printed) == code_address(code.text)


def test_a_link_of_our_own_that_names_no_code_is_left_to_the_register() -> None:
    assert canonical("https://id.pinglian.example/c/province") is None
    assert code_at("https://id.pinglian.example/c/province") is None
    assert code_at("https://id.gs1.org/414/9520001000010") is None


def test_a_station_and_a_company_whose_id_is_a_gln_are_called_by_it() -> None:
    assert station_address("9520001000010", 3) == "https://id.gs1.org/414/9520001000010/254/3"
    assert station_address("9520001000011", 3) == "https://id.pinglian.example/station/9520001000011/lane/3"
    assert station_address("st_01") == "https://id.pinglian.example/station/st_01"
    assert party_address("9520001000010") == "https://id.gs1.org/417/9520001000010"
    assert party_address("co_01") == "https://id.pinglian.example/party/co_01"


def test_what_is_remembered_of_identifiers_is_short_whatever_is_sent() -> None:
    before = normal._remembered.cache_info().misses
    assert linked("https://a.example/8003/" + "9" * 1_000_000) == "https://a.example/8003/" + "9" * 1_000_000
    assert normal._remembered.cache_info().misses == before
