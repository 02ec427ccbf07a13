"""The log for everybody who checks it: checkpoint, keys and tiles are public, the entries themselves are not.

Paths and bytes follow C2SP tlog-tiles, so that existing tools can read the log.
"""

import re
from typing import NamedTuple

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from cylinder_api.access import Caller
from cylinder_api.problems import documented
from cylinder_api.refusals import Refused
from cylinder_api.service import ServiceHere
from cylinder_trace.tiles import TILE_WIDTH, bundle_bytes

router = APIRouter(prefix="/log", tags=["log"])
_PUBLIC = documented("not_found", public=True)
_BYTES = "application/octet-stream"
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_A_MOMENT = {"Cache-Control": "public, max-age=1"}
_PLACE = re.compile(r"((?:x[0-9]{3}/){0,5})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_HIGHEST_LEVEL = 63


class Place(NamedTuple):
    """Which tile: its number, and its width if it is partial."""

    number: int
    width: int


@router.get("/checkpoint", summary="The newest signed checkpoint", response_class=PlainTextResponse, responses=_PUBLIC)
def get_checkpoint(service: ServiceHere) -> Response:
    """A signed note: origin, size, root."""
    newest = service.ledger.reader.checkpoint()
    if newest is None:
        raise Refused("not_found", "no checkpoint has been published yet")
    return PlainTextResponse(newest[1], headers=_A_MOMENT)


@router.get(
    "/keys",
    summary="The keys that sign checkpoints, one vkey a line",
    response_class=PlainTextResponse,
    responses=_PUBLIC,
)
def get_log_keys(service: ServiceHere) -> Response:
    """Take a key from somewhere you trust: a log that lies can also show another key."""
    lines = [f"{vkey}\n" for vkey in service.ledger.publisher.vkeys]
    return PlainTextResponse("".join(lines), headers=_A_MOMENT)


@router.get(
    "/rotations",
    summary="How the log's key was rotated: notes by the old key and the new one",
    response_class=PlainTextResponse,
    responses=_PUBLIC,
)
def get_log_rotations(service: ServiceHere) -> Response:
    """Empty when it never was. Who pinned an old key follows these to the newest."""
    return PlainTextResponse(service.ledger.reader.rotations(), headers=_A_MOMENT)


@router.get(
    "/tile/entries/{place:path}",
    summary="256 entries in a bundle",
    response_class=Response,
    responses={200: {"content": {_BYTES: {}}}, **documented("not_found")},
)
def get_entry_bundle(place: str, caller: Caller, service: ServiceHere) -> Response:
    """Each entry with a 16-bit length before it."""
    number, width = _parse_place(place)
    newest = service.ledger.reader.checkpoint()
    first = number * TILE_WIDTH
    if newest is None or first + width > newest[0]:
        raise Refused("not_found", "the log has no such entries under its checkpoint yet")
    rows = service.ledger.reader.entries(first, width)
    return Response(bundle_bytes([row.text for row in rows]), headers=_PRIVATE, media_type=_BYTES)


_PRIVATE = {"Cache-Control": "private, max-age=31536000, immutable"}


@router.get(
    "/tile/{level}/{place:path}",
    summary="256 neighbouring hashes of one level",
    response_class=Response,
    responses={200: {"content": {_BYTES: {}}}, **_PUBLIC},
)
def get_tile(level: int, place: str, service: ServiceHere) -> Response:
    """Immutable; a partial tile ends in .p/ and its width."""
    number, width = _parse_place(place)
    if not 0 <= level <= _HIGHEST_LEVEL:
        raise Refused("not_found", "the tree has no such level")
    try:
        tile = service.ledger.reader.tile(level, number, width)
    except FileNotFoundError:
        raise Refused("not_found", "the log has no such tile") from None
    return Response(tile, headers=_FOR_EVER, media_type=_BYTES)


def _parse_place(place: str) -> Place:
    found = _PLACE.fullmatch(place)
    if found is None or int(found[3] or 1) >= TILE_WIDTH:
        raise Refused("not_found", "a tile's path reads x001/x234/067 or 067.p/12")
    digits = found[1].replace("x", "").replace("/", "") + found[2]
    return Place(int(digits), int(found[3] or TILE_WIDTH))
