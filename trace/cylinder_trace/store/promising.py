"""The promise of one group commit, given to each of its receipts; signed when first asked for, then kept.

A caller in the same process may never ask, and the signature would cost him as much as the rest of his append.
"""

import threading
from collections.abc import Sequence
from typing import NamedTuple

from cylinder_codes.keys import SigningKey
from cylinder_trace.merkle import HashesInMemory
from cylinder_trace.promise import path_to, promise_of, sign_promise
from cylinder_trace.store.database import StoreError


class _Signed(NamedTuple):
    note: str
    tree: HashesInMemory


class Promising:
    """Signs what one commit wrote, once it is durable; for any thread."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self._first, self._recorded_at = 0, 0
        self._leaves: Sequence[bytes] = ()
        self._signed: _Signed | None = None
        self._lock = threading.Lock()

    def settle(self, first: int, leaves: Sequence[bytes], recorded_at: int) -> "Promising":
        """The commit is durable: it wrote entries with these hashes from index `first` on."""
        self._first, self._leaves, self._recorded_at = first, leaves, recorded_at
        return self

    def about_one(self, index: int, digest: bytes, recorded_at: int) -> "Promising":
        """A promise about one entry that an earlier commit wrote."""
        return Promising(self._key).settle(index, (digest,), recorded_at)

    def note(self) -> str:
        """The signed note; raises StoreError before the commit is durable."""
        return self._sign().note

    def path(self, index: int) -> tuple[str, ...]:
        """The path from the entry at `index` up to the promise's root."""
        return path_to(index - self._first, self._sign().tree, self._key.name)

    def _sign(self) -> _Signed:
        with self._lock:
            if not self._leaves:
                raise StoreError("nothing is promised before it is durable: ask once the commit has answered")
            if self._signed is None:
                promise, tree = promise_of(self._key.name, self._first, self._leaves, self._recorded_at)
                self._signed = _Signed(sign_promise(promise, self._key), tree)
            return self._signed
