"""Going on in a long answer (翻页): the token says where, for which question, and until when it is good.

It is signed and keeps nothing here: any process answers it.  With it goes the number of the newest event when the first
page was asked for, so that later pages are of the same events, whatever is recorded meanwhile.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Any, NamedTuple

import orjson
from fastapi import Request

from cylinder_api.refusals import Refused
from cylinder_api.tokens import derived_key
from cylinder_trace.store.epcis.selecting import Mark

PARAMETER = "nextPageToken"
LASTING_MS = 24 * 3_600_000
_USE = "pages of EPCIS events"
_TAG_BYTES = 16
_LONGEST = 4000


class Turn(NamedTuple):
    """Where an answer goes on."""

    upto: int = 0
    """The newest event of the answer."""
    behind: Mark | None = None
    left: int | None = None
    """How many events are still to come at most, where eventCountLimit said so."""


class Pages:
    """Makes and reads the tokens of one question, as one organisation asks it."""

    def __init__(self, master: bytes, question: object, org_id: str | None, now: int) -> None:
        self._key = derived_key(master, _USE)
        self._question = hashlib.sha256(repr((question, org_id)).encode()).hexdigest()[:32]
        self._now = now
        self.expires_at = now + LASTING_MS

    def token_of(self, turn: Turn) -> str:
        """The token that leads to a turn."""
        key, seq = turn.behind or (None, 0)
        body = orjson.dumps([self._question, self.expires_at, turn.upto, key, seq, turn.left])
        return base64.urlsafe_b64encode(self._tag(body) + body).rstrip(b"=").decode()

    def read(self, token: str) -> Turn:
        """The turn that a token of ours leads to; raises Refused."""
        said = self._opened(token)
        if said is None or said[0] != self._question:
            raise Refused("epcis_query_parameter", "nextPageToken: this is no token of this query; ask from its start")
        if self._now >= said[1]:
            raise Refused("epcis_query_parameter", "nextPageToken: the token has expired; ask from the start")
        _, _, upto, key, seq, left = said
        return Turn(upto, Mark(key, seq), left)

    def _opened(self, token: str) -> list[Any] | None:
        try:
            text = base64.urlsafe_b64decode(token[:_LONGEST].encode() + b"=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            return None
        tag, body = text[:_TAG_BYTES], text[_TAG_BYTES:]
        said: list[Any] | None = orjson.loads(body) if hmac.compare_digest(tag, self._tag(body)) else None
        return said

    def _tag(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:_TAG_BYTES]


def next_link(request: Request, token: str) -> str:
    """The Link header that leads to the next page."""
    url = request.url.include_query_params(**{PARAMETER: token})
    path = request.scope["raw_path"].decode("ascii").partition("?")[0]
    return f'<{path}?{url.query}>; rel="next"'
