"""What others stated about things in EPCIS, and we took (EPCIS 采集): only that it was taken, and its fingerprint."""

from typing import ClassVar

from cylinder_trace.values import Count, Frozen, Id, Sha256


class EpcisCaptured(Frozen):
    """Events that an organisation sent were stored as they came (EPCIS 采集); no decision ever rests on them."""

    type: ClassVar[str] = "epcis_captured"
    org_id: Id
    """Who sent them."""
    document_sha256: Sha256
    """Of what was sent, byte for byte."""
    count: Count
    """How many events of it were new and are stored."""
    root: Sha256
    """Merkle root (RFC 6962) over the texts of these, in the order in which they are stored."""
