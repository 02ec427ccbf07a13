"""Links: written in one form, read in every form the standard allows, and refused with the place of what is wrong."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cylinder_codes.check_digits import GS1_PUNCTUATION, gs1_check_digit
from cylinder_codes.digital_link import format_link, format_printed_link, parse_link
from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import Code, format_code_human, legacy_code
from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_codes.schemes import LEGACY_SCHEMES

VALUE_CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" + GS1_PUNCTUATION
ALPHANUMERIC_MODE = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")

grais = st.tuples(
    st.text("0123456789", min_size=12, max_size=12), st.text(VALUE_CHARACTERS, min_size=1, max_size=16)
).map(lambda parts: Code(f"grai:0{parts[0]}{gs1_check_digit(parts[0])}{parts[1]}"))
giais = st.tuples(
    st.text("0123456789", min_size=4, max_size=4), st.text(VALUE_CHARACTERS, min_size=1, max_size=26)
).map(lambda parts: Code(f"giai:{parts[0]}{parts[1]}"))


@st.composite
def legacies(draw: st.DrawFn) -> Code:
    scheme = draw(st.sampled_from(sorted(LEGACY_SCHEMES)))
    text = draw(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40))
    try:
        return legacy_code(scheme, f"XF|2019-03|{text}" if scheme == "stamp" else text)
    except CodeError:
        return legacy_code(scheme, "XF|2019-03|00123")


codes = st.one_of(grais, giais, legacies())


@given(codes)
def test_a_link_of_every_scheme_reads_back(code: Code) -> None:
    assert parse_link(format_link(code)).code == code
    assert parse_link(format_printed_link(code)).code == code


@given(codes)
def test_the_reader_takes_every_link_that_we_write(code: Code) -> None:
    assert read_scan(format_link(code)) == code
    assert read_scan(format_printed_link(code)) == code
    assert read_scan(f"]Q1{format_printed_link(code)}\r\n") == code


@given(codes)
def test_a_link_holds_nothing_that_has_a_meaning_in_a_link(code: Code) -> None:
    path = format_link(code).removeprefix("https://id.pinglian.example/")
    assert set(path) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%/")
    assert path.count("/") == 1


@given(st.one_of(grais, giais))
def test_a_printed_gs1_link_fits_the_alphanumeric_mode_of_a_qr_symbol_unless_its_value_forbids_it(code: Code) -> None:
    printed = format_printed_link(code)
    assert set(printed) <= ALPHANUMERIC_MODE or "_" in code.value
    assert printed.lower() == format_link(code).lower()


@given(st.one_of(grais, giais))
@example(Code("grai:09520001123450A(21)B"))
@example(Code("giai:9501VHTTPS;--33012="))
@example(Code("giai:9501A<GS>B"))
@example(Code("giai:9501(8003)A"))
def test_the_text_under_a_gs1_symbol_reads_back_or_is_refused_but_never_as_another_code(code: Code) -> None:
    read = read_scan(format_code_human(code))
    assert read == code or isinstance(read, ReadFailure)


GRAI, GIAI = Code("grai:09520001123450ZJ33010000017"), Code("giai:9520001VLV-0098231")


@pytest.mark.parametrize(
    ("link", "code", "host", "rest"),
    [
        ("https://id.pinglian.example/8003/09520001123450ZJ33010000017", GRAI, "id.pinglian.example", ""),
        ("HTTPS://ID.PINGLIAN.EXAMPLE/8003/09520001123450ZJ33010000017", GRAI, "id.pinglian.example", ""),
        ("http://brand.example:8080/8003/09520001123450zj33010000017", GRAI, "brand.example:8080", ""),
        ("https://brand.example/gas/8003/09520001123450ZJ33010000017/", GRAI, "brand.example", ""),
        ("https://brand.example/8003/%30952000112345%30ZJ33010000017", GRAI, "brand.example", ""),
        ("https://brand.example/8003/pages/8003/09520001123450ZJ33010000017", GRAI, "brand.example", ""),
        ("https://brand.example//8004//9520001VLV-0098231", GIAI, "brand.example", ""),
        ("https://brand.example/8004/9520001VLV-0098231/7040/1ABC", GIAI, "brand.example", "/7040/1ABC"),
        (
            "https://brand.example/8004/9520001VLV-0098231?17=261122&x=/8003/",
            GIAI,
            "brand.example",
            "?17=261122&x=/8003/",
        ),
        ("https://brand.example/8004/9520001VLV-0098231#s?t=1", GIAI, "brand.example", "#s?t=1"),
        ("https://brand.example/8004/9520001VLV-0098231?", GIAI, "brand.example", "?"),
    ],
)
def test_what_stands_around_the_key_is_kept_out_of_it(link: str, code: Code, host: str, rest: str) -> None:
    parsed = parse_link(link)
    assert (parsed.code, parsed.host, parsed.rest) == (code, host, rest)


@pytest.mark.parametrize(
    ("link", "kind", "position"),
    [
        ("https://a.example/8003/9520001123450ZJ1", "missing_filler", 24),
        ("https://a.example/8003/09520001123459ZJ1", "wrong_check_digits", 37),
        ("https://a.example/8003/09520001123450", "missing_serial", 38),
        ("https://a.example/8003/0952000112345", "wrong_length", 37),
        ("https://a.example/8003/09520001123450ABCDEFGHIJKLMNOPQ", "serial_too_long", 54),
        ("https://a.example/8003/%30952000112345%30A%7E", "wrong_character", 43),
        ("https://a.example/8003/09520001123450A B", "wrong_character", 39),
        ("https://a.example/8003/09520001123450Aß", "wrong_character", 39),
        ("https://a.example/8003/09520001123450A%C3%9F", "wrong_character", 39),
        ("https://a.example/8003/09520001123450A%FF", "wrong_character", 39),
        ("https://a.example/8003/09520001123450A%", "wrong_character", 39),
        ("https://a.example/8003/09520001123450A/21/7", "wrong_character", 40),
        ("https://a.example/8004/952A001VLV", "wrong_character", 27),
        ("https://a.example/8004/9520", "wrong_length", 28),
        ("https://a.example/8004/9520" + "A" * 27, "serial_too_long", 54),
        ("https://a.example/8004/", "foreign_link", 18),
        ("https://a.example/c/04HMASW9NF6YZZPW1011YN6955", "foreign_link", 18),
        ("https://a.example", "foreign_link", 18),
        ("https:///8003/09520001123450ZJ1", "not_a_link", 1),
        ("httpſ://a.example/8003/09520001123450ZJ1", "not_a_link", 1),
        ("ftp://a.example/8003/09520001123450ZJ1", "not_a_link", 1),
        ("", "not_a_link", 1),
    ],
)  # fmt: skip
def test_a_link_that_is_wrong_is_refused_with_kind_and_place(link: str, kind: str, position: int) -> None:
    with pytest.raises(CodeError) as refusal:
        parse_link(link)
    assert (refusal.value.kind, refusal.value.position) == (kind, position)


def test_without_a_host_of_ours_gs1_links_are_read_and_no_others() -> None:
    assert parse_link("https://a.example/8004/9520001VLV-0098231", hosts=()).code == GIAI
    for link in ("https://a.example/c/04HMASW9NF6YZZPW1011YN6955", "words"):
        with pytest.raises(CodeError):
            parse_link(link, hosts=())


@given(
    st.text(max_size=60),
    st.sampled_from(["", "https://a.example/8003/", "https://id.pinglian.example/c/", "http://a/8004/"]),
)
def test_no_text_brings_anything_but_a_link_or_the_named_error_with_a_place_in_it(text: str, front: str) -> None:
    outcome: Code | int
    try:
        outcome = parse_link(front + text).code
    except CodeError as error:
        outcome = error.position
    if isinstance(outcome, Code):
        assert Code(outcome.text) == outcome
    else:
        assert 1 <= outcome <= len(front + text) + 1
