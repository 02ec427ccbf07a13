"""Each write bears the id of its act (Idempotency-Key), as every caller of the service must send it."""

import json
import uuid
from collections.abc import Mapping

import httpx

HEADER = "Idempotency-Key"


def keyed_client(url: str, headers: Mapping[str, str] | None = None) -> httpx.Client:
    """A client of the service at `url` that gives each write its key."""
    return httpx.Client(
        base_url=url, headers=headers, timeout=30, trust_env=False, verify=False, event_hooks={"request": [give_key]}
    )


def give_key(request: httpx.Request) -> None:
    """An event hook of a client: the body's own id as the key, else a fresh one, unless the request has a key."""
    if request.method in ("POST", "PUT", "PATCH", "DELETE") and HEADER not in request.headers:
        request.headers[HEADER] = _own_id(request.read()) or uuid.uuid4().hex


def _own_id(body: bytes) -> str | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    own = (said.get("id") or said.get("check_id")) if isinstance(said, dict) else None
    return own if isinstance(own, str) and own.isascii() and own.isprintable() else None
