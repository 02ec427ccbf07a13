"""Going on in a long answer (翻页): the token says where, for which question, and until when it is good.

It is sealed, since the place may be that of somebody else's event that was passed over, and keeps nothing here: any
process answers it.  With it goes the number of the newest event when the first page was asked for, so that later pages
are of the same events, whatever is recorded meanwhile.
"""

import base64
import binascii
import hashlib
from typing import Any, NamedTuple

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Request

from cylinder_api.refusals import Refused
from cylinder_api.tokens import derived_key
from cylinder_trace.store.epcis.selecting import Mark
from cylinder_trace.store.vault import VaultError, decrypt, encrypt

PARAMETER = "nextPageToken"
LASTING_MS = 24 * 3_600_000
_USE = "pages of EPCIS events"
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
        self._cipher = AESGCM(derived_key(master, _USE))
        self._question = hashlib.sha256(repr((question, org_id)).encode()).hexdigest()[:32]
        self._now = now
        self.expires_at = now + LASTING_MS

    def token_of(self, turn: Turn) -> str:
        """The token that leads to a turn."""
        key, seq = turn.behind or (None, 0)
        body = orjson.dumps([self.expires_at, turn.upto, key, seq, turn.left])
        return base64.urlsafe_b64encode(encrypt(self._cipher, body, self._question)).rstrip(b"=").decode()

    def read(self, token: str) -> Turn:
        """The turn that a token of ours leads to; raises Refused."""
        said = self._opened(token)
        if said is None:
            raise Refused("epcis_query_parameter", "nextPageToken: this is no token of this query; ask from its start")
        ends_at, upto, key, seq, left = said
        if self._now >= ends_at:
            raise Refused("epcis_query_parameter", "nextPageToken: the token has expired; ask from the start")
        return Turn(upto, Mark(key, seq), left)

    def _opened(self, token: str) -> list[Any] | None:
        try:
            sealed = base64.urlsafe_b64decode(token[:_LONGEST].encode() + b"=" * (-len(token) % 4))
            said: list[Any] = orjson.loads(decrypt(self._cipher, sealed, self._question))
        except (binascii.Error, ValueError, VaultError):
            return None
        return said


def next_link(request: Request, token: str) -> str:
    """The Link header that leads to the next page."""
    url = request.url.include_query_params(**{PARAMETER: token})
    path = request.scope["raw_path"].decode("ascii").partition("?")[0]
    return f'<{path}?{url.query}>; rel="next"'
