"""The index of references (`entry_ref`) against the entries: who else an entry is about, as its text says.

While entries are examined a digest is made of what each stretch of them refers to; at the end the stored index is gone
through once, in the order of the log.  Only where a digest differs are the entries read again and the rows named.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from cylinder_trace.auditing.stored import Fault, StoredEntry
from cylinder_trace.auditing.texts import canonical_object

Pair = tuple[int, str]
"""Index of an entry, and another subject that it touches."""


class Span(NamedTuple):
    """A stretch of the log and the digest of its references."""

    first: int
    stop: int
    digest: bytes


def line_of(index: int, refs: Iterable[Any]) -> str:
    """What one entry adds to the digest; nothing if it refers to nobody."""
    named = sorted({ref for ref in refs if isinstance(ref, str)})
    return "\t".join([str(index), *named, ""]) if named else ""


def refs_in(text: str) -> list[Any]:
    """The members of a JSON list of strings; `text` is its inside."""
    if "\\" in text:
        found: list[Any] = orjson.loads(f"[{text}]")
        return found
    return text[1:-1].split('","') if text else []


def digest_of(lines: Iterable[str]) -> bytes:
    """The digest of entries' lines."""
    return hashlib.sha256("\n".join(filter(None, lines)).encode(errors="surrogatepass")).digest()


def differing(spans: Sequence[Span], stored: Iterable[Pair]) -> list[Span]:
    """The spans whose stored references are not what the entries say; `stored` holds those of all of them, in order."""
    lines = _lines(stored)
    index, line = next(lines, (None, ""))
    found = []
    for span in spans:
        own = []
        while index is not None and index < span.stop:
            own.append(line)
            index, line = next(lines, (None, ""))
        if digest_of(own) != span.digest:
            found.append(span)
    return found


def _lines(stored: Iterable[Pair]) -> Iterator[tuple[int | None, str]]:
    for index, pairs in groupby(stored, key=itemgetter(0)):
        yield index, line_of(index, (ref for _index, ref in pairs))


def name_references(rows: Iterable[StoredEntry], stored: Iterable[Pair]) -> list[Fault]:
    """A fault for each reference of these entries that is missing, and for each stored one that no entry makes."""
    told = {(row.index, ref): row.subject for row in rows for ref in (canonical_object(row.text) or {}).get("refs", ())}
    kept = {*stored}
    faults = [_fault(told[pair], pair, "is missing") for pair in sorted({*told} - kept)]
    return faults + [_fault("", pair, "is not the entry's") for pair in sorted(kept - {*told})]


def _fault(subject: str, pair: Pair, what: str) -> Fault:
    index, ref = pair
    return Fault("state_mismatch", subject or ref, index, "entry_ref", f"the reference to {ref} {what}")
