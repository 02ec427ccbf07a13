"""What nobody may say of us but we (冒充): events that would pass for the ledger's own.

A field or a word of our vocabulary is ours, and so are the steps of a cylinder's life that only the ledger records
because it checks them first: whoever does one of these says so there.  What happens to a cylinder elsewhere, that it
was shipped, received or stored, anybody may tell.
"""

from typing import NamedTuple

from cylinder_trace.epcis.addresses import OURS, VOCABULARY, code_at
from cylinder_trace.epcis.indexing import Indexed

LEDGER_STEPS = frozenset(
    """
    commissioning decommissioning encoding replacing removing inspecting packing retail_selling destroying
    """.split()
)
"""Business steps of a cylinder that the ledger alone records."""
_ABOUT = frozenset(("epc", "parent", "input", "output"))
_BY_ID = f"{OURS}cylinder/"


class Named(NamedTuple):
    """By what a cylinder may be on file."""

    codes: tuple[str, ...]
    subjects: tuple[str, ...]


def speaks_our_words(found_by: Indexed) -> bool:
    """Whether an event has a field or a word of our own vocabulary."""
    words = (found_by.type, found_by.biz_step or "", found_by.disposition or "")
    return any(word.startswith(VOCABULARY) for word in words) or any(
        VOCABULARY in term.name or term.value.startswith(VOCABULARY) for term in found_by.terms
    )


def named_in_our_steps(found_by: Indexed) -> Named:
    """What an event names, if it tells one of the ledger's steps: no such thing may be a cylinder on file."""
    addresses = [term.value for term in found_by.terms if term.name in _ABOUT]
    if found_by.biz_step not in LEDGER_STEPS:
        return Named((), ())
    codes = {code for address in addresses if (code := code_at(address))}
    ids = {address[len(_BY_ID) :] for address in addresses if address.startswith(_BY_ID)}
    return Named(tuple(sorted(codes)), tuple(f"cylinder/{id.replace('%3A', ':')}" for id in sorted(ids)))
