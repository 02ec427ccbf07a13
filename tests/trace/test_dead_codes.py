"""The list of dead and black codes: who is on it, that nobody on it is missed, and how often it is wrong."""

from hashlib import sha256

import pytest

from cylinder_trace.dead_codes import DeadCodes, digest_of, listed_codes
from vectors.admission.cases import base_case

CYLINDER = base_case().cylinder
MOST_WRONG = 0.0002  # twice the promise: chance alone varies it


def listed(count: int) -> DeadCodes:
    codes = DeadCodes.for_count(count)
    for number in range(count):
        codes.add(digest_of(f"code-{number}"))
    return codes


def test_the_digest_and_the_bits_are_the_ones_on_the_page() -> None:
    assert digest_of("7K2M9QRT4XWZB8NDPVHC3J5E42").hex() == "d944385b67e12c7375931ca1d84ac10c"
    bits = bytes(listed(1000))
    assert len(bits) == 2500
    assert sha256(bits).hexdigest() == "9bb20b599c665f69868590690102c433244cc52f9ebc191198a4e54b43137bc7"


@pytest.mark.parametrize("count", [0, 1, 50, 1000, 20_000])
def test_every_code_on_the_list_is_found_and_of_others_not_one_in_ten_thousand(count: int) -> None:
    codes = listed(count)
    assert all(codes.may_have(f"code-{number}") for number in range(count))
    wrong = sum(codes.may_have(f"other-{number}") for number in range(50_000))
    assert wrong <= 50_000 * MOST_WRONG


def test_a_list_goes_on_from_its_bytes() -> None:
    codes = DeadCodes(bytes(listed(100)))
    codes.add(digest_of("one more"))
    assert codes.may_have("one more")
    assert codes.may_have("code-99")
    with pytest.raises(ValueError, match="at least one byte"):
        DeadCodes(b"")


def test_dead_codes_and_all_codes_of_dead_and_marked_cylinders_are_listed() -> None:
    assert CYLINDER is not None
    sound = CYLINDER.model_copy(update={"codes": ("A", "B"), "voided_codes": ("C",)})
    assert listed_codes(sound) == ("C",)
    assert listed_codes(sound.model_copy(update={"status": "destroyed"})) == ("A", "B", "C")
    assert listed_codes(sound.model_copy(update={"flags": ("black",)})) == ("A", "B", "C")
