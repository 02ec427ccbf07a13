"""What the resolver tells programs (机器应答): verifications and its description, with GS1's names."""

from typing import Literal

from cylinder_api.resolving.words import Verdict
from cylinder_trace.values import Frozen


class VerificationData(Frozen):
    """Whether the code is the one of a cylinder on file."""

    verified: bool
    verificationFailureReason: Literal["code_voided"] | None = None  # noqa: N815 - GS1's name
    additionalInfo: Literal["recalled"] | None = None  # noqa: N815


class Verification(Frozen):
    """The answer to a verification, with the names of GS1's Lightweight Messaging Standard; `verdict` is ours."""

    verificationTimestamp: str  # noqa: N815
    corrUUID: str | None = None  # noqa: N815
    """As the caller sent it, if it is a UUID."""
    data: VerificationData
    verdict: Verdict


class Connectivity(Frozen):
    """The verification service can be reached."""

    connected: Literal[True] = True
    timestamp: str


class Namespace(Frozen):
    """A vocabulary of link types."""

    namespace: str
    prefix: str


class ResolverDescription(Frozen):
    """What the resolver can do, after GS1's schema of description files."""

    name: str
    resolverRoot: str  # noqa: N815 - GS1's names
    supportedPrimaryKeys: tuple[str, ...]  # noqa: N815
    supportedLinkType: tuple[Namespace, ...]  # noqa: N815
    linkTypeDefaultCanBeLinkset: bool  # noqa: N815
    jsonLdContextLocation: str  # noqa: N815
