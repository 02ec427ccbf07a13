"""Which EPCIS and which CBV both sides speak (版本协商): the ``GS1-…`` headers."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from fastapi import Request, Response

from cylinder_api.problems import documented
from cylinder_api.refusals import Refused
from cylinder_trace.epcis.addresses import PREFIX, VOCABULARY

VERSION = "2.0.0"
"""The only version of EPCIS and of the CBV that is spoken here."""
_SAME = frozenset(("2", "2.0", VERSION))
SPOKEN = {
    "GS1-EPCIS-Version": VERSION,
    "GS1-CBV-Version": VERSION,
    "GS1-Extensions": f"{PREFIX}={VOCABULARY}",
}
"""On every answer."""
EPC_FORMATS = ("Always_GS1_Digital_Link", "Always_EPC_URN", "Never_Translates", "No_Preference")
_ALWAYS = ("epcis_not_acceptable", "too_many", "unavailable")


async def negotiate(request: Request, response: Response) -> None:
    """A dependency of every EPCIS route; raises Refused (406) for a caller who does not speak our version."""
    for name in ("EPCIS", "CBV"):
        _require_spoken(request, name)
    response.headers.update(SPOKEN)


def _require_spoken(request: Request, name: str) -> None:
    said = request.headers.get(f"gs1-{name}-version")
    least = request.headers.get(f"gs1-{name}-min")
    most = request.headers.get(f"gs1-{name}-max")
    fits = (said is None or said.strip() in _SAME) and _is_between(least, most)
    if not fits:
        raise Refused("epcis_not_acceptable", f"this service speaks {name} {VERSION} and no other version of it")


def _is_between(least: str | None, most: str | None) -> bool:
    try:
        low, high = _numbers(least or VERSION), _numbers(most or VERSION)
    except ValueError:
        return False
    return low <= _numbers(VERSION) <= high


def _numbers(text: str) -> tuple[int, ...]:
    parts = [int(part) for part in text.strip().split(".")]
    return tuple(parts + [0] * (3 - len(parts)))


def discovery(methods: Iterable[str], **more: str) -> Response:
    """The answer to OPTIONS: what is spoken here, and what a resource takes; `more`: headers, ``_`` for ``-``."""
    headers = {
        **SPOKEN,
        **{f"GS1-{name}-{end}": VERSION for name in ("EPCIS", "CBV") for end in ("Min", "Max")},
        "Allow": ", ".join(sorted({*methods, "OPTIONS"})),
        "GS1-EPC-Format": ", ".join(EPC_FORMATS),
        "GS1-Vendor-Version": version("cylinder-api"),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return Response(status_code=204, headers=headers)


def answers(*codes: str, public: bool = False) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses of an EPCIS route that may refuse with these codes."""
    return documented(*codes, public=public, always=_ALWAYS)
