"""Reading JSON bodies. The core's types are strict, and strict means strict about JSON: the text itself is
validated (an array becomes a tuple, "1" does not become 1), which FastAPI's own way over Python values cannot do.
"""

import json
from typing import Any, Generic, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

from cylinder_api.problems import Problem
from cylinder_api.refusals import Refused

Body = TypeVar("Body", bound=BaseModel)


_USUAL_BYTES = 256 * 1024


class JsonBody(Generic[Body]):
    """A dependency that reads the request's body, of at most `most_bytes`, as `model`.

    It stands behind the caller among a route's parameters: nothing is read from whom may not call.
    """

    def __init__(self, model: type[Body], most_bytes: int = _USUAL_BYTES) -> None:
        self.model = model
        self._most_bytes = most_bytes

    async def __call__(self, request: Request) -> Body:
        """The body; raises RequestValidationError with the place of each fault."""
        kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refused("not_json", "send Content-Type: application/json")
        text = await read_body(request, self._most_bytes)
        try:
            body = self.model.model_validate_json(text)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_context=False, include_input=False)
            raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from None
        # Only now: the nesting of what fits the model has an end.
        json.loads(text, object_pairs_hook=_require_once)
        return body


def _require_once(pairs: list[tuple[str, object]]) -> None:
    """Of a field named twice one reader takes the first and another the last; whoever signs must not mean both."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise Refused("invalid", "/body: an object names a field twice; name it once")


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The whole body; raises Refused as soon as it is too large, before it fills the memory."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most_bytes:
            raise Refused("too_large", f"the body has more than {most_bytes} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def takes(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """`openapi_extra` of a route that reads `model` with JsonBody."""
    _MODELS[model.__name__] = model
    content = {"schema": {"$ref": f"{_SCHEMAS}{model.__name__}"}, "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


_SCHEMAS = "#/components/schemas/"
_MODELS: dict[str, type[BaseModel]] = {Problem.__name__: Problem}
"""Models that the document names, but that FastAPI does not know of."""


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The app's OpenAPI document, with the bodies that JsonBody reads."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
        separate_input_output_schemas=False,
    )
    _, named = models_json_schema(
        [(model, "validation") for model in _MODELS.values()], ref_template=f"{_SCHEMAS}{{model}}"
    )
    schemas = document["components"]["schemas"]
    document["components"]["schemas"] = dict(sorted({**named["$defs"], **schemas}.items()))
    return document
