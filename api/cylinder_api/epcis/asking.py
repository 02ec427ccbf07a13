"""Who may ask for which events, and what a kept query asks for (提问)."""

from collections.abc import Mapping
from typing import Any

from cylinder_api.refusals import Refused
from cylinder_trace.epcis.context import PLAIN, read_context
from cylinder_trace.epcis.faults import Faults
from cylinder_trace.epcis.query import Query, QueryFault
from cylinder_trace.epcis.query_language import parse_query_object
from cylinder_trace.store.epcis.selecting import Visible

_CODES: Mapping[str, str] = {
    "parameter": "epcis_query_parameter",
    "invalid": "epcis_query_invalid",
    "too_complex": "epcis_query_too_complex",
}

_SEE_ALL = frozenset(("regulator", "auditor"))


def refusal_of(fault: QueryFault) -> Refused:
    """What the core found wrong with a query, as a refusal."""
    return Refused(_CODES[fault.kind], fault.en, detail_zh=fault.zh)


def query_of(said: Any) -> Query:
    """The query that a kept object says; raises QueryFault."""
    faults = Faults()
    context = PLAIN
    if isinstance(said, dict) and "@context" in said:
        context = read_context(said["@context"], faults, ("query", "@context"), PLAIN)
    if faults.found:
        first = faults.found[0]
        raise QueryFault("invalid", "@context", first.en, first.zh)
    return parse_query_object(said, context.expand, paging=False)


def visible_to(role: str, org_id: str) -> Visible:
    """Companies see what is of their own cylinders and what they captured, authorities all."""
    return Visible(None if role in _SEE_ALL else org_id)
