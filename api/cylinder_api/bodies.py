"""Reading JSON bodies. The core's types are strict, and strict means strict about JSON: the text itself is
validated (an array becomes a tuple, "1" does not become 1), which FastAPI's own way over Python values cannot do.
"""

import asyncio
import json
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

from cylinder_api.epcis.exceptions import is_epcis
from cylinder_api.idempotency import EXEMPT, HEADER, KEY_PATTERN, WRITES, act_key, begin_act
from cylinder_api.problems import MEDIA_TYPE, Problem, documented, problem_examples
from cylinder_api.refusals import Refused
from cylinder_api.settings import Patience

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
        has_key = request.scope["route"].name not in EXEMPT
        if has_key:
            act_key(request)  # before anything is read
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
        if not _is_shortest(text):
            json.loads(text, object_pairs_hook=_require_once)
        if has_key:
            await begin_act(request, own_id(body), text)
        return body


def own_id(body: BaseModel) -> str | None:
    """The id of the act that a body carries, if it carries one."""
    name = next((name for name in _ID_FIELDS if name in type(body).model_fields), None)
    return getattr(body, name) if name else None


_ID_FIELDS = ("id", "check_id")


def _is_shortest(text: bytes) -> bool:
    """Whether the text is what its own value is written as, as by most programs; then it names nothing twice."""
    try:
        return orjson.dumps(orjson.loads(text)) == text
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return False


def _require_once(pairs: list[tuple[str, object]]) -> None:
    """Of a field named twice one reader takes the first and another the last; whoever signs must not mean both."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise Refused("invalid", "/body: an object names a field twice; name it once")


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The whole body; raises Refused as soon as it is too large, before it fills the memory."""
    chunks, size = [], 0
    async with InTime(request):
        async for chunk in request.stream():
            size += len(chunk)
            if size > most_bytes:
                raise Refused("too_large", f"the body has more than {most_bytes} bytes")
            chunks.append(chunk)
    return b"".join(chunks)


class InTime:
    """Reads a body within the time that a slow client has for it; raises Refused."""

    def __init__(self, request: Request) -> None:
        patience: Patience = request.app.state.service.settings.patience
        self._seconds = patience.body_s
        self._timeout = asyncio.timeout(patience.body_s)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        try:
            await self._timeout.__aexit__(*error)
        except TimeoutError:
            raise Refused("too_slow", f"the whole body must arrive within {self._seconds:g} s") from None


def takes(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """`openapi_extra` of a route that reads `model` with JsonBody."""
    if _MODELS.setdefault(model.__name__, model) is not model:
        raise TypeError(f"two bodies are called {model.__name__}; the document can describe one of them")
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
    document["components"]["examples"] = problem_examples()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if asks_for_key(method, path, operation["operationId"]):
                _document_key(operation)
            if "requestBody" in operation:
                _document_refusals(operation, "too_slow")
            if is_epcis(path):
                operation["responses"].pop("422", None)  # there it is answered with 400, as GS1 has it
            _show_answer(operation)
    return document


_ANSWERS: dict[str, Any] = json.loads(Path(__file__).with_name("example_answers.json").read_text("utf-8"))
"""What each operation answered once, over generated data; made by ``tests/api/example_answers.py``."""


def _show_answer(operation: dict[str, Any]) -> None:
    """Put the operation's example beside the description of its good answer."""
    answer = _ANSWERS.get(operation["operationId"])
    good = next(said for status, said in operation["responses"].items() if status.startswith("2"))
    for content in good.get("content", {}).values():
        if answer is not None:
            content.setdefault("example", answer)


def asks_for_key(method: str, path: str, operation_id: str) -> bool:
    """Whether an operation wants an Idempotency-Key."""
    return method.upper() in WRITES and path.startswith("/v1/") and operation_id not in EXEMPT


def _document_key(operation: dict[str, Any]) -> None:
    operation.setdefault("parameters", []).append(_KEY_PARAMETER)
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if name := next((name for name in _ID_FIELDS if name in body.get("example", {})), None):
        note = f"The same text as `{name}` in the body: one act, one id."
        operation["parameters"][-1] = {**_KEY_PARAMETER, "description": note, "example": body["example"][name]}
    _document_refusals(operation, *_KEY_REFUSALS)


def _document_refusals(operation: dict[str, Any], *codes: str) -> None:
    for status, answer in documented(*codes, public=True).items():
        said = operation["responses"].setdefault(str(status), answer)
        if said is answer or MEDIA_TYPE not in said["content"]:
            continue
        missing = [line for line in answer["description"].split("; ") if line not in said["description"].split("; ")]
        said["description"] = "; ".join([said["description"], *missing])
        said["content"][MEDIA_TYPE]["examples"].update(answer["content"][MEDIA_TYPE]["examples"])


_KEY_REFUSALS = ("idempotency_key_missing", "still_running", "idempotency_key_differs", "id_conflict")
_KEY_PARAMETER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": True,
    "description": "The id of this act, made by the caller; the same request again gets the same answer again.",
    "schema": {"type": "string", "pattern": KEY_PATTERN},
    "example": "order-20261122-0001",
}
