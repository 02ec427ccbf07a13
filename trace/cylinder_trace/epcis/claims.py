"""What nobody may say of us but we (冒充): events that would pass for the ledger's own.

A field or a word of our vocabulary is ours, wherever it stands and however it is written.  Of a cylinder on file
(在册气瓶) the ledger alone tells what it checks first: that it begins or ends, what it is called by, what is in it and
on it, and the states that stop it or set it free.  Whoever does one of these says so there.  What happens to a
cylinder elsewhere, that it was shipped, received, stored, packed onto a pallet or counted, anybody may tell.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from cylinder_codes.identifiers import DEFAULT_HOST
from cylinder_trace.epcis.addresses import code_at
from cylinder_trace.epcis.context import Context
from cylinder_trace.epcis.indexing import Indexed

LEDGER_STEPS = frozenset(
    """
    commissioning decommissioning encoding killing installing replacing removing inspecting holding packing unpacking
    retail_selling destroying
    """.split()
)
"""Business steps of a cylinder that the ledger alone records."""
_INTO_ANOTHER = frozenset(("packing", "unpacking"))
"""Of these it does only where the cylinder is what something is packed into: a pallet of cylinders is anybody's."""
LEDGER_STATES = frozenset(
    """
    active inactive encoded conformant non_conformant expired recalled stolen destroyed disposed non_sellable_other
    needs_replacement retail_sold
    """.split()
)
"""States (状态) of a cylinder that the ledger alone states, in whatever step."""
_LASTING = LEDGER_STATES | {
    "unknown", "unavailable", "no_pedigree_match", "mismatch_instance", "completeness_verified"
}  # fmt: skip
"""The same of the states that last; of a moment each of the five may be somebody else's finding."""
_ESCAPE = re.compile("%([0-7][0-9A-Fa-f])")
_BONDS = frozenset(("AggregationEvent", "AssociationEvent"))
_ABOUT = frozenset(("epc", "parent", "input", "output"))
_BY_ID = re.compile(rf"https?://{re.escape(DEFAULT_HOST)}/cylinder/([^/?#]+)", re.IGNORECASE)
_BY_CODE = re.compile(rf"https?://{re.escape(DEFAULT_HOST)}/c/([^/?#]+)", re.IGNORECASE)
_VOCABULARY = re.compile(
    rf"https?://(?:[^/?#]*@)?{re.escape(DEFAULT_HOST)}[.]?(?::[0-9]*)?/+voc(?:[/?#]|$)", re.IGNORECASE
)


class Named(NamedTuple):
    """By what a cylinder may be on file."""

    codes: tuple[str, ...]
    subjects: tuple[str, ...]


def speaks_our_words(event: dict[str, Any], context: Context) -> bool:
    """Whether an event holds a field or a word of our own vocabulary, at any depth and in any writing."""
    return any(_is_ours(context.prefixes.get(text) or context.expand(text)) for text in _texts(event))


def named_where_we_speak(found_by: Indexed) -> Named:
    """What an event tells something of that the ledger alone tells: no such thing may be a cylinder on file."""
    about = _spoken_of(found_by)
    addresses = {term.value for term in found_by.terms if term.name in about}
    codes = {code for address in addresses if (code := code_at(address))}
    codes |= {_plain(found[1]) for address in addresses if (found := _BY_CODE.match(address))}  # also an old code
    ids = {_plain(found[1]) for address in addresses if (found := _BY_ID.match(address))}
    return Named(tuple(sorted(codes)), tuple(f"cylinder/{id}" for id in sorted(ids)))


def _spoken_of(found_by: Indexed) -> frozenset[str]:
    """In which of an event's lists a cylinder on file may not stand."""
    is_bond = found_by.type in _BONDS
    step = found_by.biz_step
    if step in LEDGER_STEPS and not (is_bond and step in _INTO_ANOTHER):
        return _ABOUT
    if found_by.disposition in LEDGER_STATES or _says_what_lasts(found_by):
        return _ABOUT
    begins_or_ends = found_by.action in ("ADD", "DELETE")
    if is_bond and (begins_or_ends or step in _INTO_ANOTHER):
        return frozenset(("parent",))
    # A business transaction is bound to things and loosed from them; it makes none and ends none.
    if found_by.type == "TransformationEvent" or (begins_or_ends and not is_bond and found_by.type != _TRANSACTION):
        return _ABOUT
    return frozenset()


_TRANSACTION = "TransactionEvent"


def _says_what_lasts(found_by: Indexed) -> bool:
    return any(term.name in ("pd_set", "pd_unset") and term.value in _LASTING for term in found_by.terms)


def _is_ours(text: str) -> bool:
    return ":" in text and _VOCABULARY.match(_plain(text)) is not None


def _plain(text: str) -> str:
    """A URI with its escapes undone, as far as they are of one byte: all that we are called by is."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "%" in text else text


def _texts(event: dict[str, Any]) -> Iterator[str]:
    """Every name and every text in an event, but for what its @context explains."""
    left: list[Any] = [value for name, value in event.items() if name != "@context"]
    yield from event
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            yield from one
            left += one.values()
        elif isinstance(one, list):
            left += one
