"""What anybody asks with the code on a label, and where."""

from itertools import count
from typing import Any

from api_house import House

from cylinder_trace.events import CodeBound

RESOLVED = ("resolve_code", "resolve_grai", "resolve_giai")
"""They send on, unless all links are asked for."""
BEHIND = ("get_public_answer", "get_public_history", "get_public_certificates", "verify_code")
LABELLED = (*RESOLVED, *BEHIND)
OPEN = ("check_connectivity", "get_resolver_description", "get_safety_advice")
"""What needs no label."""
QUERIES: dict[str, dict[str, Any]] = {
    **{name: {"linkType": "linkset"} for name in RESOLVED}, **{name: {"format": "json"} for name in BEHIND}
}  # fmt: skip
_serials = count(1)


def label_places(house: House, code: str) -> dict[str, dict[str, Any]]:
    """The address of each question about the label `code`, whose cylinder gets a GRAI and a GIAI for it."""
    serial = f"S{next(_serials):09}"
    cylinder_id = house.running.ledger.reader.cylinder_id(code)
    grai, giai = f"09520001123450{serial}", f"9520001{serial}"
    house.append(f"cylinder/{cylinder_id}", CodeBound(code=f"grai:{grai}", scheme="grai"))
    house.append(f"cylinder/{cylinder_id}", CodeBound(code=f"giai:{giai}", scheme="giai"))
    return {
        "resolve_code": {"code": code}, "resolve_grai": {"grai": grai},
        "resolve_giai": {"giai": giai}, **{name: {"link": f"c/{code}"} for name in BEHIND},
    }  # fmt: skip
