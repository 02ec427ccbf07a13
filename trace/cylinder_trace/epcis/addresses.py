"""Addresses (地址) of what our events speak about: cylinders, stations, parties, papers; EPCIS wants them as URIs.

What has a GS1 key gets GS1's canonical link, everything else an address under the host of our own codes::

    cylinder   https://id.gs1.org/8003/09520001123450ZJ33010000017       by its GRAI, else by its GIAI
               https://id.pinglian.example/c/04HMASW9NF6YZZPW1011YN6955  else by its newest code of our own
               https://id.pinglian.example/cylinder/cyl_0123…            before it has a code
    station    https://id.gs1.org/414/9520001000010/254/3                whose id is a GLN: lane 3 of it
               https://id.pinglian.example/station/st_01/lane/3          else
    party      https://id.gs1.org/417/9520001000010, https://id.pinglian.example/party/co_01
"""

import re
from collections.abc import Sequence

from cylinder_codes.check_digits import gs1_check_digit
from cylinder_codes.digital_link import parse_link
from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import DEFAULT_HOST
from cylinder_trace.epcis.normal import CANONICAL_HOST, escaped

OURS = f"https://{DEFAULT_HOST}/"
VOCABULARY = f"{OURS}voc/"
"""Below it lies every word of our own."""
PREFIX = "pl"
"""What the words of our own are shortened by in a document of ours."""

_GS1_PATHS = {"grai": "8003/", "giai": "8004/"}
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]+")
"""What stands as it is in a link of our own, as labels bear it (``cylinder_codes.digital_link``)."""
_GLN = re.compile("[0-9]{13}")


def code_address(code: str) -> str:
    """The address of whatever bears `code`, a code's canonical text."""
    scheme, colon, value = code.partition(":")
    path = _GS1_PATHS.get(scheme) if colon else None
    return f"{CANONICAL_HOST}{path}{escaped(value)}" if path else own_address("c", code)


def code_at(address: str) -> str | None:
    """The code, in its canonical text, of whatever has this address; None where it leads to no code."""
    try:
        return parse_link(address).code.text
    except CodeError:
        return None


def epc_of(cylinder_id: str, codes: Sequence[str]) -> str:
    """The one address that a cylinder is called by in EPCIS; `codes` in the order in which they were bound."""
    for scheme in ("grai:", "giai:"):
        if found := [code for code in codes if code.startswith(scheme)]:
            return code_address(found[-1])
    own = [code for code in codes if ":" not in code] or codes
    return code_address(own[-1]) if own else own_address("cylinder", cylinder_id)


def station_address(station_id: str, lane: int | None = None) -> str:
    """A filling station, or one of its lanes (工位)."""
    if is_gln(station_id):
        return f"{CANONICAL_HOST}414/{station_id}" + ("" if lane is None else f"/254/{lane}")
    return own_address("station", station_id) + ("" if lane is None else f"/lane/{lane}")


def party_address(party_id: str) -> str:
    """A company, an inspection body, an authority: whoever owns or has something."""
    return f"{CANONICAL_HOST}417/{party_id}" if is_gln(party_id) else own_address("party", party_id)


def own_address(kind: str, *names: str) -> str:
    """An address under our own host: ``https://id.pinglian.example/order/o-17``."""
    return f"{OURS}{kind}/{'/'.join(escaped(name, _UNRESERVED) for name in names)}"


def is_gln(text: str) -> bool:
    """Whether `text` is a GLN with its right check digit."""
    return _GLN.fullmatch(text) is not None and gs1_check_digit(text[:-1]) == text[-1]
