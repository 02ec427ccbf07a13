"""The trust list: what it says, who must have signed it, what a revocation does, and that an old list is noticed."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cylinder_codes.authenticity import TagKey
from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_codes.note import format_note, sign_note, sign_text
from cylinder_codes.trust import (
    MAX_LIST_LENGTH,
    Period,
    Standing,
    TrustedKey,
    TrustedTagKey,
    TrustError,
    TrustErrorKind,
    TrustList,
    format_instant,
    format_trust_list,
    open_trust_list,
    parse_instant,
    parse_trust_list,
    sign_trust_list,
)

ROOT = SigningKey("works.example/root", bytes(32))
FIRST = SigningKey("works.example/signing-1", bytes(range(32)))
SECOND = SigningKey("瓶链.example/signing-2", bytes([2] * 32))
TAG = TagKey("works.example/2026", bytes(range(32)))
FROM, UNTIL, AT = (parse_instant(f"{year}-01-01T00:00:00Z") for year in (2026, 2028, 2027))
PERIOD = Period(FROM, UNTIL)
LIST = TrustList(
    7,
    FROM,
    (
        TrustedKey(FIRST.verifying_key, PERIOD),
        TrustedKey(SECOND.verifying_key, Period(FROM, UNTIL, AT, "its laptop was stolen 电脑被盗")),
    ),
    (TrustedTagKey(TAG.name, TAG.key_id, PERIOD),),
)
NOTE = sign_trust_list(LIST, ROOT)
ROOTS = [ROOT.verifying_key]


def refusal(note: str, known: TrustList | None = None) -> TrustError:
    with pytest.raises(TrustError) as caught:
        open_trust_list(note, ROOTS, known)
    return caught.value


def test_a_published_list_reads_back_as_it_was_signed() -> None:
    assert open_trust_list(NOTE, ROOTS) == LIST
    assert parse_trust_list(format_trust_list(LIST)) == LIST


def test_a_list_is_a_text_that_people_can_read() -> None:
    revoked = " revoked 2027-01-01T00:00:00Z because its laptop was stolen 电脑被盗"
    tag_line = f"tag works.example/2026+{TAG.key_id.hex()} from 2026-01-01T00:00:00Z until 2028-01-01T00:00:00Z"
    assert format_trust_list(LIST).splitlines() == [
        "pinglian-trust-list/1",
        "serial 7",
        "issued 2026-01-01T00:00:00Z",
        f"statement {format_vkey(FIRST.verifying_key)} from 2026-01-01T00:00:00Z until 2028-01-01T00:00:00Z",
        f"statement {format_vkey(SECOND.verifying_key)} from 2026-01-01T00:00:00Z until 2028-01-01T00:00:00Z{revoked}",
        tag_line,
    ]


def test_a_list_never_holds_a_secret() -> None:
    for secret in (FIRST.seed, SECOND.seed, ROOT.seed, TAG.secret):
        assert secret.hex() not in NOTE
        assert secret not in NOTE.encode()


@pytest.mark.parametrize(
    ("at", "standing"),
    [
        (FROM - 1, Standing.NOT_VALID),
        (FROM, Standing.GOOD),
        (AT - 1, Standing.GOOD),
        (AT, Standing.REVOKED),
        (UNTIL, Standing.REVOKED),
    ],
)
def test_a_revoked_key_counts_for_what_it_signed_before_and_for_nothing_after(at: int, standing: Standing) -> None:
    assert LIST.keys[1].period.standing(at) is standing


def test_a_key_that_is_not_revoked_ends_at_its_end() -> None:
    assert [PERIOD.standing(at) for at in (UNTIL - 1, UNTIL)] == [Standing.GOOD, Standing.NOT_VALID]


def test_a_revocation_from_before_the_beginning_takes_the_whole_key_back() -> None:
    period = Period(FROM, UNTIL, FROM - 1000, "it was never ours")
    assert {period.standing(at) for at in (FROM, AT, UNTIL)} == {Standing.REVOKED}


# --- who signed it ------------------------------------------------------------------------------------------


def test_a_list_signed_by_anybody_else_is_refused() -> None:
    forged = sign_trust_list(LIST, SigningKey(ROOT.name, bytes([9] * 32)))
    assert refusal(forged).kind is TrustErrorKind.NOT_SIGNED_BY_ROOT


def test_a_list_changed_after_signing_is_refused() -> None:
    changed = NOTE.replace("until 2028", "until 2029", 1)
    assert refusal(changed).kind is TrustErrorKind.NOT_SIGNED_BY_ROOT


def test_a_key_that_signs_statements_cannot_sign_the_list_it_stands_in() -> None:
    assert refusal(sign_trust_list(LIST, FIRST)).kind is TrustErrorKind.NOT_SIGNED_BY_ROOT


def test_a_new_root_is_introduced_by_a_list_that_both_roots_sign() -> None:
    new_root = SigningKey("works.example/root-2", bytes([3] * 32))
    text = format_trust_list(LIST)
    note = format_note(text, [sign_text(text, ROOT), sign_text(text, new_root)])
    assert open_trust_list(note, ROOTS) == open_trust_list(note, [new_root.verifying_key]) == LIST


# --- older and newer ----------------------------------------------------------------------------------------


def test_an_older_list_than_the_one_already_known_is_noticed() -> None:
    newer = LIST.with_revocation(FIRST.key_id, AT, "lost", AT)
    assert newer.serial == LIST.serial + 1
    older = refusal(NOTE, known=newer)
    assert older.kind is TrustErrorKind.OLDER_LIST
    assert "7" in str(older)
    assert "8" in str(older)
    assert open_trust_list(sign_trust_list(newer, ROOT), ROOTS, known=LIST) == newer


def test_two_different_lists_of_one_serial_are_noticed_and_the_same_list_again_is_not() -> None:
    assert open_trust_list(NOTE, ROOTS, known=LIST) == LIST
    other = TrustList(LIST.serial, LIST.issued_at, LIST.keys[:1])
    assert refusal(sign_trust_list(other, ROOT), known=LIST).kind is TrustErrorKind.CONFLICTING_LIST


# --- changing -----------------------------------------------------------------------------------------------


def test_a_key_is_added_ended_and_revoked_each_in_a_list_of_its_own() -> None:
    third = TrustedKey(SigningKey("third.example", bytes([5] * 32)).verifying_key, PERIOD)
    added = LIST.with_key(third, AT)
    ended = added.with_end(third.key_id, AT + 1000, AT)
    revoked = ended.with_revocation(third.key_id, AT, "not used", AT)
    assert [step.serial for step in (added, ended, revoked)] == [8, 9, 10]
    entry = revoked.statement_key(third.key_id)
    assert entry is not None
    assert entry.period == Period(FROM, AT + 1000, AT, "not used")
    assert open_trust_list(sign_trust_list(revoked, ROOT), ROOTS, known=LIST) == revoked


def test_an_end_is_never_moved_later() -> None:
    entry = LIST.with_end(FIRST.key_id, UNTIL + 1000, AT).statement_key(FIRST.key_id)
    assert entry is not None
    assert entry.period.valid_until == UNTIL


def test_a_revocation_is_moved_earlier_when_more_becomes_known_and_never_later() -> None:
    earlier = LIST.with_revocation(SECOND.key_id, AT - 1000, "stolen the day before", AT)
    assert earlier.keys[1].period.revoked_from == AT - 1000
    for later in (AT, AT + 1000):
        with pytest.raises(TrustError, match="already"):
            LIST.with_revocation(SECOND.key_id, later, "never mind", AT)


def test_a_tag_key_is_listed_by_its_id_and_revoked_from_a_date_on() -> None:
    revoked = LIST.with_revocation(TAG.key_id, AT, "the printer kept a copy", AT)
    entry = revoked.tag_key(TAG.key_id)
    assert entry is not None
    assert [entry.period.standing(at) for at in (AT - 1, AT)] == [Standing.GOOD, Standing.REVOKED]
    assert revoked.statement_key(TAG.key_id) is None


def test_a_key_is_listed_once_and_only_a_listed_key_is_revoked() -> None:
    with pytest.raises(TrustError) as twice:
        LIST.with_key(LIST.keys[0], AT)
    assert twice.value.kind is TrustErrorKind.ALREADY_LISTED
    with pytest.raises(TrustError) as unknown:
        LIST.with_revocation(b"\0\0\0\0", AT, "?", AT)
    assert unknown.value.kind is TrustErrorKind.NOT_LISTED


@pytest.mark.parametrize(
    "period", [(UNTIL, FROM), (FROM, FROM), (FROM, UNTIL, AT, ""), (FROM, UNTIL, None, "x"), (FROM, UNTIL, AT, "a\nb")]
)
def test_dates_in_the_wrong_order_and_a_revocation_without_a_reason_are_refused(period: tuple[int, int]) -> None:
    with pytest.raises(TrustError):
        Period(*period)


# --- bad lists ----------------------------------------------------------------------------------------------

LINES = format_trust_list(LIST).splitlines()


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (1, "pinglian-trust-list/2"),
        (2, "serial 07"),
        (2, "serial -1"),
        (2, "serial 1e3"),
        (2, "serial " + "9" * 16),
        (3, "issued yesterday"),
        (3, "issued 2026-02-30T00:00:00Z"),
        (3, "issued 2026-01-01"),
        (4, ""),
        (4, "journal" + LINES[3].removeprefix("statement")),
        (4, LINES[3].replace("+AQ", "+AR", 1)),
        (4, LINES[3] + " revoked 2027-01-01T00:00:00Z"),
        (5, LINES[4].replace("because its", "because\u200b its")),
        (5, LINES[4].replace("until 2028", "until 2025")),
        (6, LINES[5].replace("+", " ", 1)),
        (6, LINES[5].replace("from", "since")),
        (6, LINES[5] + " "),
    ],
)
def test_a_wrong_line_is_named(number: int, line: str) -> None:
    lines = [*LINES[: number - 1], line, *LINES[number:]]
    refused = refusal(sign_note("\n".join([*lines, ""]), ROOT))
    assert (refused.kind, refused.line) == (TrustErrorKind.MALFORMED, number)
    assert str(refused).startswith(f"line {number}: ")


def test_the_same_key_twice_is_refused() -> None:
    assert refusal(sign_note("\n".join([*LINES, LINES[3], ""]), ROOT)).kind is TrustErrorKind.ALREADY_LISTED


def test_a_flood_is_refused_before_it_is_read() -> None:
    assert refusal(NOTE + "x" * MAX_LIST_LENGTH).kind is TrustErrorKind.MALFORMED


@given(st.text(max_size=200), st.integers(0, len(LINES)))
def test_any_text_is_a_list_or_a_clear_refusal(text: str, place: int) -> None:
    for candidate in (text, "\n".join([*LINES[:place], text, *LINES[place:], ""])):
        with suppress(TrustError):
            parse_trust_list(candidate)
        with suppress(TrustError):
            open_trust_list(candidate, ROOTS)


@given(st.integers(0, 253_402_300_799_000))
def test_an_instant_reads_back_to_the_second(at: int) -> None:
    assert parse_instant(format_instant(at)) == at - at % 1000
