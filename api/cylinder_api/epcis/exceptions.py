"""What EPCIS calls our refusals (EPCIS 异常): the `type` of every problem under /epcis.

GS1's REST binding names each kind of error ``epcisException:…``.  Our own `code` stays beside it, and where GS1 wants
another status than the rest of the service gives, a code of its own stands for the shared one.
"""

from cylinder_api.catalogue import PAGES

ROOT = "/epcis"
"""Under which every address of the EPCIS interfaces lies."""
MOST_BYTES = 8 * 2**20
"""Of a document that is captured."""
MOST_EVENTS = 10_000
CAPTURE_LIMITS = {
    "GS1-EPCIS-Capture-Limit": str(MOST_EVENTS),
    "GS1-EPCIS-Capture-File-Size-Limit": str(MOST_BYTES),
}
"""Headers that tell the limits of capture."""
_OWN = {
    "invalid": "epcis_invalid",
    "not_json": "epcis_media_type",
    "too_large": "epcis_too_large",
    "not_found": "epcis_unknown",
}
"""A shared code → what it is under /epcis."""
EPCIS_ONLY = {
    "epcis_invalid": "ValidationException",
    "epcis_query_parameter": "QueryParameterException",
    "epcis_query_invalid": "QueryValidationException",
    "epcis_subscription": "SubscriptionControlsException",
    "epcis_ours": "SecurityException",
    "epcis_unknown": "NoSuchResourceException",
    "epcis_name_unknown": "NoSuchNameException",
    "epcis_not_acceptable": "NotAcceptableException",
    "epcis_exists": "ResourceAlreadyExistsException",
    "epcis_too_large": "CaptureLimitExceededException",
    "epcis_query_too_large": "QueryTooLargeException",
    "epcis_query_too_complex": "QueryTooComplexException",
    "epcis_uri_too_long": "URITooLongException",
    "epcis_media_type": "UnsupportedMediaTypeException",
    "epcis_not_offered": "ImplementationException",
}
"""Codes that nothing but the EPCIS interfaces answers with, and what GS1 calls them."""
_SHARED = {
    "unauthenticated": "SecurityException",
    "not_allowed": "SecurityException",
    "scope_missing": "SecurityException",
    "device_cut_off": "SecurityException",
    "other_origin": "SecurityException",
    "malformed_request": "ValidationException",
    "method_not_allowed": "NoSuchResourceException",
}


def code_here(path: str, code: str) -> str:
    """The code of a refusal at this address: under /epcis some have a status of their own."""
    return _OWN.get(code, code) if is_epcis(path) else code


def headers_of(path: str, code: str) -> dict[str, str]:
    """What a refusal under /epcis says beside its body."""
    return CAPTURE_LIMITS if is_epcis(path) and code == "epcis_too_large" else {}


def type_of(path: str, code: str) -> str:
    """The `type` of a problem at this address: the page of its code, under /epcis GS1's name of it."""
    return exception_of(code) if is_epcis(path) else f"{PAGES}/{code}"


def exception_of(code: str) -> str:
    """GS1's name of a code; what is nobody's fault but ours is an ImplementationException."""
    return f"epcisException:{EPCIS_ONLY.get(code) or _SHARED.get(code, 'ImplementationException')}"


def is_epcis(path: str) -> bool:
    """Whether an address belongs to the EPCIS interfaces."""
    return path == ROOT or path.startswith(f"{ROOT}/")
