"""ETag and If-Match (版本标签): what was read is still what is there, or the writer is told that it changed.

A cylinder's tag is its place in its own chain and the hash it ends in: it changes with every entry about it.
"""

from typing import Annotated

from fastapi import Header

from cylinder_api.refusals import Refused
from cylinder_trace.chain import Head

_ETAGS = "ETags as they were answered, parted by commas, or *."
IfNoneMatch = Annotated[str | None, Header(max_length=2000, description=_ETAGS)]
IfMatch = Annotated[str | None, Header(max_length=2000, description=_ETAGS)]


def etag_of(head: Head) -> str:
    """The strong tag of a subject whose chain ends here."""
    return f'"{head.n}-{head.hash[:32]}"'


def names(sent: str | None, tag: str) -> bool:
    """Whether a header names this tag; weak tags are read as what they stand for."""
    named = {part.strip().removeprefix("W/") for part in (sent or "").split(",")}
    return tag in named or "*" in named


def require_unchanged(if_match: str | None, head: Head) -> None:
    """Raise Refused where the writer has read another state than the one that stands."""
    if if_match is not None and not names(if_match, etag_of(head)):
        raise Refused("changed_meanwhile", "something was recorded of it since you read it; read it again")
