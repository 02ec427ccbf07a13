"""One cylinder: what it is now, its whole history, and the history with its proof."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Response
from pydantic import BaseModel

from cylinder_api.access import Account, Caller
from cylinder_api.acts.common import read_name
from cylinder_api.acts.visible import may_see
from cylinder_api.etags import IfNoneMatch, etag_of, names
from cylinder_api.problems import documented
from cylinder_api.refusals import Refused
from cylinder_api.service import Service, ServiceHere
from cylinder_codes.identifiers import is_cylinder_id
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.proof import HistoryBundle

router = APIRouter(tags=["cylinders"])
_NOT_FOUND = ("cylinder_unknown", "code_unreadable", "other_owner")

CylinderName = Annotated[str, Path(max_length=200, description="A code in any readable form, or a cylinder id.")]


class HistoryEntry(BaseModel):
    """An entry as it stands in the ledger."""

    index: int
    hash: str
    entry: dict[str, Any]


class History(BaseModel):
    """What the cylinder is now, and everything that was recorded of it, oldest first."""

    cylinder: CylinderState
    entries: list[HistoryEntry]


@router.get(
    "/v1/cylinders/{name:path}/history",
    summary="Everything that was recorded of the cylinder",
    response_model_exclude_none=True,
    responses=documented(*_NOT_FOUND),
)
def get_history(name: CylinderName, caller: Caller, service: ServiceHere) -> History:
    """Oldest first; each entry with its hash and its place in the log."""
    cylinder = _visible(service, caller, name)
    rows = service.ledger.reader.history(f"cylinder/{cylinder.cylinder_id}")
    entries = [HistoryEntry(index=row.index, hash=row.hash.hex(), entry=orjson.loads(row.text)) for row in rows]
    return History(cylinder=cylinder, entries=entries)


@router.get(
    "/v1/cylinders/{name:path}/bundle",
    summary="The history with its proof, to be checked offline",
    responses=documented(*_NOT_FOUND, "not_published"),
)
def get_history_bundle(name: CylinderName, caller: Caller, service: ServiceHere, response: Response) -> HistoryBundle:
    """To be kept as a file and checked with `cylinder-trace verify`, years later and without us.

    Waits up to two seconds until the newest entry is under a published checkpoint.
    """
    cylinder_id = _visible(service, caller, name).cylinder_id
    subject, reader = f"cylinder/{cylinder_id}", service.ledger.reader
    response.headers["Content-Disposition"] = f'attachment; filename="{cylinder_id}.bundle.json"'
    service.ledger.publisher.wait_published(reader.history(subject)[-1].index + 1)
    return reader.bundle(subject)


# Last of the three: a GIAI may hold a slash, so the name takes whatever the others left.
@router.get(
    "/v1/cylinders/{name:path}",
    summary="What the cylinder is now",
    response_model=CylinderState,
    response_model_exclude_none=True,
    responses={
        200: {"headers": {"ETag": {"schema": {"type": "string"}, "description": "For If-None-Match and If-Match."}}},
        304: {"description": "Nothing was recorded of it since."},
        **documented(*_NOT_FOUND),
    },
)
def get_cylinder(
    name: CylinderName, caller: Caller, service: ServiceHere, response: Response, if_none_match: IfNoneMatch = None
) -> Any:
    """Companies and stations see their own company's cylinders. The ETag is its place in its own chain."""
    cylinder_id = _visible(service, caller, name).cylinder_id
    # The tag before the state: of something recorded between the two, the reader is told too much and not too little.
    tag = etag_of(service.ledger.reader.head(f"cylinder/{cylinder_id}"))
    if names(if_none_match, tag):
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": "private, no-cache"})
    response.headers.update({"ETag": tag, "Cache-Control": "private, no-cache"})
    return _visible(service, caller, cylinder_id)


def _visible(service: Service, caller: Account, name: str) -> CylinderState:
    cylinder = _find(service, name)
    if not may_see(service.ledger.reader, caller, cylinder):
        raise Refused("other_owner", "the cylinder belongs to another company")
    return cylinder


def _find(service: Service, name: str) -> CylinderState:
    cylinder_id: str | None = name
    if not is_cylinder_id(name):
        cylinder_id = service.ledger.reader.cylinder_id(read_name(name, service.settings.forms).text)
    state = service.ledger.reader.state(f"cylinder/{cylinder_id}") if cylinder_id else None
    if not isinstance(state, CylinderState):
        raise Refused("cylinder_unknown", "no cylinder is on file under this code")
    return state
