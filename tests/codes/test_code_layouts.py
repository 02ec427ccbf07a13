"""Keyboard layouts: what a scanner set to the American layout types into another computer is undone, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_codes.authenticity import TagKey
from cylinder_codes.digital_link import format_link, format_printed_link
from cylinder_codes.identifiers import Code, make_code, make_giai, make_grai
from cylinder_codes.layouts import LAYOUTS, Layout
from cylinder_codes.reading import ReadFailure, read_scan

KEY = TagKey("example", bytes(range(32)))
OURS = Code("04HMASW9NF6YZZPW1011YN6955")
GRAI = Code("grai:09520001123450AB33010000017")
GIAI = Code("giai:9520001VLV-0098231")
GRAI_WITH_Z = Code("grai:09520001123450ZJ33010000017")

by_name = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name_en)
named = {layout.name_en: layout for layout in LAYOUTS}

codes = st.one_of(
    st.binary(min_size=10, max_size=10).map(lambda drawn: make_code(drawn, KEY)),
    st.binary(min_size=6, max_size=6).map(lambda drawn: make_grai("952000112345", drawn, KEY)),
    st.binary(min_size=6, max_size=6).map(lambda drawn: make_giai("9520001", drawn, KEY)),
)


@by_name
@pytest.mark.parametrize("code", [OURS, GRAI], ids=["our code", "a GRAI"])
def test_a_label_is_read_on_every_layout(layout: Layout, code: Code) -> None:
    assert read_scan(layout.typed(format_printed_link(code))) == code
    assert read_scan(layout.typed(format_link(code))) == code


@by_name
def test_a_label_is_read_on_every_layout_under_caps_lock(layout: Layout) -> None:
    read = read_scan(layout.typed(format_printed_link(OURS)).swapcase())
    if layout.name_en == "Hungarian":  # there 0 is typed as ö, and under caps lock as Ö, which is also a bracket
        assert isinstance(read, ReadFailure)
    else:
        assert read == OURS


@pytest.mark.parametrize(
    "layout",
    [layout for layout in LAYOUTS if layout.meant(layout.typed("]")) == "]"],  # elsewhere ] is a dead key
    ids=lambda layout: layout.name_en,
)
def test_a_label_is_read_with_its_symbology_identifier_and_twice(layout: Layout) -> None:
    typed = layout.typed("]Q1" + format_printed_link(OURS)) + "\r"
    assert read_scan(typed * 2) == OURS


@by_name
def test_a_layout_is_undone_character_by_character(layout: Layout) -> None:
    for code in (OURS, GRAI, GIAI, GRAI_WITH_Z):
        link = format_printed_link(code)
        assert layout.meant(layout.typed(link)) == link
        assert len(layout.typed(link)) == len(link)


@given(codes, st.sampled_from(LAYOUTS), st.booleans(), st.booleans())
def test_on_no_layout_is_a_link_read_as_another_code(code: Code, layout: Layout, upper: bool, caps_lock: bool) -> None:
    typed = layout.typed(format_printed_link(code) if upper else format_link(code))
    read = read_scan(typed.swapcase() if caps_lock else typed)
    assert read == code or isinstance(read, ReadFailure)


def test_a_y_or_z_in_a_serial_is_refused_where_two_layouts_would_read_it_differently() -> None:
    typed = named["German"].typed(format_link(GRAI_WITH_Z))
    assert named["Swedish and Finnish"].meant(typed) != format_link(GRAI_WITH_Z)
    read = read_scan(typed)
    assert isinstance(read, ReadFailure)
    assert read.kind == "wrong_layout"


def test_a_y_or_z_in_a_serial_is_read_where_the_colon_tells_the_layout() -> None:
    for name in ("Swiss", "French", "Belgian", "Spanish", "Italian"):
        assert read_scan(named[name].typed(format_link(GRAI_WITH_Z))) == GRAI_WITH_Z


def test_the_host_itself_tells_german_from_swedish_when_it_has_a_y_or_z() -> None:
    typed = named["German"].typed(format_link(GRAI_WITH_Z, "cylinders.example"))
    assert read_scan(typed, ["cylinders.example"]) == GRAI_WITH_Z


def test_a_dash_in_a_giai_comes_back_from_the_key_it_was_typed_with() -> None:
    for name in ("French", "Belgian", "Spanish", "Italian", "Portuguese", "Swiss", "German", "Swedish and Finnish"):
        assert read_scan(named[name].typed(format_printed_link(GIAI))) == GIAI


def test_no_layout_is_undone_in_a_text_without_link_because_nothing_betrays_it_there() -> None:
    typed = named["German"].typed(OURS.text)
    assert typed != OURS.text
    read = read_scan(typed)
    assert isinstance(read, ReadFailure)
    assert read.kind == "wrong_check_digits"


def test_no_layout_is_undone_in_a_link_of_another_host() -> None:
    for code in (OURS, GRAI):
        assert isinstance(read_scan(named["German"].typed(format_link(code, "elsewhere.example"))), ReadFailure)


def test_a_wrong_digit_is_refused_on_every_layout_with_its_place() -> None:
    link = format_link(OURS)
    for layout in LAYOUTS:
        read = read_scan(layout.typed(link[:-1] + "6"))
        assert isinstance(read, ReadFailure)
        assert (read.kind, read.position) == ("wrong_check_digits", len(link) - 1)


def test_two_labels_typed_on_another_layout_are_two_codes() -> None:
    other = make_code(bytes(10), KEY)
    read = read_scan("\r".join(named["French"].typed(format_link(code)) for code in (OURS, other)))
    assert isinstance(read, ReadFailure)
    assert read.kind == "two_codes"


@by_name
def test_every_key_of_a_layout_types_one_thing(layout: Layout) -> None:
    assert len(layout.plain) == len(layout.shifted) == 47
    typed = [char for char in layout.plain + layout.shifted if char != " "]
    assert len(typed) == len(set(typed))
