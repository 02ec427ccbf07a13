"""The heartbeat of a station's stream (心跳): what the service signs while nothing happens.

    pinglian-heartbeat/1
    st_01
    4700                                            since
    4711                                            changed, or 0
    4720                                            version
    1795312800000                                   as of, UTC ms

It says that of the log's entries from `since` up to `version` none concerns the station but those up to `changed`, as
the database had it at the moment `as_of`.  Whoever knows the log up to both `since` and `changed` knows all of it up
to `version`.  So it can be held against what one has, whatever became of the stream that carried it: a change left
out on the way, a heartbeat of another station, or an old one sent again, makes no data look fresher than they are.
"""

from cylinder_codes.keys import SigningKey, decode_base64, encode_base64
from cylinder_trace.values import Count, Frozen, Id, Instant

HEADER = "pinglian-heartbeat/1"


class Heartbeat(Frozen):
    """What is signed."""

    station_id: Id
    since: Count
    """The size of the log at which the stream began."""
    changed: Count
    """The size of the log with the last change of the station's own that the stream told of; 0 = none."""
    version: Count
    """The size of the log as the database had it."""
    as_of: Instant
    """When the database was read, by the service's clock."""

    def text(self) -> bytes:
        """What is signed."""
        numbers = "\n".join(map(str, (self.since, self.changed, self.version, self.as_of)))
        return f"{HEADER}\n{self.station_id}\n{numbers}\n".encode()

    def completes(self, known: int) -> bool:
        """Whether who knows the log up to `known` misses nothing up to `version`."""
        return max(self.since, self.changed) <= known


class SignedHeartbeat(Heartbeat):
    """As it is sent."""

    signature: str
    """Base64 Ed25519 by the log's key."""

    def signature_bytes(self) -> bytes:
        """The signature; empty where it is no base64."""
        return decode_base64(self.signature) or b""


def sign_heartbeat(beat: Heartbeat, key: SigningKey) -> SignedHeartbeat:
    """The heartbeat under the log's key."""
    return SignedHeartbeat(**dict(beat), signature=encode_base64(key.sign(beat.text())))
