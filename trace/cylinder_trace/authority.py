"""The state of an authority (监管部门): the keys that sign its locks."""

from cylinder_codes.keys import VerifyingKey, parse_vkey
from cylinder_trace import events
from cylinder_trace.cylinder import StateError
from cylinder_trace.events import Entry
from cylinder_trace.values import Count, Frozen, Id, Instant, changed


class AuthorityKey(Frozen):
    """Since when a key signs, and since when no more, by the ledger's clock."""

    trusted_at: Instant
    revoked_at: Instant | None = None


class AuthorityState(Frozen):
    """An authority after `n` entries of its chain: verifying key, as text → how it stands."""

    authority_id: Id
    n: Count
    keys: dict[str, AuthorityKey] = {}

    def trusted(self) -> tuple[VerifyingKey, ...]:
        """The keys that sign for it now."""
        return tuple(parse_vkey(vkey) for vkey, key in self.keys.items() if key.revoked_at is None)


def next_authority_state(state: AuthorityState | None, entry: Entry, event: events.Event) -> AuthorityState:
    """State of an authority after `entry`; raises StateError if the event is not an authority's.

    A key that was revoked stays so: whoever has it may have signed anything.
    """
    state = state or AuthorityState(authority_id=entry.subject.partition("/")[2], n=0)
    keys = dict(state.keys)
    match event:
        case events.AuthorityKeyTrusted():
            keys.setdefault(event.vkey, AuthorityKey(trusted_at=entry.recorded_at))
        case events.AuthorityKeyRevoked():
            before = keys.get(event.vkey, AuthorityKey(trusted_at=entry.recorded_at))
            keys[event.vkey] = before if before.revoked_at else changed(before, {"revoked_at": entry.recorded_at})
        case events.DisputeRaised() | events.DisputeResolved():
            pass
        case _:
            raise StateError(f"{entry.type} is not an event of an authority")
    return changed(state, {"n": entry.n + 1, "keys": keys})
